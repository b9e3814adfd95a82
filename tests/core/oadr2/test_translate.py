"""2.0b events to and from the model: the places where the two disagree."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import OutOfSequence, RemoteProtocolError, Unsupported
from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.codes import code_of
from openadr_core.oadr2.translate import event_from_wire, event_to_wire

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
        targets=("VEN_1",),
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def to_wire(event: DrEvent, now: datetime = NOW) -> m.Event:
    return event_to_wire(event, now=now, created=event.created_at, ven_id="VEN_1")


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
def test_the_target_names_one_party_alone() -> None:
    # R63: at most one venID; who else is addressed is not told.
    assert to_wire(make_event(targets=("VEN_1", "VEN_2"))).target == m.Target(ven_ids=("VEN_1",))


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
    with pytest.raises(RemoteProtocolError, match="level"):
        event_from_wire(to_wire(make_event(SignalKind.LEVEL, level)), relief_sign=None, now=NOW)


@pytest.mark.openadr20b("R33", "N14")
def test_an_event_that_is_over_is_illogical() -> None:
    with pytest.raises(RemoteProtocolError, match="over"):
        event_from_wire(to_wire(make_event()), relief_sign=ReliefSign.POSITIVE, now=NOW + 121 * SECOND)


@pytest.mark.openadr20b("R109", "N11")
@pytest.mark.parametrize(("name", "type_"), [("LOAD_CONTROL", "x-loadControlCapacity"), ("x-ours", "level")])
def test_signals_that_nothing_acts_on_are_460(name: str, type_: str) -> None:
    # R109.
    written = to_wire(make_event())
    written = replace(written, signals=(replace(written.signals[0], signal_name=name, signal_type=type_),))
    with pytest.raises(Unsupported) as caught:
        event_from_wire(written, relief_sign=ReliefSign.POSITIVE, now=NOW)
    assert code_of(caught.value) == "460"


@given(
    kind=st.sampled_from(list(SignalKind)),
    lengths_s=st.lists(st.integers(1, 10_000), min_size=1, max_size=5),
    kilowatts=st.integers(-100_000, 100_000),
    sign=st.sampled_from(list(ReliefSign)),
    priority=st.none() | st.integers(0, 100),
)
def test_a_round_trip_changes_nothing(
    kind: SignalKind, lengths_s: list[int], kilowatts: int, sign: ReliefSign, priority: int | None
) -> None:
    value = float(kilowatts % 4) if kind is SignalKind.LEVEL else kilowatts * 1000.0
    event = make_event(
        duration=sum(lengths_s) * SECOND,
        signals=(
            Signal(
                id="s1",
                kind=kind,
                intervals=tuple(SignalInterval(duration=length * SECOND, value=value) for length in lengths_s),
            ),
        ),
        relief_sign=sign,
        priority=priority,
        modified_at=NOW - SECOND,
    )
    assert event_from_wire(to_wire(event), relief_sign=sign, now=NOW) == event
