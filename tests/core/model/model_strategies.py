"""Hypothesis strategies for canonical events: everything that the model can say, as a party reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from openadr_core.model.event import Baseline, DrEvent, Signal, SignalInterval
from openadr_core.model.program import ReliefSign
from openadr_core.model.signal_table import RULES
from openadr_core.model.target import DEVICE_CLASSES, TO, Target, TargetKind
from openadr_core.model.unit import CURRENCIES, MONEY, POWER, Measure, PowerAttributes, Unit
from openadr_core.oadr2.signals import BY_KIND
from openadr_core.units import SI_EXPONENT

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20
)
ids = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
lengths = st.integers(0, 1_000_000).map(lambda seconds: seconds * SECOND)
some_lengths = st.lists(st.integers(1, 100_000), min_size=1, max_size=4)
numbers = st.builds(
    lambda digits, places: float(f"{digits}e-{places}"), st.integers(-(10**9), 10**9), st.integers(0, 6)
)
"""What people write: up to 15 digits."""

attributes = st.builds(
    PowerAttributes,
    hertz=st.sampled_from(["50", "60.0"]),
    voltage=st.sampled_from(["230", "12470.5"]),
    ac=st.booleans(),
)


@st.composite
def units(draw: st.DrawFn, measures: frozenset[Measure]) -> Unit:
    measure = draw(st.sampled_from(sorted(measures)))
    return Unit(
        measure=measure,
        scale=draw(st.sampled_from(sorted(SI_EXPONENT))),
        currency=draw(st.sampled_from(sorted(CURRENCIES))) if measure in MONEY else "",
        attributes=draw(attributes) if measure in POWER else None,
    )


@st.composite
def signals(draw: st.DrawFn, signal_id: str, lengths_s: list[int] | None) -> Signal:
    kind = draw(st.sampled_from(sorted(BY_KIND)))
    rule = RULES[kind]
    return Signal(
        id=signal_id,
        kind=kind,
        intervals=draw(_intervals(_values(rule.least, rule.most, whole=rule.whole), lengths_s)),
        device_classes=tuple(draw(st.lists(st.sampled_from(sorted(DEVICE_CLASSES)), max_size=2, unique=True))),
        unit=draw(units(rule.measures)) if rule.measures else None,
    )


def _values(least: float, most: float, *, whole: bool) -> st.SearchStrategy[float]:
    if whole:
        return st.integers(int(max(least, -1000)), int(min(most, 1000))).map(float)
    if most == 1.0:
        return st.integers(0, 100).map(lambda hundredths: hundredths / 100)
    return numbers


@st.composite
def _intervals(
    draw: st.DrawFn, values: st.SearchStrategy[float], lengths_s: list[int] | None
) -> tuple[SignalInterval, ...]:
    if lengths_s is None:
        return (SignalInterval(duration=None, value=draw(values)),)
    return tuple(SignalInterval(duration=length * SECOND, value=draw(values)) for length in lengths_s)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    return Baseline(
        id=draw(ids),
        name=draw(ids),
        starts_at=NOW + draw(st.integers(-100_000, 100_000)) * SECOND,
        intervals=draw(_intervals(numbers, draw(st.none() | some_lengths))),
        unit=draw(units(POWER)),
        resources=tuple(draw(st.lists(ids, max_size=2))),
    )


@st.composite
def told_targets(draw: st.DrawFn) -> tuple[Target, ...]:
    """As a party is told them: no plain names, one venID at most, in the order of eiTarget."""
    chosen = draw(st.lists(st.sampled_from([kind for kind in TargetKind if kind is not TargetKind.NAME]), max_size=5))
    wanted = sorted(chosen, key=list(TargetKind).index)
    found = [Target(kind=kind, name=draw(_target_names(kind))) for kind in wanted]
    vens = [target for target in found if target.kind is TargetKind.VEN]
    return tuple(target for target in found if target not in vens[1:] or target is vens[0])


def _target_names(kind: TargetKind) -> st.SearchStrategy[str]:
    if kind in {TargetKind.SERVICE_AREA, TargetKind.SERVICE_LOCATION}:
        return st.just("-122.0 37.0 -121.0 37.0 -121.0 38.0 -122.0 37.0")
    if kind is TargetKind.TRANSPORT_INTERFACE:
        return st.tuples(ids, ids).map(TO.join)
    return st.sampled_from(sorted(DEVICE_CLASSES)) if kind is TargetKind.DEVICE_CLASS else ids


@st.composite
def events(draw: st.DrawFn) -> DrEvent:
    """An event that is not over at ``NOW``, as one party reads it."""
    lengths_s = draw(st.none() | some_lengths)
    version = draw(st.integers(0, 9))
    created_at = NOW - draw(lengths)
    values: dict[str, Any] = {
        "id": draw(ids),
        "program_id": "http://utility.example/p1",
        "market_context": "http://utility.example/p1",
        "version": version,
        "starts_at": NOW + draw(st.integers(0, 1_000_000)) * SECOND,
        "duration": None if lengths_s is None else sum(lengths_s) * SECOND,
        "signals": tuple(draw(signals(f"s-{number}", lengths_s)) for number in range(draw(st.integers(1, 3)))),
        "baseline": draw(st.none() | baselines()),
        "created_at": created_at,
        "modified_at": created_at + draw(lengths) if version else created_at,
        "priority": draw(st.none() | st.integers(0, 100)),
        "relief_sign": draw(st.sampled_from(list(ReliefSign))),
        "targets": draw(told_targets()),
        "ramp_up": draw(st.integers(-1000, 1000)) * SECOND,
        "recovery": draw(lengths),
        "notification": draw(lengths),
        "start_after": draw(lengths),
        "response_required": draw(st.booleans()),
        "test": draw(st.booleans()),
        "comment": draw(texts),
        "modification_reason": draw(texts),
    }
    return DrEvent(**values)
