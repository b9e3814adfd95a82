"""What an operator may ask for is what is offered; and what a request is at each moment of its life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.errors import RuleBroken
from openadr_core.model.report import Quality, Reading, ReportOffer, StatusReading
from openadr_vtn.domain.reporting import (
    ONE_SHOT_WAIT,
    OfferedReport,
    RequestedReport,
    RequestState,
    RequestWish,
    cancel_asked,
    cancelled,
    canonical,
    confirmed,
    is_too_much,
    late_by,
    mean_power,
    received,
    refused,
    request_of,
    spans_of,
)
from tests.vtn.samples import HOUR, STATUS_POINT, a_status, an_offer

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
HISTORY = replace(
    an_offer(specifier_id="history"), offer=replace(an_offer(specifier_id="history").offer, report_name="HISTORY_USAGE")
)
STANDS = OfferedReport(
    offer=ReportOffer(
        specifier_id="stands", report_name="TELEMETRY_STATUS", data_points=(STATUS_POINT,), buffered=HOUR
    ),
    factors={"stands": 1.0},
)
OFFERS = (an_offer(), HISTORY, STANDS)
WISH = RequestWish(
    specifier_id="telemetry", r_ids=(), granularity=ZERO, report_back=ZERO, starts_at=None, duration=None
)


def asked(**changes: object) -> RequestedReport:
    return request_of(replace(WISH, **changes), OFFERS, request_id="r1", now=NOW)  # type: ignore[arg-type]


def a_reading(second: int, value: float = 1.0, **changes: object) -> Reading:
    found = Reading(r_id="power", starts_at=NOW + second * SECOND, duration=SECOND, value=value)
    return replace(found, **changes)  # type: ignore[arg-type]


PERIODIC = {"granularity": SECOND, "report_back": 5 * SECOND}


@pytest.mark.openadr20b("R317", "R324", "R325", "R341", "R-11", "R-12", "R-14", "R-15")
@pytest.mark.parametrize(
    ("wish", "kinds", "starts_at"),
    [
        ({}, (True, False, False), NOW),
        (PERIODIC, (False, False, False), NOW),
        ({**PERIODIC, "starts_at": NOW + HOUR, "duration": HOUR}, (False, False, False), NOW + HOUR),
        ({"report_back": 60 * SECOND}, (False, True, False), NOW),
        ({"specifier_id": "history"}, (False, False, True), NOW - 2 * HOUR),
        ({"specifier_id": "history", "starts_at": NOW - HOUR, "duration": HOUR}, (False, False, True), NOW - HOUR),
    ],
)
def test_the_kinds_of_request(wish: dict[str, object], kinds: tuple[bool, bool, bool], starts_at: datetime) -> None:
    request = asked(**wish).request
    assert (request.is_one_shot, request.is_on_change, request.history) == kinds
    assert (request.starts_at, request.r_ids) == (starts_at, ("power", "baseline"))


@pytest.mark.openadr20b("R300", "R317", "R-13", "R-15")
@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"specifier_id": "humidity"}, "specifier"),
        ({"r_ids": ("power", "humidity")}, "points"),
        ({"granularity": timedelta(milliseconds=500), "report_back": SECOND}, "granularity"),
        ({"granularity": HOUR, "report_back": HOUR}, "granularity"),
        ({"granularity": 10 * SECOND, "report_back": 5 * SECOND}, "report_back"),
        ({"report_back": timedelta(milliseconds=500)}, "report_back"),
        ({"starts_at": NOW + HOUR}, "start"),
        ({"duration": HOUR}, "start"),
        ({"specifier_id": "history", **PERIODIC}, "granularity"),
        ({"specifier_id": "history", "starts_at": NOW + SECOND}, "start"),
    ],
)
def test_what_is_not_offered_is_not_asked_for(wish: dict[str, object], said: str) -> None:
    with pytest.raises(RuleBroken, match=rf"^{said}"):
        asked(**wish)


def test_a_request_lives_from_asked_to_done() -> None:
    one_shot = asked()
    assert one_shot.state is RequestState.ASKED
    pending = confirmed(one_shot, NOW + SECOND)
    assert confirmed(pending, NOW + 2 * SECOND) == pending
    assert pending.state is RequestState.PENDING
    done = received(pending, [a_reading(0), a_reading(0, quality=Quality.BAD)], NOW + 3 * SECOND)
    assert (done.state, done.quality, done.ended_at) == (RequestState.DONE, Quality.BAD, NOW + 3 * SECOND)
    # R346: once more is no harm.
    assert received(done, [a_reading(0)], NOW + 9 * SECOND).ended_at == done.ended_at


def test_a_request_may_be_refused_and_then_done_all_the_same() -> None:
    said_no = refused(asked(), "461 not here", NOW)
    assert said_no.state is RequestState.REFUSED
    assert received(said_no, [a_reading(0)], NOW).state is RequestState.DONE


def test_a_periodic_one_is_done_when_its_time_is_covered() -> None:
    periodic = asked(**PERIODIC, duration=10 * SECOND)
    half = received(periodic, [a_reading(4)], NOW + 5 * SECOND)
    assert half.state is RequestState.PENDING
    assert received(half, [a_reading(9)], NOW + 10 * SECOND).state is RequestState.DONE
    for_ever = received(asked(**PERIODIC), [a_reading(10_000)], NOW + HOUR * 3)
    assert for_ever.state is RequestState.PENDING


def test_statuses_count_as_data() -> None:
    found: StatusReading = replace(a_status(NOW + SECOND), quality=Quality.ESTIMATED)
    stands = received(asked(specifier_id="stands"), [], NOW + 2 * SECOND, statuses=[found])
    assert (stands.state, stands.covered_until) == (RequestState.DONE, NOW + SECOND)
    assert stands.quality is Quality.ESTIMATED


@pytest.mark.openadr20b("R335", "R345", "R-25", "R-26")
def test_what_comes_after_a_cancel_is_too_much_but_for_the_one_that_was_to_follow() -> None:
    periodic = confirmed(asked(**PERIODIC), NOW)
    assert not is_too_much(periodic)
    for to_follow in (False, True):
        ending = cancel_asked(periodic, NOW, to_follow=to_follow)
        assert cancel_asked(ending, NOW + SECOND, to_follow=not to_follow) == ending
        assert (ending.state, is_too_much(ending)) == (RequestState.CANCELLING, True)
        still = received(ending, [a_reading(1)], NOW + 2 * SECOND)
        assert (still.state, is_too_much(still)) == (RequestState.CANCELLING, True)
        ended = cancelled(still, NOW + 3 * SECOND)
        assert (ended.state, is_too_much(ended)) == (RequestState.CANCELLED, not to_follow)
        followed = received(ended, [a_reading(2)], NOW + 4 * SECOND)
        assert (followed.state, is_too_much(followed)) == (RequestState.CANCELLED, True)
        assert followed.ended_at == ended.ended_at


def test_one_report_is_late_a_minute_after_it_was_asked_for() -> None:
    for one in (asked(), asked(specifier_id="history")):
        assert late_by(one, NOW + ONE_SHOT_WAIT) == ZERO
        assert late_by(one, NOW + ONE_SHOT_WAIT + SECOND) == SECOND
        assert late_by(received(one, [a_reading(0)], NOW), NOW + HOUR) == ZERO
        assert late_by(refused(one, "461", NOW), NOW + HOUR) == ZERO


@pytest.mark.openadr20b("R315", "R342", "R-19")
@pytest.mark.parametrize(
    ("starts", "granularity", "expected"),
    [
        ([0, 1, 2], 1, [1, 1, 1]),
        ([0, 1, 2], 5, [1, 1, 5]),
        ([2, 0, 60], 5, [5, 2, 5]),
        ([0, 300, 600], 0, [300, 300, 300]),
        ([0], 60, [60]),
        ([0], 0, [0]),
        ([0, 0], 5, [0, 5]),
    ],
)
def test_a_point_in_time_stands_until_the_next(starts: list[int], granularity: int, expected: list[int]) -> None:
    points = [a_reading(start, duration=ZERO) for start in starts]
    lengths = [a_reading(start, r_id="energy", duration=9 * SECOND) for start in starts]
    spans = spans_of([*points, *lengths], granularity * SECOND)
    assert [span / SECOND for span in spans] == [*expected, *[9] * len(starts)]


@pytest.mark.openadr20b("R319", "R318", "R-20")
def test_values_and_their_accuracy_become_canonical_together() -> None:
    found = canonical(a_reading(0, 2.0, accuracy=0.5, duration=ZERO), -1000.0, 60 * SECOND)
    assert (found.value, found.accuracy, found.duration) == (-2000.0, 500.0, 60 * SECOND)
    assert canonical(a_reading(0, 1.0, accuracy=float("inf")), 1.0, SECOND).accuracy is None
    placeholder = canonical(a_reading(0, float("nan"), cause="Sensor Failure"), 1.0, SECOND)
    assert (placeholder.value, placeholder.quality, placeholder.cause) == (0.0, Quality.BAD, "Sensor Failure")


def test_energy_is_its_mean_power() -> None:
    kwh = a_reading(0, 1000.0, duration=HOUR / 4)
    assert [one.value for one in mean_power([kwh, a_reading(0, duration=ZERO)])] == [4000.0]
