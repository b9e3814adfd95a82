"""What the operator said, in order: what it ends, what must be told again, what may be forgotten."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import by_name
from openadr_ven.domain.opts import OptOrder, qualifications_of, schedules_of, spent, to_tell_again, untold
from openadr_ven.domain.records import from_record, to_record

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def a_schedule(opt_id: str, *names: str, hours: int = 1) -> OptSchedule:
    return OptSchedule(
        id=opt_id, opt_type=OptType.OUT, reason="economic", created_at=NOW,
        spans=(Span(starts_at=NOW, duration=hours * HOUR),), scope=Scope(targets=frozenset(by_name(*names))),
    )  # fmt: skip


def said(number: int, **what: object) -> OptOrder:
    return OptOrder(number=number, said_at=NOW + number * HOUR, **what)  # type: ignore[arg-type]


WORD = Qualification(id="q", event_id="e", version=0, opt_type=OptType.IN, reason="economic", created_at=NOW)


@pytest.mark.openadr20b("R204", "O5")
def test_a_cancel_ends_what_was_said_before_it_and_nothing_after() -> None:
    orders = [
        said(1, schedule=a_schedule("a", "r1")),
        said(2, schedule=a_schedule("a", "r2")),
        said(3, cancels="a"),
        said(4, schedule=a_schedule("a", "r3")),
        said(5, qualification=WORD),
    ]
    assert [one.cancelled_at for one in schedules_of(orders)] == [NOW + 3 * HOUR, NOW + 3 * HOUR, None]
    assert qualifications_of(orders, "e") == [WORD]
    assert qualifications_of(orders, "other") == []
    assert [order.opt_id for order in orders] == ["a", "a", "a", "a", "q"]


def test_what_the_vtn_has_not_answered_is_still_to_be_told() -> None:
    told = said(1, schedule=a_schedule("a"), told_at=NOW, code="200")
    refused = said(2, schedule=a_schedule("b"), told_at=NOW, code="451")
    assert untold([told, refused, said(3, cancels="a")]) == [said(3, cancels="a")]
    assert not told.is_refused
    assert refused.is_refused


@pytest.mark.openadr20b("R406")
def test_a_vtn_that_has_forgotten_is_told_what_still_speaks() -> None:
    orders = [
        said(1, schedule=a_schedule("over", "r1", hours=0)),
        said(2, schedule=a_schedule("replaced", "r2")),
        said(3, schedule=a_schedule("ended", "r3")),
        said(4, schedule=a_schedule("again", "r2", hours=48)),
        said(5, cancels="ended"),
        said(6, qualification=WORD),
    ]
    assert to_tell_again(orders, NOW + HOUR / 2) == [4]


def test_the_oldest_are_forgotten_once_they_are_over_and_told() -> None:
    told = {"told_at": NOW, "code": "200"}
    orders = [
        said(1, schedule=a_schedule("a"), **told),
        said(2, qualification=WORD, **told),
        said(3, schedule=a_schedule("b", hours=10_000), **told),
        said(4, schedule=a_schedule("c"), **told),
    ]
    assert spent(orders, NOW + 2 * DAY) == [1, 2]
    assert spent(orders, NOW) == []
    assert spent([replace(orders[0], told_at=None)], NOW + 2 * DAY) == []


def test_an_order_is_kept_as_it_was_said() -> None:
    for order in (said(1, schedule=a_schedule("a", "r2", "r1")), said(2, qualification=WORD), said(3, cancels="a")):
        assert from_record(OptOrder, to_record(order)) == order
