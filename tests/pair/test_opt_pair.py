"""EiOpt, our VEN against our VTN: whatever is lost, both end up with the same schedules in the same order."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_ven.domain import indications as i
from openadr_ven.domain.opts import OptOrder, schedules_of
from openadr_vtn.application.handlers.availability_views import effective_opts
from tests.pair.test_oadr2_pair import Pair, enrolled_pair
from tests.vtn.protocols.vtn_bench import Bench


def a_schedule(now: datetime, number: int, name: str, opt_type: OptType = OptType.OUT) -> OptOrder:
    schedule = OptSchedule(
        id=f"o{number % 3}",
        opt_type=opt_type,
        reason="economic",
        created_at=now + timedelta(seconds=number),
        spans=(Span(starts_at=now, duration=timedelta(hours=number + 1)),),
        scope=Scope(targets=frozenset({Target(kind=TargetKind.RESOURCE, name=name)} if name else ())),
    )
    return OptOrder(number=number, said_at=now, schedule=schedule)


def told(pair: Pair) -> list[tuple[int, str]]:
    return [(one.number, one.code) for one in pair.of(i.OptTold) if isinstance(one, i.OptTold)]


@pytest.mark.openadr20b("R202", "R203", "R204", "R207", "R208", "O3", "O4", "O5", "O9", "T10")
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_lost_both_have_the_same_schedules(bench: Bench, seed: int) -> None:
    pair = await enrolled_pair(bench, seed=seed)
    party_id = pair.session.memory.ven_id
    dice = random.Random(seed)
    orders: list[OptOrder] = []
    for number in range(12):
        if number % 4 == 3:
            orders.append(OptOrder(number=number, said_at=bench.now, cancels=f"o{number % 3}"))
        else:
            name = dice.choice(["", "r1", "r2"])
            orders.append(a_schedule(bench.now, number, name, dice.choice(list(OptType))))
    for order in orders:
        pair.session.opt(order)
    while len(told(pair)) < len(orders):
        await pair.exchange(loses=dice.choice(["", "", "request", "answer"]))
        bench.pass_time(0.5)
        if dice.random() < 0.05:
            bench.restart()
            pair.channel = pair.channel.reconnected()
    assert told(pair) == [(number, "200") for number in range(12)]
    async with bench.store.view() as view:
        kept = [one.schedule for one in await view.availability.of_party(party_id)]
    ours = schedules_of(orders)
    assert [(one.id, one.opt_type, one.scope, one.spans, one.cancelled_at is None) for one in kept] == [
        (one.id, one.opt_type, one.scope, one.spans, one.cancelled_at is None) for one in ours
    ]


@pytest.mark.openadr20b("R206", "R211", "O1", "O6", "O7", "V19", "R510")
async def test_an_event_is_qualified_and_stays_so(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    party_id = pair.session.memory.ven_id
    event = await bench.write_event()
    await pair.run(11)
    word = Qualification(
        id="q1", event_id=event.id, version=0, opt_type=OptType.OUT, reason="mustRun", created_at=bench.now
    )
    pair.session.opt(OptOrder(number=1, said_at=bench.now, qualification=word))
    await pair.run(3)
    await bench.revise_event(event, replace(event, comment="more"))
    await pair.run(12)
    async with bench.store.view() as view:
        assert (await view.opts.latest(event.id))[party_id].opt_type is OptType.IN
        effective = (await effective_opts(view, event.id))[party_id]
    assert (effective.opt_type, effective.reason) == (OptType.OUT, "mustRun")
    pair.session.opt(OptOrder(number=2, said_at=bench.now, cancels="q1"))
    pair.session.opt(a_schedule(bench.now, 3, "r1"))
    await pair.run(3)
    assert told(pair) == [(1, "200"), (2, "451"), (3, "200")]
