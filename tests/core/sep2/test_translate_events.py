"""Events as controls of IEEE 2030.5: which signal is which mode, when, and what is refused with a reason."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.target import Target, TargetKind
from openadr_core.model.unit import Measure, Unit
from openadr_core.sep2.controls import DERControlBase
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.translate_events import (
    CONTROLS_MAX,
    FOR_EVER_S,
    LOADS,
    SPREAD_MOST_S,
    Told,
    Wanted,
    category_hex,
    told,
)
from tests.core.model.model_strategies import NOW, events

START = int(NOW.timestamp()) + 600
KINDS = st.sampled_from(list(SignalKind))
LEVELS = (75, 50, 0)


def asked(kind: SignalKind, *values: float | None, each_s: int = 300, **said: Any) -> Signal:
    """None is a gap."""
    length = timedelta(seconds=each_s)
    intervals = tuple(SignalInterval(duration=length, value=value or 0.0, asks=value is not None) for value in values)
    return Signal(id=kind.value, kind=kind, intervals=intervals, **said)


def an_event(*signals: Signal, **said: Any) -> DrEvent:
    length = sum((one.duration or timedelta() for one in signals[0].intervals), timedelta()) if signals else None
    values: dict[str, Any] = {
        "id": "e1", "program_id": "p1", "market_context": "http://utility.example/p1", "version": 0,
        "starts_at": NOW + timedelta(seconds=600), "duration": length, "signals": signals, "created_at": NOW,
        "modified_at": NOW,
    }  # fmt: skip
    return DrEvent(**(values | said))


def spans(found: Told) -> list[tuple[int, int, dict[str, Any]]]:
    return [(one.starts_at - START, one.duration_s, dict(one.members)) for one in found.controls]


# -- which signal is which mode --------------------------------------------------------


def test_power_to_hold_is_a_target_that_injects_what_is_above_zero() -> None:
    found = told(an_event(asked(SignalKind.NET_POWER, 60_000, -5_000)))
    assert spans(found) == [(0, 300, {"opModTargetW": -60_000}), (300, 300, {"opModTargetW": 5_000})]
    assert all(one.in_all and one.kind == "DERControl" and not one.categories for one in found.controls)
    assert not found.not_told


def test_limits_are_modes_of_each_site_and_stand_in_one_control() -> None:
    importing = asked(SignalKind.IMPORT_LIMIT, 4_000, 4_000, 2_000, None)
    found = told(an_event(importing, asked(SignalKind.EXPORT_LIMIT, 1_500, each_s=1_200)))
    assert spans(found) == [
        (0, 600, {"opModImpLimW": 4_000, "opModExpLimW": 1_500}),
        (600, 300, {"opModImpLimW": 2_000, "opModExpLimW": 1_500}),
        (900, 300, {"opModExpLimW": 1_500}),
    ]
    assert not any(one.in_all for one in found.controls)


def test_levels_are_duty_cycles_where_the_program_declares_them() -> None:
    event = an_event(asked(SignalKind.LEVEL, 0, 1, 3))
    found = told(event, LEVELS)
    assert [(start, members["DutyCycle"]["normalValue"]) for start, _, members in spans(found)] == [(300, 75), (600, 0)]
    assert {one.kind for one in found.controls} == {"EndDeviceControl"}
    assert {one.categories for one in found.controls} == {LOADS}
    (reason,) = told(event).not_told
    assert "SIMPLE_DUTY_CYCLE" in reason


def test_loads_are_told_shares_and_offsets() -> None:
    (share,) = told(an_event(asked(SignalKind.LOAD_CAPACITY, 0.25))).controls
    assert share.members["DutyCycle"] == {"normalValue": 25}
    less, more = told(an_event(asked(SignalKind.LOAD_PERCENT_OFFSET, -12.5, 10))).controls
    assert less.members["Offset"] == {"loadAdjustmentPercentageOffset": 1250}
    assert (less.members["loadShiftForward"], more.members["loadShiftForward"]) == (False, True)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (SignalKind.RELIEF, "baseline"), (SignalKind.BASELINE_SHARE, "baseline"), (SignalKind.CHARGE, "charge"),
        (SignalKind.ELECTRICITY_PRICE, "price"), (SignalKind.BID_LOAD, "bid"), (SignalKind.DISPATCH_LEVEL, "steps"),
        (SignalKind.LOAD_SETPOINT, "cooling"), (SignalKind.IMPORT_SUBSCRIPTION, "default"),
    ],
)  # fmt: skip
def test_what_would_be_a_guess_is_refused_with_a_reason(kind: SignalKind, word: str) -> None:
    found = told(an_event(asked(kind, 1.0)), LEVELS)
    assert not found.controls
    assert found.not_told[0].startswith(f"{kind.value}: ")
    assert word in found.not_told[0]


def test_what_can_be_said_is_said_beside_what_cannot() -> None:
    found = told(an_event(asked(SignalKind.RELIEF, 1_000), asked(SignalKind.EXPORT_LIMIT, 0)))
    assert spans(found) == [(0, 300, {"opModExpLimW": 0})]
    assert len(found.not_told) == 1


def test_a_power_that_is_not_real_is_refused() -> None:
    unit = Unit(measure=Measure.REACTIVE_POWER)
    assert not told(an_event(asked(SignalKind.NET_POWER, 1.0, unit=unit))).controls


def test_a_number_that_no_power_holds_is_refused() -> None:
    found = told(an_event(asked(SignalKind.NET_POWER, 1e15)))
    assert not found.controls
    assert found.not_told


def test_devices_would_act_on_a_test() -> None:
    found = told(an_event(asked(SignalKind.NET_POWER, 1.0), test=True))
    assert not found.controls
    assert "test" in found.not_told[0]


def test_of_two_signals_for_one_mode_the_first_is_said() -> None:
    found = told(an_event(asked(SignalKind.LOAD_CAPACITY, 0.5), asked(SignalKind.LEVEL, 3)), LEVELS)
    assert [one.members["DutyCycle"] for one in found.controls] == [{"normalValue": 50}]
    assert "already" in found.not_told[0]


# -- for which devices -----------------------------------------------------------------


def test_classes_of_devices_are_categories() -> None:
    signal = asked(SignalKind.LOAD_CAPACITY, 0.5, device_classes=("Water_Heater", "Pool_Pump"))
    event = an_event(signal, targets=(Target(kind=TargetKind.DEVICE_CLASS, name="Water_Heater"),))
    (found,) = told(event).controls
    assert found.categories == {3}
    assert category_hex(found.categories) == "08"
    elsewhere = replace(event, targets=(Target(kind=TargetKind.DEVICE_CLASS, name="Sauna"),))
    assert "none of the classes" in told(elsewhere).not_told[0]
    unknown = replace(event, signals=(replace(signal, device_classes=("x-kiln",)),))
    assert "x-kiln" in told(unknown).not_told[0]


@pytest.mark.parametrize(("bits", "text"), [((), "00"), ((7,), "80"), ((8,), "0100"), ((25, 0), "02000001")])
def test_categories_are_an_even_number_of_digits(bits: tuple[int, ...], text: str) -> None:
    assert category_hex(bits) == text


# -- when ------------------------------------------------------------------------------


def test_only_the_ends_of_an_event_are_random() -> None:
    event = an_event(asked(SignalKind.NET_POWER, 1, 2, 3), start_after=timedelta(seconds=90))
    first, second, last = told(event).controls
    assert (first.randomize_start_s, first.randomize_duration_s) == (90, 0)
    assert (second.randomize_start_s, second.randomize_duration_s) == (0, 0)
    assert (last.randomize_start_s, last.randomize_duration_s) == (0, 90)
    (alone,) = told(replace(event, signals=(asked(SignalKind.NET_POWER, 1, each_s=900),))).controls
    assert (alone.randomize_start_s, alone.randomize_duration_s) == (90, 0)
    (wide,) = told(an_event(asked(SignalKind.NET_POWER, 1), start_after=timedelta(hours=3))).controls
    assert wide.randomize_start_s == SPREAD_MOST_S


def test_a_ramp_inside_the_event_is_that_of_its_first_control() -> None:
    """2.0b R13: below zero. Nothing else changes, and from one interval to the next devices go by their default."""
    event = an_event(asked(SignalKind.NET_POWER, 1, 2), asked(SignalKind.LEVEL, 1, 1), ramp_up=timedelta(seconds=-90.5))
    found, plain = told(event, LEVELS), told(replace(event, ramp_up=timedelta()), LEVELS)
    assert [one.members.get("rampTms") for one in found.controls] == [9_050, None, None]
    assert [one.kind for one in found.controls] == ["DERControl", "EndDeviceControl", "DERControl"]
    without = [
        replace(one, members={name: said for name, said in one.members.items() if name != "rampTms"})
        for one in found.controls
    ]
    assert without == list(plain.controls)
    assert not found.not_told
    from_json(DERControlBase, found.controls[0].members)


@pytest.mark.parametrize(
    ("signal", "ramp_s", "recovery_s", "words"),
    [
        (asked(SignalKind.NET_POWER, 1), 60, 0, ["before the event"]),
        (asked(SignalKind.NET_POWER, 1), -655.36, 0, ["at most"]),
        (asked(SignalKind.NET_POWER, None, 1), -60, 0, ["as the event begins"]),
        (asked(SignalKind.LEVEL, 1), -60, 0, ["loads have none"]),
        (asked(SignalKind.NET_POWER, 1), -60, 60, ["setGradW"]),
        (asked(SignalKind.LEVEL, 1), 60, 60, ["before the event", "setGradW"]),
    ],
)
def test_of_any_other_the_operator_is_told_why_not(
    signal: Signal, ramp_s: float, recovery_s: float, words: list[str]
) -> None:
    lengths = {"ramp_up": timedelta(seconds=ramp_s), "recovery": timedelta(seconds=recovery_s)}
    event = an_event(signal, **lengths)
    found = told(event, LEVELS)
    assert len(found.not_told) == len(words)
    assert all(word in reason for word, reason in zip(words, found.not_told, strict=True))
    if ramp_s > 0 or ramp_s < -600:
        assert found.controls == told(an_event(signal), LEVELS).controls
    nothing = told(an_event(asked(SignalKind.RELIEF, 1), **lengths))
    assert len(nothing.not_told) == 1, "of what is not told at all that is reason enough"


def test_what_has_no_end_is_as_long_as_can_be_said() -> None:
    signal = Signal(
        id="s", kind=SignalKind.EXPORT_LIMIT, intervals=(SignalInterval(duration=None, value=5_000.0),)
    )  # fmt: skip
    assert spans(told(an_event(signal, duration=None))) == [(0, FOR_EVER_S, {"opModExpLimW": 5_000})]


def test_rounds_are_laid_out_to_the_end_of_the_event() -> None:
    event = an_event(
        asked(SignalKind.IMPORT_LIMIT, 1, 2), lap=timedelta(seconds=600), duration=timedelta(seconds=1_500)
    )
    assert [(start, length) for start, length, _ in spans(told(event))] == [
        (0, 300), (300, 300), (600, 300), (900, 300), (1_200, 300),
    ]  # fmt: skip
    assert "for ever" in told(replace(event, duration=None)).not_told[0]


def test_more_controls_than_anybody_holds_are_refused() -> None:
    values = [float(number) for number in range(CONTROLS_MAX + 1)]
    found = told(an_event(asked(SignalKind.IMPORT_LIMIT, *values)))
    assert not found.controls
    assert len(told(an_event(asked(SignalKind.IMPORT_LIMIT, *values[1:]))).controls) == CONTROLS_MAX
    assert str(CONTROLS_MAX) in found.not_told[0]
    often = an_event(asked(SignalKind.IMPORT_LIMIT, 1, 2), lap=timedelta(seconds=600), duration=timedelta(days=365))
    assert not told(often).controls


# -- properties ------------------------------------------------------------------------


@given(events())
@settings(max_examples=60)
def test_any_event_is_said_or_refused_signal_by_signal(event: DrEvent) -> None:
    found = told(event, LEVELS)
    begins_at = int(event.starts_at.timestamp())
    ends_at = None if event.ends_at is None else int(event.ends_at.timestamp())
    layers: dict[tuple[object, ...], list[Wanted]] = {}
    for one in found.controls:
        assert one.duration_s > 0
        assert one.starts_at >= begins_at
        assert one.duration_s == FOR_EVER_S if ends_at is None else one.starts_at + one.duration_s <= ends_at
        layers.setdefault((one.kind, one.categories, one.in_all), []).append(one)
    for controls in layers.values():
        for one, following in pairwise(controls):
            assert one.starts_at + one.duration_s <= following.starts_at
    refused = {reason.partition(":")[0] for reason in found.not_told}
    silent = [one for one in event.signals if one.id not in refused]
    assert event.test or found.controls or all(_asks_nothing(one) for one in silent)


def _asks_nothing(signal: Signal) -> bool:
    quiet = {SignalKind.LEVEL, SignalKind.LOAD_PERCENT_OFFSET}
    return signal.kind in quiet and all(abs(one.value) < 1 for one in signal.intervals)


@given(st.lists(st.none() | st.integers(-50_000, 50_000), min_size=1, max_size=12))
def test_at_any_moment_the_mode_is_what_the_signal_asks(values: list[int | None]) -> None:
    found = told(an_event(asked(SignalKind.NET_POWER, *values))).controls
    for index, value in enumerate(values):
        moment = START + 300 * index + 150
        now = [one.members for one in found if one.starts_at <= moment < one.starts_at + one.duration_s]
        assert now == ([] if value is None else [{"opModTargetW": -value}])
        for members in now:
            from_json(DERControlBase, members)
