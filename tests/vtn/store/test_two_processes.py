"""Two VTN processes on one PostgreSQL: what one commits, the other tells, though it keeps standings in memory."""

import asyncio
from datetime import datetime

import pytest

from openadr_core.oadr2 import messages as m
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from tests.vtn.protocols.speech import answer
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import a_peer, a_program


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_an_event_written_here_is_told_there(url: str, store: SqlStore, now: datetime) -> None:
    elsewhere = await open_store(url)
    heard = asyncio.Event()
    elsewhere.subscribe(lambda _: heard.set())
    here, there = Bench(store=store, now=now), Bench(store=elsewhere, now=now)
    here.restart()
    there.restart()
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
    await here.add_party()
    ven, poll = there.ven(a_peer()), m.Poll(ven_id="id-ven-one")
    for _ in range(2):
        assert isinstance(await ven.say(poll), m.Response)
    heard.clear()
    event = await here.write_event()
    await asyncio.wait_for(heard.wait(), 5)
    told = await ven.say(poll)
    assert isinstance(told, m.DistributeEvent)
    # The party comes back to the other process: at worst it is told once more what it has answered.
    await here.ven(a_peer()).say(answer(told))
    assert (await there.row_of(event)).answered_at == now
    there.pass_time(60)
    again = await ven.say(poll)
    assert isinstance(again, m.DistributeEvent)
    await ven.say(answer(again))
    there.pass_time(60)
    assert isinstance(await ven.say(poll), m.Response)
    async with store.view() as view:
        assert len(await view.opts.history(event.id)) == 1
    await elsewhere.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_an_object_written_here_is_new_there(url: str, store: SqlStore, now: datetime) -> None:
    """What a client may keep, because nothing of its kind was written, is asked of any process."""
    elsewhere = await open_store(url)
    heard = asyncio.Event()
    elsewhere.subscribe(lambda _: heard.set())
    before = {kind: elsewhere.revision([kind]) for kind in ObjectKind}
    heard.clear()
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
    await asyncio.wait_for(heard.wait(), 5)
    assert [kind for kind in ObjectKind if elsewhere.revision([kind]) != before[kind]] == [ObjectKind.PROGRAM]
    await elsewhere.close()
