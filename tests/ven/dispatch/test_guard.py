"""The safety envelope holds for every sequence of calls (security T02, T03)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.dispatch.guard import (
    CAUTIOUS,
    EXPLANATIONS,
    HOUR_MS,
    Envelope,
    GuardState,
    OnBreach,
    admit,
    breaches,
)
from openadr_ven.domain.records import from_record, to_record

NOON_S = 1_784_116_800.0
DEMO = Envelope(
    event_max_w=6_000_000,
    ramp_w_per_s=1_500_000,
    release_ramp_w_per_s=500_000,
    step_max_w=3_000_000,
    reversals_per_hour=4,
    reversal_deadband_w=600_000,
)

envelopes = st.builds(
    Envelope,
    event_max_w=st.integers(0, 100_000_000),
    ramp_w_per_s=st.integers(0, 10_000_000),
    release_ramp_w_per_s=st.integers(1, 10_000_000),
    step_max_w=st.integers(0, 20_000_000),
    reversals_per_hour=st.integers(0, 6),
    reversal_deadband_w=st.integers(0, 2_000_000),
    notice_min_s=st.sampled_from([0, 0, 30]),
    on_breach=st.sampled_from(OnBreach),
)
watts = st.integers(-(10**12), 10**12) | st.integers(-8_000_000, 8_000_000) | st.just(0)
seconds = st.integers(-5_000, 5_000) | st.integers(0, 5)
streams = st.lists(st.tuples(seconds, watts), max_size=40)


def run(envelope: Envelope, stream: Sequence[tuple[float, int]]) -> list[GuardState]:
    state, now_s = GuardState(), NOON_S
    states = [state]
    for passed_s, wanted_w in stream:
        now_s += passed_s
        state = admit(envelope, state, wanted_w, now_s).state
        states.append(state)
    return states


def turns(outputs: list[tuple[int, int]], deadband_w: int) -> list[int]:
    """Moments at which a series turns by more than the deadband: an ordinary zigzag over signed watts."""
    found: list[int] = []
    direction = 0
    low = high = 0
    for at_ms, value in outputs:
        low, high = min(low, value), max(high, value)
        if direction >= 0 and high - value > deadband_w:
            found += [at_ms] if direction > 0 else []
            direction, low = -1, value
        elif direction <= 0 and value - low > deadband_w:
            found += [at_ms] if direction < 0 else []
            direction, high = 1, value
        if direction > 0:
            low = value
        elif direction < 0:
            high = value
    return found


@settings(max_examples=5_000)
@given(envelope=envelopes, stream=streams)
def test_no_stream_of_wishes_breaks_a_limit(envelope: Envelope, stream: list[tuple[int, int]]) -> None:
    states = run(envelope, stream)
    for (passed_s, _), (before, after) in zip(stream, pairwise(states), strict=True):
        change_w = abs(after.allowed_w - before.allowed_w)
        shrinks = abs(after.allowed_w) < abs(before.allowed_w)
        ramp = envelope.release_ramp_w_per_s if shrinks else envelope.ramp_w_per_s
        assert abs(after.allowed_w) <= envelope.event_max_w
        assert change_w <= envelope.step_max_w
        assert change_w <= ramp * min(max(passed_s, 0), 2)
        assert before.allowed_w * after.allowed_w >= 0, "relief never becomes extra load in one step"
    outputs = [(state.elapsed_ms, state.allowed_w) for state in states]
    turned = turns(outputs, envelope.reversal_deadband_w)
    assert all(
        sum(at_ms - HOUR_MS < other_ms <= at_ms for other_ms in turned) <= envelope.reversals_per_hour
        for at_ms in turned
    )


@settings(max_examples=300)
@given(envelope=envelopes, stream=streams)
def test_whatever_came_before_the_fleet_can_be_let_go(envelope: Envelope, stream: list[tuple[int, int]]) -> None:
    state = run(envelope, stream)[-1]
    pace_w = min(envelope.release_ramp_w_per_s, envelope.step_max_w)
    rounds = 2 + (abs(state.allowed_w) // pace_w if pace_w else 0)
    if pace_w and rounds < 2_000:
        now_s = NOON_S + 10**6
        for second in range(rounds + 1):
            state = admit(envelope, state, 0, now_s + second).state
        assert state.allowed_w == 0


@settings(max_examples=300)
@given(envelope=envelopes, stream=streams)
def test_a_restart_changes_nothing(envelope: Envelope, stream: list[tuple[int, int]]) -> None:
    straight = run(envelope, stream)[-1]
    state, now_s = GuardState(), NOON_S
    for passed_s, wanted_w in stream:
        now_s += passed_s
        state = from_record(GuardState, to_record(state))
        state = admit(envelope, state, wanted_w, now_s).state
    assert state == straight


def test_the_ramp_is_steady_and_reaches_the_goal() -> None:
    outputs = [state.allowed_w for state in run(DEMO, [(0, 5_000_000)] + [(1, 5_000_000)] * 5)]
    assert outputs == [0, 0, 1_500_000, 3_000_000, 4_500_000, 5_000_000, 5_000_000]


def test_cancel_of_a_large_event_ramps_instead_of_dropping() -> None:
    states = run(DEMO, [(0, 5_000_000)] + [(1, 5_000_000)] * 10 + [(1, 0)] * 12)
    falling = [state.allowed_w for state in states[-13:]]
    assert falling[0] == 5_000_000
    assert falling[-1] == 0
    assert max(before - after for before, after in pairwise(falling)) == 500_000


@pytest.mark.parametrize("period_s", [1, 2, 10, 60])
def test_a_square_wave_is_not_passed_on(period_s: int) -> None:
    wide = replace(DEMO, event_max_w=50_000_000, ramp_w_per_s=50_000_000, step_max_w=50_000_000,
                   release_ramp_w_per_s=50_000_000)  # fmt: skip
    wave = [(0.5, 50_000_000 if int(tick * 0.5 / period_s) % 2 == 0 else 0) for tick in range(1_200)]
    outputs = [(state.elapsed_ms, state.allowed_w) for state in run(wide, wave)]
    assert len(turns(outputs, wide.reversal_deadband_w)) <= 4


def test_a_clock_set_back_neither_freezes_nor_frees_the_ramp() -> None:
    states = run(DEMO, [(0, 5_000_000), (1, 5_000_000), (-7_200, 5_000_000), (1, 5_000_000)])
    assert [state.allowed_w for state in states] == [0, 0, 1_500_000, 1_500_000, 3_000_000]


def test_a_stalled_process_earns_no_leap() -> None:
    states = run(DEMO, [(0, 5_000_000), (60, 5_000_000)])
    assert states[-1].allowed_w == 3_000_000


@pytest.mark.parametrize(("on_breach", "settles_at_w"), [(OnBreach.CLAMP, 6_000_000), (OnBreach.REFUSE, 0)])
def test_too_large_an_event_is_clamped_or_refused(on_breach: OnBreach, settles_at_w: int) -> None:
    envelope = replace(DEMO, on_breach=on_breach)
    state = GuardState()
    tripped: set[str] = set()
    for second in range(20):
        verdict = admit(envelope, state, 9_000_000, NOON_S + second)
        state, tripped = verdict.state, tripped | set(verdict.tripped)
    assert state.allowed_w == settles_at_w
    assert "event_max_w" in tripped


def test_nothing_moves_before_its_notice_is_over() -> None:
    envelope = replace(DEMO, notice_min_s=30)
    states = run(envelope, [(0, 1_000_000)] + [(1, 1_000_000)] * 35)
    assert [state.allowed_w for state in states[1:31]] == [0] * 30
    assert states[-1].allowed_w == 1_000_000


def test_notice_runs_from_when_the_event_was_seen() -> None:
    envelope = replace(DEMO, notice_min_s=30)
    first = admit(envelope, GuardState(), 1_000_000, NOON_S, known_since_s=NOON_S - 60)
    second = admit(envelope, first.state, 1_000_000, NOON_S + 1, known_since_s=NOON_S - 60)
    assert second.allowed_w == 1_000_000


def test_events_act_only_in_their_hours() -> None:
    envelope = replace(DEMO, window_start_minute=22 * 60, window_end_minute=2 * 60)
    assert admit(envelope, GuardState(seen_ms=0), 1_000_000, NOON_S).tripped == ("window_start_minute",)
    late_s = NOON_S + 11 * 3600
    assert admit(envelope, GuardState(seen_ms=0), 1_000_000, late_s).allowed_w == 1_000_000


def test_what_an_event_would_break_is_known_before_it_is_answered() -> None:
    assert breaches(DEMO, peak_w=5_000_000, notice_s=0, starts_s=NOON_S, duration_s=120) == ()
    found = breaches(CAUTIOUS, peak_w=-5_000_000, notice_s=5, starts_s=NOON_S, duration_s=120)
    assert found == ("event_max_w", "notice_min_s")
    evening = replace(DEMO, window_start_minute=13 * 60)
    assert breaches(evening, peak_w=1, notice_s=0, starts_s=NOON_S, duration_s=7_200) == ("window_start_minute",)


def test_every_limit_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Envelope.__dataclass_fields__)


def test_extra_load_is_held_like_relief() -> None:
    states = run(DEMO, [(0, -(10**12))] + [(1, -(10**12))] * 8)
    assert states[2].allowed_w == -1_500_000
    assert states[-1].allowed_w == -6_000_000
    assert states[-1].turned_ms == ()


def test_dithering_across_zero_counts_as_turning() -> None:
    wave = [(1, 550_000 if second // 4 % 2 == 0 else -550_000) for second in range(400)]
    signs = [state.allowed_w > 0 for state in run(DEMO, wave) if state.allowed_w]
    assert sum(before != after for before, after in pairwise(signs)) == 3


def test_a_correction_within_the_deadband_spends_nothing() -> None:
    stream = [(0, 5_000_000)] + [(1, 5_000_000)] * 10
    stream += [(1, 5_000_000 + (-1) ** second * 250_000) for second in range(600)]
    states = run(DEMO, stream)
    assert states[-1].turned_ms == ()
    assert states[-2].allowed_w != states[-1].allowed_w


def test_notice_begins_again_with_the_next_event() -> None:
    envelope = replace(DEMO, notice_min_s=30)
    stream = [(0, 1_000_000)] + [(1, 1_000_000)] * 35 + [(1, 0)] * 5 + [(1, 1_000_000)] * 20
    assert run(envelope, stream)[-1].allowed_w == 0


def test_an_event_must_end_within_the_hours_too() -> None:
    noon_half = replace(DEMO, window_start_minute=12 * 60, window_end_minute=12 * 60 + 30)
    assert breaches(noon_half, peak_w=1, notice_s=0, starts_s=NOON_S, duration_s=1_800) == ()
    assert breaches(noon_half, peak_w=1, notice_s=0, starts_s=NOON_S, duration_s=7_200) == ("window_start_minute",)


def test_going_over_to_extra_load_is_out_back_and_out_again() -> None:
    states = run(DEMO, [(0, 5_000_000)] + [(1, 5_000_000)] * 6 + [(1, -5_000_000)] * 20)
    assert states[-1].allowed_w == -5_000_000
    assert len(states[-1].turned_ms) == 2
