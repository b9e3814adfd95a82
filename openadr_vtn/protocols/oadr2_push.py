"""The VTN's side of OpenADR 2.0b over HTTP push, without a socket (T12, T13).

A shell asks for what a party must be given now, carries it, and tells what came back, or that
nothing did. What is owed comes from the ledger and the queue, as for a poll, and a logical response
is acted on as if the party had posted it. Every operation may be repeated (T10): what was carried
and not written down is carried again.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from openadr_core.errors import Forbidden, MalformedMessage, SchemaViolation, SignatureFault
from openadr_core.exchange import Response
from openadr_core.model.party import Party
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import envelope_of, read
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import retry_after_s, service_url
from openadr_core.oadr2.session import Role, Service, may_answer, turn_of
from openadr_core.xml.validate import Schema
from openadr_vtn.application.handlers import delivery
from openadr_vtn.application.ports import Notice, UnitOfWork
from openadr_vtn.domain.delivery import Key, Mailbox, last_told
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.domain.pushing import DELIVERED, NEVER_AGAIN, PushState, delivered, failed, mark_of, takeable
from openadr_vtn.protocols.oadr2_desk import Asked, Desk
from openadr_vtn.protocols.oadr2_ei_event import told_events
from openadr_vtn.protocols.oadr2_errands import WRITERS, give_up, refusals_of
from openadr_vtn.protocols.oadr2_operations import operate
from openadr_vtn.protocols.oadr2_signatures import Sealing, Signatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one party is to be given now."""

    party: Party
    mailbox: Mailbox
    before: PushState | None
    url: str = ""
    body: bytes = b""
    """Empty: there is nothing to carry, only to write down that an errand is done with."""
    payload: type[m.Message] = m.DistributeEvent
    told: tuple[Key, ...] = ()
    """Events that it is about."""
    news: tuple[Key, ...] = ()
    """Those of them that the party has for certain once it has taken this."""
    errand: Errand | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A parcel, and what came of carrying it."""

    parcel: Parcel
    answer: Response | None = None
    """None: no answer came, for this reason."""
    message: m.Message | None = None
    """What the answer says, if it is anything that may be believed."""
    reason: str = ""


class Oadr2Pusher:
    def __init__(
        self,
        *,
        desk: Desk,
        schema: Schema,
        signatures: Signatures | None,
        retry_longest: timedelta,
        dice: random.Random,
    ) -> None:
        self._desk = desk
        self._schema = schema
        self._signatures = signatures
        self._retry_longest = retry_longest
        self._dice = dice

    async def next_parcel(
        self, uow: UnitOfWork, party: Party, mailbox: Mailbox, before: PushState | None, now: datetime
    ) -> Parcel | None:
        """What the party must be given now, whether or not it may be tried again yet; nothing is written."""
        told = delivery.next_told(takeable(mailbox, before, now), now)
        registration = party.registration
        if told is None or registration is None:
            return None
        address = registration.transport_address
        asked = Asked(uow=uow, party=party, mailbox=mailbox, now=now, desk=self._desk)
        if isinstance(told, Errand):
            parcel = Parcel(party=party, mailbox=mailbox, before=before, errand=told)
            payload = None if told.is_spent else await WRITERS[told.kind](asked, told)
            turn = None if payload is None else turn_of(Role.VTN, type(payload))
            if payload is None or turn is None:
                return parcel
            body = self._sealed(encode(payload), party)
            return replace(parcel, url=service_url(address, turn.service), body=body, payload=type(payload))
        events = told_events(asked, told, None, request_id=None)
        return Parcel(
            party=party, mailbox=mailbox, before=before,
            url=service_url(address, Service.EVENT), body=self._sealed(events.body, party),
            told=told.news, news=events.news, notices=events.notices,
        )  # fmt: skip

    async def heard(self, parcel: Parcel, answer: Response, now: datetime) -> Carried:
        """What an answer says, before anything in it counts: that of the party, once, signed if it must be."""
        if answer.status != HTTPStatus.OK or not answer.body:
            return Carried(parcel=parcel, answer=answer)  # 9.1.5: of a refusal nothing else is read
        try:
            envelope = envelope_of(answer.body, self._schema)
            if self._signatures is None:
                return Carried(parcel=parcel, answer=answer, message=read(envelope[-1]))
            judged = self._signatures.security.judge(
                envelope,
                rule=self._signatures.rule_for(parcel.party),
                certificates=parcel.party.good_sha256,
                received_at=now,
            )
            await self._signatures.security.claim(judged.proof)
            return Carried(parcel=parcel, answer=answer, message=read(judged.signed_object))
        except (MalformedMessage, SchemaViolation, SignatureFault, Forbidden) as error:
            return Carried(parcel=parcel, answer=answer, reason=str(error))

    async def write_down(
        self, uow: UnitOfWork, carried: Carried, now: datetime
    ) -> tuple[PushState | None, tuple[Notice, ...]]:
        """What came of it, in a transaction; the state to be saved in it, and what there is to tell."""
        parcel, answer = carried.parcel, carried.answer
        if not parcel.body:
            return None, await self._drop(uow, parcel, now)
        if answer is not None and answer.status == HTTPStatus.OK and not _no_to_events(carried):
            state, notices = await self._taken(uow, carried, now)
        elif answer is not None and answer.status in NEVER_AGAIN:
            state, notices = await self._refused(uow, parcel, f"HTTP {answer.status}", now)
        else:
            state, notices = await self._failed(uow, carried, now)
        return state, notices

    async def _taken(self, uow: UnitOfWork, carried: Carried, now: datetime) -> tuple[PushState, tuple[Notice, ...]]:
        parcel, message = carried.parcel, carried.message
        party_id, before = parcel.party.id, parcel.before
        notices = [Notice(kind="party reachable", party_id=party_id)] if before is not None and before.failures else []
        if message is not None and getattr(message, "ven_id", None) not in {None, "", party_id}:
            message = None  # S6: whatever it says, it says for somebody else
        if parcel.errand is not None:
            outcome, told = await self._answered(uow, replace(carried, message=message), parcel.errand, now)
            state = PushState(
                party_id=party_id, at=now, outcome=outcome, refused="" if before is None else before.refused
            )
            return state, (*notices, *told)
        await delivery.pushed(uow, party_id, parcel.told, parcel.news, now)
        notices += parcel.notices
        notices += [
            Notice(kind="event unanswered", party_id=party_id, event_id=event_id, detail="it is pushed no more")
            for event_id, _ in last_told(parcel.mailbox, parcel.news, now)
        ]
        if isinstance(message, m.CreatedEvent):
            # Interpretation: T13 wants an empty body, and the answers in a request of the party's own; one that
            # answers at once has said as much.
            notices += (await operate(self._asked(uow, parcel, now), message)).notices
        return delivered(party_id, now), tuple(notices)

    async def _answered(
        self, uow: UnitOfWork, carried: Carried, errand: Errand, now: datetime
    ) -> tuple[str, tuple[Notice, ...]]:
        """What an errand came to."""
        parcel, message = carried.parcel, carried.message
        asked = self._asked(uow, parcel, now)
        await uow.errands.mark_sent(errand, now)
        if message is None or not may_answer(Role.VTN, parcel.payload, type(message)):
            # Said, and not answered: it is said again after a pause, until it is spent.
            return f"{errand.kind}: what came back answers nothing {carried.reason}".rstrip(), ()
        if isinstance(message, m.Response) and errand.kind is not ErrandKind.REQUEST_REREGISTRATION:
            # An error in a payload that fits nothing (R517): it is an answer all the same.
            told = refusals_of(asked, errand.kind, message)
            if errand.kind is ErrandKind.CANCEL_PARTY_REGISTRATION:
                told += (await give_up(asked, errand, parcel.mailbox))[1]
        else:
            told = (await operate(asked, message)).notices
        await uow.errands.remove(errand)
        return DELIVERED, told

    async def _refused(
        self, uow: UnitOfWork, parcel: Parcel, reason: str, now: datetime
    ) -> tuple[PushState, tuple[Notice, ...]]:
        """9.1.5: the same must not come again; what is owed otherwise may."""
        party_id = parcel.party.id
        notices: tuple[Notice, ...] = (Notice(kind="push refused", party_id=party_id, detail=reason),)
        mark = mark_of(parcel.told)
        if parcel.errand is not None:
            _, ended = await give_up(self._asked(uow, parcel, now), parcel.errand, parcel.mailbox)
            notices += ended
            mark = "" if parcel.before is None else parcel.before.refused
        return PushState(party_id=party_id, at=now, outcome=reason, refused=mark), notices

    async def _failed(self, uow: UnitOfWork, carried: Carried, now: datetime) -> tuple[PushState, tuple[Notice, ...]]:
        parcel, answer = carried.parcel, carried.answer
        refused = _no_to_events(carried)
        reason = refused or (carried.reason if answer is None else f"HTTP {answer.status}")
        state = failed(
            parcel.before, parcel.party.id, reason, now,
            longest=self._retry_longest, dice=self._dice,
            at_least_s=0.0 if answer is None else retry_after_s(answer),
        )  # fmt: skip
        if parcel.errand is not None and parcel.errand.kind is ErrandKind.CANCEL_PARTY_REGISTRATION:
            # R407: who cannot be reached to be told so is asked so often, and is registered no more.
            await uow.errands.mark_sent(parcel.errand, now)
        if state.failures > 1:
            return state, ()
        kind = "push refused" if refused else "party unreachable"
        return state, (Notice(kind=kind, party_id=parcel.party.id, detail=reason),)

    async def _drop(self, uow: UnitOfWork, parcel: Parcel, now: datetime) -> tuple[Notice, ...]:
        """An errand that was said in vain often enough, or of which nothing is left to say."""
        errand = parcel.errand
        if errand is None:
            return ()
        if not errand.is_spent:
            await uow.errands.remove(errand)
            return ()
        return (await give_up(self._asked(uow, parcel, now), errand, parcel.mailbox))[1]

    def _sealed(self, body: bytes, party: Party) -> bytes:
        signatures = self._signatures
        if signatures is None or not signatures.speaks_signed(party):
            return body
        return Sealing(signatures.security, None).seal(body)

    def _asked(self, uow: UnitOfWork, parcel: Parcel, now: datetime) -> Asked:
        return Asked(uow=uow, party=parcel.party, mailbox=parcel.mailbox, now=now, desk=self._desk)


def _no_to_events(carried: Carried) -> str:
    """Why events were not taken, though they were heard (a signature, a registration that it does not know).

    Interpretation: T13 has an empty 200 say that events were taken, and no payload says that they were not. A VEN that
    answers with an oadrResponse and an error has not taken them: they are owed still, and it is tried again as 9.1.7
    has it, since what is wrong may be mended.
    """
    message = carried.message
    if carried.parcel.errand is not None or not isinstance(message, m.Response):
        return ""
    said = message.response
    return (
        "" if said.response_code.startswith("2") else f"{said.response_code} {said.response_description or ''}".strip()
    )
