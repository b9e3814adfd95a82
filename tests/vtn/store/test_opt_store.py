"""Opt schedules and qualified events come back as they came, in order, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import Conflict
from openadr_core.model.availability import OptRules, OptSchedule, Precedence, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_vtn.adapters.sql.store import SqlStore
from tests.vtn.samples import HOUR, a_program

SECOND = timedelta(seconds=1)
ONE, TWO = "id-ven-one", "id-ven-two"
SCOPE = Scope(
    targets=frozenset({Target(kind=TargetKind.RESOURCE, name="Köln ß"), Target(kind=TargetKind.GROUP, name="g")}),
    device_classes=frozenset({"Storage"}),
    market_context="http://utility.example/program-1",
)


def a_schedule(now: datetime, **changes: object) -> OptSchedule:
    schedule = OptSchedule(
        id="o1",
        opt_type=OptType.OUT,
        reason="x-party",
        spans=(Span(starts_at=now, duration=HOUR), Span(starts_at=now + HOUR, duration=None)),
        created_at=now,
        scope=SCOPE,
    )
    return replace(schedule, **changes)  # type: ignore[arg-type]


async def test_schedules_are_kept_in_order_and_cancelled_by_their_id(stocked: SqlStore, now: datetime) -> None:
    first, second = a_schedule(now), a_schedule(now, spans=(), scope=Scope())
    other = a_schedule(now, id="o2", opt_type=OptType.IN)
    async with stocked.unit_of_work() as unit:
        for schedule in (first, second, other):
            await unit.availability.add(ONE, schedule, now)
        await unit.availability.add(TWO, first, now + SECOND)
    async with stocked.view() as view:
        kept = await view.availability.of_party(ONE)
        assert [one.schedule for one in kept] == [first, second, other]
        assert {one.received_at for one in kept} == {now}
        assert [one.schedule for one in (await view.availability.all())[TWO]] == [first]
    async with stocked.unit_of_work() as unit:
        assert await unit.availability.cancel(ONE, "o1", now)
        assert await unit.availability.cancel(ONE, "o1", now + SECOND)
        assert not await unit.availability.cancel(ONE, "nobody's", now)
    async with stocked.view() as view:
        assert [one.schedule.cancelled_at for one in await view.availability.of_party(ONE)] == [now, now, None]
        assert [one.schedule.cancelled_at for one in await view.availability.of_party(TWO)] == [None]
    async with stocked.unit_of_work() as unit:
        await unit.availability.remove(kept[:1])
        await unit.availability.remove([])
        await unit.availability.clear(TWO)
    async with stocked.view() as view:
        assert [one.schedule.id for one in await view.availability.of_party(ONE)] == ["o1", "o2"]
        assert list(await view.availability.all()) == [ONE]


async def test_what_is_said_to_an_event_is_kept_in_order(stocked: SqlStore, now: datetime) -> None:
    said = Qualification(
        id="e1", event_id="event-1", version=0, opt_type=OptType.OUT, reason="economic", created_at=now, scope=SCOPE
    )
    again = replace(said, opt_type=OptType.IN, scope=Scope())
    async with stocked.unit_of_work() as unit:
        await unit.availability.qualify(ONE, said, now)
        await unit.availability.qualify(TWO, said, now)
        await unit.availability.qualify(ONE, again, now)
    async with stocked.view() as view:
        assert await view.availability.qualifications("event-1") == {ONE: [said, again], TWO: [said]}
        assert await view.availability.qualifications("event-9") == {}
        assert await view.availability.has_qualified(ONE, "e1")
        assert not await view.availability.has_qualified(ONE, "o1")
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.availability.qualify(ONE, replace(said, event_id="event-9"), now)


@pytest.mark.parametrize(
    "rules",
    [None, OptRules(), OptRules(allowed=frozenset(), default=OptType.OUT, precedence=Precedence.NEWEST, overlap=False)],
)
async def test_a_program_keeps_its_rules(stocked: SqlStore, now: datetime, rules: OptRules | None) -> None:
    stored = a_program(now)
    stored = replace(stored, program=replace(stored.program, opt_rules=rules))
    async with stocked.unit_of_work() as unit:
        await unit.programs.replace(stored)
    async with stocked.view() as view:
        assert await view.programs.by_id(stored.program.id) == stored
