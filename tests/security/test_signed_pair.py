"""Our VEN at our VTN, both of which take nothing unsigned, with no socket: polled and pushed."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.xmldsig import verify
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.domain import indications as i
from openadr_vtn.adapters.push import Pusher
from openadr_vtn.application.handlers import registration
from openadr_vtn.protocols.oadr2_push import Oadr2Pusher, Parcel
from tests.security.signing import Lab, SigningBench, SigningVen
from tests.security.ven_world import World
from tests.ven.protocols.conversation import of

pytestmark = pytest.mark.openadr20b("R514", "S7", "S8", "S9")


@dataclass
class Pair(World):
    """The VEN's world with our VTN in it."""

    signing: SigningBench = field(kw_only=True)
    party: SigningVen = field(kw_only=True)
    given: list[bytes] = field(default_factory=list)
    """What the VTN pushed, as it was on the wire."""

    async def exchange(self, request: Request) -> Response:
        return await self.party.ven.connection.receive_request(request, self.signing.vtn.now)

    async def carry(self, parcel: Parcel) -> Response:
        self.given.append(parcel.body)
        request = Request(
            method="POST", path=urlsplit(parcel.url).path, body=parcel.body,
            headers={"content-type": "application/xml"},
        )  # fmt: skip
        return await self.receive(request, self.theirs.peer)

    def pusher(self) -> Pusher:
        bench = self.signing.vtn
        core = Oadr2Pusher(
            desk=bench.vtn.desk, schema=load_schema(), signatures=bench.signatures,
            retry_longest=timedelta(seconds=8), dice=random.Random(1),
        )  # fmt: skip
        return Pusher(
            store=bench.store, core=core, carrier=self, now=lambda: bench.now, holder="one",
            witness=bench.notices.append, saw=bench.vtn.directory.saw,
        )  # fmt: skip

    async def together(self, seconds: int = 6) -> None:
        pusher = self.pusher()
        for _ in range(seconds):
            for _ in range(20):
                moved = await self.upstream.step()
                await pusher.turn()
                if pusher.in_flight:
                    await asyncio.gather(*pusher._under_way.values())
                elif not moved:
                    break
            self.now += timedelta(seconds=1)
            self.signing.vtn.now = self.now


@pytest.fixture(params=[False, True], ids=["polled", "pushed"])
async def pair(
    request: pytest.FixtureRequest, signing: SigningBench, signing_lab: Lab, ven_store: SqlStore, now: datetime
) -> Pair:
    signing.demand(SignatureRule.REQUIRE, kinds=("rsa",))
    party = await signing.add_party("our-ven", registered=False)
    return Pair(
        lab=signing_lab, store=ven_store, now=now, signing=signing, party=party, pushed=request.param
    )  # fmt: skip


async def test_they_register_and_agree_on_an_event_from_its_start_to_its_cancel(pair: Pair) -> None:
    await pair.together()
    assert of(i.Registered, pair.heard)
    event = await pair.signing.vtn.write_event()
    await pair.together(12)
    row = await pair.signing.vtn.row_of(event)
    assert row.answered_at is not None
    cancelled = await pair.signing.vtn.cancel_event(event)
    await pair.together(12)
    assert (await pair.signing.vtn.row_of(cancelled, 1)).answered_at is not None
    assert not pair.alarms
    assert not pair.signing.complaints()
    assert bool(pair.given) is pair.pushed
    nonces = [verify(parse(body)).replay_protect.nonce for body in pair.given]
    assert len(set(nonces)) == len(nonces)


async def test_an_errand_goes_and_comes_signed(pair: Pair) -> None:
    await pair.together()
    bench = pair.signing.vtn
    await registration.request_reregistration(
        bench.store, pair.party.party_id, actor="client:x", new_id=lambda: "errand-1", now=bench.now
    )
    await pair.together(20)
    assert len(of(i.Registered, pair.heard)) == 2
    async with bench.store.view() as view:
        assert not await view.errands.of_parties([pair.party.party_id])
    assert not pair.alarms
    assert not pair.signing.complaints()
    for body in pair.given:
        assert verify(parse(body))
