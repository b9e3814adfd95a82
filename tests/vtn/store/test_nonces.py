"""Nonces in the store: the first message has it, in whatever process it arrives, before or after a restart."""

import asyncio
from datetime import datetime, timedelta

import pytest

from openadr_core.model.party import SignatureRule
from openadr_vtn.adapters.claims import GroupedClaims
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from tests.vtn.samples import a_party

pytestmark = pytest.mark.openadr20b("R514", "S8")

MINUTE = timedelta(minutes=1)


async def claimed(store: SqlStore, *keys: str, until: datetime) -> set[str]:
    async with store.unit_of_work() as uow:
        return await uow.nonces.claim(dict.fromkeys(keys, until))


async def test_each_is_claimed_once(store: SqlStore, now: datetime) -> None:
    assert await claimed(store, "a", "b", until=now) == {"a", "b"}
    assert await claimed(store, "b", "c", until=now) == {"c"}
    assert await claimed(store, "a", "b", "c", until=now) == set()
    assert await claimed(store, until=now) == set()


async def test_it_outlives_the_process_and_counts_in_every_other(url: str, store: SqlStore, now: datetime) -> None:
    await claimed(store, "a", until=now)
    elsewhere = await open_store(url)
    assert await claimed(elsewhere, "a", "b", until=now) == {"b"}
    await elsewhere.close()
    assert await claimed(store, "a", "b", until=now) == set()


async def test_what_is_over_is_forgotten(store: SqlStore, now: datetime) -> None:
    await claimed(store, "old", until=now - MINUTE)
    await claimed(store, "fresh", until=now + MINUTE)
    async with store.unit_of_work() as uow:
        await uow.nonces.forget(now)
    assert await claimed(store, "old", "fresh", until=now) == {"old"}


async def test_a_claim_that_is_rolled_back_was_none(store: SqlStore, now: datetime) -> None:
    async def fail() -> None:
        async with store.unit_of_work() as uow:
            await uow.nonces.claim({"a": now})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await claimed(store, "a", until=now) == {"a"}


async def test_many_share_a_commit_and_each_nonce_is_given_once(url: str, store: SqlStore, now: datetime) -> None:
    elsewhere = await open_store(url)
    here, there = GroupedClaims(store), GroupedClaims(elsewhere)
    keys = [f"key-{number % 40}" for number in range(200)]
    answers = await asyncio.gather(
        *(claims.claim(key, now) for number, key in enumerate(keys) for claims in ((here, there)[number % 2],))
    )
    await elsewhere.close()
    assert sum(answers) == 40
    assert {key for key, is_new in zip(keys, answers, strict=True) if is_new} == set(keys)


@pytest.mark.parametrize("rule", [None, *SignatureRule])
async def test_a_party_keeps_its_rule(store: SqlStore, now: datetime, rule: SignatureRule | None) -> None:
    async with store.unit_of_work() as uow:
        await uow.parties.add(a_party(now, signatures=rule))
    async with store.view() as view:
        party = await view.parties.by_id("id-ven-one")
    assert party is not None
    assert party.signatures is rule
