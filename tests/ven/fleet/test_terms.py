"""Owners' terms: what each forbids, and how what was used is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_ven.fleet.terms import Term, Terms, Usage, binding, burden

NOON_S = 1_784_116_800.0
MINUTE_S = 60.0


def terms_of(**columns: list[float]) -> Terms:
    """Three devices; what is not named is free."""
    free = Terms.none(3)
    kinds = {name: getattr(free, name).dtype for name in columns}
    return Terms(**{**{name: getattr(free, name) for name in Terms.__dataclass_fields__},
                    **{name: np.array(values, dtype=kinds[name]) for name, values in columns.items()}})  # fmt: skip


def bound(terms: Terms, usage: Usage, *, now_s: float = NOON_S, storm: bool = False) -> dict[Term, list[bool]]:
    found = binding(terms, usage, event_id="e", now_s=now_s, storm=storm)
    return {term: rows.tolist() for term, rows in found.items()}


FRESH = Usage.none(3, season=2026)
EVERY = np.ones(3, dtype=np.bool_)


def test_whoever_agrees_to_everything_is_never_kept_out() -> None:
    used = FRESH.counted(EVERY, 1e6, event_id="e", season=2026)
    assert bound(Terms.none(3), used, storm=True) == {}


def test_consent() -> None:
    assert bound(terms_of(consent=[1, 0, 1]), FRESH) == {Term.CONSENT: [False, True, False]}


@pytest.mark.parametrize(
    ("minute", "out"), [(0, [False, True, False]), (16 * 60, [False, False, True]), (21 * 60, [False, True, False])]
)
def test_hours_also_over_midnight(minute: int, out: list[bool]) -> None:
    terms = terms_of(from_minute=[0, 16 * 60, 21 * 60], until_minute=[1440, 21 * 60, 16 * 60])
    assert bound(terms, FRESH, now_s=NOON_S - 12 * 3600 + minute * MINUTE_S) == {Term.HOURS: out}


def test_a_storm_keeps_batteries_for_their_households() -> None:
    terms = terms_of(storm_hold=[1, 0, 0])
    assert bound(terms, FRESH) == {}
    assert bound(terms, FRESH, storm=True) == {Term.STORM: [True, False, False]}


def test_the_cap_of_an_event_begins_anew_with_the_next() -> None:
    terms = terms_of(event_max_s=[60.0, 600.0, np.inf])
    used = FRESH.counted(EVERY, 60.0, event_id="e", season=2026)
    assert bound(terms, used) == {Term.EVENT_CAP: [True, False, False]}
    assert binding(terms, used, event_id="next", now_s=NOON_S, storm=False) == {}


def test_an_event_counts_once_and_is_seen_through() -> None:
    terms = terms_of(season_events_max=[1, 2, np.inf])
    first = FRESH.counted(EVERY, 10.0, event_id="e", season=2026).counted(EVERY, 10.0, event_id="e", season=2026)
    assert first.season_events.tolist() == [1, 1, 1]
    assert bound(terms, first) == {}, "the device is in the event already"
    assert binding(terms, first, event_id="f", now_s=NOON_S, storm=False) == {
        Term.SEASON_EVENTS: pytest.approx([True, False, False])
    }


def test_the_hours_of_a_season_and_a_new_one() -> None:
    terms = terms_of(season_max_s=[3600.0, 7200.0, np.inf])
    used = FRESH.counted(EVERY, 3600.0, event_id="d", season=2026)
    assert bound(terms, used) == {Term.SEASON_HOURS: [True, False, False]}
    assert bound(terms, used.counted(np.zeros(3, dtype=np.bool_), 1.0, event_id="e", season=2027)) == {}


@given(
    rounds=st.lists(
        st.tuples(st.integers(0, 7), st.floats(0.01, 5.0) | st.just(0.0), st.sampled_from(["e", "f"])),
        min_size=1,
        max_size=30,
    )
)
def test_usage_adds_up_whatever_the_order_of_rounds(rounds: list[tuple[int, float, str]]) -> None:
    usage, total_s, events = FRESH, np.zeros(3), np.zeros(3)
    current, in_event_s = "", np.zeros(3)
    for bits, seconds, event_id in rounds:
        used = np.array([bits >> row & 1 for row in range(3)], dtype=np.bool_)
        usage = usage.counted(used, seconds, event_id=event_id, season=2026)
        if event_id != current:
            current, in_event_s = event_id, np.zeros(3)
        events += used & (in_event_s == 0.0) & (seconds > 0.0)
        in_event_s += used * seconds
        total_s += used * seconds
    assert usage.season_s == pytest.approx(total_s, rel=1e-5, abs=1e-5)
    assert usage.event_s == pytest.approx(in_event_s, rel=1e-5, abs=1e-5)
    assert (usage.season_events == events).all()


def test_a_burden_is_the_larger_share_of_what_is_allowed() -> None:
    terms = terms_of(season_max_s=[3600.0, np.inf, 3600.0], season_events_max=[np.inf, np.inf, 2.0])
    used = FRESH.counted(EVERY, 900.0, event_id="e", season=2026)
    assert burden(terms, used) == pytest.approx([0.25, 900.0 / (60 * 3600), 0.5])
