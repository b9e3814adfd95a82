"""What the fleet's operator says of its availability, in order, and what the VTN made of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.model.availability import OptSchedule, superseded
from openadr_core.model.qualification import Qualification


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOrder:
    """One thing that was said: a schedule, something to an event, or that a schedule no longer holds."""

    number: int
    """Grows with each: the order in which they were said, and are told."""
    said_at: datetime
    schedule: OptSchedule | None = None
    qualification: Qualification | None = None
    cancels: str = ""
    """The optID of schedules that it ends."""
    told_at: datetime | None = None
    """When the VTN answered; None: it is still to be told."""
    code: str = ""
    """Its answer, in 2.0b's codes, or an HTTP status; empty for what it was never to be told."""
    description: str = ""

    @property
    def opt_id(self) -> str:
        if self.schedule is not None:
            return self.schedule.id
        return self.cancels if self.qualification is None else self.qualification.id

    @property
    def is_refused(self) -> bool:
        return bool(self.code) and not self.code.startswith("2")


def schedules_of(orders: Iterable[OptOrder]) -> list[OptSchedule]:
    """Every schedule, in order, ended where one that was said later ends it.

    Interpretation: what the VTN refuses holds all the same. The fleet is its operator's, and to
    dispatch what the operator takes out because a program takes no such schedule would be wrong.
    """
    found: list[OptSchedule] = []
    for order in orders:
        if order.schedule is not None:
            found.append(order.schedule)
        elif order.cancels:
            ended = order.said_at
            found = [
                replace(one, cancelled_at=one.cancelled_at or ended) if one.id == order.cancels else one
                for one in found
            ]
    return found


def qualifications_of(orders: Iterable[OptOrder], event_id: str) -> list[Qualification]:
    """What was said to one event, in order."""
    said = (order.qualification for order in orders)
    return [one for one in said if one is not None and one.event_id == event_id]


def untold(orders: Iterable[OptOrder]) -> list[OptOrder]:
    return [order for order in orders if order.told_at is None]


def to_tell_again(orders: Sequence[OptOrder], now: datetime) -> list[int]:
    """Numbers of what a VTN must be told again that has forgotten our schedules (2.0b R406): those that still speak."""
    schedules = schedules_of(orders)
    numbers = [order.number for order in orders if order.schedule is not None]
    return [
        number
        for place, (number, schedule) in enumerate(zip(numbers, schedules, strict=True))
        if schedule.cancelled_at is None and not schedule.is_over(now) and not superseded(schedules, place)
    ]


def spent(orders: Sequence[OptOrder], before: datetime) -> list[int]:
    """Numbers of the oldest that have nothing to say any more, and were said before this moment."""
    schedules = iter(schedules_of(orders))
    found: list[int] = []
    for order in orders:
        schedule = next(schedules) if order.schedule is not None else None
        speaks = schedule is not None and schedule.cancelled_at is None and not schedule.is_over(before)
        if speaks or order.told_at is None or order.said_at >= before:
            break
        found.append(order.number)
    return found
