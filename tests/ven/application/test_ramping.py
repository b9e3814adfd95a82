"""Ramps that events bring along: as fast as they say, never faster, and on from where the same was before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.timeline import segments
from openadr_ven.application.asking import Ask
from openadr_ven.application.ramping import Ramps, released_by
from openadr_ven.dispatch.guard import CAUTIOUS
from openadr_ven.domain.held import HeldEvent

START = datetime(2026, 7, 1, 12, tzinfo=UTC)


def second(count: float) -> timedelta:
    return timedelta(seconds=count)


def ask(
    event_id: str = "e", *, ramp_s: float = 0.0, gradient: float | None = None, after_s: float = 0.0,
    context: str = "m", lasts_s: float = 3_600.0,
) -> Ask:  # fmt: skip
    signal = Signal(id="s", kind=SignalKind.NET_POWER, intervals=(SignalInterval(duration=second(lasts_s), value=0.0),))
    event = DrEvent(
        id=event_id, program_id="p", market_context=context, version=0, starts_at=START + second(after_s),
        duration=second(lasts_s), signals=(signal,), created_at=START, modified_at=START,
        ramp_up=-second(ramp_s), gradient_w_per_s=gradient,
    )  # fmt: skip
    opt = Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=START)
    held = HeldEvent(event=event, opt=opt, received_at=START)
    (segment,) = segments(event)
    return Ask(held=held, segment=segment)


def course(ramps: Ramps, one: Ask, want_w: float, *seconds: float) -> list[float]:
    return [ramps.limited([one], [want_w], START + second(at))[0] for at in seconds]


@pytest.mark.ieee2030_5("C10")
def test_what_says_its_time_is_come_to_evenly_in_it() -> None:
    assert course(Ramps(), ask(ramp_s=40.0), 8_000.0, 0, 10, 20, 39, 40, 50) == [
        0.0, 2_000.0, 4_000.0, 7_800.0, 8_000.0, 8_000.0,
    ]  # fmt: skip


@pytest.mark.ieee2030_5("C10")
def test_a_ramp_leads_on_from_what_the_same_mode_was_at_and_from_nothing_in_another() -> None:
    ramps = Ramps()
    course(ramps, ask("first"), 6_000.0, 0)
    assert course(ramps, ask("next", ramp_s=10.0, after_s=60.0), 1_000.0, 60, 65, 70) == [6_000.0, 3_500.0, 1_000.0]
    assert course(ramps, ask("other", ramp_s=10.0, after_s=80.0, context="n"), -1_000.0, 80, 85) == [0.0, -500.0]


def test_what_says_how_fast_is_never_faster_and_a_stall_earns_no_leap() -> None:
    ramps = Ramps()
    one = ask(gradient=100.0)
    assert course(ramps, one, 1_000.0, 0, 1, 2, 3) == [0.0, 100.0, 200.0, 300.0]
    assert course(ramps, one, 1_000.0, 60) == [500.0], "as two seconds"
    assert course(ramps, one, -50.0, 61, 62, 66) == [400.0, 300.0, 100.0]


def test_a_ramp_goes_before_a_gradient_and_without_either_all_is_asked_at_once() -> None:
    assert course(Ramps(), ask(ramp_s=10.0, gradient=1.0), 1_000.0, 5) == [500.0]
    assert course(Ramps(), ask(), 1_000.0, 0) == [1_000.0]


def test_after_a_restart_what_was_given_goes_on() -> None:
    one = ask(gradient=10.0)
    assert course(Ramps(resumed_w=700.0), one, 1_000.0, 100, 101) == [700.0, 710.0]
    assert course(Ramps(resumed_w=700.0), ask(ramp_s=10.0), 1_000.0, 100) == [1_000.0]


def test_two_asks_that_follow_each_other_alike_are_not_mixed_up() -> None:
    asks = [ask("a"), ask("b")]
    assert Ramps().limited(asks, [1.0, 2.0], START) == (1.0, 2.0)


@given(st.floats(1.0, 1e6), st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.0, 30.0)), min_size=1, max_size=20))
def test_no_course_of_wants_is_followed_faster_than_the_gradient(
    gradient: float, wants: list[tuple[float, float]]
) -> None:
    ramps, one, now, before = Ramps(), ask(gradient=gradient), START, 0.0
    for want_w, passed_s in wants:
        now += second(passed_s)
        (given_w,) = ramps.limited([one], [want_w], now)
        assert abs(given_w - before) <= gradient * (min(passed_s, 2.0) + 1e-6) + 1e-6
        before = given_w


def test_the_fleet_is_let_go_of_no_faster_than_the_envelope_and_the_gradient_allow() -> None:
    event = ask(gradient=500.5).segment.event
    assert released_by(CAUTIOUS, event).release_ramp_w_per_s == 500
    assert released_by(CAUTIOUS, replace(event, gradient_w_per_s=1e9)) == CAUTIOUS
    assert released_by(CAUTIOUS, replace(event, gradient_w_per_s=None)) is CAUTIOUS
