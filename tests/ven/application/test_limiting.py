"""Bounds of OpenADR 3: which rules, what it takes back of what is asked, and what it asks itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.timeline import segments
from openadr_ven.application.asking import Ask
from openadr_ven.application.limiting import Cap, caps_at, within
from openadr_ven.domain.held import Condition, HeldEvent
from openadr_ven.domain.indications import EventReceived
from openadr_ven.fleet.columns import Mask
from tests.ven.application.world import World, store_at

NOW = datetime(2030, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def an_event(
    kind: SignalKind, value: float, event_id: str = "e", *, hours: int | None = 1, **changes: object
) -> DrEvent:
    duration = None if hours is None else hours * HOUR
    signal = Signal(id=kind, kind=kind, intervals=(SignalInterval(duration=duration, value=value),))
    event = DrEvent(
        id=event_id, program_id="p", market_context="urn:p", version=0, starts_at=NOW, duration=duration,
        signals=(signal,), created_at=NOW, modified_at=NOW,
    )  # fmt: skip
    return replace(event, **changes)  # type: ignore[arg-type]


def held(event: DrEvent) -> HeldEvent:
    opt = Opt(event_id=event.id, version=0, opt_type=OptType.IN, at=NOW)
    return HeldEvent(event=event, opt=opt, received_at=NOW)


LIMIT = an_event(SignalKind.IMPORT_LIMIT, 8e3, "limit")
SUBSCRIPTION = an_event(SignalKind.IMPORT_SUBSCRIPTION, 5e3, "subscription", hours=None)
RESERVATION = an_event(SignalKind.IMPORT_RESERVATION, 2e3, "reservation")


@pytest.mark.parametrize(
    ("events", "after", "void_before", "cut_off", "bound_w"),
    [
        ([LIMIT, SUBSCRIPTION], 0, None, False, 8e3),
        ([LIMIT, SUBSCRIPTION], 1, None, False, 5e3),
        ([LIMIT], 1, None, False, None),
        ([SUBSCRIPTION, RESERVATION], 0, None, False, 7e3),
        ([SUBSCRIPTION, RESERVATION], 1, None, False, 5e3),
        ([RESERVATION], 0, None, False, None),
        ([LIMIT, SUBSCRIPTION], 0, NOW + HOUR / 2, False, 5e3),
        ([LIMIT, SUBSCRIPTION], 0, NOW - HOUR, False, 8e3),
        ([LIMIT], 0, NOW + HOUR / 2, False, None),
        ([LIMIT, SUBSCRIPTION], 0, None, True, 5e3),
        ([LIMIT], 0, None, True, 8e3),
        ([an_event(SignalKind.IMPORT_LIMIT, 3e3, "low"), SUBSCRIPTION], 0, None, True, 3e3),
        ([LIMIT, an_event(SignalKind.IMPORT_LIMIT, 9e3, "first", priority=0)], 0, None, False, 9e3),
        ([LIMIT, an_event(SignalKind.IMPORT_LIMIT, 9e3, "newer", created_at=NOW + HOUR)], 0, None, False, 9e3),
    ],
)
@pytest.mark.openadr3("R7.11")
def test_the_limit_rules_and_where_it_does_not_the_subscription(
    events: list[DrEvent], after: int, void_before: datetime | None, cut_off: bool, bound_w: float | None
) -> None:
    caps = caps_at(map(held, events), NOW + after * HOUR, void_before=void_before, cut_off=cut_off)
    assert [cap.bound_w for cap in caps] == ([] if bound_w is None else [bound_w])


def test_each_program_binds_and_either_way() -> None:
    events = [
        LIMIT,
        an_event(SignalKind.EXPORT_LIMIT, 1e3, "out"),
        an_event(SignalKind.IMPORT_LIMIT, 6e3, "other", market_context="urn:q"),
    ]
    assert [(cap.imports, cap.bound_w) for cap in caps_at(map(held, events), NOW)] == [
        (True, 8e3), (False, 1e3), (True, 6e3),
    ]  # fmt: skip


def ask(kind: SignalKind, value: float, event_id: str, rows: Mask | None = None) -> Ask:
    one = held(an_event(kind, value, event_id))
    return Ask(held=one, segment=segments(one.event)[0], rows=rows)


def cap(bound_w: float, *, imports: bool = True, rows: Mask | None = None) -> Cap:
    kind = SignalKind.IMPORT_LIMIT if imports else SignalKind.EXPORT_LIMIT
    return Cap(ask=ask(kind, bound_w, "cap", rows), bound_w=bound_w, imports=imports)


def test_relief_counts_towards_a_limit_and_the_limit_asks_for_the_rest() -> None:
    limit = cap(8e3)
    asks = [ask(SignalKind.RELIEF, 1e3, "a"), limit.ask]
    assert within(asks, [1e3], [limit], usual_w=lambda _ask: 10e3) == (1e3, 1e3)
    assert within(asks, [3e3], [limit], usual_w=lambda _ask: 10e3) == (3e3, 0.0)


def test_nobody_takes_more_load_than_the_limit_leaves_room_for() -> None:
    limit = cap(12e3)
    asks = [ask(SignalKind.RELIEF, -3e3, "a"), ask(SignalKind.RELIEF, -1e3, "b")]
    assert within(asks, [-3e3, -1e3], [limit], usual_w=lambda _ask: 10e3) == (-2e3, 0.0)


def test_nobody_relieves_into_the_grid_beyond_the_export_limit() -> None:
    limit = cap(1e3, imports=False)
    assert within([ask(SignalKind.RELIEF, 9e3, "a")], [9e3], [limit], usual_w=lambda _ask: 4e3) == (5e3,)


def test_a_limit_goes_before_what_pulls_the_other_way() -> None:
    limit = cap(8e3)
    asks = [ask(SignalKind.RELIEF, -3e3, "a"), limit.ask]
    assert within(asks, [-3e3], [limit], usual_w=lambda _ask: 10e3) == (0.0, 2e3)


def test_relief_of_others_does_not_count() -> None:
    mine, theirs = np.array([True, True, False]), np.array([False, True, True])
    limit = cap(8e3, rows=mine)
    asks = [ask(SignalKind.RELIEF, 5e3, "a", theirs), limit.ask]
    assert within(asks, [5e3], [limit], usual_w=lambda _ask: 10e3) == (5e3, 2e3)


WATTS = st.floats(-50e3, 50e3)


@given(st.lists(WATTS, max_size=4), st.floats(0, 40e3), st.floats(0, 40e3), st.floats(-30e3, 60e3))
def test_no_bound_is_broken_and_none_is_a_target(
    wants: list[float], imports_w: float, exports_w: float, usual_w: float
) -> None:
    caps = [cap(imports_w), replace(cap(exports_w, imports=False), ask=ask(SignalKind.EXPORT_LIMIT, exports_w, "out"))]
    orders = [ask(SignalKind.RELIEF, watts, str(place)) for place, watts in enumerate(wants)]
    asks = [*orders, *(one.ask for one in caps)]
    given_w = within(asks, wants, caps, usual_w=lambda _ask: usual_w)
    left_w = usual_w - sum(given_w)
    assert -exports_w - 1e-3 <= left_w <= imports_w + 1e-3
    way = -1.0 if next((one for one in wants if one), 0.0) < 0.0 else 1.0
    unbound = [way * max(way * one, 0.0) for one in wants]
    if -exports_w <= usual_w - sum(unbound) <= imports_w:
        assert given_w == (*unbound, 0.0, 0.0)


async def test_the_fleet_stays_below_its_limit_and_no_lower_than_it_must(tmp_path: Path) -> None:
    """From the event to the devices: they go down to the limit, stay there, and come back when it is over."""
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    usual_w = float(np.mean(world.power_w[-10:]))
    loose = an_event(SignalKind.IMPORT_LIMIT, usual_w * 1.2, "loose", duration=timedelta(seconds=30))
    await world.running.heed([EventReceived(event=limited(world, loose, 30), delay_fraction=0)], now=world.now)
    await world.second(30)
    assert world.broker.receipts == [], "a limit that is not reached asks for nothing"
    bound_w = usual_w - 100e3
    tight = limited(world, an_event(SignalKind.IMPORT_LIMIT, bound_w, "tight"), 60)
    await world.running.heed([EventReceived(event=tight, delay_fraction=0)], now=world.now)
    await world.second(40)
    assert float(np.mean(world.power_w[-10:])) == pytest.approx(bound_w, rel=0.02)
    await world.second(60)
    assert float(np.mean(world.power_w[-10:])) == pytest.approx(usual_w, rel=0.03)
    assert world.running.control.engaged is None


@pytest.mark.openadr3("R7.11")
async def test_after_an_outage_the_subscription_holds(tmp_path: Path) -> None:
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    usual_w = float(np.mean(world.power_w[-10:]))
    events = [
        limited(world, an_event(SignalKind.IMPORT_LIMIT, usual_w * 2, "limit"), 300),
        limited(world, an_event(SignalKind.IMPORT_SUBSCRIPTION, usual_w - 80e3, "subscription"), 300),
    ]
    await world.running.heed([EventReceived(event=one, delay_fraction=0) for one in events], now=world.now)
    await world.second(15)
    assert world.broker.receipts == []
    async with world.store.unit_of_work() as unit:
        await unit.set_condition(Condition.OUTAGE, world.now)
    world.running.control.conditions = {Condition.OUTAGE: world.now}
    await world.second(40)
    assert float(np.mean(world.power_w[-10:])) == pytest.approx(usual_w - 80e3, rel=0.02)


def limited(world: World, event: DrEvent, seconds: int) -> DrEvent:
    """The event from now on, for so long."""
    length = timedelta(seconds=seconds)
    signal = replace(event.signals[0], intervals=(replace(event.signals[0].intervals[0], duration=length),))
    return replace(
        event, starts_at=world.now, created_at=world.now, modified_at=world.now, duration=length, signals=(signal,)
    )
