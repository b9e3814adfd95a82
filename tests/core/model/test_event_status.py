"""Event status and delivery order are derived: OpenADR 2.0b R13, R15, R66."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, EventStatus, delivery_order

START = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def make_event(event_id: str = "e1", **changes: object) -> DrEvent:
    event = DrEvent(
        id=event_id,
        program_id="p1",
        market_context="http://utility.example/p1",
        version=0,
        starts_at=START,
        duration=10 * MINUTE,
        signals=(),
        created_at=START - 60 * MINUTE,
        modified_at=START - 60 * MINUTE,
        ramp_up=5 * MINUTE,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


@pytest.mark.openadr20b("R13", "V3", "V4")
@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        (-5.01, EventStatus.FAR),
        (-5, EventStatus.NEAR),
        (-0.01, EventStatus.NEAR),
        (0, EventStatus.ACTIVE),
        (9.99, EventStatus.ACTIVE),
        (10, EventStatus.COMPLETED),
    ],
)
def test_status_follows_the_clock(minutes: float, status: EventStatus) -> None:
    assert make_event().status_at(START + minutes * MINUTE) is status


@pytest.mark.openadr20b("R13", "V3")
def test_without_ramp_up_there_is_no_near() -> None:
    event = make_event(ramp_up=timedelta(0))
    assert event.status_at(START - timedelta(microseconds=1)) is EventStatus.FAR


@pytest.mark.openadr20b("R13", "V3")
def test_negative_ramp_up_lies_inside_the_event() -> None:
    # V3: ramp-up below zero is part of the active period, so there is no near phase.
    event = make_event(ramp_up=-2 * MINUTE)
    assert event.status_at(START - MINUTE) is EventStatus.FAR
    assert event.status_at(START) is EventStatus.ACTIVE


@pytest.mark.openadr20b("R47", "V4")
def test_an_open_ended_event_stays_active_until_cancelled() -> None:
    event = make_event(duration=None)
    assert event.status_at(START + timedelta(days=4000)) is EventStatus.ACTIVE
    assert replace(event, cancelled_at=START).status_at(START) is EventStatus.CANCELLED
    assert event.kept_until() is None


@pytest.mark.openadr20b("R66", "V5")
def test_a_late_start_keeps_the_event_past_its_end() -> None:
    assert make_event(start_after=3 * MINUTE).kept_until() == START + 13 * MINUTE


@pytest.mark.openadr20b("R13", "V3")
@given(st.integers(-600, 600), st.integers(0, 600))
def test_status_never_goes_back(first_s: int, later_s: int) -> None:
    order = [EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED]
    event = make_event()
    before = event.status_at(START + timedelta(seconds=first_s))
    after = event.status_at(START + timedelta(seconds=first_s + later_s))
    assert order.index(before) <= order.index(after)


@pytest.mark.openadr20b("R3", "R15", "V12")
def test_active_events_come_first_by_priority_then_pending_by_start() -> None:
    last = make_event("unranked")
    first = make_event("urgent", priority=0)
    second = make_event("ranked", priority=3)
    soon = make_event("soon", starts_at=START + 30 * MINUTE)
    later = make_event("later", starts_at=START + 60 * MINUTE, priority=0)
    ordered = sorted([later, last, soon, second, first], key=lambda event: delivery_order(event, START))
    assert [event.id for event in ordered] == ["urgent", "ranked", "unranked", "soon", "later"]
