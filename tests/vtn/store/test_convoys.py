"""Work of many parties in few commits: each as if it were alone, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy import Connection, event, text

from openadr_core.errors import Conflict, LocalProtocolError, Unavailable
from openadr_vtn.adapters.sql.convoy import FAILURES_MAX, MEMBERS_MAX, Convoy
from openadr_vtn.adapters.sql.store import POSTGRESQL_CONVOYS, SqlStore, SqlUnitOfWork, open_store
from openadr_vtn.application.ports import UnitOfWork
from tests.vtn.samples import a_party, a_program

PARTIES = 50
WAIT_S = 20.0


def joins(store: SqlStore, number: int, now: datetime) -> Callable[[UnitOfWork], Awaitable[int]]:
    """The work of a party that writes itself down, and says which it was."""

    async def work(uow: UnitOfWork) -> int:
        await uow.parties.add(a_party(now, f"ven-{number}"))
        return number

    return work


@pytest.fixture
def commits(store: SqlStore) -> list[object]:
    found: list[object] = []

    def committed(connection: Connection) -> None:
        found.append(connection)

    event.listen(store._engines.writer.sync_engine, "commit", committed)
    return found


async def test_many_share_a_commit_and_each_gets_its_own_result(
    url: str, store: SqlStore, now: datetime, commits: list[object]
) -> None:
    heard: list[frozenset[str] | None] = []
    store.subscribe(heard.append)
    works = [store.together(f"id-ven-{number}", joins(store, number, now)) for number in range(PARTIES)]
    assert await asyncio.gather(*works) == list(range(PARTIES))
    # The first of each convoy goes alone, and the others with the next.
    assert len(commits) <= 2 * POSTGRESQL_CONVOYS
    assert frozenset().union(*(one for one in heard if one)) == {f"id-ven-{number}" for number in range(PARTIES)}
    # It is on the disk: another process has it.
    other = await open_store(url)
    async with other.view() as view:
        assert len(await view.parties.all()) == PARTIES
    await other.close()


async def test_nobody_is_told_before_the_commit(store: SqlStore, now: datetime) -> None:
    async def told(number: int) -> bool:
        await store.together("one party", joins(store, number, now))
        async with store.view() as view:
            return await view.parties.by_name(f"ven-{number}") is not None

    assert all(await asyncio.gather(*(told(number) for number in range(PARTIES))))


async def test_a_party_that_fails_takes_nobody_along(store: SqlStore, now: datetime) -> None:
    async def half_done(uow: UnitOfWork) -> None:
        await uow.programs.add(a_program(now))
        raise ValueError("a bug of ours")

    works = [store.together("one party", joins(store, number % 10, now)) for number in range(20)]
    found = await asyncio.gather(*works, store.together("one party", half_done), return_exceptions=True)
    assert found[:10] == list(range(10))
    assert all(isinstance(one, Conflict) for one in found[10:20])
    assert isinstance(found[20], ValueError)
    async with store.view() as view:
        assert len(await view.parties.all()) == 10
        assert await view.programs.all() == []


async def test_what_the_database_refuses_is_refused_to_one_alone(store: SqlStore, now: datetime) -> None:
    async def refused(uow: UnitOfWork) -> None:
        assert isinstance(uow, SqlUnitOfWork)
        await uow.connection.execute(text("SELECT nothing_of_the_kind"))

    works = [store.together("one party", joins(store, number, now)) for number in range(3)]
    found = await asyncio.gather(store.together("one party", refused), *works, return_exceptions=True)
    assert isinstance(found[0], Unavailable)
    assert found[1:] == [0, 1, 2]


async def test_the_works_of_a_party_are_done_in_order(store: SqlStore) -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        async def step(_: UnitOfWork) -> None:
            done.append(number)

        await store.together("one party", step)

    await asyncio.gather(*(work(number) for number in range(2 * MEMBERS_MAX + 7)))
    assert done == sorted(done)
    assert len(done) == 2 * MEMBERS_MAX + 7


async def test_a_store_that_fails_is_asked_for_a_few_and_then_for_nobody() -> None:
    begun = 0

    class Fails:
        async def __aenter__(self) -> UnitOfWork:
            nonlocal begun
            begun += 1
            raise Unavailable("it does not answer")

        async def __aexit__(self, *_: object) -> None:
            raise AssertionError("it was never entered")

    async def nothing(_: UnitOfWork) -> None:
        raise AssertionError("nothing can be done")

    convoy = Convoy(Fails)
    works = [asyncio.create_task(convoy.join("one party", nothing)) for _ in range(MEMBERS_MAX)]
    found = await asyncio.wait_for(asyncio.gather(*works, return_exceptions=True), WAIT_S)
    assert all(isinstance(one, Unavailable) for one in found)
    assert begun == 1 + FAILURES_MAX


async def test_who_gives_up_takes_nobody_along(store: SqlStore, now: datetime) -> None:
    works = [asyncio.create_task(store.together("one party", joins(store, number, now))) for number in range(3)]
    await asyncio.sleep(0)
    works[1].cancel()
    found = await asyncio.gather(*works, return_exceptions=True)
    assert (found[0], found[2]) == (0, 2)
    assert isinstance(found[1], asyncio.CancelledError)


async def test_nobody_waits_for_a_convoy_that_was_cancelled_and_the_next_one_goes(
    store: SqlStore, now: datetime
) -> None:
    begun = asyncio.Event()

    async def stuck(_: UnitOfWork) -> None:
        begun.set()
        await asyncio.sleep(WAIT_S)

    first = asyncio.create_task(store.together("one party", stuck))
    await begun.wait()
    works = [asyncio.create_task(store.together("one party", joins(store, number, now))) for number in range(3)]
    await asyncio.sleep(0)
    (driving,) = [convoy._driving for convoy in store._convoys if convoy._driving is not None]
    driving.cancel()
    found = await asyncio.wait_for(asyncio.gather(first, *works, return_exceptions=True), WAIT_S)
    assert all(isinstance(one, Unavailable) for one in found)
    assert await store.together("one party", joins(store, 7, now)) == 7


async def test_whoever_is_in_company_is_not_alone(store: SqlStore) -> None:
    """It would wait for others while all of the convoy wait for it."""

    async def alone(uow: UnitOfWork) -> None:
        await uow.alone()

    with pytest.raises(LocalProtocolError):
        await store.together("one party", alone)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_convoys_of_two_processes_never_wait_for_each_other_both_ways(
    url: str, store: SqlStore, now: datetime
) -> None:
    """Parties that come in one order here and in the other there are locked in one order."""
    elsewhere = await open_store(url)
    # Of the same convoy, so that one transaction has both.
    lane = hash("id-ven-0") % POSTGRESQL_CONVOYS
    other = next(n for n in range(1, 1000) if hash(f"id-ven-{n}") % POSTGRESQL_CONVOYS == lane)
    numbers = (0, other)
    async with store.unit_of_work() as uow:
        for number in numbers:
            await uow.parties.add(a_party(now, f"ven-{number}"))
    locked: list[str] = []

    def locks(party_id: str) -> Callable[[UnitOfWork], Awaitable[None]]:
        async def lock(uow: UnitOfWork) -> None:
            assert await uow.parties.by_id(party_id) is not None
            locked.append(party_id)
            # Long enough for whoever else begins to lock its first.
            await asyncio.sleep(0.2)

        return lock

    async def at(process: SqlStore, order: tuple[int, ...], begun: asyncio.Event) -> None:
        async def first(_: UnitOfWork) -> None:
            await begun.wait()

        ids = [f"id-ven-{number}" for number in order]
        works = [process.together(party_id, locks(party_id)) for party_id in ids]
        await asyncio.gather(process.together(ids[0], first), *works)

    begun = asyncio.Event()
    both = asyncio.gather(at(store, numbers, begun), at(elsewhere, numbers[::-1], begun))
    asyncio.get_running_loop().call_later(0.1, begun.set)
    await asyncio.wait_for(both, WAIT_S)
    # Nobody's was undone and done again.
    assert sorted(locked) == sorted(f"id-ven-{number}" for number in numbers for _ in range(2))
    await elsewhere.close()
