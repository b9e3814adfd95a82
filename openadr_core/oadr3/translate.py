"""OpenADR 3.1 programs and events to the canonical model: the one place that knows how 3.1 says things.

Private attributes of a program (3.1 leaves their names to the parties):

* ``RELIEF_SIGN``: ``POSITIVE`` if a positive DISPATCH_SETPOINT_RELATIVE asks for relief, ``NEGATIVE`` if it
  asks for load. The standard does not say, and utilities differ; without it relative events are refused.
* ``MARKET_CONTEXT``: the URI that names the program to OpenADR 2.0b parties. Without it, the URI is
  ``urn:openadr:program:`` and the program's name, percent-encoded; it stays when the program is renamed.
* Rules for opt schedules: :mod:`openadr_core.oadr3.opt_rules`.

Payload types that become signals: SIMPLE (a level, 0 to 3), DISPATCH_SETPOINT (power to hold) and
DISPATCH_SETPOINT_RELATIVE (relief). An event with any other is refused: nobody would act on it.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from openadr_core.errors import InvalidEvent, RuleBroken
from openadr_core.limits import EVENT_INTERVALS_MAX
from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.program import Program, ReliefSign
from openadr_core.model.target import by_name
from openadr_core.model.unit import NORTH_AMERICAN_HOME, Measure, Unit
from openadr_core.oadr3.messages import EventRequest, Interval, IntervalPeriod, ProgramRequest, ValuesMap
from openadr_core.oadr3.opt_rules import CHOICES, opt_rules_of
from openadr_core.oadr3.times import Length, Sentinel, moment_text
from openadr_core.oadr3.units import UNITS
from openadr_core.units import from_scale

RELIEF_SIGN = "RELIEF_SIGN"
MARKET_CONTEXT = "MARKET_CONTEXT"

SIMPLE = "SIMPLE"
DISPATCH_SETPOINT = "DISPATCH_SETPOINT"
DISPATCH_SETPOINT_RELATIVE = "DISPATCH_SETPOINT_RELATIVE"
SIGNAL_KINDS = {
    SIMPLE: SignalKind.LEVEL,
    DISPATCH_SETPOINT: SignalKind.NET_POWER,
    DISPATCH_SETPOINT_RELATIVE: SignalKind.RELIEF,
}
LEVELS = (0, 1, 2, 3)

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20\x7f-\x9f\ufffe\uffff<>\"{}|\\^`]+", re.ASCII)

Placed = tuple[timedelta | None, Interval]
"""An interval and its length; None for ever."""


def program_of(request: ProgramRequest, program_id: str, *, before: Program | None = None) -> Program:
    """The program that a request writes; ``before`` is what it replaces. RuleBroken names a wrong attribute."""
    attributes = {attribute.type: attribute for attribute in request.attributes}
    market_context = _attribute_text(attributes.get(MARKET_CONTEXT))
    if market_context is None:
        market_context = before.market_context if before else f"urn:openadr:program:{quote(request.name, safe='')}"
    elif not _URI.fullmatch(market_context):
        raise RuleBroken(f"attribute {MARKET_CONTEXT}: {market_context!r} is not an absolute URI")
    sign = _attribute_text(attributes.get(RELIEF_SIGN))
    if sign is not None and sign not in ReliefSign.__members__:
        raise RuleBroken(f"attribute {RELIEF_SIGN}: must be POSITIVE or NEGATIVE, not {sign!r}")
    return Program(
        id=program_id,
        name=request.name,
        market_context=market_context,
        relief_sign=None if sign is None else ReliefSign(sign),
        targets=request.targets,
        opt_rules=opt_rules_of(
            {name: text for name in CHOICES if (text := _attribute_text(attributes.get(name))) is not None}
        ),
    )


def event_of(
    request: EventRequest,
    program: Program,
    program_request: ProgramRequest,
    *,
    event_id: str,
    version: int,
    created_at: datetime,
    modified_at: datetime,
    now: datetime,
) -> DrEvent:
    """The event that a request writes; InvalidEvent names the interval and the rule that it breaks.

    ``now`` is what "at once" means, to the second.
    """
    starts_at, placed = _place(request, now)
    lengths = [length for length, _ in placed]
    duration = None if None in lengths else sum((length for length in lengths if length), timedelta())
    units = {
        descriptor.payload_type: descriptor.units
        for descriptor in (*program_request.payload_descriptors, *request.payload_descriptors)
    }
    return DrEvent(
        id=event_id,
        program_id=program.id,
        market_context=program.market_context,
        version=version,
        starts_at=starts_at,
        duration=duration,
        signals=_signals(placed, program, units),
        created_at=created_at,
        modified_at=modified_at,
        priority=request.priority,
        relief_sign=program.relief_sign,
        targets=by_name(*request.targets),
        start_after=_randomisation(request.period),
        comment=request.name,
    )


def starts_now(request: EventRequest) -> bool:
    """Whether the event says "at once" instead of a moment."""
    return _first_start(request) is Sentinel.NOW


def _place(request: EventRequest, now: datetime) -> tuple[datetime, list[Placed]]:
    """The event's start, and its intervals with their lengths, back to back."""
    if not request.intervals:
        raise InvalidEvent("the event has no intervals")
    start = _first_start(request)
    if start is None:
        raise InvalidEvent("neither the event nor its first interval says when it starts (intervalPeriod.start)")
    starts_at = now.replace(microsecond=0) if isinstance(start, Sentinel) else start
    placed: list[Placed] = []
    at: datetime | None = starts_at
    for index, interval in enumerate(request.intervals):
        if at is None:
            raise InvalidEvent(f"interval {index} would follow one that lasts for ever")
        own = interval.period
        if index and own and isinstance(own.start, datetime) and own.start != at:
            # Interpretation: a 2.0b event has no gaps and no overlaps, so none are taken here.
            raise InvalidEvent(
                f"interval {index} starts at {moment_text(own.start)} and the one before ends at {moment_text(at)}: "
                "intervals must follow each other"
            )
        length = _interval_length(index, interval, request.period)
        placed.append((length, interval))
        at = _end(at, length)
    placed = _fitted(placed, request.duration)
    if len(placed) > EVENT_INTERVALS_MAX:
        raise InvalidEvent(f"the event has {len(placed)} intervals; {EVENT_INTERVALS_MAX} are the most")
    _end(starts_at, sum((length for length, _ in placed if length), timedelta()))
    return starts_at, placed


def _first_start(request: EventRequest) -> datetime | Sentinel | None:
    own = request.intervals[0].period if request.intervals else None
    whole = request.period.start if request.period else None
    # OpenADR 3.1 User Guide 7.3: "at once" on the first interval means the event's own start, if it has one.
    if own is None or own.start is None or (own.start is Sentinel.NOW and whole is not None):
        return whole
    return own.start


def _interval_length(index: int, interval: Interval, whole: IntervalPeriod | None) -> timedelta | None:
    own = interval.period.duration if interval.period else None
    length = own if own is not None else (whole.duration if whole else None)
    if length is None:
        raise InvalidEvent(f"interval {index} has no duration, and the event has none for all")
    if isinstance(length, Sentinel):
        return None
    if length <= timedelta():
        raise InvalidEvent(f"interval {index} lasts no time; to cancel an event, delete it")
    return length


def _end(at: datetime, length: timedelta | None) -> datetime | None:
    try:
        return None if length is None else at + length
    except OverflowError:
        raise InvalidEvent("the event ends after year 9999; P9999Y means for ever") from None


def _fitted(placed: list[Placed], whole: Length | None) -> list[Placed]:
    """OpenADR 3.1 User Guide 7.2: an event longer than its intervals repeats them, a shorter one cuts them."""
    if whole is None:
        return placed
    if isinstance(whole, Sentinel):
        if len(placed) > 1 and placed[-1][0] is not None:
            raise InvalidEvent("intervals that repeat for ever are not carried: give the event an end")
        return [*placed[:-1], (None, placed[-1][1])]
    if whole <= timedelta():
        raise InvalidEvent("the event lasts no time; to cancel an event, delete it")
    fitted: list[Placed] = []
    left = whole
    while left > timedelta() and len(fitted) <= EVENT_INTERVALS_MAX:
        length, interval = placed[len(fitted) % len(placed)]
        taken = left if length is None else min(length, left)
        fitted.append((taken, interval))
        left -= taken
    return fitted


def _randomisation(period: IntervalPeriod | None) -> timedelta:
    """How long after the start a party may begin.

    Interpretation: 3.1 moves a start by up to randomizeStart either way, 2.0b only delays. Half of
    the window would be lost by refusing, and a start before the announced one cannot be told to a
    2.0b party, so the later half is kept.
    """
    spread = period.randomize_start if period else None
    if isinstance(spread, Sentinel):
        raise InvalidEvent("randomizeStart cannot be for ever")
    return spread or timedelta()


def _signals(placed: Sequence[Placed], program: Program, units: dict[str, str | None]) -> tuple[Signal, ...]:
    types = list(dict.fromkeys(payload.type for _, interval in placed for payload in interval.payloads))
    if not types:
        raise InvalidEvent("the intervals have no payloads: the event asks for nothing")
    for payload_type in types:
        if payload_type not in SIGNAL_KINDS:
            raise InvalidEvent(f"payload type {payload_type} is not carried; {', '.join(SIGNAL_KINDS)} are")
    return tuple(
        Signal(
            id=payload_type,
            kind=SIGNAL_KINDS[payload_type],
            unit=_unit(payload_type, units),
            intervals=tuple(
                SignalInterval(duration=length, value=_value(index, interval, payload_type, program, units))
                for index, (length, interval) in enumerate(placed)
            ),
        )
        for payload_type in types
    )


def _value(index: int, interval: Interval, payload_type: str, program: Program, units: dict[str, str | None]) -> float:
    payloads = [payload for payload in interval.payloads if payload.type == payload_type]
    if len(payloads) != 1:
        raise InvalidEvent(f"interval {index} has {len(payloads)} payloads of type {payload_type}: it needs one")
    values = payloads[0].values
    if len(values) != 1 or isinstance(values[0], bool) or not isinstance(values[0], int | float):
        raise InvalidEvent(f"interval {index}: {payload_type} needs exactly one number")
    number = float(values[0])
    if payload_type == SIMPLE:
        if number not in LEVELS:
            raise InvalidEvent(f"interval {index}: SIMPLE is 0, 1, 2 or 3, not {values[0]}")
        return number
    unit = _unit(payload_type, units)
    power_w = from_scale(number, unit.scale if unit is not None else "none")
    if payload_type == DISPATCH_SETPOINT:
        return power_w
    if program.relief_sign is None:
        raise InvalidEvent(
            f"program {program.name} does not say what a positive {payload_type} asks for: "
            f"give it the attribute {RELIEF_SIGN} with POSITIVE or NEGATIVE"
        )
    return power_w * program.relief_sign.factor


def _unit(payload_type: str, units: dict[str, str | None]) -> Unit | None:
    if payload_type == SIMPLE:
        return None
    written = units.get(payload_type)
    measure, scale = UNITS.get((written or "").upper(), (None, ""))
    if measure is not Measure.REAL_POWER:
        given = "no unit" if written is None else f"the unit {written}"
        raise InvalidEvent(f"{payload_type} has {given}: say one of W, KW, MW as units in payloadDescriptors")
    return Unit(measure=measure, scale=scale, attributes=NORTH_AMERICAN_HOME)


def _attribute_text(attribute: ValuesMap | None) -> str | None:
    if attribute is None:
        return None
    if len(attribute.values) != 1 or not isinstance(attribute.values[0], str):
        raise RuleBroken(f"attribute {attribute.type}: needs exactly one text")
    return attribute.values[0]
