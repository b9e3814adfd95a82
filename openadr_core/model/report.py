"""What a party can measure, what was asked of it, and what it measured."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Measurand(StrEnum):
    """What a data point is. Values are in watts unless they say otherwise."""

    REAL_POWER = "real_power"
    """Net import of the resource, averaged over the interval."""
    BASELINE = "baseline"
    """What the net import would have been without the event."""


class Quality(StrEnum):
    GOOD = "good"
    ESTIMATED = "estimated"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPoint:
    """One thing a party offers to report."""

    r_id: str
    """Unique within its specifier (2.0b R308)."""
    measurand: Measurand
    resource_id: str = ""
    """Empty: everything behind the party."""
    min_period: timedelta
    max_period: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOffer:
    """A report a party can make: 2.0b metadata."""

    specifier_id: str
    report_name: str
    """``TELEMETRY_USAGE``, without the ``METADATA_`` of the wire."""
    data_points: tuple[DataPoint, ...]
    buffered: timedelta
    """How much data the party keeps at its fastest rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """A periodic report that was asked for."""

    id: str
    specifier_id: str
    r_ids: tuple[str, ...]
    granularity: timedelta
    """Length of one interval of data."""
    report_back: timedelta
    """How often a report is sent."""
    starts_at: datetime
    duration: timedelta | None
    """None: until cancelled (2.0b: duration zero)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value over one interval. A later reading for the same point and start replaces it (2.0b R346)."""

    r_id: str
    starts_at: datetime
    duration: timedelta
    value: float
    quality: Quality = Quality.GOOD
