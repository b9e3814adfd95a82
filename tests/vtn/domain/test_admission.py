"""What parties can take at once: in time, where a program says so, and in size."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

from openadr_core.limits import DISTRIBUTED_BYTES_MAX, DISTRIBUTED_EVENTS_MAX
from openadr_core.model.event import DrEvent, Signal, SignalInterval
from openadr_core.oadr2.encode import encode_event
from openadr_core.oadr2.signals import BY_KIND
from openadr_core.oadr2.translate import event_to_wire
from openadr_vtn.domain.overlap import occupied_until, overlapping
from openadr_vtn.domain.payload_size import bytes_at_most, fits
from tests.core.model import model_strategies as model
from tests.vtn.samples import HOUR, an_event

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@given(model.events())
def test_no_event_is_larger_than_it_is_taken_for(event: DrEvent) -> None:
    text = encode_event(event_to_wire(event, now=model.NOW, created=event.created_at))
    assert len(text.encode()) <= bytes_at_most(event)


def test_the_largest_single_event_fits_and_no_endless_number_of_them() -> None:
    """A day in steps of five minutes, of every kind that stands beside others."""
    steps = tuple(SignalInterval(duration=5 * MINUTE, value=-1.2345678901234567) for _ in range(288))
    signals = tuple(Signal(id=kind, kind=kind, intervals=steps) for kind in BY_KIND)
    large = bytes_at_most(an_event(NOW, duration=24 * HOUR, signals=signals))
    assert fits(1, large)
    assert not fits(3, 3 * large)
    assert not fits(DISTRIBUTED_EVENTS_MAX + 1, 0)
    assert not fits(1, DISTRIBUTED_BYTES_MAX + 1)


@pytest.mark.openadr20b("R18", "V21")
@pytest.mark.parametrize(
    ("starts_after", "changes", "collides"),
    [
        (timedelta(0), {}, True),
        (HOUR - MINUTE, {}, True),
        (HOUR, {}, False),
        (-HOUR, {}, False),
        (-HOUR, {"start_after": MINUTE}, True),
        (HOUR, {"duration": None}, False),
        (-3 * HOUR, {"duration": None}, True),
    ],
)
def test_events_overlap_unless_they_only_touch(
    starts_after: timedelta, changes: dict[str, object], collides: bool
) -> None:
    """Ends are exclusive, starts are not; the start tolerance counts."""
    event = an_event(NOW)
    other = an_event(NOW + starts_after, event_id="other", **changes)
    assert (overlapping(event, [other], {}) is other) is collides


@pytest.mark.openadr20b("R18", "V21")
def test_a_cancelled_event_is_over_when_the_party_has_acknowledged_it() -> None:
    other = an_event(NOW, event_id="other", start_after=5 * MINUTE, cancelled_at=NOW + MINUTE)
    assert occupied_until(other, None) == NOW + HOUR + 5 * MINUTE, "it may be going on there"
    assert occupied_until(other, NOW + 2 * MINUTE) == NOW + 7 * MINUTE
    endless = replace(other, duration=None)
    assert occupied_until(endless, None) is None
    assert occupied_until(endless, NOW + 2 * MINUTE) == NOW + 7 * MINUTE
    after = an_event(NOW + 7 * MINUTE)
    assert overlapping(after, [other], {"other": None}) is other
    assert overlapping(after, [other], {"other": NOW + 2 * MINUTE}) is None
