"""The curves an operator watches, and the guard rails, as functions of values."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import GuardTripped
from openadr_core.model.event import Signal, SignalInterval, SignalKind
from openadr_core.shell.throttle import ADDRESSES_MAX, Throttle
from openadr_vtn.domain.guard_rails import GuardRails, check_guard_rails
from openadr_vtn.domain.performance import SLOTS_MAX, asked_at, target_steps, together
from openadr_vtn.domain.reporting import Delivered
from tests.vtn.samples import HOUR, an_event

MINUTE = timedelta(minutes=1)


def rows(now: datetime, length: timedelta, *values: float) -> list[Delivered]:
    return [
        Delivered(starts_at=now + index * length, duration=length, metered_w=10.0, baseline_w=10.0 + value)
        for index, value in enumerate(values)
    ]


def test_the_target_is_steps_that_end_with_nothing(now: datetime) -> None:
    steps = target_steps(an_event(now), now + 2 * HOUR)
    assert steps == [(now, 5e6), (now + HOUR / 2, 2.5e6), (now + HOUR, 0.0)]
    assert asked_at(steps, now - MINUTE) is None
    assert asked_at(steps, now) == 5e6
    assert asked_at(steps, now + HOUR * 0.75) == 2.5e6
    assert asked_at(steps, now + 2 * HOUR) == 0.0


def test_a_cancelled_event_asked_until_then(now: datetime) -> None:
    stopped = an_event(now, cancelled_at=now + 10 * MINUTE)
    assert target_steps(stopped, now + 2 * HOUR) == [(now, 5e6), (now + 10 * MINUTE, 0.0)]
    never_begun = an_event(now, cancelled_at=now - MINUTE)
    assert target_steps(never_begun, now + 2 * HOUR) == []


def test_levels_have_no_target_in_watts(now: datetime) -> None:
    level = Signal(id="s", kind=SignalKind.LEVEL, intervals=(SignalInterval(duration=HOUR, value=1),))
    assert target_steps(an_event(now, signals=(level,)), now + HOUR) == []


def test_parties_are_summed_slot_by_slot(now: datetime) -> None:
    fine = rows(now, MINUTE, 1, 3, 5, 7)
    coarse = rows(now, 2 * MINUTE, 10, 20)
    total = together({"a": fine, "b": coarse}, now)
    assert [(row.starts_at, row.delivered_w) for row in total] == [(now, 12.0), (now + 2 * MINUTE, 26.0)]
    assert together({}, now) == together({"a": []}, now) == []


def test_a_long_event_is_drawn_in_fewer_points(now: datetime) -> None:
    total = together({"a": rows(now, timedelta(seconds=1), *range(4 * 3600))}, now)
    assert SLOTS_MAX / 2 < len(total) <= SLOTS_MAX
    assert total[0].duration == timedelta(seconds=20)
    assert total[0].delivered_w == pytest.approx(9.5)


@given(st.lists(st.integers(-1000, 1000), max_size=30), st.integers(-50, 50))
def test_one_party_is_its_own_total(values: list[int], offset: int) -> None:
    now = datetime.fromisoformat("2030-07-01T18:30:00+00:00")
    own = rows(now + offset * MINUTE, MINUTE, *values)
    assert together({"a": own}, now) == own


@pytest.mark.parametrize(
    ("event_max_w", "step_max_w", "passes"), [(5e6, 2.5e6, True), (4.9e6, 9e9, False), (9e9, 2e6, False)]
)
def test_guard_rails(now: datetime, event_max_w: float, step_max_w: float, *, passes: bool) -> None:
    rails = GuardRails(event_max_w=event_max_w, step_max_w=step_max_w)
    if passes:
        check_guard_rails(an_event(now), rails)
        return
    with pytest.raises(GuardTripped, match=r"interval [01] of s-0"):
        check_guard_rails(an_event(now), rails)


def test_a_bucket_fills_again() -> None:
    throttle = Throttle(60)
    for _ in range(60):
        assert throttle.wait_s("a", 0.0) == 0.0
        throttle.count("a", 0.0)
    assert throttle.wait_s("a", 0.0) == pytest.approx(1.0)
    assert throttle.wait_s("b", 0.0) == 0.0
    assert throttle.wait_s("a", 1.0) == 0.0
    throttle.count("a", 1.0)
    assert throttle.wait_s("a", 1.0) > 0


def test_a_flood_of_addresses_costs_no_memory() -> None:
    throttle = Throttle(60)
    for number in range(ADDRESSES_MAX + 100):
        throttle.count(str(number), 0.0)
    assert len(throttle._buckets) == ADDRESSES_MAX
