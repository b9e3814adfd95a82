"""What a 2.0b session remembers, as one frozen value: stored, it survives the process."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Self

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt
from openadr_core.model.report import ReportRequest


class Exchange(Enum):
    """What the request under way is for."""

    REGISTER = auto()
    OFFER_REPORTS = auto()
    REQUEST_EVENTS = auto()
    REPLY = auto()
    ANSWER = auto()
    REPORT = auto()
    OPT = auto()
    POLL = auto()
    CANCEL = auto()
    ASK_REPORTS = auto()
    """Which reports the VTN makes, where it has not said so by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvent:
    """An event that the VTN lists, and our last word on it."""

    event: DrEvent
    request_id: str
    """Of the payload that brought this version: every answer repeats it, later ones too (R42)."""
    delay_fraction: float
    opt: Opt | None = None
    """None until the agent has decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One eventResponse that the VTN has not acknowledged."""

    event_id: str
    modification_number: int
    request_id: str
    code: str
    opt_type: str
    description: str = ""

    @classmethod
    def of(cls, opt: Opt, *, request_id: str) -> Self:
        return cls(
            event_id=opt.event_id,
            modification_number=opt.version,
            request_id=request_id,
            code=opt.code,
            opt_type=opt.opt_type.value,
            description=opt.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadError:
    """A payload that we cannot take as a whole."""

    code: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Our logical response to something that came as the answer to a poll, until it is acknowledged."""

    service: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRequest:
    """The VTN wants our metadata again and again (R306)."""

    id: str
    every: timedelta
    next_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    registration_id: str = ""
    ven_id: str = ""
    vtn_id: str = ""
    poll_freq: timedelta = timedelta(0)
    """What the VTN asked for."""
    registered_as: str = ""
    """What we told of ourselves when we registered (``registering.self_description``)."""
    renewing: bool = False
    """The VTN asked us to register again, under the same ids (R405)."""
    offered: bool = False
    """Our report metadata is with the VTN."""
    synchronised: bool = False
    """The VTN's events were asked for since we started, or registered."""
    known: tuple[KnownEvent, ...] = ()
    refused: tuple[tuple[str, ...], ...] = ()
    """Event and version of what we answered with an error, so that it is indicated once."""
    answers: tuple[Answer, ...] = ()
    payload_errors: tuple[PayloadError, ...] = ()
    """Whole payloads that we cannot take, and have not said so yet (R35)."""
    replies: tuple[Reply, ...] = ()
    report_requests: tuple[ReportRequest, ...] = ()
    metadata_requests: tuple[MetadataRequest, ...] = ()
    vtn_offered: bool = False
    """The VTN has told which reports it makes, or was asked (R301)."""

    @property
    def registered(self) -> bool:
        return bool(self.registration_id)

    def known_event(self, event_id: str) -> KnownEvent | None:
        return next((one for one in self.known if one.event.id == event_id), None)

    def with_known(self, known: KnownEvent) -> Self:
        """With this event added, or in place of its earlier version."""
        others = tuple(one for one in self.known if one.event.id != known.event.id)
        return replace(self, known=(*others, known))

    def without_known(self, event_id: str) -> Self:
        return replace(self, known=tuple(one for one in self.known if one.event.id != event_id))

    def with_answer(self, answer: Answer) -> Self:
        """With this answer to send, in place of those about this version of the event, and older ones.

        A version that is refused as out of sequence leaves the answer to a newer one alone (2.0b R62).
        """
        others = tuple(
            one
            for one in self.answers
            if one.event_id != answer.event_id or one.modification_number > answer.modification_number
        )
        return replace(self, answers=(*others, answer))

    def without_answer(self, event_id: str, version: int) -> Self:
        """With no answer to send about this version of the event."""
        left = tuple(one for one in self.answers if (one.event_id, one.modification_number) != (event_id, version))
        return replace(self, answers=left)

    @property
    def pending_reports(self) -> tuple[str, ...]:
        """R329: every request that is served now."""
        return (*(one.id for one in self.report_requests), *(one.id for one in self.metadata_requests))

    def with_report_request(self, request: ReportRequest) -> Self:
        """With this request added, or in place of another under its id."""
        others = tuple(one for one in self.report_requests if one.id != request.id)
        return replace(self, report_requests=(*others, request))

    def with_metadata_request(self, request: MetadataRequest | None) -> Self:
        """Likewise; None leaves all as it is."""
        if request is None:
            return self
        others = tuple(one for one in self.metadata_requests if one.id != request.id)
        return replace(self, metadata_requests=(*others, request))

    def without_report_request(self, request_id: str) -> Self:
        """With no request under this id, of whichever kind."""
        return replace(
            self,
            report_requests=tuple(one for one in self.report_requests if one.id != request_id),
            metadata_requests=tuple(one for one in self.metadata_requests if one.id != request_id),
        )

    def with_reply(self, service: str, body: bytes) -> Self:
        return replace(self, replies=(*self.replies, Reply(service=service, body=body.decode())))

    def after(self, exchange: Exchange) -> Self:
        """With this said, if it is something that is said once."""
        match exchange:
            case Exchange.REPLY:
                return replace(self, replies=self.replies[1:])
            case Exchange.OFFER_REPORTS:
                return replace(self, offered=True)
            case Exchange.REQUEST_EVENTS:
                return replace(self, synchronised=True)
            case Exchange.ASK_REPORTS:
                return replace(self, vtn_offered=True)
        return self

    def unregistered(self) -> Self:
        """R407: everything about the peer is erased, but for the events, which the agent may be acting on."""
        return replace(
            self,
            registration_id="",
            ven_id="",
            registered_as="",
            renewing=False,
            offered=False,
            synchronised=False,
            answers=(),
            payload_errors=(),
            replies=(),
            report_requests=(),
            metadata_requests=(),
            vtn_offered=False,
        )
