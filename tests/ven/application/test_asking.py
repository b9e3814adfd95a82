"""Which event the fleet follows, and for how much."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.event import SignalKind
from openadr_core.model.opt import OptType
from openadr_ven.application.asking import LEVELS, ask_at, asked_w
from openadr_ven.domain.held import HeldEvent
from tests.ven.domain.test_held_events import HOUR, MINUTE, STARTS, an_event, held, relief

NOW = STARTS + MINUTE


def named(event_id: str, *, kind: SignalKind = SignalKind.RELIEF, priority: int | None = None) -> HeldEvent:
    event = replace(an_event(relief(1.0, kind=kind)), id=event_id, priority=priority)
    return held(event)


def test_watts_outrank_levels_whatever_their_priority() -> None:
    level = named("level", kind=SignalKind.LEVEL, priority=0)
    net, watts = named("net", kind=SignalKind.NET_POWER, priority=1), named("watts", priority=9)
    for events, expected in (((level, net, watts), "watts"), ((level, net), "net"), ((level,), "level")):
        ask = ask_at(events, NOW)
        assert ask is not None
        assert ask.held.event.id == expected


def test_among_equals_the_timeline_decides() -> None:
    ask = ask_at((named("b", priority=2), named("a", priority=1)), NOW)
    assert ask is not None
    assert ask.held.event.id == "a"


@pytest.mark.openadr20b("R31")
@pytest.mark.parametrize("now", [STARTS - MINUTE, STARTS + HOUR])
def test_before_and_after_nothing_is_asked(now: datetime) -> None:
    assert ask_at((named("a"),), now) is None


@pytest.mark.openadr20b("R30", "N6")
def test_a_delayed_event_begins_later() -> None:
    late = replace(named("a"), delay_fraction=0.5)
    late = replace(late, event=replace(late.event, start_after=10 * MINUTE))
    assert ask_at((late,), STARTS + 4 * MINUTE) is None
    ask = ask_at((late,), STARTS + 5 * MINUTE)
    assert ask is not None
    assert ask.since == STARTS + 5 * MINUTE


def test_an_event_that_came_late_counts_from_when_it_came() -> None:
    ask = ask_at((replace(named("a"), received_at=STARTS + 30 * timedelta(seconds=1)),), NOW)
    assert ask is not None
    assert ask.since == STARTS + timedelta(seconds=30)


@pytest.mark.openadr20b("R6", "N9")
def test_tests_and_what_we_are_out_of_ask_for_nothing() -> None:
    test = named("t")
    test = replace(test, event=replace(test.event, test=True))
    assert ask_at((test, held(an_event(), OptType.OUT)), NOW) is None
    assert ask_at((test,), NOW, act_on_tests=True) is not None


@pytest.mark.parametrize(
    ("kind", "value", "expected_w"),
    [
        (SignalKind.RELIEF, 5e6, 5e6),
        (SignalKind.NET_POWER, 1e6, 2e6),
        (SignalKind.LEVEL, 0, 0.0),
        (SignalKind.LEVEL, 1, LEVELS[1] * 8e6),
        (SignalKind.LEVEL, 3, 8e6),
    ],
)
def test_each_kind_in_watts(kind: SignalKind, value: float, expected_w: float) -> None:
    ask = ask_at((held(an_event(relief(value, kind=kind))),), NOW)
    assert ask is not None
    assert asked_w(ask.segment, baseline_w=3e6, available_w=8e6, levels={}) == expected_w


def test_a_program_may_have_levels_of_its_own() -> None:
    ask = ask_at((held(an_event(relief(1, kind=SignalKind.LEVEL))),), NOW)
    assert ask is not None
    assert asked_w(ask.segment, baseline_w=0, available_w=100.0, levels={"http://p": (0, 0.1, 0.2, 0.3)}) == 10.0
