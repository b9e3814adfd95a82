"""How much a party may be told at once: an oadrDistributeEvent holds all of its events, and must stay readable.

The size is bounded from the event's parts, not measured: the bound holds for every party and status.
"""

from openadr_core.limits import DISTRIBUTED_BYTES_MAX, DISTRIBUTED_EVENTS_MAX
from openadr_core.model.event import DrEvent, Signal, SignalInterval
from openadr_core.model.unit import Unit

EVENT_BYTES = 2_400
"""Every element that an event has once, with room for its longest number or moment."""
SIGNAL_BYTES = 900
BASELINE_BYTES = 1_100
INTERVAL_BYTES = 300
NAME_BYTES = 500
"""The longest wrapping of a target: a polygon's."""
CHARACTER_BYTES = 5
"""``&amp;``; UTF-8 itself needs four at most."""


def bytes_at_most(event: DrEvent) -> int:
    """More than this the event's part of a payload never is."""
    texts = [event.id, event.market_context, event.comment, event.modification_reason]
    names = [target.name for target in event.targets]
    size = EVENT_BYTES + sum(map(_text_bytes, texts)) + sum(map(_name_bytes, names))
    size += sum(map(_signal_bytes, event.signals))
    if event.baseline is not None:
        texts = [event.baseline.id, event.baseline.name, *_unit_texts(event.baseline.unit)]
        size += BASELINE_BYTES + sum(map(_text_bytes, texts)) + sum(map(_name_bytes, event.baseline.resources))
        size += _intervals_bytes(event.baseline.intervals)
    return size


def fits(events: int, size: int) -> bool:
    """Whether one party may be told of so many events of this size together."""
    return events <= DISTRIBUTED_EVENTS_MAX and size <= DISTRIBUTED_BYTES_MAX


def _signal_bytes(signal: Signal) -> int:
    texts = [signal.id, *_unit_texts(signal.unit)]
    names = sum(map(_name_bytes, signal.device_classes))
    return SIGNAL_BYTES + sum(map(_text_bytes, texts)) + names + _intervals_bytes(signal.intervals)


def _unit_texts(unit: Unit | None) -> list[str]:
    return [] if unit is None or unit.attributes is None else [unit.attributes.hertz, unit.attributes.voltage]


def _intervals_bytes(intervals: tuple[SignalInterval, ...]) -> int:
    return INTERVAL_BYTES * len(intervals)


def _name_bytes(name: str) -> int:
    return NAME_BYTES + _text_bytes(name)


def _text_bytes(text: str) -> int:
    return CHARACTER_BYTES * len(text)
