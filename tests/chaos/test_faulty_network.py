"""R8: over a network that resets, delays, trickles and parts, each event and each answer has its effect once.

Signed, so that a message which is said again is also one that must not pass for a replay.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import SignatureRule
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2.market_context import normalised
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.shell.clock import ManualClock
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import client_context, server_context
from openadr_ven.adapters.claims import StoredClaims
from openadr_ven.adapters.sql.migrate import migrate as migrate_ven
from openadr_ven.adapters.sql.store import SqlStore as VenStore
from openadr_ven.adapters.sql.store import engine_of
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.seal import Seal, SealedCarrier
from openadr_ven.transport.upstream import Upstream
from openadr_vtn.adapters.sql.migrate import migrate as migrate_vtn
from openadr_vtn.http.oadr2_routes import parties_app
from tests.chaos.faulty_proxy import Faults, FaultyProxy
from tests.core.shell.lab import Lab as TlsLab
from tests.security.signing import WINDOW, Lab, SigningBench
from tests.ven.protocols.conversation import SETTINGS, of
from tests.ven.protocols.scripted_vtn import read
from tests.vtn.protocols.vtn_bench import running_bench
from tests.vtn.samples import a_program

pytestmark = [pytest.mark.openadr20b("T10", "Q2", "S8"), pytest.mark.timeout(180)]

EVENTS = int(os.environ.get("OPENADR_CHAOS_EVENTS", "12"))
SECOND = timedelta(seconds=1)
TURNS_MAX = 4_000


@dataclass
class Decider:
    """An agent that opts in to everything, and counts."""

    session: Oadr2Session | None = None
    heard: list[i.Indication] = field(default_factory=list)

    async def heed(self, indications: Sequence[i.Indication], *, now: datetime) -> bool:
        self.heard.extend(indications)
        for one in of(i.EventReceived, list(indications)):
            assert self.session is not None
            self.session.answer(Opt(event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=now))
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        raise AssertionError(f"{text} at {now}")


@dataclass
class Line:
    """Our VEN, a bad network, and our VTN, which take nothing unsigned; time is what the test says."""

    signing: SigningBench
    proxy: FaultyProxy
    upstream: Upstream
    decider: Decider
    clock: ManualClock

    async def until(self, done: "Done") -> None:
        for _ in range(TURNS_MAX):
            if await done():
                return
            if not await self.upstream.step():
                self.clock.advance(1)
            self.signing.vtn.now = self.clock.now()
        raise AssertionError("it never happens")


class Done:
    """Whether every event was received and answered."""

    def __init__(self, line: Line, events: Sequence[str]) -> None:
        self._line, self._events = line, events

    async def __call__(self) -> bool:
        async with self._line.signing.vtn.store.view() as view:
            for event_id in self._events:
                if not await view.opts.history(event_id):
                    return False
        return True


@asynccontextmanager
async def a_line(folder: Path, dice: random.Random, faults: Faults) -> AsyncIterator[Line]:
    tls, clock = TlsLab(folder=folder, now=datetime.now(UTC)), ManualClock(datetime.now(UTC))
    ours, theirs = tls.chain("openadr-ecc-ven"), tls.chain("openadr-ecc-vtn")
    lab = Lab(now=tls.now)
    lab.own("our-ven", "ecc", ours.certificate.read_bytes(), ours.key.read_bytes())
    lab.own("vtn", "ecc", theirs.certificate.read_bytes(), theirs.key.read_bytes())
    await migrate_vtn(f"sqlite:///{folder / 'vtn.db'}")
    engine = engine_of(f"sqlite:///{folder / 'ven.db'}")
    await migrate_ven(engine)
    async with running_bench(folder / "vtn.db", clock.now()) as bench:
        signing = SigningBench(vtn=bench, lab=lab)
        signing.demand(SignatureRule.REQUIRE, kinds=("ecc",))
        await signing.add_party("our-ven")
        running = await serve(
            parties_app(bench.vtn, lambda: bench.now), host="localhost", port=0,
            tls=server_context("modern-2.0b", [theirs], [tls.trust("ecc")]),
        )  # fmt: skip
        proxy = FaultyProxy(port=int(running.url.rpartition(":")[2]), dice=dice, faults=faults)
        pin = lab.made["vtn", "ecc"].signer.certificate_sha256
        client = VtnClient(
            url=f"https://localhost:{await proxy.start()}", fingerprints=[pin], timeout_s=0.5,
            context=client_context("modern-2.0b", ours, [tls.trust("ecc")]),
        )  # fmt: skip
        upstream, decider = _upstream(lab, clock, client, VenStore(engine), pin)
        yield Line(signing=signing, proxy=proxy, upstream=upstream, decider=decider, clock=clock)
        await client.close()
        await proxy.close()
        await running.close()
    await engine.dispose()


def _upstream(lab: Lab, clock: ManualClock, client: VtnClient, store: VenStore, pin: str) -> tuple[Upstream, Decider]:
    nonces, decider = count(), Decider()
    context = normalised(a_program(clock.now()).program.market_context)
    session = Oadr2Session(
        settings=replace(SETTINGS, enrolled=Enrolled(relief_signs={context: ReliefSign.POSITIVE})),
        decode=read, dice=random.Random(1), now=clock.now(),
    )  # fmt: skip
    decider.session = session
    signer = lab.made["our-ven", "ecc"].signer
    security = MessageSecurity(
        signers={signer.kind: signer}, claims=StoredClaims(store, window=WINDOW), clock=clock.now,
        new_nonce=lambda: f"ven-{next(nonces)}", window=WINDOW,
    )  # fmt: skip
    seal = Seal(security=security, rule=SignatureRule.REQUIRE, certificates=[pin], schema=load_schema(), now=clock.now)
    carrier = SealedCarrier(client, seal)
    return Upstream(session=session, carrier=carrier, listener=decider, now=clock.now), decider


NETWORKS = {
    "resets": Faults(reset=0.15),
    "slow": Faults(delay=0.5, trickle=0.5),
    "everything": Faults(reset=0.08, delay=0.2, trickle=0.2),
}


@pytest.mark.parametrize("name", NETWORKS)
async def test_each_event_is_received_and_answered_once(tmp_path: Path, name: str) -> None:
    async with a_line(tmp_path, random.Random(name), NETWORKS[name]) as line:
        events: list[str] = []
        for number in range(EVENTS):
            # Every fourth comes while the network is cut; then it is whole again.
            if number % 4 == 3:
                line.proxy.passes.clear()
            event = await line.signing.vtn.write_event(event_id=f"event-{number}", starts_at=line.clock.now())
            events.append(event.id)
            if number % 4 == 3:
                await line.upstream.step()
                line.proxy.passes.set()
            await line.until(Done(line, events))
        received = Counter(one.event.id for one in of(i.EventReceived, line.decider.heard))
        assert received == Counter(events)
        assert not of(i.EventCancelled, line.decider.heard)
        async with line.signing.vtn.store.view() as view:
            for event_id in events:
                assert len(await view.opts.history(event_id)) == 1
        if NETWORKS[name].reset:
            assert line.proxy.resets > EVENTS / 4
            assert of(i.VtnUnreachable, line.decider.heard)
        assert not line.signing.complaints()
