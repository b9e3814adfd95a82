"""The drain of ledger and queue: streams side by side, bounds, a store that fails, and two processes on one store."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from openadr_core.errors import ConnectFailed, Unavailable
from openadr_core.exchange import Response
from openadr_core.limits import PUSH_REMINDER_FIRST_S, PUSH_REMINDERS_MAX, RETRY_JITTER
from openadr_core.model.event import DrEvent
from openadr_core.shell.datafiles import load_schema
from openadr_vtn.adapters.drain import TERM
from openadr_vtn.adapters.push import LOOKED_AT_TOGETHER, Pusher
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.application.handlers.observe import event_ledger
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.protocols.oadr2_push import Oadr2Pusher, Parcel
from tests.vtn.protocols.vtn_bench import Bench, running_bench
from tests.vtn.samples import a_party, a_registration

TAKEN = Response(status=200)


class Field:
    """The VENs of a test: each takes what it is given, unless it is said to be otherwise."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, tuple[tuple[str, int], ...]]] = []
        """Whom, and which versions of which events, in order."""
        self.at_once = 0
        self.most_at_once = 0
        self.dead: set[str] = set()
        self.slow: dict[str, asyncio.Event] = {}
        self.started = asyncio.Semaphore(0)

    async def carry(self, parcel: Parcel) -> Response:
        name = parcel.party.name
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.started.release()
        await asyncio.sleep(0)
        try:
            if name in self.slow:
                await self.slow[name].wait()
            if name in self.dead:
                raise ConnectFailed("nothing answers at the address")
            self.taken.append((name, parcel.told))
            return TAKEN
        finally:
            self.at_once -= 1

    def told(self, name: str) -> list[tuple[tuple[str, int], ...]]:
        return [keys for whom, keys in self.taken if whom == name]


@pytest.fixture
async def bench(tmp_path: Path, now: datetime) -> AsyncIterator[Bench]:
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    async with running_bench(tmp_path / "vtn.db", now) as bench:
        yield bench


def a_pusher(bench: Bench, field: Field, *, holder: str = "one", **bounds: int) -> Pusher:
    core = Oadr2Pusher(
        desk=bench.vtn.desk, schema=load_schema(), signatures=None,
        retry_longest=timedelta(seconds=8), dice=random.Random(1),
    )  # fmt: skip
    return Pusher(
        store=bench.store, core=core, carrier=field, now=lambda: bench.now, holder=holder,
        witness=bench.notices.append, saw=bench.vtn.directory.saw, **bounds,
    )  # fmt: skip


async def add_parties(bench: Bench, *names: str) -> None:
    async with bench.store.unit_of_work() as uow:
        for name in names:
            registration = replace(
                a_registration(bench.now, name), pull=False, transport_address=f"https://{name}.example/"
            )
            party = a_party(bench.now, name, registration=registration)
            await uow.parties.add(party)
            await owe_current(uow, party, bench.now)


async def drained(pusher: Pusher) -> None:
    """Turns until there is nothing to do now."""
    for _ in range(100):
        await pusher.turn()
        if not pusher.in_flight:
            return
        await asyncio.gather(*pusher._under_way.values())
    raise AssertionError("it never falls silent")


async def an_answerless_event(bench: Bench, event_id: str = "event-1", **changes: object) -> DrEvent:
    return await bench.write_event(event_id=event_id, response_required=False, **changes)


async def outcomes(bench: Bench) -> dict[str, str]:
    async with bench.store.view() as view:
        states = await view.pushes.of_parties(await view.pushes.party_ids())
    return {party_id.removeprefix("id-"): state.outcome for party_id, state in states.items()}


async def test_everybody_is_told_once_however_many_they_are(bench: Bench) -> None:
    names = [f"ven-{number}" for number in range(2 * LOOKED_AT_TOGETHER + 7)]
    await add_parties(bench, *names)
    field = Field()
    pusher = a_pusher(bench, field)
    await drained(pusher)
    assert field.taken == []
    await an_answerless_event(bench)
    await drained(pusher)
    assert sorted(name for name, _ in field.taken) == sorted(names)
    bench.pass_time(3600)
    await drained(pusher)
    assert len(field.taken) == len(names)


async def test_who_polls_is_left_alone(bench: Bench) -> None:
    await bench.add_party("polls")
    await an_answerless_event(bench)
    field = Field()
    pusher = a_pusher(bench, field)
    assert await pusher.turn() is None, "and nothing is waited for, nor any duty taken"
    assert field.taken == []
    async with bench.store.unit_of_work() as uow:
        assert await uow.duties.hold("push", "anybody", now=bench.now, until=bench.now)


@pytest.mark.openadr20b("T13", "R50", "R52")
async def test_who_takes_and_never_answers_is_reminded_ever_less_and_shown_to_the_operator(bench: Bench) -> None:
    await add_parties(bench, "mute")
    field = Field()
    pusher = a_pusher(bench, field)
    event = await bench.write_event()
    moments: list[timedelta] = []
    while bench.now < event.created_at + timedelta(minutes=30):
        before = len(field.taken)
        await drained(pusher)
        moments += [bench.now - event.created_at] * (len(field.taken) - before)
        bench.pass_time(await pusher.turn() or 60)
    pauses = [(later - sooner).total_seconds() for sooner, later in pairwise(moments)]
    assert len(moments) == PUSH_REMINDERS_MAX
    assert pauses[0] >= PUSH_REMINDER_FIRST_S * (1 - RETRY_JITTER)
    assert all(later > 1.6 * sooner for sooner, later in pairwise(pauses[:6]))
    assert [notice.event_id for notice in bench.notices if notice.kind == "event unanswered"] == [event.id]
    async with bench.store.view() as view:
        (row,) = await event_ledger(view, event.id, bench.now)
    assert (row.given_up, row.delivery.attempts) == (True, PUSH_REMINDERS_MAX)
    await bench.revise_event(event, replace(event, comment="changed"))
    await drained(pusher)
    assert len(field.taken) == PUSH_REMINDERS_MAX + 1, "what has changed is told"
    async with bench.store.view() as view:
        assert [row.given_up for row in await event_ledger(view, event.id, bench.now)] == [False, False]


async def test_a_dead_one_and_a_slow_one_delay_nobody(bench: Bench) -> None:
    await add_parties(bench, "dead", "slow", "good")
    field = Field()
    field.dead.add("dead")
    field.slow["slow"] = asyncio.Event()
    pusher = a_pusher(bench, field)
    await an_answerless_event(bench)
    await pusher.turn()
    await asyncio.gather(pusher._under_way["id-dead"], pusher._under_way["id-good"])
    await pusher.turn()
    assert field.told("good") == [(("event-1", 0),)]
    await an_answerless_event(bench, "event-2")
    await pusher.turn()
    await asyncio.gather(*(task for name, task in pusher._under_way.items() if "slow" not in name))
    await pusher.turn()
    assert len(field.told("good")) == 2, "while the slow one has not taken the first"
    assert field.told("slow") == []
    field.slow["slow"].set()
    await drained(pusher)
    assert field.told("slow") == [(("event-1", 0),), (("event-2", 0),)], "one stream each, in order"
    assert await outcomes(bench) == {"dead": "nothing answers at the address", "slow": "delivered", "good": "delivered"}


async def test_a_thousand_dead_ones_leave_room_for_the_living(bench: Bench) -> None:
    dead = [f"dead-{number}" for number in range(30)]
    await add_parties(bench, *dead)
    field = Field()
    field.dead.update(dead)
    pusher = a_pusher(bench, field, in_flight_max=8, retries_in_flight_max=2)
    await an_answerless_event(bench)
    await drained(pusher)
    assert field.most_at_once == 8
    hang = asyncio.Event()
    field.slow |= dict.fromkeys(dead, hang)
    await add_parties(bench, "living")
    bench.pass_time(60)
    field.most_at_once = 0
    await pusher.turn()
    await pusher._under_way["id-living"]
    assert field.most_at_once == 3, "two that failed before, and the living one"
    await pusher.turn()
    assert len(field.told("living")) == 1
    assert pusher.in_flight == 2
    hang.set()
    for _ in range(15):
        await drained(pusher)
    assert {outcome for name, outcome in (await outcomes(bench)).items() if name in dead} == {
        "nothing answers at the address"
    }


async def test_what_came_back_is_written_down_when_the_store_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_parties(bench, "good")
    field = Field()
    pusher = a_pusher(bench, field)
    event = await an_answerless_event(bench)
    await pusher.turn()
    await asyncio.gather(*pusher._under_way.values())

    def away() -> None:
        raise Unavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(bench.store, "unit_of_work", away)
        with pytest.raises(Unavailable):
            await pusher.turn()
    await drained(pusher)
    assert (await bench.row_of(event)).fetched_at is not None
    assert len(field.taken) == 1


async def test_one_that_cannot_be_written_down_keeps_nobody_from_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T41: one in a thousand that breaks us."""
    await add_parties(bench, "poison", "good")
    field = Field()
    pusher = a_pusher(bench, field)
    write_down = pusher._core.write_down

    async def breaking(uow: object, carried: object, now: datetime) -> object:
        if carried.parcel.party.name == "poison":  # type: ignore[attr-defined]
            raise ArithmeticError("an error of ours")
        return await write_down(uow, carried, now)  # type: ignore[arg-type]

    monkeypatch.setattr(pusher._core, "write_down", breaking)
    await an_answerless_event(bench)
    await drained(pusher)
    assert await outcomes(bench) == {"good": "delivered"}
    assert len(field.told("poison")) == 1, "and it is not hammered"
    bench.pass_time(61)
    await drained(pusher)
    assert len(field.told("poison")) == 2


async def test_a_stream_goes_on_after_an_error_of_ours(bench: Bench) -> None:
    await add_parties(bench, "ven")
    field = Field()
    pusher = a_pusher(bench, field)

    async def broken(parcel: Parcel) -> Response:
        raise ZeroDivisionError

    good, field.carry = field.carry, broken  # type: ignore[method-assign]
    await an_answerless_event(bench)
    await drained(pusher)
    assert await outcomes(bench) == {"ven": "an error of ours: ZeroDivisionError"}
    field.carry = good  # type: ignore[method-assign]
    bench.pass_time(2)
    await drained(pusher)
    assert await outcomes(bench) == {"ven": "delivered"}


async def test_a_new_process_goes_on_where_the_old_one_was_killed(bench: Bench) -> None:
    await add_parties(bench, "dead", "good")
    field = Field()
    field.dead.add("dead")
    await drained(a_pusher(bench, field))
    await an_answerless_event(bench)
    await drained(a_pusher(bench, field))
    assert field.told("good") == [(("event-1", 0),)]
    await drained(a_pusher(bench, field))
    assert len(field.told("good")) == 1
    async with bench.store.view() as view:
        (state,) = (await view.pushes.of_parties(["id-dead"])).values()
    assert state.failures == 1, "the pause goes on over the restart"
    field.dead.clear()
    bench.pass_time(2)
    await drained(a_pusher(bench, field))
    assert field.told("dead") == [(("event-1", 0),)]


async def test_of_two_processes_one_pushes_and_the_other_takes_over_when_it_is_gone(bench: Bench) -> None:
    await add_parties(bench, "ven")
    first, second = Field(), Field()
    one, two = a_pusher(bench, first, holder="one"), a_pusher(bench, second, holder="two")
    await an_answerless_event(bench)
    await drained(one)
    wait_s = await two.turn()
    assert wait_s is not None
    assert wait_s <= TERM.total_seconds()
    assert (len(first.taken), len(second.taken)) == (1, 0)
    bench.pass_time(TERM.total_seconds() * 0.75)
    await drained(one)
    await an_answerless_event(bench, "event-2")
    bench.pass_time(TERM.total_seconds() * 0.75)
    await drained(two)
    assert second.taken == [], "the first one renewed its term"
    bench.pass_time(TERM.total_seconds())
    await drained(two)
    assert second.taken == [("ven", (("event-2", 0),))]
    await drained(one)
    assert len(first.taken) == 1


async def test_it_runs_by_itself_wakes_for_news_and_ends(bench: Bench) -> None:
    await add_parties(bench, "ven")
    field = Field()
    pusher = a_pusher(bench, field)
    pusher.start()
    try:
        await an_answerless_event(bench)
        async with asyncio.timeout(10):
            await field.started.acquire()
            await asyncio.gather(*pusher._under_way.values())
    finally:
        await pusher.close()
    assert await outcomes(bench) == {"ven": "delivered"}, "what came back is written down at the end"
