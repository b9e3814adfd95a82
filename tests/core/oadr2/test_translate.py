"""2.0b events to and from the model: the places where the two disagree."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from openadr_core.errors import LocalProtocolError, OutOfSequence, RemoteProtocolError, Unsupported
from openadr_core.model.event import Baseline, DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.program import ReliefSign
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.codes import code_of
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.signals import BY_KIND, KILOWATTS
from openadr_core.oadr2.translate import event_from_wire, event_to_wire
from openadr_core.shell.datafiles import load_schema
from tests.core.model import model_strategies as model

VEN_1 = Target(kind=TargetKind.VEN, name="VEN_1")
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def make_event(kind: SignalKind = SignalKind.RELIEF, value: float = 5e6, **changes: object) -> DrEvent:
    event = DrEvent(
        id="event-1",
        program_id="http://utility.example/p1",
        market_context="http://utility.example/p1",
        version=0,
        starts_at=NOW,
        duration=120 * SECOND,
        signals=(Signal(id="s1", kind=kind, intervals=(SignalInterval(duration=120 * SECOND, value=value),)),),
        created_at=NOW - SECOND,
        modified_at=NOW - SECOND,
        relief_sign=ReliefSign.POSITIVE,
        targets=(VEN_1,),
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def to_wire(event: DrEvent, now: datetime = NOW) -> m.Event:
    return event_to_wire(event, now=now, created=event.created_at)


@pytest.mark.parametrize(("sign", "kilowatts"), [(ReliefSign.POSITIVE, 5000.0), (ReliefSign.NEGATIVE, -5000.0)])
def test_relief_is_written_with_the_declared_sign(sign: ReliefSign, kilowatts: float) -> None:
    (signal,) = to_wire(make_event(relief_sign=sign)).signals
    assert (signal.signal_name, signal.signal_type) == ("LOAD_DISPATCH", "delta")
    assert signal.item_base is not None
    assert (signal.item_base.name, signal.item_base.si_scale_code) == ("powerReal", "k")
    assert signal.intervals[0].value == kilowatts


def test_an_undeclared_sign_is_refused_with_the_reason() -> None:
    with pytest.raises(Unsupported, match="relief_sign"):
        event_from_wire(to_wire(make_event()), relief_sign=None, now=NOW)


@pytest.mark.openadr20b("R3", "V12")
@pytest.mark.parametrize(("model", "wire"), [(None, 0), (0, 1), (3, 4)])
def test_priority_counts_from_one_and_zero_is_none(model: int | None, wire: int) -> None:
    # R3: 0 is no priority, which is last.
    written = to_wire(make_event(priority=model))
    assert written.descriptor.priority == wire
    assert event_from_wire(written, relief_sign=ReliefSign.POSITIVE, now=NOW).priority == model


@pytest.mark.openadr20b("R47", "V4")
def test_for_ever_is_a_duration_of_nothing() -> None:
    # R47.
    endless = make_event(
        duration=None,
        signals=(Signal(id="s1", kind=SignalKind.LEVEL, intervals=(SignalInterval(duration=None, value=1.0),)),),
    )
    written = to_wire(endless)
    assert written.active_period.duration == timedelta(0)
    assert written.signals[0].intervals[0].duration == timedelta(0)
    assert event_from_wire(written, relief_sign=None, now=NOW).duration is None


@pytest.mark.openadr20b("R6", "N9")
@pytest.mark.parametrize(("text", "test"), [(None, False), ("false", False), ("true", True), ("yes", True)])
def test_any_text_but_false_is_a_test(text: str | None, test: bool) -> None:
    # R6.
    written = to_wire(make_event())
    written = replace(written, descriptor=replace(written.descriptor, test_event=text))
    assert event_from_wire(written, relief_sign=ReliefSign.POSITIVE, now=NOW).test is test


@pytest.mark.openadr20b("R63", "V18")
@pytest.mark.openadr20b("R63", "V18")
def test_a_target_has_one_ven_id_and_no_plain_name() -> None:
    assert to_wire(make_event()).target == m.Target(ven_ids=("VEN_1",))
    for wrong in ((VEN_1, replace(VEN_1, name="VEN_2")), by_name("feeder-7")):
        with pytest.raises(LocalProtocolError):
            to_wire(make_event(targets=wrong))


@pytest.mark.openadr20b("R14", "R29", "V9")
@pytest.mark.parametrize(("at_s", "current"), [(-10, 0.0), (0, 2.0), (119, 2.0), (120, 0.0)])
def test_simple_shows_its_running_value_and_zero_outside(at_s: int, current: float) -> None:
    # R14, R29.
    written = to_wire(make_event(SignalKind.LEVEL, 2.0), NOW + at_s * SECOND)
    assert written.signals[0].current_value == current


def broken(event: m.Event, **changes: object) -> m.Event:
    interval = replace(event.signals[0].intervals[0], **changes)  # type: ignore[arg-type]
    return replace(event, signals=(replace(event.signals[0], intervals=(interval,)),))


@pytest.mark.openadr20b("R33", "N14")
@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"duration": 60 * SECOND}, RemoteProtocolError, "454"),
        ({"uid": "1"}, OutOfSequence, "450"),
        ({"value": float("nan")}, RemoteProtocolError, "454"),
        ({"value": float("inf")}, RemoteProtocolError, "454"),
        ({"duration": None}, RemoteProtocolError, "454"),
    ],
)
def test_content_that_contradicts_itself_has_its_code(
    changes: dict[str, object], error: type[RemoteProtocolError], code: str
) -> None:
    # R33.
    with pytest.raises(error) as caught:
        event_from_wire(broken(to_wire(make_event()), **changes), relief_sign=ReliefSign.POSITIVE, now=NOW)
    assert code_of(caught.value) == code


@pytest.mark.openadr20b("R9")
@pytest.mark.parametrize("level", [4.0, -1.0, 1.5])
def test_a_level_is_one_of_four(level: float) -> None:
    # R9.
    with pytest.raises(RemoteProtocolError, match=r"from 0 to 3|whole number"):
        event_from_wire(to_wire(make_event(SignalKind.LEVEL, level)), relief_sign=None, now=NOW)


@pytest.mark.openadr20b("R33", "N14")
def test_an_event_that_is_over_is_illogical() -> None:
    with pytest.raises(RemoteProtocolError, match="over"):
        event_from_wire(to_wire(make_event()), relief_sign=ReliefSign.POSITIVE, now=NOW + 121 * SECOND)


@pytest.mark.openadr20b("R109", "N11")
@pytest.mark.parametrize(("name", "type_"), [("LOAD_CONTROL", "level"), ("x-ours", "level")])
def test_signals_that_nothing_acts_on_are_460(name: str, type_: str) -> None:
    # R109.
    written = to_wire(make_event())
    written = replace(written, signals=(replace(written.signals[0], signal_name=name, signal_type=type_),))
    with pytest.raises(Unsupported) as caught:
        event_from_wire(written, relief_sign=ReliefSign.POSITIVE, now=NOW)
    assert code_of(caught.value) == "460"


@pytest.mark.openadr20b("R104", "R106", "R101", "R102", "R108", "R111", "R116", "R46")
@settings(max_examples=200)
@given(model.events())
def test_whatever_the_model_says_comes_back_over_the_wire(event: DrEvent) -> None:
    """Through the bytes and the schema: all of Table 1, units, baselines, device classes, targets of every kind."""
    sent = event_to_wire(event, now=model.NOW, created=event.created_at)
    message = m.DistributeEvent(request_id="d", vtn_id="v", events=(sent,))
    received = decode(encode(message), load_schema())
    assert isinstance(received, m.DistributeEvent)
    assert event_from_wire(received.events[0], relief_sign=event.relief_sign, now=model.NOW) == event


@pytest.mark.openadr20b("R106", "R109", "N11")
def test_interpretation_a_signal_that_nobody_knows_spoils_no_event_that_has_another() -> None:
    written = to_wire(make_event(SignalKind.LEVEL, 2.0))
    strange = replace(written.signals[0], signal_name="x-ours", signal_id="s2")
    read = event_from_wire(replace(written, signals=(strange, *written.signals)), relief_sign=None, now=NOW)
    assert [signal.kind for signal in read.signals] == [SignalKind.LEVEL]
    assert read.not_read == ("x-ours level is not in the signal table",)


@pytest.mark.openadr20b("R104", "R109")
@pytest.mark.parametrize(
    ("kind", "unit", "code"),
    [
        (SignalKind.ELECTRICITY_PRICE, None, "460"),
        (SignalKind.ELECTRICITY_PRICE, replace(KILOWATTS, name="energyReal", units="Wh"), "460"),
        (SignalKind.ELECTRICITY_PRICE, m.Unit(name="Therm", description="Therm", units="thm"), "460"),
        (SignalKind.NET_POWER, None, "460"),
        (SignalKind.CHARGE, KILOWATTS, "460"),
    ],
)
def test_a_unit_is_one_of_the_tables(kind: SignalKind, unit: m.Unit | None, code: str) -> None:
    name, signal_type = BY_KIND[kind]
    written = to_wire(make_event())
    signal = replace(written.signals[0], signal_name=name, signal_type=signal_type, item_base=unit)
    with pytest.raises(Unsupported) as caught:
        event_from_wire(replace(written, signals=(signal,)), relief_sign=None, now=NOW)
    assert code_of(caught.value) == code


def test_interpretation_a_unit_beside_a_number_that_has_none_is_overlooked() -> None:
    written = to_wire(make_event(SignalKind.LEVEL, 1.0))
    signal = replace(written.signals[0], item_base=KILOWATTS)
    read = event_from_wire(replace(written, signals=(signal,)), relief_sign=None, now=NOW)
    assert read.signals[0].unit is None


@pytest.mark.openadr20b("R101", "R102")
@pytest.mark.parametrize(
    ("changes", "code"), [({"uid": "1"}, "450"), ({"duration": SECOND}, "454"), ({"value": float("nan")}, "454")]
)
def test_a_baseline_that_contradicts_itself_has_its_code(changes: dict[str, Any], code: str) -> None:
    baseline = Baseline(
        id="b", name="usual", starts_at=NOW, intervals=(SignalInterval(duration=120 * SECOND, value=9e6),)
    )
    written = to_wire(make_event(baseline=baseline))
    assert written.baseline is not None
    wrong = replace(written.baseline, intervals=(replace(written.baseline.intervals[0], **changes),))
    with pytest.raises(RemoteProtocolError) as caught:
        event_from_wire(replace(written, baseline=wrong), relief_sign=ReliefSign.POSITIVE, now=NOW)
    assert code_of(caught.value) == code


def test_a_baseline_in_another_unit_informs_nobody_and_spoils_nothing() -> None:
    baseline = Baseline(
        id="b", name="usual", starts_at=NOW, intervals=(SignalInterval(duration=120 * SECOND, value=9e6),)
    )
    written = to_wire(make_event(baseline=baseline))
    assert written.baseline is not None
    volts = replace(written.baseline, item_base=m.Unit(name="voltage", description="Voltage", units="V"))
    read = event_from_wire(replace(written, baseline=volts), relief_sign=ReliefSign.POSITIVE, now=NOW)
    assert read.baseline is None
    assert read.not_read == ("baseline: no signal is in voltage",)
