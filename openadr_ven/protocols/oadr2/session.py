"""The conversation of a 2.0b VEN: what is said next, what an answer means, and what the VTN says by itself.

Order of business: register; offer reports; ask for the events; then answers, replies and readings
as they come up. What the VTN has to say comes in answer to a poll, whenever one is due; or, where we
are pushed to, in a request of its own, and we never poll (R500). One exchange at a time. Whatever fails is tried
again with a growing pause (9.1.7), for ever: a VTN that is down stays our VTN.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus

from openadr_core.errors import LocalProtocolError, RemoteProtocolError, UnknownReference
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.limits import RETRY_FIRST_S
from openadr_core.model.opt import Opt
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import HttpRefusal, retry_after_s
from openadr_core.oadr2.session import Role, turn_of
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    EventCancelled,
    EventReceived,
    Indication,
    NotEnrolled,
    Registered,
    RegistrationLost,
    StrangerRefused,
    VtnReachable,
    VtnRefused,
    VtnUnreachable,
)
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.records import to_record
from openadr_ven.protocols.backoff import Backoff
from openadr_ven.protocols.oadr2.events import take_events
from openadr_ven.protocols.oadr2.memory import Answer, Exchange, Memory, PayloadError
from openadr_ven.protocols.oadr2.opts import OptTeller
from openadr_ven.protocols.oadr2.pushed import BUSY, STRANGER, Listed, answered, fault_of, received, refusal_of
from openadr_ven.protocols.oadr2.registering import at_start, cancelled, registered
from openadr_ven.protocols.oadr2.report_talk import ReportTalk
from openadr_ven.protocols.oadr2.reports import Step
from openadr_ven.protocols.oadr2.speech import (
    OK,
    SERVICES,
    SessionSettings,
    ei_response,
    is_for_another,
    loses_registration,
    message_for,
    refusal_to_tell,
    response_of,
)

PATH = "/OpenADR2/Simple/2.0b/"
HEADERS = {"content-type": "application/xml"}
NEVER_AGAIN = {HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.NOT_IMPLEMENTED}
"""9.1.5: the peer does not take this message; it must not be sent again unchanged."""
OFFERS_AWAITED = timedelta(minutes=1)
"""How long after a registration, or a start of ours, a VTN may take to say which reports it makes (R301, R309)."""
STRANGERS_TOLD_EVERY = timedelta(minutes=1)


class Oadr2Session:
    """A VEN's side of one 2.0b conversation; implements ``protocols.session.Session``."""

    def __init__(
        self,
        *,
        settings: SessionSettings,
        decode: Callable[[bytes], m.Message],
        dice: random.Random,
        now: datetime,
        memory: Memory | None = None,
    ) -> None:
        self._settings = settings
        self._decode = decode
        self._dice = dice
        self._memory = at_start(memory or Memory(), settings)
        self._due_at = now
        self._poll_at = now
        self._register_at = now
        self._ask_reports_at = now + OFFERS_AWAITED
        self._under_way: Exchange | None = None
        self._told_meanwhile = False
        """Events were pushed at us while an exchange of ours was under way."""
        self._listed_events = Listed()
        self._backoff = Backoff(settings.poll_interval.total_seconds(), dice)
        self._leaving = False
        self._stranger_at: datetime | None = None
        self._answers_sent: tuple[Answer | PayloadError, ...] = ()
        self._reports = ReportTalk(settings.offers, new_id=self._request_id)
        self._opts = OptTeller()
        self._indications: deque[Indication] = deque()
        for known in self._memory.known:
            if known.opt is None:
                self._indicate(EventReceived(event=known.event, delay_fraction=known.delay_fraction))

    @property
    def memory(self) -> Memory:
        return self._memory

    def record(self) -> str:
        return to_record(self._memory)

    # -- what the agent tells ----------------------------------------------------------

    def retract(self, opt: Opt) -> None:
        known = self._memory.known_event(opt.event_id)
        if known is None or known.opt != opt:
            return
        self._memory = self._memory.with_known(replace(known, opt=None)).without_answer(opt.event_id, opt.version)

    def answer(self, opt: Opt) -> None:
        known = self._memory.known_event(opt.event_id)
        if known is None or known.event.version != opt.version:
            return  # overtaken by a newer version, or by a cancel, which is answered by itself
        self._memory = self._memory.with_known(replace(known, opt=opt))
        if known.event.response_required:
            self._memory = self._memory.with_answer(Answer.of(opt, request_id=known.request_id))

    def report(self, batch: Batch) -> None:
        self._reports.add(batch)

    def opt(self, order: OptOrder) -> None:
        self._opts.add(order)

    def unregister(self) -> None:
        self._leaving = True

    def register(self, *, now: datetime) -> None:
        self._leaving = False
        self._register_at = now

    # -- the verbs of the shell --------------------------------------------------------

    def indications(self) -> list[Indication]:
        found = list(self._indications)
        self._indications.clear()
        return found

    def next_wakeup(self) -> datetime | None:
        if self._under_way is not None or (self._leaving and not self._memory.registered):
            return None
        if self._next_exchange(self._due_at) is not None:
            return self._due_at
        memory = self._memory
        if not memory.registered:
            return self._register_at
        moments = [one.next_at for one in memory.metadata_requests]
        moments += [self._poll_at] if self._settings.pushed is None else []
        return min(moments, default=None)

    def next_request(self, *, now: datetime) -> Request | None:
        if self._under_way is not None or now < self._due_at:
            return None
        if self._memory.registered:
            self._reply(self._apply(self._reports.due(self._memory, now)))
        exchange = self._next_exchange(now)
        if exchange is None:
            return None
        self._under_way, self._told_meanwhile = exchange, False
        service, body = self._message(exchange, now)
        return Request(method="POST", path=PATH + service, body=body, headers=HEADERS)

    def receive_request(self, request: Request, peer: Peer, *, now: datetime) -> Response:
        pushed = self._settings.pushed
        if pushed is None or peer.certificate_sha256 not in pushed.vtn_sha256:
            self._indicate_stranger(peer, now)
            return STRANGER
        try:
            service, message = received(request, pushed, self._decode)
        except HttpRefusal as refusal:
            return Response(status=refusal.status)
        registered = self._memory.registered
        if self._under_way is Exchange.REGISTER or (isinstance(message, m.DistributeEvent) and not registered):
            # The VTN may speak before we have read that it registered us.
            # Interpretation (G12, R517): there is no payload to refuse events with, and T13's empty 200 would say
            # that we have them; so it shall come again.
            return BUSY
        if code := fault_of(message, service, registered=registered):
            return answered(request, refusal_of(message, code, self._memory.ven_id))
        if self._listed_events.overtook(message):
            self._memory = replace(self._memory, synchronised=False)
            return answered(request, None)
        said = self._take(message, now)
        self._told_meanwhile |= isinstance(message, m.DistributeEvent)
        self._reply(said[1:])
        return answered(request, said[0] if said else None)

    def request_failed(self, *, now: datetime, reason: str) -> None:
        self._under_way = None
        self._backoff.stumbled(again=False)
        self._pause(now, reason)

    def receive_response(self, response: Response, *, now: datetime) -> None:
        exchange, self._under_way = self._under_way, None
        if exchange is None:
            raise LocalProtocolError("an answer to no request")
        if response.status != HTTPStatus.OK:
            self._refused(exchange, response, now)
            return
        try:
            message = self._answer_in(response, exchange)
        except RemoteProtocolError as error:
            self._stumbled(exchange, now, f"the VTN's answer cannot be read: {error}")
            return
        if refusal := refusal_to_tell(exchange, message):
            self._pause(now, f"the VTN refused to answer: {refusal}")
            return
        if failures := self._backoff.went_well():
            self._indicate(VtnReachable(failures=failures))
        self._understand(exchange, message, now)

    def _answer_in(self, response: Response, exchange: Exchange) -> m.Message:
        """Interpretation: openleadr answers our oadrResponse with nothing, which says what T13's empty 200 says."""
        if exchange is Exchange.REPLY and not response.body:
            return m.Response(response=response_of(OK, ""))
        message = self._decode(response.body)
        if is_for_another(exchange, message, self._memory.ven_id):
            raise UnknownReference("it is for another venID", clause="R21")
        return message

    # -- what is said next -------------------------------------------------------------

    def _next_exchange(self, now: datetime) -> Exchange | None:
        memory = self._memory
        if self._leaving:
            return Exchange.CANCEL if memory.registered else None
        # The first that applies.
        business = (
            (Exchange.REPLY, bool(memory.replies)),
            (Exchange.REGISTER, memory.renewing or (not memory.registered and now >= self._register_at)),
            (None, not memory.registered),
            (Exchange.OFFER_REPORTS, not memory.offered),
            (Exchange.REQUEST_EVENTS, not memory.synchronised and not self._settings.report_only),
            (Exchange.ANSWER, bool(memory.answers or memory.payload_errors)),
            (Exchange.OPT, bool(self._opts)),
            (Exchange.POLL, self._settings.pushed is None and now >= self._poll_at),
            (Exchange.ASK_REPORTS, not memory.vtn_offered and now >= self._ask_reports_at),
            (Exchange.REPORT, self._reports.is_waiting),
        )
        return next((exchange for exchange, applies in business if applies), None)

    def _message(self, exchange: Exchange, now: datetime) -> tuple[str, bytes]:
        """The service and the body."""
        memory = self._memory
        if exchange is Exchange.REPLY:
            return memory.replies[0].service, memory.replies[0].body.encode()
        if exchange is Exchange.ANSWER:
            self._answers_sent = memory.payload_errors[:1] or memory.answers
        message: m.Message
        if exchange is Exchange.OPT:
            message = self._opts.message(ven_id=memory.ven_id, request_id=self._request_id())
        elif exchange is Exchange.REPORT:
            message = self._reports.update(request_id=self._request_id(), ven_id=memory.ven_id, now=now)
        else:
            message = message_for(exchange, memory, self._settings, request_id=self._request_id(), now=now)
        return SERVICES[exchange], encode(message)

    def _request_id(self) -> str:
        return f"q{self._dice.getrandbits(64):016x}"

    # -- what an answer means ----------------------------------------------------------

    def _understand(self, exchange: Exchange, message: m.Message, now: datetime) -> None:
        if isinstance(message, m.RequestReregistration) and exchange not in {Exchange.POLL, Exchange.REGISTER}:
            # Interpretation: openleadr says so to anything that a party says whom it has forgotten. It has not heard
            # what we said, so that is said again; after a moment: one that forgets at once must not make us spin.
            self._memory = replace(self._memory, renewing=True)
            self._due_at = now + timedelta(seconds=RETRY_FIRST_S) * self._backoff.jitter()
            return
        answer = ei_response(message)
        code, description = answer.response_code, answer.response_description or ""
        if loses_registration(exchange, answer):
            self._not_registered(exchange, code, description, now)
            return
        match exchange:
            case Exchange.REGISTER:
                self._registered(message, code, description, now)
            case Exchange.CANCEL:
                self._memory = self._memory.unregistered()
                self._let_go(now)
                self._indicate(RegistrationLost(reason="we left", stays_away=True))
            case Exchange.OFFER_REPORTS | Exchange.REPLY | Exchange.ASK_REPORTS:
                self._memory = self._memory.after(exchange)
                self._told(exchange.name, code, description)
                if isinstance(message, m.RegisteredReport) and code == OK:
                    self._reply(self._apply(self._reports.offered(self._memory, message, now)))
            case Exchange.ANSWER:
                self._answered(code, description)
            case Exchange.REPORT:
                self._apply(self._reports.told(self._memory, message, code, description))
            case Exchange.OPT:
                self._indicate(self._opts.told(code, description))
            case Exchange.REQUEST_EVENTS:
                self._listed(message, now)
            case Exchange.POLL:
                self._polled(message, now)

    def _registered(self, message: m.Message, code: str, description: str, now: datetime) -> None:
        if not isinstance(message, m.CreatedPartyRegistration) or code != OK or not message.registration_id:
            self._pause(now, f"the VTN did not register us: {code} {description}".strip())
            return
        renewed = message.registration_id == self._memory.registration_id
        self._memory = registered(self._memory, message, self._settings)
        self._poll_at = now
        if not renewed:
            self._ask_reports_at = now + OFFERS_AWAITED
            # The agent gives us again what must be told again, in order.
            self._opts.clear()
        self._indicate(
            Registered(
                ven_id=self._memory.ven_id,
                vtn_id=message.vtn_id,
                registration_id=message.registration_id,
                renewed=renewed,
            )
        )

    def _not_registered(self, exchange: Exchange, code: str, description: str, now: datetime) -> None:
        if exchange is Exchange.REGISTER:
            self._register_at = now + self._settings.enrolment_retry * self._backoff.jitter()
            self._indicate(NotEnrolled(code=code, description=description))
        else:
            # A VTN that registers us and forgets us at once must not make us spin.
            self._register_at = now + timedelta(seconds=RETRY_FIRST_S) * self._backoff.jitter()
            self._indicate(RegistrationLost(reason=f"{code} {description}".strip()))
        self._memory = self._memory.unregistered()

    def _told(self, what: str, code: str, description: str) -> None:
        if code != OK:
            self._indicate(VtnRefused(what=what.lower().replace("_", " "), code=code, description=description))

    def _answered(self, code: str, description: str) -> None:
        """What was refused is not repeated: the VTN sends again what it still wants answered."""
        left = tuple(answer for answer in self._memory.answers if answer not in self._answers_sent)
        errors = tuple(error for error in self._memory.payload_errors if error not in self._answers_sent)
        self._memory = replace(self._memory, answers=left, payload_errors=errors)
        self._told("answer", code, description)

    def _polled(self, message: m.Message, now: datetime) -> None:
        """R500: again at once until there is nothing more, then after the interval."""
        if isinstance(message, m.Response):
            # Q4: never sooner than was asked for.
            interval = max(self._settings.poll_interval, self._memory.poll_freq)
            self._poll_at = now + interval * (1 + self._dice.uniform(0.0, self._settings.poll_jitter))
        elif turn_of(Role.VTN, type(message)) is None:
            self._pause(now, f"{type(message).__name__} is no answer to this request")
        else:
            self._poll_at = now
            self._reply(self._take(message, now))

    def _listed(self, message: m.Message, now: datetime) -> None:
        """Every event, as we asked.

        Interpretation: openleadr answers oadrRequestEvent with oadrResponse when it has no events; so it has none.
        Interpretation: where it has crossed what was pushed, nothing tells which of the two was written last. To miss
        an event in the older one (R61) would be to cancel what has only begun, so it is asked for again.
        """
        if self._told_meanwhile:
            return
        self._memory = self._memory.after(Exchange.REQUEST_EVENTS)
        if isinstance(message, m.Response) and message.response.response_code == OK:
            message = m.DistributeEvent(request_id="", vtn_id=self._memory.vtn_id)
        if isinstance(message, m.DistributeEvent):
            self._listed_events.read(message)
            self._take(message, now)
        else:
            self._pause(now, f"{type(message).__name__} is no answer to this request")

    def _take(self, message: m.Message, now: datetime) -> Sequence[m.Message]:
        """Something that the VTN said by itself: our logical reply, and what follows it.

        Nothing to events, which the agent answers one by one.
        """
        named = getattr(message, "ven_id", None)
        if named and named != self._memory.ven_id:
            return [refusal_of(message, "452", self._memory.ven_id)]  # R21
        said: Sequence[m.Message] = ()
        match message:
            case m.DistributeEvent():
                self._memory, found = take_events(
                    self._memory, message, enrolled=self._settings.enrolled, now=now, dice=self._dice
                )
                self._indications.extend(found)
            case m.CreateReport():
                said = self._apply(self._reports.requested(self._memory, message, now))
            case m.CancelReport():
                said = self._apply(self._reports.cancelled(self._memory, message))
            case m.RegisterReport():
                # R301: the VTN has reports too, or says that it has none; we ask for none.
                self._memory = replace(self._memory, vtn_offered=True)
                response = response_of(OK, message.request_id)
                said = [m.RegisteredReport(response=response, ven_id=self._memory.ven_id)]
            case m.CancelPartyRegistration():
                said = [self._cancelled_by_vtn(message, now)]
            case m.RequestReregistration():
                self._memory = replace(self._memory, renewing=True)
                said = [m.Response(response=response_of(OK, ""), ven_id=self._memory.ven_id)]
            case _:
                # An oadrUpdateReport: we asked for no report, so whatever it belongs to is not ours.
                said = [refusal_of(message, "452", self._memory.ven_id)]
        return said

    def _cancelled_by_vtn(self, message: m.CancelPartyRegistration, now: datetime) -> m.Message:
        self._memory, answer, ours = cancelled(self._memory, message)
        if ours:
            # R401: and tried again after a while.
            self._register_at = now + self._settings.enrolment_retry * self._backoff.jitter()
            self._let_go(now)
            self._indicate(RegistrationLost(reason="cancelled by the VTN"))
        return answer

    def _let_go(self, now: datetime) -> None:
        """Interpretation: who has ended a registration can stop nobody any more, so what was asked under it ends too.

        A registration that is only lost (463) is soon there again, and so are its events.
        """
        for known in self._memory.known:
            event = replace(known.event, cancelled_at=now)
            self._indicate(EventCancelled(event=event, stop_fraction=self._dice.random(), implied=True))
        self._memory = replace(self._memory, known=())

    def _apply(self, step: Step) -> Sequence[m.Message]:
        """What is to be said of it."""
        self._memory = step.memory
        self._indications.extend(step.indications)
        return step.said

    def _reply(self, said: Sequence[m.Message]) -> None:
        """To be posted to the service of each, in this order, until it is acknowledged."""
        for message in said:
            turn = turn_of(Role.VEN, type(message))
            if turn is None:
                raise LocalProtocolError(f"no VEN says {type(message).__name__} by itself")
            self._memory = self._memory.with_reply(turn.service, encode(message))

    # -- when it goes wrong ------------------------------------------------------------

    def _refused(self, exchange: Exchange, response: Response, now: datetime) -> None:
        """9.1.5: some statuses say that the same bytes must not come again; the body says nothing."""
        status = response.status
        reason = f"HTTP {status}"
        if status in NEVER_AGAIN:
            if not self._went_on(exchange, str(status), reason):
                self._pause(now, reason)
        elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self._stumbled(exchange, now, reason)
        else:
            self._pause(now, reason, at_least_s=retry_after_s(response))

    def _stumbled(self, exchange: Exchange, now: datetime, reason: str) -> None:
        """The VTN is there, and fails over what we say: that must not keep us from everything else for ever.

        Readings are kept, and let others pass. What the VTN asks for again if it wants it is let go in the end.
        """
        if exchange is Exchange.REPORT:
            self._reports.set_aside()
        elif self._backoff.stumbled(again=True) and self._went_on(exchange, "500", reason):
            self._backoff.stumbled(again=False)
        self._pause(now, reason)

    def _went_on(self, exchange: Exchange, code: str, reason: str) -> bool:
        """Go on as if it had been said; False where there is no going on without."""
        match exchange:
            case Exchange.REPORT:
                self._apply(self._reports.refused(self._memory, code, reason))
            case Exchange.ANSWER:
                self._answered(code, reason)
            case Exchange.OPT:
                self._indicate(self._opts.told(code, reason))
            case Exchange.REPLY | Exchange.OFFER_REPORTS | Exchange.REQUEST_EVENTS | Exchange.ASK_REPORTS:
                self._memory = self._memory.after(exchange)
                self._told(exchange.name, code, reason)
            case _:
                return False
        return True

    def _pause(self, now: datetime, reason: str, *, at_least_s: float = 0.0) -> None:
        self._due_at = now + timedelta(seconds=self._backoff.went_wrong(at_least_s=at_least_s))
        self._indicate(VtnUnreachable(failures=self._backoff.failures, reason=reason, retry_at=self._due_at))

    def _indicate_stranger(self, peer: Peer, now: datetime) -> None:
        """Once a minute: whoever holds a certificate of our authority can knock as often as it likes."""
        if self._stranger_at is None or now - self._stranger_at >= STRANGERS_TOLD_EVERY:
            self._stranger_at = now
            self._indicate(StrangerRefused(fingerprint=peer.fingerprint_20b, subject=peer.subject))

    def _indicate(self, indication: Indication) -> None:
        self._indications.append(indication)
