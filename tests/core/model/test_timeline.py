"""Intervals in time, and which event goes before which."""

from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.timeline import precedence, segments

START = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def make_event(
    event_id: str = "e1",
    *,
    start_s: int = 0,
    lengths_s: tuple[int | None, ...] = (60,),
    priority: int | None = None,
    created_s: int = 0,
    kind: SignalKind = SignalKind.RELIEF,
    cancelled: bool = False,
) -> DrEvent:
    endless = None in lengths_s
    intervals = tuple(
        SignalInterval(duration=None if length is None else length * SECOND, value=1000.0 * (index + 1))
        for index, length in enumerate(lengths_s)
    )
    return DrEvent(
        id=event_id,
        program_id="p1",
        market_context="http://utility.example/p1",
        version=0,
        starts_at=START + start_s * SECOND,
        duration=None if endless else sum(length or 0 for length in lengths_s) * SECOND,
        signals=(Signal(id="s1", kind=kind, intervals=intervals),),
        created_at=START - timedelta(hours=1) + created_s * SECOND,
        modified_at=START - timedelta(hours=1) + created_s * SECOND,
        priority=priority,
        cancelled_at=START if cancelled else None,
    )


@pytest.mark.openadr20b("R32", "V6")
def test_intervals_stand_back_to_back() -> None:
    placed = segments(make_event(lengths_s=(10, 20, 30)))
    assert [(segment.starts_at - START).total_seconds() for segment in placed] == [0, 10, 30]
    assert placed[-1].ends_at == START + 60 * SECOND


@pytest.mark.openadr20b("R30", "N6")
def test_the_drawn_delay_moves_all_intervals_together() -> None:
    placed = segments(make_event(lengths_s=(10, 20)), delay=7 * SECOND)
    assert [(segment.starts_at - START).total_seconds() for segment in placed] == [7, 17]


def test_nothing_follows_an_endless_interval() -> None:
    placed = segments(make_event(lengths_s=(10, None)))
    assert placed[-1].ends_at is None
    assert placed[-1].rules_at(START + timedelta(days=999))


def test_a_cancelled_event_rules_nothing() -> None:
    assert segments(make_event(cancelled=True)) == []


@pytest.mark.openadr20b("R18", "V21")
def test_end_is_exclusive_and_start_inclusive() -> None:
    # OpenADR 2.0b V21: adjacent events do not overlap.
    first, second = make_event("first"), make_event("second", start_s=60)
    ruling = [one.rules_at(START + 60 * SECOND) for event in (first, second) for one in segments(event)]
    assert ruling == [False, True]


@pytest.mark.openadr3("overlap_lower_priority", "overlap_higher_priority")
@pytest.mark.openadr20b("R3", "R18", "V21")
def test_lower_number_wins_and_no_number_is_last() -> None:
    urgent, plain = make_event("urgent", priority=0), make_event("plain")
    assert min(plain, urgent, key=precedence) is urgent


@pytest.mark.openadr3("overlap_same_priority")
def test_equal_priority_goes_to_the_newest_then_to_the_smaller_id() -> None:
    # Interpretation: the standards leave it open.
    old, new = make_event("a-old", created_s=0), make_event("z-new", created_s=5)
    assert min(old, new, key=precedence) is new
    twin = make_event("b-twin", created_s=5)
    assert min(new, twin, key=precedence) is twin
