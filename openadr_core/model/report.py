"""What a party can measure, what was asked of it, and what it measured: one vocabulary for every protocol.

A data point is a measurand of a source in a unit. OpenADR 2.0b says it by report type, itemBase and
reportDataSource; OpenADR 3 by payload type, units and resource name; IEEE 2030.5 by reading type and usage
point. Values are in the canonical units of :mod:`openadr_core.units`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.units import ACCUMULATED, WATT

NO_TIME = timedelta(0)


class Measurand(StrEnum):
    """What a number tells; of which quantity, its unit tells."""

    USAGE = "usage"
    """What the meter saw: net import, averaged (W) or summed (Wh) over the interval; or volts, hertz …"""
    PEAK = "peak"
    """The highest of it in the interval."""
    FORECAST = "forecast"
    """What the meter will see."""
    BASELINE = "baseline"
    """What the meter would have seen without the event."""
    DELTA_USAGE = "delta_usage"
    """What the meter saw, less the baseline."""
    SETPOINT = "setpoint"
    DELTA_SETPOINT = "delta_setpoint"
    DEVIATION = "deviation"
    """What was instructed, less what the meter saw."""
    USAGE_SHARE = "usage_share"
    """What the meter saw, as a share of some reference of the party's."""
    OPERATING_STATE = "operating_state"
    UP_REGULATION = "up_regulation"
    """How much more could be fed, or less drawn."""
    DOWN_REGULATION = "down_regulation"
    REGULATION_SETPOINT = "regulation_setpoint"
    STORED_ENERGY = "stored_energy"
    TARGET_STORED_ENERGY = "target_stored_energy"
    STORAGE_CAPACITY = "storage_capacity"
    """What could still be stored."""
    PRICE = "price"
    LEVEL = "level"
    POWER_FACTOR = "power_factor"
    STATUS = "status"
    """Not a number: :class:`StatusReading`."""
    OTHER = "other"
    """A type of the party's own."""


class Quality(StrEnum):
    """How far a value can be believed; the cause is told beside it."""

    GOOD = "good"
    UNCHANGED = "unchanged"
    """Nothing new: the value before holds on."""
    LIMITED = "limited"
    """At the end of what the sensor can show."""
    ESTIMATED = "estimated"
    BAD = "bad"
    """The value is a placeholder."""
    MISSING = "missing"
    """So it is, because there is none."""

    @property
    def is_usable(self) -> bool:
        return self not in {Quality.BAD, Quality.MISSING}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """What is measured: any of these names, and of what is behind them only devices of these classes.

    All empty is everything behind the party (2.0b R302, R307, R343).
    """

    names: tuple[str, ...] = ()
    device_classes: tuple[str, ...] = ()
    market_context: str = ""
    """Only what takes part in this program."""

    @property
    def label(self) -> str:
        """One text for it: what series of readings are told apart by. Empty is everything.

        Interpretation: the program does not tell two sources apart. A party names it with all of its points,
        and they are the same meters.
        """
        return "/".join(part for part in (",".join(self.names), ",".join(self.device_classes)) if part)


EVERYTHING = DataSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPoint:
    """One thing a party offers to report."""

    r_id: str
    """Unique within its specifier (2.0b R308)."""
    measurand: Measurand
    unit: str = WATT
    """Canonical, or the party's own word for what is not; empty for a bare number and for a status."""
    source: DataSource = EVERYTHING
    min_period: timedelta
    max_period: timedelta
    on_change: bool = False
    """It can be reported whenever it changes."""

    @property
    def is_accumulated(self) -> bool:
        """Summed over an interval, so that it says nothing without its length (2.0b R342)."""
        return self.unit in ACCUMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOffer:
    """A report a party can make: 2.0b metadata."""

    specifier_id: str
    report_name: str
    """``TELEMETRY_USAGE``, without the ``METADATA_`` of the wire."""
    data_points: tuple[DataPoint, ...]
    buffered: timedelta
    """How much data the party keeps at its fastest rate."""

    @property
    def is_history(self) -> bool:
        return self.report_name.startswith("HISTORY_")

    @property
    def is_telemetry(self) -> bool:
        return self.report_name.startswith("TELEMETRY_")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """A report that was asked for: once, again and again, on change, or of the past."""

    id: str
    specifier_id: str
    r_ids: tuple[str, ...]
    granularity: timedelta
    """Length of one interval of data; nothing is "when it changes"."""
    report_back: timedelta
    """How often a report is sent; nothing is once."""
    starts_at: datetime
    duration: timedelta | None
    """None: until cancelled, and of history all since the start (2.0b: duration zero)."""
    history: bool = False
    """What was kept of the past, whole and at once."""

    @property
    def is_one_shot(self) -> bool:
        """2.0b R324, R337: one report of the newest data, at once."""
        return not self.report_back and not self.history

    @property
    def is_on_change(self) -> bool:
        """2.0b R317."""
        return bool(self.report_back) and not self.granularity

    @property
    def ends_at(self) -> datetime | None:
        return None if self.duration is None else self.starts_at + self.duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value over one interval. A later reading for the same point and start replaces it (2.0b R346)."""

    r_id: str
    starts_at: datetime
    duration: timedelta
    value: float
    quality: Quality = Quality.GOOD
    cause: str = ""
    """Of a quality that is not good, in the party's words."""
    confidence: int | None = None
    """Per cent."""
    accuracy: float | None = None
    """In the unit of the value (2.0b R319)."""


class Control(StrEnum):
    """In what terms a load is controlled; the words of 2.0b's oadrLoadControlState."""

    CAPACITY = "capacity"
    """Share of full consumption."""
    LEVEL_OFFSET = "level_offset"
    """0 is normal, more is less load."""
    PERCENT_OFFSET = "percent_offset"
    """Of normal consumption; negative is less load."""
    SET_POINT = "set_point"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlValue:
    current: float
    minimum: float | None = None
    maximum: float | None = None
    normal: float | None = None
    """Without any event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    online: bool
    manual_override: bool
    """Its owner has taken it back."""
    controls: Mapping[Control, ControlValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReading:
    """How a resource stood at a moment; it replaces an earlier one as a :class:`Reading` does."""

    r_id: str
    at: datetime
    status: ResourceStatus
    quality: Quality = Quality.GOOD
    cause: str = ""
