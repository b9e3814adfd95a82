"""What a VEN says first: one message for each kind of exchange, and the service that it goes to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import LocalProtocolError
from openadr_core.model.report import ReportOffer
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.session import Role, turn_of
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr2 import reports
from openadr_ven.protocols.oadr2.memory import Exchange, Memory

OK = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """We do not poll: the VTN comes to us."""

    address: str
    """oadrTransportAddress: ``https://host:port/prefix/``, below which our services are (T3, T12)."""
    vtn_sha256: frozenset[str]
    """The certificates of the one VTN that we listen to: 64 hex digits each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    ven_name: str
    poll_interval: timedelta
    enrolment_retry: timedelta
    """How long to wait before we try again to register where we were refused, or cancelled (R401)."""
    enrolled: Enrolled
    offers: tuple[ReportOffer, ...]
    ven_id: str = ""
    """The venID that was agreed on before (R402); empty: the VTN gives us one."""
    registration_id: str = ""
    """A registration that was agreed on before (R405), under that venID; empty: we register ourselves."""
    report_only: bool = False
    """We do reports, and no events (7.2.2)."""
    poll_jitter: float = 0.0
    """Up to this share of the interval is waited besides (9.1.8), so that VENs that start together drift apart."""
    pushed: Pushed | None = None
    """None: we poll."""
    xml_signature: bool = False
    """What we say of our messages when we register; they are signed by the shell."""

    @property
    def transport_address(self) -> str:
        return "" if self.pushed is None else self.pushed.address


LISTENING = {Exchange.POLL, Exchange.REQUEST_EVENTS}
"""What we do to be told events."""
SERVICES = {
    Exchange.REGISTER: "EiRegisterParty",
    Exchange.CANCEL: "EiRegisterParty",
    Exchange.OFFER_REPORTS: "EiReport",
    Exchange.REPORT: "EiReport",
    Exchange.ASK_REPORTS: "EiReport",
    Exchange.REQUEST_EVENTS: "EiEvent",
    Exchange.ANSWER: "EiEvent",
    Exchange.OPT: "EiOpt",
    Exchange.POLL: "OadrPoll",
}
"""R501: the path of each; a reply carries its own."""


def message_for(
    exchange: Exchange,
    memory: Memory,
    settings: SessionSettings,
    *,
    request_id: str,
    now: datetime,
) -> m.Message:
    """The message that begins this exchange; replies and reports have their own."""
    message: m.Message
    match exchange:
        case Exchange.REGISTER:
            message = _registration(memory, settings, request_id)
        case Exchange.CANCEL:
            message = m.CancelPartyRegistration(
                request_id=request_id, registration_id=memory.registration_id, ven_id=memory.ven_id
            )
        case Exchange.OFFER_REPORTS:
            message = reports.metadata(
                settings.offers, request_id=request_id, ven_id=memory.ven_id, answers=None, now=now
            )
        case Exchange.REQUEST_EVENTS:
            message = m.RequestEvent(request_id=request_id, ven_id=memory.ven_id)
        case Exchange.ANSWER:
            message = created_event(memory)
        case Exchange.ASK_REPORTS:
            message = reports.ask_for_metadata(request_id=request_id, ven_id=memory.ven_id)
        case Exchange.POLL:
            message = m.Poll(ven_id=memory.ven_id)
        case _:
            raise LocalProtocolError(f"nothing to say for {exchange.name}")
    return message


def _registration(memory: Memory, settings: SessionSettings, request_id: str) -> m.CreatePartyRegistration:
    return m.CreatePartyRegistration(
        request_id=request_id,
        # R402, R405: no ids for a new registration, both for a renewed one.
        registration_id=memory.registration_id or None,
        ven_id=memory.ven_id or settings.ven_id or None,
        profile_name="2.0b",
        transport_name="simpleHttp",
        report_only=settings.report_only,
        xml_signature=settings.xml_signature,
        ven_name=settings.ven_name or None,
        transport_address=settings.transport_address or None,
        http_pull_model=settings.pushed is None,
    )


def created_event(memory: Memory) -> m.CreatedEvent:
    """Every answer in one message (R62), or the error about a whole payload (R35)."""
    if memory.payload_errors:
        first = memory.payload_errors[0]
        return m.CreatedEvent(response=response_of(first.code, first.request_id), ven_id=memory.ven_id)
    responses = tuple(
        m.EventResponse(
            response_code=answer.code,
            response_description=answer.description or None,
            request_id=answer.request_id,
            event_id=answer.event_id,
            modification_number=answer.modification_number,
            opt_type=answer.opt_type,
        )
        for answer in memory.answers
    )
    # R43: the request is named by each eventResponse, and then not here.
    return m.CreatedEvent(response=response_of(OK, ""), ven_id=memory.ven_id, event_responses=responses)


def response_of(code: str, request_id: str) -> m.EiResponse:
    return m.EiResponse(response_code=code, request_id=request_id)


def refusal_to_tell(exchange: Exchange, message: m.Message) -> str:
    """Why we are told no events, if we are not: a refusal that lists none must not look like their end (R61)."""
    said = ei_response(message)
    if exchange not in LISTENING or said.response_code.startswith("2") or loses_registration(exchange, said):
        return ""
    return f"{said.response_code} {said.response_description or ''}".strip()


def is_for_another(exchange: Exchange, message: m.Message, ven_id: str) -> bool:
    """R21: whether an answer names another VEN than us. What the VTN says by itself is answered, with 452."""
    named = getattr(message, "ven_id", None)
    by_itself = turn_of(Role.VTN, type(message)) is not None
    # G4: while we have no name, or register, the one in the answer may be what we were called, or shall be.
    return bool(named and ven_id) and named != ven_id and not by_itself and exchange is not Exchange.REGISTER


def loses_registration(exchange: Exchange, said: m.EiResponse) -> bool:
    """R517, R500: not registered, or by another id than ours; either way we register anew."""
    return said.response_code == "463" or (said.response_code == "452" and exchange is Exchange.POLL)


def ei_response(message: m.Message) -> m.EiResponse:
    """The message's eiResponse; a message that has none came in good order."""
    found = getattr(message, "response", None)
    return found if isinstance(found, m.EiResponse) else m.EiResponse(response_code=OK)
