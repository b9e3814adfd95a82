"""An event gets one number more with each change, and none of its past changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import InvalidEvent, WrongState
from openadr_core.model.event import DrEvent, EventStatus, Signal, SignalInterval, SignalKind
from openadr_vtn.domain.lifecycle import cancelled, new_event, revised, rewritten
from tests.vtn.samples import HOUR, an_event

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


def with_values(event: DrEvent, *values: float) -> DrEvent:
    """The event with one signal of equal intervals of these values."""
    assert event.duration is not None
    each = event.duration / len(values)
    intervals = tuple(SignalInterval(duration=each, value=value) for value in values)
    return replace(event, signals=(Signal(id="s-0", kind=SignalKind.LEVEL, intervals=intervals),))


@pytest.mark.openadr20b("R4", "V1")
def test_a_new_event_is_version_nought_and_stamped(now: datetime) -> None:
    written = new_event(an_event(now + HOUR, version=7, created_at=now - HOUR), now)
    assert (written.version, written.created_at, written.modified_at) == (0, now, now)


@pytest.mark.openadr20b("R8", "R107", "V6", "V8", "E5")
@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda event: replace(event, starts_at=NOW - HOUR), "which is past"),
        (lambda event: replace(event, starts_at=NOW + HOUR, duration=timedelta(0)), "longer than nothing"),
        (lambda event: replace(event, duration=HOUR + MINUTE), "do not add up"),
        (lambda event: replace(event, duration=None), "do not add up"),
        (lambda event: replace(event, ramp_up=timedelta(milliseconds=1)), "ramp-up: 2.0b knows no fractions"),
        (lambda event: replace(event, start_after=-MINUTE), "not negative"),
        (lambda event: replace(event, signals=event.signals * 2), "different ids"),
        (
            lambda event: replace(event, signals=(replace(event.signals[0], intervals=()),)),
            "signal s-0 has no interval",
        ),
        (lambda event: with_lengths(event, None, HOUR), "interval 1 of signal s-0 comes after one that lasts"),
        (lambda event: with_lengths(event, HOUR, timedelta(0)), "interval 1 of signal s-0 lasts no time"),
        (lambda event: with_lengths(event, timedelta(seconds=0.5)), "interval 0 of signal s-0: 2.0b knows no"),
    ],
)
def test_what_cannot_be_told_is_named(breaks: Callable[[DrEvent], DrEvent], says: str) -> None:
    """Nothing of it reaches a 2.0b party; OpenADR 3 takes whatever it is."""
    kept = new_event(breaks(an_event(NOW)), NOW)
    assert kept.signals == ()
    assert says in kept.not_read[0]
    told = new_event(an_event(NOW + HOUR), NOW)
    if "past" not in says:
        with pytest.raises(InvalidEvent, match=says):
            revised(told, breaks(replace(told, starts_at=NOW)), NOW)


def test_what_nobody_was_told_may_become_anything(now: datetime) -> None:
    only_3 = new_event(replace(an_event(now - HOUR), signals=(), not_read=("a gap",)), now)
    told = rewritten(only_3, an_event(now + HOUR), now + MINUTE)
    assert (told.version, bool(told.signals), told.created_at) == (1, True, now)
    again = rewritten(told, replace(an_event(now + HOUR), starts_at=now - 2 * HOUR), now + MINUTE)
    assert (again.version, again.signals) == (2, ())
    assert "which is past" in again.not_read[0]
    begun = new_event(an_event(now), now)
    assert rewritten(begun, replace(begun, comment="later"), now + 2 * MINUTE).signals == begun.signals


def with_lengths(event: DrEvent, *lengths: timedelta | None) -> DrEvent:
    intervals = tuple(SignalInterval(duration=length, value=1.0) for length in lengths)
    return replace(event, signals=(replace(event.signals[0], intervals=intervals),))


@pytest.mark.openadr20b("R47", "V4")
def test_an_open_ended_event_has_an_interval_for_ever(now: datetime) -> None:
    written = new_event(replace(with_lengths(an_event(now), None), duration=None), now)
    assert written.status_at(now + 1000 * HOUR) is EventStatus.ACTIVE


@pytest.mark.openadr20b("R5", "V1")
def test_a_revision_counts_one_and_the_same_again_counts_nothing(now: datetime) -> None:
    old = new_event(an_event(now + HOUR), now)
    new = revised(old, replace(old, comment="bring jackets", version=40), now + MINUTE)
    assert (new.version, new.created_at, new.modified_at) == (1, now, now + MINUTE)
    assert revised(new, replace(new, modified_at=now), now + 2 * MINUTE) is new


@pytest.mark.openadr20b("R20", "V2")
def test_a_begun_event_may_change_ahead_and_not_behind(now: datetime) -> None:
    old = new_event(with_values(an_event(now), 1, 2, 3, 0), now)
    middle = now + HOUR / 2
    assert revised(old, with_values(old, 1, 2, 0, 3), middle).version == 1
    with pytest.raises(InvalidEvent, match="what its signals asked until now"):
        revised(old, with_values(old, 1, 1, 3, 0), middle)
    with pytest.raises(InvalidEvent, match="its start cannot move"):
        revised(old, replace(old, starts_at=old.starts_at + MINUTE), middle)


@pytest.mark.openadr20b("R20", "V2")
def test_a_begun_event_may_be_cut_short_to_now_but_not_before(now: datetime) -> None:
    old = new_event(with_values(an_event(now), 2), now)
    shorter = replace(old, duration=HOUR / 2)
    assert revised(old, with_values(shorter, 2), now + HOUR / 4).ends_at == now + HOUR / 2
    with pytest.raises(InvalidEvent, match="which is past"):
        revised(old, with_values(shorter, 2), now + HOUR / 2)


@pytest.mark.openadr20b("R5", "R10", "V1")
def test_cancelling_counts_one_and_only_once(now: datetime) -> None:
    old = new_event(an_event(now), now)
    gone = cancelled(old, now + MINUTE)
    assert (gone.version, gone.cancelled_at) == (1, now + MINUTE)
    assert gone.status_at(now + MINUTE) is EventStatus.CANCELLED
    assert cancelled(gone, now + 2 * MINUTE) is gone


@pytest.mark.parametrize("change", [cancelled, lambda event, now: revised(event, replace(event, comment="x"), now)])
def test_what_is_over_stays(now: datetime, change: Callable[[DrEvent, datetime], DrEvent]) -> None:
    event = new_event(an_event(now), now)
    with pytest.raises(WrongState, match="ended at"):
        change(event, now + HOUR)


def test_what_is_cancelled_is_not_revised(now: datetime) -> None:
    gone = cancelled(new_event(an_event(now), now), now)
    with pytest.raises(WrongState, match="was cancelled"):
        revised(gone, replace(gone, comment="back again"), now)


@pytest.mark.openadr20b("R20", "V2")
@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.integers(0, 3),
)
def test_a_revision_never_rewrites_the_past(before: list[int], after: list[int], quarter: int) -> None:
    """Whatever is accepted has the same values in every interval that had begun."""
    old = new_event(with_values(an_event(NOW), *before), NOW)
    wish = with_values(old, *after)
    moment = NOW + quarter * HOUR / 4 + MINUTE
    same: Any = before[: quarter + 1] == after[: quarter + 1]
    if same:
        assert revised(old, wish, moment).version == (0 if before == after else 1)
    else:
        with pytest.raises(InvalidEvent):
            revised(old, wish, moment)
