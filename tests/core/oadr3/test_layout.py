"""Where an event's intervals lie in time: the User Guide's cases 7.2 to 7.4, and what holds for all of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import RemoteProtocolError
from openadr_core.oadr3.layout import Layout, is_cancelled, lay_out, parts
from openadr_core.oadr3.messages import Interval, IntervalPeriod
from openadr_core.oadr3.times import Length, Months, Sentinel, later

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2030, 7, 1, tzinfo=UTC)
SIX = MIDNIGHT + 6 * HOUR
HOURLY = IntervalPeriod(start=MIDNIGHT, duration=HOUR)


def laid_out(
    *periods: IntervalPeriod | None,
    whole: IntervalPeriod | None = HOURLY,
    duration: Length | None = None,
    draw: float = 0.0,
) -> Layout:
    intervals = [Interval(id=10 + index, payloads=(), period=period) for index, period in enumerate(periods)]
    return lay_out(intervals, period=whole, duration=duration, obtained_at=SIX, draw=draw)


def hours(layout: Layout) -> list[tuple[float, float | None]]:
    """Start and end of each interval as written, in hours after midnight."""
    return [
        ((one.starts_at - MIDNIGHT) / HOUR, None if one.ends_at is None else (one.ends_at - MIDNIGHT) / HOUR)
        for one in layout.first
    ]


@pytest.mark.openadr3("R7.2", "default_interval", "U15")
def test_an_interval_overrides_the_events_period_member_by_member() -> None:
    layout = laid_out(None, IntervalPeriod(duration=2 * HOUR), None)
    assert hours(layout) == [(0, 1), (1, 3), (3, 4)]
    assert layout.ends_at == MIDNIGHT + 4 * HOUR


def test_without_a_period_of_the_event_each_interval_needs_its_own() -> None:
    layout = laid_out(HOURLY, IntervalPeriod(duration=2 * HOUR), whole=None)
    assert hours(layout) == [(0, 1), (1, 3)]
    with pytest.raises(RemoteProtocolError, match="interval 1 has no duration"):
        laid_out(HOURLY, None, whole=None)
    with pytest.raises(RemoteProtocolError, match="interval 0 has no start"):
        laid_out(IntervalPeriod(duration=HOUR), whole=None)


@pytest.mark.openadr3("R7.3")
def test_the_beginning_of_time_means_now_for_an_event_and_at_once_for_an_interval() -> None:
    now = IntervalPeriod(start=Sentinel.NOW, duration=HOUR)
    assert hours(laid_out(None, None, whole=now)) == [(6, 7), (7, 8)]
    assert hours(laid_out(now, whole=None)) == [(6, 7)]
    assert hours(laid_out(now, now)) == [(0, 1), (1, 2)]


@pytest.mark.openadr3("R7.9")
def test_absolute_starts_leave_gaps_and_the_span_includes_them() -> None:
    layout = laid_out(None, IntervalPeriod(start=SIX))
    assert hours(layout) == [(0, 1), (6, 7)]
    in_the_gap = MIDNIGHT + 3 * HOUR
    assert layout.is_active(in_the_gap)
    assert layout.at(in_the_gap) is None


@pytest.mark.openadr3("R7.4")
def test_a_late_reader_skips_ahead_to_the_interval_that_covers_now() -> None:
    layout = laid_out(*[None] * 25)
    found = layout.at(SIX)
    assert found is not None
    assert (found.index, found.id) == (6, 16)


@pytest.mark.openadr3("R7.5")
def test_an_endless_interval_lets_nothing_follow_it() -> None:
    for_ever = IntervalPeriod(duration=Sentinel.FOR_EVER)
    assert hours(laid_out(None, for_ever)) == [(0, 1), (1, None)]
    with pytest.raises(RemoteProtocolError, match="interval 1 follows one that lasts for ever"):
        laid_out(for_ever, None)


@pytest.mark.openadr3("R7.6")
def test_a_longer_event_repeats_its_intervals_and_a_shorter_one_cuts_them() -> None:
    repeating = laid_out(None, None, duration=5 * HOUR)
    found = list(repeating.between(MIDNIGHT, MIDNIGHT + 9 * HOUR))
    assert [(one.id, (one.starts_at - MIDNIGHT) / HOUR) for one in found] == [
        (10, 0),
        (11, 1),
        (10, 2),
        (11, 3),
        (10, 4),
    ]
    assert repeating.ends_at == found[-1].ends_at == MIDNIGHT + 5 * HOUR
    cut = laid_out(None, None, None, duration=timedelta(minutes=90))
    assert [one.ends_at for one in cut.between(MIDNIGHT, SIX)] == [MIDNIGHT + HOUR, MIDNIGHT + timedelta(minutes=90)]
    assert cut.nth(2) is None


def test_a_tariff_that_repeats_for_ever_is_read_in_any_year() -> None:
    tariff = laid_out(*[None] * 24, duration=Sentinel.FOR_EVER)
    found = tariff.at(MIDNIGHT + timedelta(days=36_500, hours=13, minutes=30))
    assert found is not None
    assert found.id == 10 + 13
    assert not tariff.is_over(datetime(9999, 12, 31, tzinfo=UTC))


@pytest.mark.openadr3("R7.8", "randomize_start_not_duplicated")
def test_a_draw_moves_the_whole_chain_by_the_same_amount() -> None:
    spread = IntervalPeriod(start=MIDNIGHT, duration=HOUR, randomize_start=timedelta(minutes=30))
    assert hours(laid_out(None, None, whole=spread, draw=-0.5)) == [(-0.25, 0.75), (0.75, 1.75)]
    # An absolute start moves too, unless it brings a bound of its own, which those after it share.
    own = IntervalPeriod(start=SIX, randomize_start=HOUR)
    assert hours(laid_out(None, IntervalPeriod(start=SIX), None, whole=spread, draw=1.0)) == [
        (0.5, 1.5), (6.5, 7.5), (7.5, 8.5),
    ]  # fmt: skip
    assert hours(laid_out(None, own, None, whole=spread, draw=1.0)) == [(0.5, 1.5), (7, 8), (8, 9)]


def test_an_event_without_intervals_implies_them_from_its_period() -> None:
    layout = lay_out([], period=HOURLY, duration=None, obtained_at=SIX, draw=0.0)
    third = layout.nth(2)
    assert third is not None
    assert (third.id, third.starts_at) == (2, MIDNIGHT + 2 * HOUR)
    assert lay_out([], period=None, duration=None, obtained_at=SIX, draw=0.0).first == ()


@pytest.mark.openadr3("R7.7")
def test_several_values_divide_their_interval_equally() -> None:
    placed = laid_out(IntervalPeriod(duration=3 * HOUR)).first[0]
    assert [(start - MIDNIGHT) / HOUR for start, _ in parts(placed, 3)] == [0, 1, 2]
    assert [end for _, end in parts(placed, 7)][-1] == placed.ends_at


@pytest.mark.openadr3("R7.10")
def test_an_event_of_no_length_at_the_beginning_of_time_is_cancelled() -> None:
    nothing = IntervalPeriod(start=Sentinel.NOW, duration=timedelta())
    assert is_cancelled((), nothing)
    assert is_cancelled((Interval(id=0, payloads=()),), nothing)
    assert not is_cancelled((), IntervalPeriod(start=Sentinel.NOW, duration=HOUR))


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=6),
    whole_min=st.none() | st.integers(1, 5_000),
    draw=st.floats(-1, 1),
    at_min=st.integers(0, 6_000),
)
def test_intervals_follow_each_other_without_gaps_up_to_the_end(
    lengths: list[int], whole_min: int | None, draw: float, at_min: int
) -> None:
    minute = timedelta(minutes=1)
    layout = laid_out(
        *[IntervalPeriod(duration=length * minute) for length in lengths],
        whole=IntervalPeriod(start=MIDNIGHT, randomize_start=HOUR),
        duration=None if whole_min is None else whole_min * minute,
        draw=draw,
    )
    starts_at, ends_at = layout.starts_at, layout.ends_at
    assert starts_at is not None
    assert ends_at is not None
    assert abs(starts_at - MIDNIGHT) <= HOUR
    assert ends_at - starts_at == (whole_min or sum(lengths)) * minute
    found = list(layout.between(starts_at, ends_at))
    assert [one.index for one in found] == list(range(len(found)))
    assert [one.starts_at for one in found[1:]] == [one.ends_at for one in found[:-1]]
    assert found[-1].ends_at == ends_at
    assert [layout.nth(one.index) for one in found] == found
    now = starts_at + at_min * minute
    assert (layout.at(now) is not None) == layout.is_active(now)


@pytest.mark.parametrize("bound", [timedelta(days=999_999_999), Months(months=12 * 9998, beyond=timedelta())])
def test_a_start_that_is_moved_off_the_calendar_is_refused(bound: timedelta | Months) -> None:
    period = IntervalPeriod(start=Sentinel.NOW, duration=HOUR, randomize_start=bound)
    with pytest.raises(RemoteProtocolError, match="beyond the calendar"):
        lay_out((), period=period, duration=None, obtained_at=SIX, draw=1.0)


@pytest.mark.openadr3("R7.5")
def test_months_are_the_calendars() -> None:
    period = IntervalPeriod(start=SIX, duration=Months(months=1, beyond=timedelta()))
    layout = lay_out((Interval(id=0, payloads=()),), period=period, duration=None, obtained_at=SIX, draw=0.0)
    assert layout.ends_at == later(SIX, Months(months=1, beyond=timedelta()))
