"""What the agent holds on to: events with its own answers, rounds of commands, reports not yet taken.

These are the rows of its memory. After a crash they are all that is left, and enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Quality, Reading, ReportRequest, ResourceStatus, StatusReading

NO_DELAY = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEvent:
    """An event, what we said to it, and the draws that were made for it once and for all."""

    event: DrEvent
    opt: Opt
    received_at: datetime
    """When its first version came: the baseline is what was metered just before."""
    delay_fraction: float = 0.0
    stop_fraction: float = 0.0

    @property
    def delay(self) -> timedelta:
        """OpenADR 2.0b R30: our start is later than the event's by this, in every version."""
        return self.event.start_after * self.delay_fraction

    @property
    def stops_at(self) -> datetime | None:
        """When we begin to let go: the shifted end, or the moment drawn after a cancel (2.0b R65).

        What had not begun when it was cancelled never does: there is nothing to let go of at random.
        """
        ends_at = self.event.ends_at
        end = None if ends_at is None else ends_at + self.delay
        if self.event.cancelled_at is None:
            return end
        if self.event.cancelled_at <= self.event.starts_at + self.delay:
            return self.event.cancelled_at
        stop = self.event.cancelled_at + self.event.start_after * self.stop_fraction
        return stop if end is None else min(end, stop)

    def as_acted_on(self, now: datetime) -> DrEvent | None:
        """The event as dispatch sees it now: None if we are out of it, or it is over."""
        stops_at = self.stops_at
        if self.opt.opt_type is OptType.OUT or (stops_at is not None and now >= stops_at):
            return None
        return self.event if self.event.cancelled_at is None else replace(self.event, cancelled_at=None)

    def is_over(self, now: datetime) -> bool:
        stops_at = self.stops_at
        return stops_at is not None and now >= stops_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One batch of commands to the fleet, written before any of it is sent.

    A device tells a command by event, version, sequence and gateway, so a round that is sent
    again after a crash changes nothing where it had arrived.
    """

    sequence: int
    """Grows by one with each round, for ever: also over restarts."""
    event_id: str
    event_version: int
    made_at: datetime
    ends_at: datetime
    """The lease: a device that hears no more lets go then."""
    ramp_s: float
    asked_w: float
    allowed_w: float
    """What the envelope let through of what was asked."""
    mode: bytes
    """uint8 per device: the whole fleet's, not only what this round sends."""
    setpoint_w: bytes
    """float32 per device; 0 where its mode is no SETPOINT."""
    sent: bytes
    """One bit per device, packed: the rows that this round sends."""
    guard: str
    """Records of the envelope's and the correction's state, which go on from here."""
    trim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What each device took before an event: the mean of its meter, kept as long as the event is."""

    event_id: str
    taken_at: datetime
    power_w: bytes
    """float32 per device."""
    begins_s: bytes = b""
    """float32 per device, as the next: the event's turns (``application.turns``); empty if it has none."""
    ends_s: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTerms:
    """What of their owners' terms devices have used up (``fleet.terms.Usage``), as it was at a moment."""

    counted_at: datetime
    season: int
    event_id: str
    event_s: bytes
    """float32 per device, as the next."""
    season_s: bytes
    season_events: bytes
    """uint16 per device; who was in no event this season has no seconds either."""


class Condition(StrEnum):
    """What the operator of a fleet may say of the world."""

    STORM = "storm"
    """A severe storm is forecast: batteries held for their households stay full."""
    OUTAGE = "outage"
    """The grid was away until now: limits that were told before it say nothing any more (OpenADR 3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What each gateway's devices took together in one second."""

    at: datetime
    power_w: bytes
    """float64 by gateway; NaN where nothing was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReport:
    request: ReportRequest
    reported_until: datetime
    """The first moment that no report covers yet: where a restarted agent goes on."""
    last_one: bool = False
    """Cancelled with ``reportToFollow``: exactly one more."""
    told: tuple[str, ...] = ()
    """What was told last where only changes are: they are seen against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One report on its way to the VTN, kept until it acknowledges it."""

    number: int
    request: ReportRequest
    readings: tuple[Reading, ...] = ()
    statuses: tuple[StatusReading, ...] = ()
    last: bool = False
    """Nothing more comes for this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStep:
    """What the whole fleet took over a few minutes, kept for long."""

    starts_at: datetime
    power_w: float
    baseline_w: float
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSample:
    """How each resource stood at a moment."""

    at: datetime
    statuses: Mapping[str, ResourceStatus]
    """By resource; empty if no device had been heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was asked of the fleet over a few seconds of an event, and what came of it."""

    event_id: str
    at: datetime
    seconds: float
    """Rounds, one a second, that the means are over."""
    asked_w: float
    allowed_w: float
    """After the safety envelope."""
    commanded_w: float
    acknowledged_w: float
    """The part of it whose gateways confirmed the command."""
    delivered_w: float
    """Baseline less metered."""
    shortfall_w: Mapping[str, float] = field(default_factory=dict)
    """By cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something an operator of the fleet should see; an alarm if it asks for somebody now."""

    at: datetime
    kind: str
    text: str
    event_id: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetInUse:
    """The fleet file in use; commands kept in the store are rows of this one and no other."""

    path: str
    sha256: str
    devices: int
    loaded_at: datetime
