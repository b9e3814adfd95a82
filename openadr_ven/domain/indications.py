"""What a protocol core tells the agent, in no protocol's words.

A core never acts on an event: it indicates, the agent decides, stores, and only then tells
the core its answer.
"""

from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.report import ReportRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The VTN knows us."""

    ven_id: str
    vtn_id: str
    registration_id: str
    renewed: bool = False
    """Under the id that we had. A new registration means that the VTN has forgotten all else that we told it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEnrolled:
    """The VTN will not have us, yet: our certificate waits for an operator's approval, or was refused."""

    code: str
    description: str
    advice: str = ""
    """What somebody has to do about it, where more is known than that we are not approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationLost:
    """The VTN cancelled our registration, or forgot it, or we have ended it."""

    reason: str
    stays_away: bool = False
    """If not, the core registers again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceived:
    """A new event. It must be answered: see ``Session.answer``."""

    event: DrEvent
    delay_fraction: float
    """Drawn once, from 0 to 1: which part of ``event.start_after`` our start is delayed by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChanged:
    """A newer version of a known event. It must be answered anew."""

    event: DrEvent
    delay_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCancelled:
    """A known event is off; ``event.cancelled_at`` is set."""

    event: DrEvent
    stop_fraction: float
    """Drawn once, from 0 to 1: which part of ``event.start_after`` our stop is delayed by (2.0b R65)."""
    implied: bool
    """The VTN no longer lists it, instead of saying so (2.0b R61)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRefused:
    """An event that the core answered by itself: it cannot be read, or is not for us."""

    event_id: str
    version: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContradicted:
    """The VTN says something else under a version that it has said before. The first word stands."""

    event_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequested:
    request: ReportRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCancelled:
    request_id: str
    to_follow: bool
    """Exactly one more report is wanted (2.0b R345)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDelivered:
    """The VTN acknowledged a report: its readings need not be kept."""

    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWaits:
    """The conversation holds readings of a report that is to be told later: others can be handed over before."""

    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRefused:
    """The VTN will never take this report; sending it again would change nothing."""

    batch: int
    code: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportNotOffered:
    """The VTN asks for a report that this fleet does not make, or not so; nobody is answered, so it must be shown."""

    event_id: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptTold:
    """The VTN answered what we said of our availability; with another code than 200 it does not take it."""

    number: int
    opt_id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VtnRefused:
    """The VTN answered something of ours with an error; it is not said again."""

    what: str
    code: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerRefused:
    """Somebody with a certificate that our authority signed, and that is not our VTN's, spoke to us as the VTN."""

    fingerprint: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VtnUnreachable:
    """This many exchanges in a row got no useful answer; the core goes on trying."""

    failures: int
    reason: str
    retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VtnReachable:
    """Exchanges succeed again."""

    failures: int


Indication = (
    Registered
    | NotEnrolled
    | RegistrationLost
    | EventReceived
    | EventChanged
    | EventCancelled
    | EventRefused
    | EventContradicted
    | ReportRequested
    | ReportCancelled
    | ReportDelivered
    | ReportWaits
    | ReportRefused
    | ReportNotOffered
    | OptTold
    | VtnRefused
    | StrangerRefused
    | VtnUnreachable
    | VtnReachable
)
