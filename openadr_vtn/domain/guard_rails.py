"""What no operator's event may ask for, however it was typed: size and step.

The VEN has an envelope of its own; these are the utility's, so that a slip (kW for MW) ends at the
operator's desk and not in the field.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isinf

from openadr_core.errors import GuardTripped
from openadr_core.model.event import IN_KILOWATTS, DrEvent

COUNTED_MAX_W = 1e15
"""A thousand gigawatts in kilowatts has nine digits; what has more is no power of this world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRails:
    event_max_w: float
    """The most that one interval may ask for, up or down."""
    step_max_w: float
    """The most by which an interval may differ from the one before it."""


def check_guard_rails(event: DrEvent, rails: GuardRails) -> None:
    """GuardTripped names the interval and the rail. What is no power to give or to hold has none."""
    for signal in event.signals:
        if signal.kind in IN_KILOWATTS:
            check_powers(signal.id, enumerate(interval.value for interval in signal.intervals), rails)


def check_powers(asked: str, values_w: Iterable[tuple[int, float]], rails: GuardRails) -> None:
    """The same for intervals by number, whoever is asked; ``asked`` is what they are called."""
    before_w: float | None = None
    for index, value_w in values_w:
        if abs(value_w) > rails.event_max_w:
            raise GuardTripped(
                f"interval {index} of {asked} asks for {_kilowatts(value_w)}; "
                f"guard.event_max_kw is {rails.event_max_w / 1000:,.0f}"
            )
        if before_w is not None and abs(value_w - before_w) > rails.step_max_w:
            raise GuardTripped(
                f"interval {index} of {asked} is {_kilowatts(abs(value_w - before_w))} from the one before; "
                f"guard.step_max_kw is {rails.step_max_w / 1000:,.0f}"
            )
        before_w = value_w


def _kilowatts(watts: float) -> str:
    """For people: digits as far as anybody reads them."""
    if isinf(watts):
        return "more kW than can be counted"
    return f"{watts / 1000:,.0f} kW" if abs(watts) < COUNTED_MAX_W else f"{watts / 1000:.3g} kW"
