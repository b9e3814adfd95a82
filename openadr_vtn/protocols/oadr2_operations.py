"""What is done for each payload that a VEN may send: message to command, outcome to answer.

Each operation runs in one transaction, for a party that is known, enrolled and, where the payload
needs it, registered. The same message twice has the effect of one, and the same answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from openadr_core.errors import RemoteProtocolError, UnknownReference, Unsupported, WrongState
from openadr_core.limits import EVENT_RESPONSES_MAX, LOG_VALUE_MAX_CHARS
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import Party
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import delivery, opts, registration, reports
from openadr_vtn.application.ports import Notice, UnitOfWork
from openadr_vtn.domain.delivery import Errand, Key, Mailbox
from openadr_vtn.domain.enrolment import RegistrationWish
from openadr_vtn.domain.reporting import TelemetryWish
from openadr_vtn.protocols.oadr2_answers import (
    NOT_ENROLLED,
    NOT_REGISTERED,
    PROFILES,
    Refusal,
    Scene,
    answer_to,
    first,
    said_to,
)
from openadr_vtn.protocols.oadr2_events import EventWriter
from openadr_vtn.protocols.oadr2_reports import (
    METADATA,
    data_from_wire,
    offers_from_wire,
    request_to_wire,
    whole_seconds,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    body: bytes
    mailbox: Mailbox | None = None
    """The party's, as the operation has left it; None: it must be read again if anything was committed."""
    news: tuple[Key, ...] = ()
    """Events that this answer carries and that are proved to have arrived once it was read."""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What operations need besides the message: who we are, and how we ask."""

    vtn_id: str
    telemetry: TelemetryWish
    new_id: Callable[[], str]
    writer: EventWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of one party, in one transaction."""

    uow: UnitOfWork
    party: Party
    mailbox: Mailbox
    now: datetime
    desk: Desk

    @property
    def scene(self) -> Scene:
        return Scene(vtn_id=self.desk.vtn_id, ven_id=self.party.id)


Operation = Callable[[Asked, Any], Awaitable[Answer]]


async def operate(asked: Asked, message: m.Message) -> Answer:
    """Do what the message asks; what is wrong with it is told in the answer."""
    try:
        return await OPERATIONS[type(message)](asked, message)
    except Unsupported as error:
        refusal = Refusal(code=codes.DEPLOYMENT_OTHER, description=str(error))
    except RemoteProtocolError as error:
        refusal = Refusal.of(error)
    return _answer(asked, message, refusal)


async def query_registration(asked: Asked, message: m.QueryRegistration) -> Answer:
    """R404: ids are told to a registered party alone."""
    return Answer(body=encode(_created(asked, message, asked.party)))


async def create_party_registration(asked: Asked, message: m.CreatePartyRegistration) -> Answer:
    wish = RegistrationWish(
        registration_id=message.registration_id or None,
        profile=message.profile_name,
        transport=message.transport_name,
        # Interpretation: R402 wants the element for simpleHttp; without it, what every VEN can do is meant.
        pull=message.http_pull_model is not False,
        report_only=message.report_only,
        xml_signature=message.xml_signature,
        transport_address=(message.transport_address or "")[:LOG_VALUE_MAX_CHARS],
    )
    try:
        party = await registration.register(asked.uow, asked.party, wish, new_id=asked.desk.new_id, now=asked.now)
    except Unsupported as error:
        refusal = Refusal(code=codes.DEPLOYMENT_OTHER, description=str(error))
    except UnknownReference as error:
        refusal = Refusal(code=codes.INVALID_ID, description=str(error))
    except WrongState:
        # It was shut out after its standing was read.
        refusal = NOT_ENROLLED
    else:
        notice = Notice(kind="party registered", party_id=party.id)
        return Answer(body=encode(_created(asked, message, party)), notices=(notice,))
    return Answer(body=encode(answer_to(message, replace(asked.scene, ven_id=None), refusal)))


async def cancel_party_registration(asked: Asked, message: m.CancelPartyRegistration) -> Answer:
    try:
        await registration.unregister(asked.uow, asked.party, message.registration_id, now=asked.now)
    except WrongState:
        return _answer(asked, message, NOT_REGISTERED)
    return _answer(asked, message, notices=(Notice(kind="party unregistered", party_id=asked.party.id),))


async def poll(asked: Asked, message: m.Poll) -> Answer:
    told, mailbox = await delivery.poll(asked.uow, asked.party.id, asked.mailbox, asked.now)
    if told is None:
        return _answer(asked, message, mailbox=mailbox)
    if isinstance(told, Errand):
        # The only errand there is: our own reports, of which there are none (R301, R305).
        own = m.RegisterReport(request_id=asked.desk.new_id(), ven_id=asked.party.id)
        return Answer(body=encode(own), mailbox=mailbox)
    return _tell(asked, told, mailbox, request_id="")


async def request_event(asked: Asked, message: m.RequestEvent) -> Answer:
    told, mailbox = await delivery.request_events(
        asked.uow, asked.party.id, asked.mailbox, message.reply_limit, asked.now
    )
    return _tell(asked, told, mailbox, request_id=message.request_id)


async def created_event(asked: Asked, message: m.CreatedEvent) -> Answer:
    """R35: with an error in eiResponse nothing was answered; without one every answer counts by itself.

    Interpretation: an answer of optIn with a code that refuses the event contradicts itself. It is
    taken for a refusal: nobody counts on what may not come.
    """
    understood = _is_good(message.response.response_code)
    said_to_events = (message.event_responses or ()) if understood else ()
    if len(said_to_events) > EVENT_RESPONSES_MAX:
        too_many = f"more than {EVENT_RESPONSES_MAX} eventResponses in one message"
        return _answer(asked, message, Refusal(code=codes.COMPLIANCE_OTHER, description=too_many))
    answers = [
        Opt(
            event_id=said.event_id,
            version=said.modification_number,
            opt_type=OptType(said.opt_type) if _is_good(said.response_code) else OptType.OUT,
            at=asked.now,
            reason=(said.response_description or "")[:LOG_VALUE_MAX_CHARS],
            code=said.response_code,
        )
        for said in said_to_events
    ]
    faults, mailbox = await opts.answer_events(asked.uow, asked.party.id, asked.mailbox, answers, asked.now)
    notices = [
        Notice(kind="event answered", party_id=asked.party.id, event_id=opt.event_id, detail=opt.opt_type.value)
        for opt, fault in zip(answers, faults, strict=True)
        if fault is None
    ]
    if not understood:
        detail = f"{message.response.response_code} {message.response.response_description or ''}".strip()
        notices.append(Notice(kind="events not understood", party_id=asked.party.id, detail=detail))
    return _answer(asked, message, first(faults), mailbox=mailbox, notices=tuple(notices))


async def register_report(asked: Asked, message: m.RegisterReport) -> Answer:
    """R306, R344: all that the party can report, and at once what we want of it."""
    requests = await reports.offer_reports(
        asked.uow,
        asked.party,
        offers_from_wire(message.reports),
        wish=asked.desk.telemetry,
        new_id=asked.desk.new_id,
        now=asked.now,
    )
    answer = m.RegisteredReport(
        response=said_to(message),
        report_requests=tuple(request_to_wire(requested) for requested in requests),
        ven_id=asked.party.id,
    )
    return Answer(body=encode(answer))


async def registered_report(asked: Asked, message: m.RegisteredReport) -> Answer:
    await delivery.settle_errand(asked.uow, asked.party.id, registration.OWN_REPORTS)
    return _answer(asked, message)


async def created_report(asked: Asked, message: m.CreatedReport) -> Answer:
    faults = await reports.confirm_requests(asked.uow, asked.party, message.pending_report_request_ids, asked.now)
    return _answer(asked, message, first(faults))


async def update_report(asked: Asked, message: m.UpdateReport) -> Answer:
    faults, mailbox = await reports.receive_reports(
        asked.uow, asked.party, asked.mailbox, data_from_wire(message.reports), asked.now
    )
    notice = Notice(kind="report received", party_id=asked.party.id)
    return _answer(asked, message, first(faults), mailbox=mailbox, notices=(notice,))


async def create_report(asked: Asked, message: m.CreateReport) -> Answer:
    """R301: asked for METADATA we say again that we make no reports; there is nothing else to ask for."""
    specifiers = {request.specifier.report_specifier_id for request in message.report_requests}
    if specifiers - {METADATA}:
        raise UnknownReference("this VTN offers no such report", clause="R304")
    await delivery.owe_errand(asked.uow, asked.party.id, registration.OWN_REPORTS, asked.now)
    return _answer(asked, message)


async def cancel_report(asked: Asked, message: m.CancelReport) -> Answer:
    """R336: the party asked us for no report that it could cancel."""
    return _answer(asked, message, Refusal(code=codes.INVALID_ID, description="this VTN makes no such report"))


async def create_opt(asked: Asked, message: m.CreateOpt) -> Answer:
    return _answer(asked, message, Refusal(code=codes.COMPLIANCE_OTHER, description="EiOpt is not done here yet"))


async def cancel_opt(asked: Asked, message: m.CancelOpt) -> Answer:
    return _answer(asked, message, Refusal(code=codes.INVALID_ID, description="there is no such opt"))


async def acknowledge(asked: Asked, message: m.Message) -> Answer:
    """A logical response to something that we no longer wait for, or never asked."""
    return _answer(asked, message)


OPERATIONS: dict[type[Any], Operation] = {
    m.QueryRegistration: query_registration,
    m.CreatePartyRegistration: create_party_registration,
    m.CancelPartyRegistration: cancel_party_registration,
    m.CanceledPartyRegistration: acknowledge,
    m.Response: acknowledge,
    m.Poll: poll,
    m.RequestEvent: request_event,
    m.CreatedEvent: created_event,
    m.RegisterReport: register_report,
    m.RegisteredReport: registered_report,
    m.CreateReport: create_report,
    m.CreatedReport: created_report,
    m.UpdateReport: update_report,
    m.UpdatedReport: acknowledge,
    m.CancelReport: cancel_report,
    m.CanceledReport: acknowledge,
    m.CreateOpt: create_opt,
    m.CancelOpt: cancel_opt,
}


def _is_good(code: str) -> bool:
    return code.startswith("2")


def _answer(
    asked: Asked,
    message: m.Message,
    refusal: Refusal | None = None,
    *,
    mailbox: Mailbox | None = None,
    notices: tuple[Notice, ...] = (),
) -> Answer:
    if refusal is not None:
        notices = (*notices, Notice(kind="message refused", party_id=asked.party.id, detail=refusal.description))
    return Answer(body=encode(answer_to(message, asked.scene, refusal)), mailbox=mailbox, notices=notices)


def _tell(asked: Asked, told: delivery.Telling, mailbox: Mailbox, *, request_id: str) -> Answer:
    """R40, R41: eiResponse is there for a poll too, and the payload's own requestID is never empty."""
    said = m.EiResponse(response_code=codes.OK, response_description=codes.MEANING[codes.OK], request_id=request_id)
    message = m.DistributeEvent(request_id=asked.desk.new_id(), vtn_id=asked.desk.vtn_id, response=said)
    body, left_out = asked.desk.writer.write(message, told.events, ven_id=asked.party.id, now=asked.now)
    news = tuple(key for key in told.news if key[0] not in left_out)
    notices = tuple(
        Notice(kind="event sent", party_id=asked.party.id, event_id=event_id, detail=f"version {version}")
        for event_id, version in news
    )
    alarms = tuple(
        Notice(kind="event not written", party_id=asked.party.id, event_id=event_id, detail=reason)
        for event_id, reason in left_out.items()
    )
    return Answer(body=body, mailbox=mailbox, news=news, notices=notices + alarms)


def _created(asked: Asked, message: m.Message, party: Party) -> m.CreatedPartyRegistration:
    current = party.registration
    return m.CreatedPartyRegistration(
        response=said_to(message),
        registration_id=None if current is None else current.registration_id,
        ven_id=None if current is None else party.id,
        vtn_id=asked.desk.vtn_id,
        profiles=PROFILES,
        # R403: always told to a pull VEN.
        requested_poll_freq=whole_seconds(party.poll_interval),
    )
