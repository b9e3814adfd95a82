"""T15: a signed message is acted on once, however often, whenever and wherever it comes again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import open_store
from tests.postgres import fresh_database, running_postgres
from tests.security.forger import dsp
from tests.security.signing import SECOND, Lab, SigningBench, SigningVen, code_of, everything
from tests.vtn.protocols.speech import answer
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import a_program

pytestmark = pytest.mark.openadr20b("R514", "S8")

REPLAYED = "the message was sent before (its nonce is used up)"


@pytest.fixture
async def victim(signing: SigningBench) -> SigningVen:
    """A party that has been told of an event, under a VTN that takes nothing unsigned."""
    signing.demand(SignatureRule.REQUIRE)
    return await signing.add_party()


async def told(signing: SigningBench, ven: SigningVen, event_id: str = "event-1") -> m.DistributeEvent:
    await signing.vtn.write_event(event_id=event_id)
    message = await ven.say(m.Poll(ven_id=ven.party_id))
    assert isinstance(message, m.DistributeEvent)
    return message


async def opts(bench: Bench, event_id: str = "event-1") -> list[str]:
    async with bench.store.view() as view:
        return [opt.opt_type.value for _, opt in await view.opts.history(event_id)]


async def say(ven: SigningVen, body: bytes, service: str = "EiEvent") -> str:
    return code_of(ven.bench.read_signed(await ven.post(body, service)))


async def test_an_answer_replayed_does_not_undo_a_later_one(signing: SigningBench, victim: SigningVen) -> None:
    """What a replay could gain: an old optIn after a new optOut."""
    event = await told(signing, victim)
    opt_in, opt_out = (victim.signed(answer(event, kind, ven_id=victim.party_id)) for kind in ("optIn", "optOut"))
    assert [await say(victim, body) for body in (opt_in, opt_out)] == ["200", "200"]
    for _ in range(2):
        assert await say(victim, opt_in) == "459"
    assert await opts(signing.vtn) == ["optIn", "optOut"]
    assert signing.complaints() == [REPLAYED] * 2


async def restarted(signing: SigningBench, ven: SigningVen) -> SigningVen:
    signing.demand(SignatureRule.REQUIRE)
    return signing.reconnect(ven)


async def reconnected(signing: SigningBench, ven: SigningVen) -> SigningVen:
    return signing.reconnect(ven)


async def ten_minutes_later(signing: SigningBench, ven: SigningVen) -> SigningVen:
    signing.vtn.pass_time(600)
    return ven


async def ten_minutes_after_the_nonces_were_forgotten(signing: SigningBench, ven: SigningVen) -> SigningVen:
    signing.vtn.pass_time(600)
    async with signing.vtn.store.unit_of_work() as uow:
        await uow.nonces.forget(signing.vtn.now)
    return await restarted(signing, ven)


async def at_the_last_moment_of_the_window(signing: SigningBench, ven: SigningVen) -> SigningVen:
    """The nonce must still be known when the time alone would let the message in."""
    signing.vtn.pass_time(300)
    async with signing.vtn.store.unit_of_work() as uow:
        await uow.nonces.forget(signing.vtn.now)
    return ven


WHENEVER: dict[str, Callable[[SigningBench, SigningVen], Any]] = {
    each.__name__: each
    for each in (
        reconnected, restarted, ten_minutes_later, ten_minutes_after_the_nonces_were_forgotten,
        at_the_last_moment_of_the_window,
    )
}  # fmt: skip


@pytest.mark.parametrize("when", WHENEVER)
async def test_it_is_refused_after_whatever_happened(signing: SigningBench, victim: SigningVen, when: str) -> None:
    event = await told(signing, victim)
    body = victim.signed(answer(event, ven_id=victim.party_id))
    assert await say(victim, body) == "200"
    victim = await WHENEVER[when](signing, victim)
    before = await everything(signing.vtn)
    assert await say(victim, body) == "459"
    assert await everything(signing.vtn) == before
    assert code_of(await victim.say(m.Poll(ven_id=victim.party_id))) == "200"


@pytest.mark.parametrize("off_s", [-3600, -600, 600, 3600])
async def test_what_was_signed_too_far_from_now_is_refused_though_it_is_new(
    signing: SigningBench, victim: SigningVen, off_s: int
) -> None:
    """From the future, too: it could be replayed when its time comes."""
    event = await told(signing, victim)
    moment = signing.vtn.now + off_s * SECOND
    assert await say(victim, victim.signed(answer(event, ven_id=victim.party_id), at=moment)) == "459"
    assert await opts(signing.vtn) == []
    signing.vtn.pass_time(max(0, off_s))
    # Its nonce is not used up: it was not acted on.
    fresh = victim.signed(answer(event, ven_id=victim.party_id), nonce="nonce-1")
    assert await say(victim, fresh) == "200"


async def test_a_fresh_time_on_an_old_message_is_no_signature(signing: SigningBench, victim: SigningVen) -> None:
    event = await told(signing, victim)
    forger = victim.forger()
    message = encode(answer(event, ven_id=victim.party_id))

    def renew(root: Any) -> None:
        for name, text in (("nonce", "fresh"), ("timestamp", "2026-07-15T18:30:01Z")):
            next(root.iter(dsp(name))).text = text

    assert await say(victim, forger.sign(message)) == "200"
    assert await say(victim, forger.sign(message, after=renew)) == "459"
    assert await opts(signing.vtn) == ["optIn"]


async def test_one_nonce_is_one_message_whatever_it_says(signing: SigningBench, victim: SigningVen) -> None:
    event = await told(signing, victim)
    for opt_type, code in (("optIn", "200"), ("optOut", "459")):
        body = victim.signed(answer(event, opt_type, ven_id=victim.party_id), nonce="the same")
        assert await say(victim, body) == code
    assert await opts(signing.vtn) == ["optIn"]


async def test_two_parties_may_chance_upon_one_nonce(signing: SigningBench, victim: SigningVen) -> None:
    other = await signing.add_party("ven-two", "rsa")
    for ven in (victim, other):
        assert await say(ven, ven.signed(m.Poll(ven_id=ven.party_id), nonce="the same"), "OadrPoll") == "200"


async def test_all_at_once_over_many_connections_it_is_acted_on_once(signing: SigningBench, victim: SigningVen) -> None:
    event = await told(signing, victim)
    body = victim.signed(answer(event, ven_id=victim.party_id))
    vens = [signing.reconnect(victim) for _ in range(8)]
    codes = await asyncio.gather(*(say(ven, body) for ven in vens))
    assert sorted(codes) == ["200"] + ["459"] * 7
    assert await opts(signing.vtn) == ["optIn"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def two_nodes(
    request: pytest.FixtureRequest, tmp_path: Path, now: datetime, signing_lab: Lab
) -> AsyncIterator[tuple[SigningBench, SigningBench]]:
    """Two VTN processes on one store, as far as they can be told apart: each has its own handle and memory."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'shared.db'}"
    else:
        server = request.getfixturevalue("postgres")
        url = await fresh_database(server)
    await migrate(url)
    stores = [await open_store(url) for _ in range(2)]
    nodes = [SigningBench(vtn=Bench(store=store, now=now), lab=signing_lab) for store in stores]
    for node in nodes:
        node.demand(SignatureRule.REQUIRE)
    async with stores[0].unit_of_work() as uow:
        await uow.programs.add(a_program(now))
    yield nodes[0], nodes[1]
    for store in stores:
        await store.close()


@pytest.fixture(scope="session")
def postgres() -> Any:
    with running_postgres() as server:
        yield server


async def test_of_two_nodes_one_acts(two_nodes: tuple[SigningBench, SigningBench]) -> None:
    here, there = two_nodes
    ven = await here.add_party()
    event = await told(here, ven)
    elsewhere = replace(ven, bench=there, ven=there.vtn.ven(ven.own.peer))
    for number, opt_type in enumerate(("optIn", "optOut", "optIn")):
        body = ven.signed(answer(event, opt_type, ven_id=ven.party_id))
        first, second = (ven, elsewhere) if number % 2 else (elsewhere, ven)
        codes = await asyncio.gather(say(first, body), say(second, body), say(second, body))
        assert sorted(codes) == ["200", "459", "459"]
    assert await opts(here.vtn) == ["optIn", "optOut", "optIn"]
