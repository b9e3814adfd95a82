"""What the agent is told is what the rules leave of the controls; and what each mode asks in its words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference, VarShare, mask_of
from openadr_core.model.timeline import segments
from openadr_core.sep2.base import DateTimeInterval, EventStatus, Link
from openadr_core.sep2.controls import CurveData, DERControlBase, DERCurve, FixedVar
from openadr_core.sep2.drlc import DutyCycle, EndDeviceControl, Offset
from openadr_core.sep2.power import active_power
from openadr_ven.domain.records import from_record, to_record
from openadr_ven.protocols.sep2.load import load_modes_of
from openadr_ven.protocols.sep2.meaning import GENERATORS, LOADS, READERS, STORAGE, Modes, Ratings, modes_of
from openadr_ven.protocols.sep2.memory import AskedMode, AskedSignal, KnownControl, KnownDefault, Memory
from openadr_ven.protocols.sep2.schedule import Span
from openadr_ven.protocols.sep2.telling import schedules, tell

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW_S = int(START.timestamp())
OWN = "0" * 40
RATINGS = Ratings(max_w=10_000.0, charge_max_w=8_000.0, discharge_max_w=6_000.0)
EXPORT, IMPORT, HOLD = SignalKind.EXPORT_LIMIT, SignalKind.IMPORT_LIMIT, SignalKind.NET_POWER
SUPPORT = SignalKind.GRID_SUPPORT
MODES = ("opModExpLimW", "opModImpLimW")


def asked(name: str, watts: float) -> AskedMode:
    kind = EXPORT if name == "opModExpLimW" else IMPORT
    return AskedMode(name=name, signals=(AskedSignal(kind=kind, value=watts),))


def told_events(memory: Memory) -> list[DrEvent]:
    return [one.event for one in memory.told if one.event.cancelled_at is None]


def ruling(memory: Memory, moment: int) -> dict[str, set[float]]:
    """The watts that the told events ask for at a moment, by mode."""
    at = datetime.fromtimestamp(moment - memory.offset_s, UTC)
    found: dict[str, set[float]] = {}
    for event in told_events(memory):
        for one in segments(event, now=at):
            if one.rules_at(at):
                found.setdefault(event.market_context.removeprefix("ieee2030.5:"), set()).add(one.value)
    return found


def left_by_the_rules(memory: Memory, moment: int) -> dict[str, set[float]]:
    values: Mapping[tuple[str, str], float] = {
        (one.mrid, mode.name): mode.signals[0].value for one in memory.known for mode in one.modes
    }
    found = {
        mode: {values[mrid, mode]}
        for (mrid, mode), spans in schedules(memory).get(OWN, {}).items()
        if any(span.begins <= moment < span.ends for span in spans)
    }
    for default in memory.defaults:
        found.setdefault(default.mode.name, {default.mode.signals[0].value})
    return found


CONTROLS = st.lists(
    st.builds(
        lambda number, begins, lasts, program, created, modes: KnownControl(
            mrid=f"{number:032X}", device=OWN, program=f"P{program}", primacy=program // 2, created=NOW_S + created,
            start=NOW_S + begins, duration_s=lasts, modes=tuple(asked(mode, number + 1.0) for mode in sorted(modes)),
        ),
        number=st.integers(0, 999), begins=st.integers(-20, 40), lasts=st.integers(1, 40), program=st.integers(0, 3),
        created=st.integers(0, 9), modes=st.sets(st.sampled_from(MODES), min_size=1),
    ),
    max_size=6, unique_by=lambda one: one.mrid,
)  # fmt: skip
DEFAULTS = st.sets(st.sampled_from(MODES)).map(
    lambda modes: tuple(KnownDefault(device=OWN, program="P0", mode=asked(mode, 7777.0)) for mode in sorted(modes))
)


@settings(max_examples=100)
@given(CONTROLS, DEFAULTS, st.integers(-7200, 7200))
def test_at_every_moment_the_told_events_ask_what_the_rules_leave(
    controls: list[KnownControl], defaults: tuple[KnownDefault, ...], offset_s: int
) -> None:
    memory = Memory(offset_s=offset_s, known=tuple(controls), defaults=defaults)
    now = START - timedelta(seconds=offset_s)
    memory, _ = tell(memory, own=OWN, targets_of=lambda _: (), now=now)
    for later in range(0, 90, 3):
        assert ruling(memory, NOW_S + later) == left_by_the_rules(memory, NOW_S + later)
    again, said = tell(memory, own=OWN, targets_of=lambda _: (), now=now)
    assert (said, again) == ([], memory)
    assert from_record(Memory, to_record(memory)) == memory


@settings(max_examples=60)
@given(CONTROLS, CONTROLS, DEFAULTS, st.integers(0, 40))
def test_so_they_do_after_any_change(
    before: list[KnownControl], after: list[KnownControl], defaults: tuple[KnownDefault, ...], passed: int
) -> None:
    memory, _ = tell(Memory(known=tuple(before), defaults=defaults), own=OWN, targets_of=lambda _: (), now=START)
    memory = replace(memory, known=tuple(after))
    now = START + timedelta(seconds=passed)
    memory, _ = tell(memory, own=OWN, targets_of=lambda _: (), now=now)
    for later in range(passed, 90, 3):
        assert ruling(memory, NOW_S + later) == left_by_the_rules(memory, NOW_S + later)


@pytest.mark.parametrize(
    ("base", "signals"),
    [
        ({"op_mod_target_w": active_power(100_000)}, [(HOLD, -100_000.0, ())]),
        ({"op_mod_fixed_w": 5_000}, [(HOLD, -3_000.0, ())]),
        ({"op_mod_fixed_w": -2_500}, [(HOLD, 2_000.0, ())]),
        ({"op_mod_storage_target_w": active_power(-1_000)}, [(HOLD, 1_000.0, STORAGE)]),
        ({"op_mod_max_lim_w": 5_000}, [(EXPORT, 5_000.0, ())]),
        ({"op_mod_exp_lim_w": active_power(1_500)}, [(EXPORT, 1_500.0, ())]),
        ({"op_mod_imp_lim_w": active_power(1_500)}, [(IMPORT, 1_500.0, ())]),
        ({"op_mod_gen_lim_w": active_power(0)}, [(EXPORT, 0.0, GENERATORS)]),
        ({"op_mod_load_lim_w": active_power(40_000)}, [(IMPORT, 40_000.0, LOADS)]),
        ({"op_mod_energize": False}, [(EXPORT, 0.0, GENERATORS)]),
        ({"op_mod_connect": False}, [(EXPORT, 0.0, GENERATORS), (IMPORT, 0.0, GENERATORS)]),
        ({"op_mod_connect": True}, []),
        ({"op_mod_energize": True}, []),
    ],
)
def test_each_mode_in_the_words_of_dispatch(
    base: dict[str, object], signals: list[tuple[SignalKind, float, tuple[str, ...]]]
) -> None:
    modes = modes_of(DERControlBase(**base), RATINGS)  # type: ignore[arg-type]  # one field each
    (mode,) = modes.followed
    assert mode.name in READERS
    assert (modes.not_read, modes.invalid) == ((), ())
    assert [(one.kind, one.value, one.device_classes) for one in mode.signals] == signals


def test_what_the_fleet_cannot_do_is_named_and_a_ramp_is_no_mode() -> None:
    base = DERControlBase(
        op_mod_volt_var=Link(href="/dc/1"), op_mod_fixed_var=FixedVar(ref_type=1, value=100), ramp_tms=500
    )
    assert modes_of(base, RATINGS) == Modes(not_read=("opModFixedVar", "opModVoltVar"))


def test_what_a_device_knows_is_asked_of_it_and_a_curve_that_is_none_is_invalid() -> None:
    base = DERControlBase(
        op_mod_volt_var=Link(href="/dc/1"), op_mod_watt_var=Link(href="/dc/1"), op_mod_volt_watt=Link(href="/dc/9"),
        op_mod_connect=False, op_mod_fixed_var=FixedVar(ref_type=2, value=-4_400),
    )  # fmt: skip
    curve = DERCurve(
        mrid="0A", creation_time=1, curve_type=11, x_multiplier=0, y_multiplier=0, y_ref_type=2,
        curve_data=(CurveData(x_value=92, y_value=44),),
    )  # fmt: skip
    known = mask_of({
        GridFunction.VOLT_VAR, GridFunction.WATT_VAR, GridFunction.VOLT_WATT, GridFunction.FIXED_VAR,
        GridFunction.CONNECT,
    })  # fmt: skip
    modes = modes_of(base, RATINGS, functions=known, curves={"/dc/1": curve})
    assert modes.invalid == ("opModVoltWatt", "opModWattVar")
    assert modes.not_read == ()
    said = {mode.name: [(one.kind, one.support) for one in mode.signals] for mode in modes.followed}
    assert said["opModVoltVar"] == [
        (SUPPORT, GridSupport(
            function=GridFunction.VOLT_VAR,
            curve=Curve(points=(CurvePoint(x=92.0, y=44.0),), reference=Reference.MAX_VAR),
        ))
    ]  # fmt: skip
    share = VarShare(percent=-44.0, reference=Reference.MAX_VAR)
    assert said["opModFixedVar"] == [(SUPPORT, GridSupport(function=GridFunction.FIXED_VAR, var_share=share))]
    off = GridSupport(function=GridFunction.CONNECT, on=False)
    assert said["opModConnect"] == [(EXPORT, None), (IMPORT, None), (SUPPORT, off)]


@pytest.mark.parametrize(
    ("asks", "share"),
    [
        ({"duty_cycle": DutyCycle(normal_value=30)}, 0.3),
        ({"duty_cycle": DutyCycle(normal_value=255)}, 1.0),
        ({"offset": Offset(load_adjustment_percentage_offset=2_000)}, 0.8),
        ({"offset": Offset(load_adjustment_percentage_offset=2_000), "load_shift_forward": True}, 1.2),
        ({"offset": Offset(cooling_offset=20)}, None),
    ],
)
def test_what_is_asked_of_loads(asks: dict[str, object], share: float | None) -> None:
    status = EventStatus(current_status=0, date_time=0, potentially_superseded=False)
    control = EndDeviceControl(
        mrid="A" * 32, creation_time=0, event_status=status, interval=DateTimeInterval(duration=60, start=0),
        device_category="01", dr_program_mandatory=False, **{"load_shift_forward": False, **asks},  # type: ignore[arg-type]
    )  # fmt: skip
    modes, _ = load_modes_of(control, ("Thermostat", "Water_Heater"))
    assert [mode.signals[0].value for mode in modes] == ([] if share is None else [pytest.approx(share)])
    assert load_modes_of(control, ("Water_Heater",))[0] == ()


def test_one_that_was_drawn_ends_when_it_was_drawn_to() -> None:
    known = KnownControl(
        mrid="A" * 32, device=OWN, program="P", primacy=1, created=0, start=100, duration_s=50, randomize_start_s=-40,
        randomize_duration_s=20, start_fraction=0.5, duration_fraction=0.5,
    )  # fmt: skip
    assert known.entry.span == Span(begins=80, ends=140)
