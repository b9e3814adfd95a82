"""What the fleet's operator said of its availability is kept in order, with what the VTN made of it."""

from datetime import datetime, timedelta

from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.target import Target, TargetKind
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.domain.opts import OptOrder


async def test_orders_are_numbered_told_told_again_and_forgotten(store: SqlStore, now: datetime) -> None:
    scope = Scope(targets=frozenset({Target(kind=TargetKind.GROUP, name="Köln")}), device_classes=frozenset({"EVSE"}))
    schedule = OptSchedule(
        id="o1", opt_type=OptType.OUT, reason="economic", created_at=now, scope=scope,
        spans=(Span(starts_at=now, duration=None), Span(starts_at=now, duration=timedelta(hours=1))),
    )  # fmt: skip
    async with store.unit_of_work() as unit:
        first = await unit.add_opt_order(OptOrder(number=0, said_at=now, schedule=schedule))
        second = await unit.add_opt_order(OptOrder(number=0, said_at=now, cancels="o1"))
    assert first.number < second.number
    async with store.unit_of_work() as unit:
        assert await unit.opt_orders() == [first, second]
        await unit.opt_told(first.number, "451", "not here", now)
        await unit.opt_told(999, "200", "", now)
    async with store.unit_of_work() as unit:
        told, still = await unit.opt_orders()
        assert (told.told_at, told.code, told.description, told.is_refused) == (now, "451", "not here", True)
        assert still == second
        await unit.tell_opts_again([first.number, 999])
    async with store.unit_of_work() as unit:
        assert await unit.opt_orders() == [first, second]
        await unit.forget_opts([])
        await unit.forget_opts([first.number])
    async with store.unit_of_work() as unit:
        third = await unit.add_opt_order(OptOrder(number=0, said_at=now, cancels="o2"))
        assert await unit.opt_orders() == [second, third]
    assert third.number > second.number


async def test_an_upstream_is_stayed_away_from_until_it_is_not(store: SqlStore, now: datetime) -> None:
    async with store.unit_of_work() as unit:
        assert await unit.away_since("vtn") is None
        await unit.set_away("vtn", None)
        await unit.set_away("vtn", now)
        await unit.set_away("vtn", now + timedelta(hours=1))
    async with store.unit_of_work() as unit:
        assert await unit.away_since("vtn") == now + timedelta(hours=1)
        assert await unit.away_since("other") is None
        await unit.set_away("vtn", None)
    async with store.unit_of_work() as unit:
        assert await unit.away_since("vtn") is None
