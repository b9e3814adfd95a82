"""What an event asks to be reported, against what came: in time, late, missing, or no good."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openadr_core.oadr3.layout import Layout, lay_out
from openadr_core.oadr3.messages import Interval, IntervalPeriod, ReportDescriptor, ReportIntervals
from openadr_core.oadr3.times import Length, Sentinel
from openadr_vtn.domain.compliance import OwedReport, ReportedInterval, Standing, owed_reports

HOUR, GRACE = timedelta(hours=1), timedelta(minutes=1)
MIDNIGHT = datetime(2030, 7, 1, tzinfo=UTC)
READ_AT = MIDNIGHT - HOUR
HOURLY = ReportDescriptor(payload_type="USAGE", frequency=1, repeat=-1)


def hours(number: int, duration: Length | None = None) -> Layout:
    return lay_out(
        [Interval(id=index, payloads=()) for index in range(number)],
        period=IntervalPeriod(start=MIDNIGHT, duration=HOUR), duration=duration, obtained_at=READ_AT, draw=0.0,
    )  # fmt: skip


def came(interval_id: int, after: timedelta, *, quality: str = "OK", payload_type: str = "USAGE") -> ReportedInterval:
    return ReportedInterval(
        payload_type=payload_type, interval_id=interval_id, received_at=MIDNIGHT + after, quality=quality
    )


def judged(
    layout: Layout,
    descriptor: ReportDescriptor,
    *said: ReportedInterval,
    after: timedelta,
    obtained_at: datetime = READ_AT,
) -> list[OwedReport]:
    return owed_reports(
        layout, [descriptor], said, obtained_at=obtained_at, since=READ_AT - HOUR, now=MIDNIGHT + after, grace=GRACE
    )


def test_nothing_is_owed_before_it_is_due_and_it_is_missing_after_the_grace() -> None:
    descriptor = ReportDescriptor(payload_type="USAGE")
    assert judged(hours(2), descriptor, after=2 * HOUR - GRACE) == []
    (pending,) = judged(hours(2), descriptor, after=2 * HOUR + GRACE)
    assert (pending.standing, pending.intervals, pending.covered) == (Standing.PENDING, 2, 0)
    (missing,) = judged(hours(2), descriptor, came(0, HOUR), after=3 * HOUR)
    assert (missing.standing, missing.covered) == (Standing.MISSING, 1)
    assert missing.late_by(MIDNIGHT + 3 * HOUR) == HOUR


def test_each_report_of_a_series_stands_for_itself() -> None:
    said = (came(0, HOUR), came(1, 2 * HOUR + 2 * GRACE), came(2, 3 * HOUR, quality="BAD"))
    found = judged(hours(4), HOURLY, *said, after=5 * HOUR)
    assert [one.standing for one in found] == [Standing.MET, Standing.LATE, Standing.POOR, Standing.MISSING]
    assert [one.late_by(MIDNIGHT + 5 * HOUR) for one in found] == [timedelta(), 2 * GRACE, timedelta(), HOUR]


def test_a_correction_counts_for_what_it_says_and_not_for_when_it_came() -> None:
    (found,) = judged(hours(1), HOURLY, came(0, HOUR, quality="MISSING"), came(0, 9 * HOUR), after=10 * HOUR)
    assert (found.standing, found.complete_at) == (Standing.MET, MIDNIGHT + HOUR)


def test_what_a_report_grew_by_came_with_its_change_and_what_it_had_did_not() -> None:
    grown = [
        ReportedInterval(
            payload_type="USAGE",
            interval_id=number,
            received_at=MIDNIGHT + HOUR,
            changed_at=MIDNIGHT + 2 * HOUR + after,
        )
        for number, after in ((0, 9 * GRACE), (1, 9 * GRACE))
    ]
    found = judged(hours(2), HOURLY, *grown, after=5 * HOUR)
    assert [one.standing for one in found] == [Standing.MET, Standing.LATE]


def test_another_payload_type_is_no_answer() -> None:
    (found,) = judged(hours(1), HOURLY, came(0, HOUR, payload_type="DEMAND"), after=2 * HOUR)
    assert found.standing is Standing.MISSING


def test_a_lap_is_not_answered_by_the_one_before_it() -> None:
    looping = hours(2, Sentinel.FOR_EVER)
    found = judged(
        looping, ReportDescriptor(payload_type="USAGE"), came(0, 2 * HOUR), came(1, 2 * HOUR), after=5 * HOUR
    )
    assert [(one.number, one.standing) for one in found] == [(0, Standing.MET), (1, Standing.MISSING)]


def test_intervals_of_the_vens_own_count_by_their_time() -> None:
    descriptor = ReportDescriptor(payload_type="USAGE", report_intervals=ReportIntervals.OPEN_INTERVALS)
    own = ReportedInterval(
        payload_type="USAGE", interval_id=77, received_at=MIDNIGHT + HOUR, starts_at=MIDNIGHT + HOUR / 4,
        ends_at=MIDNIGHT + HOUR / 2,
    )  # fmt: skip
    (met,) = judged(hours(1), descriptor, own, after=2 * HOUR)
    assert met.standing is Standing.MET
    (missing,) = judged(hours(2), descriptor, own, after=4 * HOUR)
    assert (missing.standing, missing.covered) == (Standing.MISSING, 1)


def test_of_what_was_due_before_the_event_was_read_only_the_latest_is_owed() -> None:
    found = judged(hours(4), HOURLY, after=3 * HOUR + 2 * GRACE, obtained_at=MIDNIGHT + 2.5 * HOUR)
    assert [one.number for one in found] == [1, 2]


def test_who_is_asked_for_nothing_owes_nothing() -> None:
    assert judged(hours(2), ReportDescriptor(payload_type="USAGE", frequency=0), after=9 * HOUR) == []


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.sampled_from(["OK", "BAD"])), max_size=12),
    st.integers(0, 900),
)
def test_however_they_come(said: list[tuple[int, int, str]], minutes: int) -> None:
    """What is covered is what came; nothing is late before its time; and what is whole is not missing."""
    reported = [came(number, timedelta(minutes=at), quality=quality) for number, at, quality in said]
    now = MIDNIGHT + timedelta(minutes=minutes)
    found = judged(hours(6), HOURLY, *reported, after=now - MIDNIGHT)
    assert [one.due_at for one in found] == [
        MIDNIGHT + HOUR * number for number in range(1, 7) if number * 60 <= minutes
    ]
    for one in found:
        times = [at for number, at, _ in said if number == one.number]
        assert one.covered == bool(times)
        assert (one.complete_at is None) == (not times)
        in_time = bool(times) and MIDNIGHT + timedelta(minutes=min(times)) <= one.due_at + GRACE
        assert (one.standing in {Standing.MET, Standing.POOR}) == in_time
        assert (one.late_by(now) > timedelta()) == (one.standing in {Standing.LATE, Standing.MISSING})
