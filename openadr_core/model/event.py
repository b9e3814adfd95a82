"""One demand-response event, and what follows from it and the time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.model.grid_support import GridSupport
from openadr_core.model.program import ReliefSign
from openadr_core.model.target import Target
from openadr_core.model.unit import KILOWATTS, Unit

LOWEST_PRIORITY = 2**31
"""Where an event without a priority stands: behind all that have one."""


class EventStatus(StrEnum):
    """OpenADR 2.0b's words; derived from the event and the time, never stored."""

    FAR = "far"
    NEAR = "near"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class SignalKind(StrEnum):
    """What a signal's numbers are, after translation; :mod:`openadr_core.model.signal_table` says what each may be.

    One word for each meaning, whichever protocol said it. What dispatch makes of them is the VEN's.
    """

    LEVEL = "level"
    """0 normal, 1 moderate, 2 high, 3 special."""
    RELIEF = "relief"
    """Power less than the baseline; negative asks to take load."""
    NET_POWER = "net_power"
    """Power of net import to hold."""
    BASELINE_SHARE = "baseline_share"
    """Net import as a share of the baseline: 0.8 is a fifth less."""
    DISPATCH_LEVEL = "dispatch_level"
    """A step of -10 to 10 that the program gives a meaning."""

    ELECTRICITY_PRICE = "electricity_price"
    """What a kWh costs, all in all."""
    ELECTRICITY_PRICE_CHANGE = "electricity_price_change"
    """By how much a kWh costs more than it would."""
    ELECTRICITY_PRICE_FACTOR = "electricity_price_factor"
    """How many times what it would cost."""
    ENERGY_PRICE = "energy_price"
    """What the energy in a kWh costs, without delivery."""
    ENERGY_PRICE_CHANGE = "energy_price_change"
    ENERGY_PRICE_FACTOR = "energy_price_factor"
    DEMAND_CHARGE = "demand_charge"
    """What a kW of the highest demand costs."""
    DEMAND_CHARGE_CHANGE = "demand_charge_change"
    DEMAND_CHARGE_FACTOR = "demand_charge_factor"

    BID_PRICE = "bid_price"
    """What a resource has asked for; it informs, and asks for nothing by itself. So do the next two."""
    BID_LOAD = "bid_load"
    BID_ENERGY = "bid_energy"

    CHARGE = "charge"
    """Energy to hold in storage."""
    CHARGE_CHANGE = "charge_change"
    """Energy to add to storage; negative takes from it."""
    CHARGE_SHARE = "charge_share"
    """Share of a full charge: 0 to 1."""

    LOAD_CAPACITY = "load_capacity"
    """The most that a device may draw, as a share of its rating: 0 to 1."""
    LOAD_LEVEL_OFFSET = "load_level_offset"
    """Steps from normal operation; higher is less load."""
    LOAD_PERCENT_OFFSET = "load_percent_offset"
    """Per cent from normal operation; lower is less load."""
    LOAD_SETPOINT = "load_setpoint"
    """A controller's own set point, in whatever it counts."""

    IMPORT_LIMIT = "import_limit"
    """The most that may be drawn from the grid: a bound, not a target. Only OpenADR 3 says it, and the next five."""
    EXPORT_LIMIT = "export_limit"
    """The most that may be fed into the grid."""
    IMPORT_SUBSCRIPTION = "import_subscription"
    """What may be drawn where no limit is said."""
    EXPORT_SUBSCRIPTION = "export_subscription"
    IMPORT_RESERVATION = "import_reservation"
    """What was granted beyond the subscription."""
    EXPORT_RESERVATION = "export_reservation"

    GRID_SUPPORT = "grid_support"
    """What devices do for the grid by themselves: ``Signal.support``, and the number means nothing (2030.5 alone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInterval:
    duration: timedelta | None
    """None: for ever (2.0b duration zero, 3.x ``P9999Y``)."""
    value: float
    """In the measure's own unit: watts, watt-hours, currency for each kWh, …"""
    asks: bool = True
    """False: a gap, in which nothing is asked (OpenADR 3 alone has them)."""


IN_KILOWATTS = frozenset({SignalKind.RELIEF, SignalKind.NET_POWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    id: str
    kind: SignalKind
    intervals: tuple[SignalInterval, ...]
    """Back to back from the event's start."""
    device_classes: tuple[str, ...] = ()
    """2.0b endDeviceAsset names (R111): only devices of these classes that the event is for. Empty means all."""
    unit: Unit | None = None
    """None where the kind has none; of a dispatch that says none, kilowatts."""
    support: GridSupport | None = None
    """Of GRID_SUPPORT."""

    def __post_init__(self) -> None:
        if self.unit is None and self.kind in IN_KILOWATTS:
            object.__setattr__(self, "unit", KILOWATTS)

    def asked(self, elapsed: timedelta) -> list[tuple[timedelta, float]]:
        """What it asks, and for how long, in so much time from the event's start; equal neighbours are one."""
        return list(self._asked(elapsed))

    def _asked(self, elapsed: timedelta) -> Iterator[tuple[timedelta, float]]:
        at, value, since = timedelta(0), None, timedelta(0)
        for interval in self.intervals:
            if at >= elapsed:
                break
            if value is not None and value != interval.value:
                yield (at - since, value)
                since = at
            value = interval.value
            at = elapsed if interval.duration is None else min(at + interval.duration, elapsed)
        if value is not None:
            yield (at - since, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the VTN takes to be usual, for information: each side reckons by its own (2.0b eiEventBaseline)."""

    id: str
    name: str
    starts_at: datetime
    intervals: tuple[SignalInterval, ...]
    """Back to back; together they are its duration."""
    unit: Unit = KILOWATTS
    resources: tuple[str, ...] = ()
    """What it is the sum of (2.0b R108)."""

    @property
    def duration(self) -> timedelta | None:
        """None: for ever."""
        lengths = [interval.duration for interval in self.intervals]
        return None if None in lengths else sum((length for length in lengths if length), timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Words for people, about the grid or the world (OpenADR 3 ``ALERT_*``)."""

    kind: str
    """The payload type."""
    text: str
    starts_at: datetime
    ends_at: datetime | None
    """Exclusive; None for ever."""


def status_of(
    now: datetime, *, starts_at: datetime, ends_at: datetime | None, ramp_up: timedelta, cancelled_at: datetime | None
) -> EventStatus:
    """OpenADR 2.0b R13: far, near from ramp-up on, active from the start, completed at the end."""
    if cancelled_at is not None:
        return EventStatus.CANCELLED
    if ends_at is not None and now >= ends_at:
        return EventStatus.COMPLETED
    if now >= starts_at:
        return EventStatus.ACTIVE
    return EventStatus.NEAR if now >= starts_at - ramp_up else EventStatus.FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class DrEvent:
    id: str
    program_id: str
    market_context: str
    version: int
    """2.0b modificationNumber: 0 first, one more with each change."""
    starts_at: datetime
    duration: timedelta | None
    """None: open-ended, active until cancelled."""
    signals: tuple[Signal, ...]
    """None: an event of OpenADR 3 that no other protocol can tell (``not_read`` says why)."""
    created_at: datetime
    modified_at: datetime
    priority: int | None = None
    """Lower wins, 0 is the highest (3.x and 2030.5). None is the lowest; 2.0b writes it as 0."""
    relief_sign: ReliefSign | None = None
    """As the program declares: how RELIEF is written on a wire that has no sign convention."""
    targets: tuple[Target, ...] = ()
    """Alternatives; none address every party of the program, whole."""
    baseline: Baseline | None = None
    ramp_up: timedelta = timedelta(0)
    """Before the start; negative lies inside the active period (2.0b R13)."""
    recovery: timedelta = timedelta(0)
    gradient_w_per_s: float | None = None
    """How fast what its devices give and take may change by it; None: it does not say (IEEE 2030.5 alone: setGradW)."""
    notification: timedelta = timedelta(0)
    start_after: timedelta = timedelta(0)
    """2.0b tolerance: the start (and a cancel's stop) is delayed by a random part of this."""
    response_required: bool = True
    test: bool = False
    comment: str = ""
    modification_reason: str = ""
    not_read: tuple[str, ...] = ()
    """What of the message has no word here, each with the reason: the rest stands without it."""
    cancelled_at: datetime | None = None
    lap: timedelta | None = None
    """After how long its signals come again, until it ends; None if they do not (OpenADR 3 alone has this)."""
    alerts: tuple[Alert, ...] = ()

    @property
    def ends_at(self) -> datetime | None:
        """Exclusive; None for an open-ended event. Randomisation is not in it."""
        return None if self.duration is None else self.starts_at + self.duration

    def status_at(self, now: datetime) -> EventStatus:
        """As :func:`status_of` has it."""
        return status_of(
            now, starts_at=self.starts_at, ends_at=self.ends_at, ramp_up=self.ramp_up, cancelled_at=self.cancelled_at
        )

    def changed_at(self, now: datetime) -> datetime:
        """When anything in it became what it is now: by writing, or by the time (status, running interval)."""
        if self.cancelled_at is not None:
            return max(self.modified_at, self.cancelled_at)
        near_at = self.starts_at - max(self.ramp_up, timedelta(0))
        edges = (near_at, self.starts_at, *self._interval_ends())
        return max(self.modified_at, *(edge for edge in edges if edge <= now), self.modified_at)

    def _interval_ends(self) -> Iterator[datetime]:
        for signal in self.signals:
            at = self.starts_at
            for interval in signal.intervals:
                if interval.duration is None:
                    break
                at += interval.duration
                yield at

    def kept_until(self) -> datetime | None:
        """When nothing of this event can still happen (2.0b R66: end plus start_after); None for never."""
        return None if self.ends_at is None else self.ends_at + self.start_after


def delivery_order(event: DrEvent, now: datetime) -> tuple[int, int, datetime, datetime, str]:
    """Sort key of events in one payload (2.0b R15): active first by priority, then the pending by start."""
    active = event.status_at(now) is EventStatus.ACTIVE
    priority = LOWEST_PRIORITY if event.priority is None else event.priority
    return (0 if active else 1, priority if active else 0, event.starts_at, event.created_at, event.id)
