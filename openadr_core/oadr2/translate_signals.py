"""Signals and baselines of 2.0b's events to and from the canonical model."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from openadr_core.errors import LocalProtocolError, OutOfSequence, RemoteProtocolError, Unsupported
from openadr_core.model.event import Baseline, DrEvent, EventStatus, Signal, SignalInterval, SignalKind
from openadr_core.model.program import ReliefSign
from openadr_core.model.signal_table import RULES, unit_fault, value_fault
from openadr_core.model.unit import KILOWATTS, Unit
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.signals import BY_KIND, kind_of, unit_from_wire, unit_to_wire
from openadr_core.units import from_scale, to_scale

ZERO = timedelta(0)
SECOND = timedelta(seconds=1)


def signal_to_wire(event: DrEvent, signal: Signal, *, status: EventStatus, now: datetime) -> m.Signal:
    name, signal_type = BY_KIND[signal.kind]
    sign = _sign_to_wire(signal.kind, event.relief_sign)
    scale = _scale(signal.kind, signal.unit)
    values = [to_scale(interval.value * sign, scale) for interval in signal.intervals]
    return m.Signal(
        intervals=_intervals_to_wire(signal.intervals, values),
        target=m.Target(end_device_assets=signal.device_classes) if signal.device_classes else None,
        signal_name=name,
        signal_type=signal_type,
        signal_id=signal.id,
        item_base=None if signal.unit is None else unit_to_wire(signal.unit),
        current_value=_current_value(event, signal, values, status=status, now=now),
    )


def signal_from_wire(signal: m.Signal, duration: timedelta | None, relief_sign: ReliefSign | None) -> Signal:
    """Unsupported (460) for what Table 1 does not have; a RemoteProtocolError for what contradicts itself."""
    kind = kind_of(signal)
    # Interpretation: a unit beside a number that has none says nothing, and is overlooked.
    has_unit = bool(RULES[kind].measures)
    if has_unit and signal.item_base is None:
        raise Unsupported(f"{signal.signal_name} {signal.signal_type} has no unit", clause="R109")
    unit = unit_from_wire(signal.item_base) if has_unit and signal.item_base is not None else None
    scale = _scale(kind, unit)
    sign = _sign_from_wire(kind, relief_sign)
    _check_intervals(signal.intervals, duration)
    values = [from_scale(interval.value, scale) * sign for interval in signal.intervals]
    read = Signal(
        id=signal.signal_id,
        kind=kind,
        intervals=_intervals_from_wire(signal.intervals, values, duration),
        device_classes=() if signal.target is None else signal.target.end_device_assets,
        unit=unit,
    )
    if fault := unit_fault(read):
        raise Unsupported(fault, clause="R109")
    if fault := next((fault for value in values if (fault := value_fault(kind, value))), ""):
        raise RemoteProtocolError(f"{signal.signal_name} {signal.signal_type} {fault}", clause="R9")
    return read


def baseline_to_wire(baseline: Baseline) -> m.Baseline:
    values = [to_scale(interval.value, baseline.unit.scale) for interval in baseline.intervals]
    return m.Baseline(
        dtstart=baseline.starts_at,
        duration=baseline.duration or ZERO,
        intervals=_intervals_to_wire(baseline.intervals, values),
        baseline_id=baseline.id,
        baseline_name=baseline.name,
        resource_ids=baseline.resources,
        item_base=unit_to_wire(baseline.unit),
    )


def baseline_from_wire(baseline: m.Baseline) -> Baseline:
    """R101, R102: its uids and durations are as a signal's, over its own duration."""
    duration = baseline.duration or None
    _check_intervals(baseline.intervals, duration)
    # Interpretation: the unit is optional in the schema; without one, dispatch's own is meant.
    unit = KILOWATTS if baseline.item_base is None else unit_from_wire(baseline.item_base)
    values = [from_scale(interval.value, unit.scale) for interval in baseline.intervals]
    if not all(abs(value) < float("inf") for value in values):
        raise RemoteProtocolError("a baseline's value must be a number", clause="R33")
    return Baseline(
        id=baseline.baseline_id,
        name=baseline.baseline_name,
        starts_at=baseline.dtstart,
        intervals=_intervals_from_wire(baseline.intervals, values, duration),
        unit=unit,
        resources=baseline.resource_ids,
    )


def _intervals_to_wire(intervals: Sequence[SignalInterval], values: Sequence[float]) -> tuple[m.Interval, ...]:
    return tuple(
        m.Interval(duration=interval.duration or ZERO, uid=str(index), value=values[index])
        for index, interval in enumerate(intervals)
    )


def _intervals_from_wire(
    intervals: Sequence[m.Interval], values: Sequence[float], duration: timedelta | None
) -> tuple[SignalInterval, ...]:
    # R47: nothing means for ever in what is open-ended; in anything else it is an interval of no length.
    return tuple(
        SignalInterval(duration=None if duration is None else interval.duration, value=value)
        for interval, value in zip(intervals, values, strict=True)
    )


def _current_value(
    event: DrEvent, signal: Signal, values: list[float], *, status: EventStatus, now: datetime
) -> float | None:
    """R14, R29: the running interval's value; outside the event 0 for SIMPLE, and nothing for the others."""
    if status is EventStatus.ACTIVE:
        ends = accumulate((interval.duration or timedelta.max for interval in signal.intervals), _add)
        running = next((value for end, value in zip(ends, values, strict=True) if now - event.starts_at < end), None)
        if running is not None:
            return running
    return 0.0 if signal.kind is SignalKind.LEVEL else None


def _add(first: timedelta, second: timedelta) -> timedelta:
    return timedelta.max if timedelta.max in (first, second) else first + second


def _check_intervals(intervals: Sequence[m.Interval], duration: timedelta | None) -> None:
    """R2 and R8: uids count from 0, and durations add up to the whole (to nothing if open-ended)."""
    uids = [interval.uid for interval in intervals]
    # Interpretation: a peer that leaves all uids out has not contradicted itself; one that counts wrong has.
    if any(uid is not None for uid in uids) and uids != [str(index) for index in range(len(uids))]:
        raise OutOfSequence("interval uids must be 0, 1, 2, …", clause="R2")
    lengths = [interval.duration for interval in intervals if interval.duration is not None]
    if len(lengths) != len(intervals):
        raise RemoteProtocolError("an interval has no duration", clause="R102")
    if any(length < ZERO for length in lengths):
        raise RemoteProtocolError("an interval's duration is negative", clause="R33")
    # Counted in seconds: thousands of the longest durations are more than a timedelta holds.
    if sum(length // SECOND for length in lengths) != (duration or ZERO) // SECOND:
        raise RemoteProtocolError("interval durations do not add up to the active period", clause="R8")


def _scale(kind: SignalKind, unit: Unit | None) -> str:
    return unit.scale if unit is not None and RULES[kind].scaled else "none"


def _sign_to_wire(kind: SignalKind, sign: ReliefSign | None) -> int:
    if kind is not SignalKind.RELIEF:
        return 1
    if sign is None:
        raise LocalProtocolError("a relative event of a program without RELIEF_SIGN cannot be written")
    return sign.factor


def _sign_from_wire(kind: SignalKind, sign: ReliefSign | None) -> int:
    if kind is not SignalKind.RELIEF:
        return 1
    if sign is None:
        raise Unsupported(
            "the program does not declare what a positive delta means (relief_sign): more load, or more relief"
        )
    return sign.factor
