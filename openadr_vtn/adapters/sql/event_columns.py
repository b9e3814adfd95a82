"""The parts of an event that one column holds whole, as JSON and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from openadr_core.model.event import Baseline, Signal, SignalInterval, SignalKind
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_core.model.unit import Measure, PowerAttributes, Unit

Json = Mapping[str, Any]


def signal_json(signal: Signal) -> dict[str, Any]:
    return {
        "id": signal.id,
        "kind": signal.kind.value,
        "intervals": _intervals_json(signal.intervals),
        "device_classes": list(signal.device_classes),
        "unit": None if signal.unit is None else _unit_json(signal.unit),
    }


def signal_of(signal: Json) -> Signal:
    unit = signal.get("unit")
    return Signal(
        id=signal["id"],
        kind=SignalKind(signal["kind"]),
        intervals=_intervals_of(signal["intervals"]),
        device_classes=tuple(signal["device_classes"]),
        unit=None if unit is None else _unit_of(unit),
    )


def baseline_json(baseline: Baseline) -> dict[str, Any]:
    return {
        "id": baseline.id,
        "name": baseline.name,
        "starts_at": baseline.starts_at.isoformat(),
        "intervals": _intervals_json(baseline.intervals),
        "unit": _unit_json(baseline.unit),
        "resources": list(baseline.resources),
    }


def baseline_of(baseline: Json) -> Baseline:
    return Baseline(
        id=baseline["id"],
        name=baseline["name"],
        starts_at=datetime.fromisoformat(baseline["starts_at"]),
        intervals=_intervals_of(baseline["intervals"]),
        unit=_unit_of(baseline["unit"]),
        resources=tuple(baseline["resources"]),
    )


def target_json(target: Target) -> str | list[str]:
    """A plain name is a text, as it was before targets had kinds."""
    return target.name if target.kind is TargetKind.NAME else [target.kind.value, target.name]


def target_of(target: str | list[str]) -> Target:
    if isinstance(target, str):
        return by_name(target)[0]
    kind, name = target
    return Target(kind=TargetKind(kind), name=name)


def _unit_json(unit: Unit) -> dict[str, Any]:
    attributes = unit.attributes
    return {
        "measure": unit.measure.value,
        "scale": unit.scale,
        "currency": unit.currency,
        "attributes": None if attributes is None else [attributes.hertz, attributes.voltage, attributes.ac],
    }


def _unit_of(unit: Json) -> Unit:
    attributes = None
    if unit["attributes"] is not None:
        hertz, voltage, ac = unit["attributes"]
        attributes = PowerAttributes(hertz=hertz, voltage=voltage, ac=ac)
    return Unit(measure=Measure(unit["measure"]), scale=unit["scale"], currency=unit["currency"], attributes=attributes)


def _intervals_json(intervals: Sequence[SignalInterval]) -> list[list[float | None]]:
    return [
        [None if interval.duration is None else interval.duration.total_seconds(), interval.value]
        for interval in intervals
    ]


def _intervals_of(intervals: Sequence[Sequence[Any]]) -> tuple[SignalInterval, ...]:
    return tuple(
        SignalInterval(duration=None if duration_s is None else timedelta(seconds=duration_s), value=value)
        for duration_s, value in intervals
    )
