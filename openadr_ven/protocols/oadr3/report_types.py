"""Payload types of reports: what of the fleet each is made of, in which units, and why the fleet tells no others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from openadr_core.oadr3.layout import Layout
from openadr_core.oadr3.messages import DIRECT_READ, ReportDescriptor
from openadr_core.oadr3.readings import DATA_QUALITY
from openadr_ven.application.report_offers import (
    AVAILABLE_POINT,
    BASELINE_POINT,
    CHARGE_POINT,
    DRAW_MAX_POINT,
    FEED_MAX_POINT,
    FEED_POINT,
    MORE_POINT,
    POWER_POINT,
    SETPOINT_POINT,
    SHED_POINT,
    STORE_POINT,
)

HOUR = timedelta(hours=1)
OPERATING_STATE = "OPERATING_STATE"
FORECAST = "FORECAST"
POWERS = {"W": 1.0, "KW": 1e3, "MW": 1e6}
ENERGIES = {"WH": 1.0, "KWH": 1e3, "MWH": 1e6}
PERCENT = "PERCENT"
MEANS = frozenset({DIRECT_READ, "MEAN", "AVERAGE", "ESTIMATED", "SUMMED"})
"""Reading types that a mean over the interval answers."""


class Quantity(Enum):
    """What the agent's numbers of a type are, before they are put into units."""

    POWER = auto()
    """Watts; as an energy, times the interval."""
    STORED = auto()
    """Watt-hours, whatever the interval."""
    SHARE = auto()
    STATE = auto()
    """A word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportType:
    points: tuple[str, ...]
    """Of the agent; with a second one, what is told is the first less the second."""
    quantity: Quantity = Quantity.POWER
    units: str = "KW"
    """Where the descriptor says none."""
    is_seen: bool = False
    """Looked at now and then, not metered: told as it was at times, and never in longer steps than a minute."""
    ahead: bool = False
    """Whether it can be told before it is.

    Interpretation: what the fleet knows of the future is that it goes on as it is; such a report says that it is
    ESTIMATED, and a FORECAST.
    """

    @property
    def scales(self) -> Mapping[str, float]:
        """Units that it can be told in, and how many of ours go into one."""
        match self.quantity:
            case Quantity.POWER:
                return POWERS | ENERGIES if not self.is_seen else POWERS
            case Quantity.STORED:
                return ENERGIES
            case Quantity.SHARE:
                return {PERCENT: 1.0}
            case Quantity.STATE:
                return {}

    def value(self, means: tuple[float, ...], length: timedelta, units: str) -> float:
        """In the units; ``means`` are of the points over the interval."""
        watts = means[0] - sum(means[1:])
        is_energy = self.quantity is Quantity.POWER and units in ENERGIES
        return watts / self.scales[units] * (length / HOUR if is_energy else 1.0)


def _seen(point: str, *, ahead: bool = False) -> ReportType:
    return ReportType(points=(point,), is_seen=True, ahead=ahead)


TYPES: Mapping[str, ReportType] = {
    "DEMAND": ReportType(points=(POWER_POINT,), ahead=True),
    "USAGE": ReportType(points=(POWER_POINT,), units="KWH", ahead=True),
    "USAGE_FORECAST": ReportType(points=(POWER_POINT,), units="KWH", ahead=True),
    "DELTA_USAGE": ReportType(points=(POWER_POINT, BASELINE_POINT), units="KWH"),
    "BASELINE": ReportType(points=(BASELINE_POINT,), ahead=True),
    "SETPOINT": ReportType(points=(SETPOINT_POINT,)),
    "UP_REGULATION_AVAILABLE": _seen(AVAILABLE_POINT, ahead=True),
    "DOWN_REGULATION_AVAILABLE": _seen(MORE_POINT, ahead=True),
    "LOAD_SHED_DELTA_AVAILABLE": _seen(SHED_POINT, ahead=True),
    "GENERATION_DELTA_AVAILABLE": _seen(FEED_POINT, ahead=True),
    "STORAGE_USABLE_CAPACITY": ReportType(
        points=(STORE_POINT,), quantity=Quantity.STORED, units="KWH", is_seen=True
    ),
    "STORAGE_CHARGE_LEVEL": ReportType(points=(CHARGE_POINT,), quantity=Quantity.SHARE, units=PERCENT, is_seen=True),
    "STORAGE_MAX_DISCHARGE_POWER": _seen(FEED_MAX_POINT),
    "STORAGE_MAX_CHARGE_POWER": _seen(DRAW_MAX_POINT),
    OPERATING_STATE: ReportType(points=(POWER_POINT, BASELINE_POINT), quantity=Quantity.STATE, units=""),
}  # fmt: skip
"""Interpretation: a level in PERCENT is a share, 0.0 to 1.0, as the standard's list of units has it."""

NOT_TOLD: Mapping[str, str] = {
    "READING": "the fleet has no counter that would never go back: USAGE tells the energy of each interval",
    "REGULATION_SETPOINT": "the fleet serves no regulation signal: SETPOINT tells what it is held to",
    "SIMPLE_LEVEL": "a level becomes watts here: SETPOINT and DEMAND tell what came of it",
    "STORAGE_DISPATCH_FORECAST": "storage is planned anew each second of an event, and not before it",
    DATA_QUALITY: "it stands beside every value that is reported",
}
"""Types of the standard that the fleet cannot tell, and why."""


def why_not(descriptor: ReportDescriptor, layout: Layout) -> str:
    """Why a report cannot be made, for people; empty if it can."""
    kind = TYPES.get(descriptor.payload_type)
    if kind is None:
        return NOT_TOLD.get(descriptor.payload_type, f"the fleet reports {', '.join(TYPES)}")
    return _why_not_so(descriptor, kind) or _why_not_then(descriptor, kind, layout)


def _why_not_so(descriptor: ReportDescriptor, kind: ReportType) -> str:
    asked = (descriptor.units or "").upper()
    if asked and asked not in kind.scales:
        told = ", ".join(kind.scales) or "words, without units"
        return f"it is told in {told}, not in {descriptor.units}"
    if descriptor.reading_type not in MEANS and not (descriptor.reading_type == FORECAST and not descriptor.historical):
        return f"the fleet keeps means over each interval, and no {descriptor.reading_type}"
    return ""


def _why_not_then(descriptor: ReportDescriptor, kind: ReportType, layout: Layout) -> str:
    if not descriptor.historical and not kind.ahead:
        return "the fleet cannot tell it before it is"
    if descriptor.historical and descriptor.payload_type == "USAGE_FORECAST":
        return "a forecast is made before what it tells of: the descriptor must say historical false"
    if descriptor.is_ad_hoc:
        return "the fleet reports at times that the event sets"
    if not layout.first or any(placed.ends_at is None for placed in layout.first):
        return "the event has no intervals that end"
    return ""


def units_of(descriptor: ReportDescriptor) -> str:
    """As the descriptor has them, else as is usual for the type."""
    kind = TYPES[descriptor.payload_type]
    return descriptor.units.upper() if descriptor.units else kind.units
