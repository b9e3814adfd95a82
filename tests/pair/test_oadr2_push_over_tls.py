"""The whole VTN that pushes, and an agent's server, over real sockets and mutual TLS, on a line that fails them."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.oadr2.market_context import normalised
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import Chain, PresetName, client_context, server_context
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.indications import EventCancelled, EventChanged, EventReceived, Indication, Registered
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, Pushed, SessionSettings
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.listener import Listener
from openadr_ven.transport.upstream import Upstream
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.handlers.parties import approve_party
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.ports import StoredEvent
from openadr_vtn.bootstrap import Vtn, start
from openadr_vtn.domain.lifecycle import cancelled, new_event, revised
from openadr_vtn.domain.pushing import PushState
from openadr_vtn.settings import Settings
from tests.core.shell.lab import Lab
from tests.pair.tcp_proxy import Line, line_to
from tests.pair.test_oadr2_pair import OFFER
from tests.vtn.samples import a_program, an_event

WAIT_S = 20.0


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


def sha256(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificates(chain.certificate.read_bytes())[0]
    return certificate.fingerprint(hashes.SHA256()).hex()


def named(chain: Chain) -> dict[str, Path]:
    return {"certificate": chain.certificate, "key": chain.key}


@dataclass
class Agent:
    """A listener that keeps what it hears, and opts in to everything at once."""

    session: Oadr2Session | None = None
    heard: list[Indication] = field(default_factory=list)

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> bool:
        assert self.session is not None
        self.heard.extend(indications)
        for one in indications:
            if isinstance(one, EventReceived | EventChanged | EventCancelled):
                opt = Opt(event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=now)
                self.session.answer(opt)
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        raise AssertionError(f"{text} at {now}")


@dataclass
class Both:
    """A running VTN, and a VEN that may be started and stopped behind a line."""

    lab: Lab
    vtn: Vtn
    line: Line
    ven_port: int
    preset: PresetName
    kind: str
    agent: Agent = field(default_factory=Agent)
    memory: str | None = None
    _running: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def store(self) -> SqlStore:
        return self.vtn._store

    @property
    def trust(self) -> list[Path]:
        return [self.lab.trust("ecc"), self.lab.trust("rsa")]

    async def start_ven(self, name: str = "party") -> None:
        chain = self.lab.chain(f"openadr-{self.kind}-ven", name)
        pins = frozenset(sha256(self.lab.chain(f"openadr-{kind}-vtn")) for kind in ("ecc", "rsa"))
        clock = SystemClock()
        now = clock.now()
        context = a_program(now).program.market_context
        settings = SessionSettings(
            ven_name="ven-one",
            poll_interval=timedelta(seconds=1),
            enrolment_retry=timedelta(seconds=0.2),
            enrolled=Enrolled(relief_signs={normalised(context): ReliefSign.POSITIVE}),
            offers=(OFFER,),
            pushed=Pushed(address=f"https://127.0.0.1:{self.line.port}/ven/", vtn_sha256=pins),
        )
        schema = load_schema()
        session = Oadr2Session(
            settings=settings, decode=lambda body: decode(body, schema, limits=LARGE), dice=random.Random(1), now=now,
            memory=None if self.memory is None else from_record(Memory, self.memory),
        )  # fmt: skip
        self.agent.session = session
        client = VtnClient(
            url=self.vtn.listeners["parties"].url, context=client_context(self.preset, chain, self.trust),
            fingerprints=pins, timeout_s=5,
        )  # fmt: skip
        upstream = Upstream(session=session, carrier=client, listener=self.agent, now=clock.now)
        server = Listener.pushed_to(
            upstream.receive, host="127.0.0.1", port=self.ven_port, may_speak=lambda: True,
            tls=server_context(self.preset, [chain], self.trust, every_suite=False),
        )  # fmt: skip
        await server.start()
        running = asyncio.create_task(upstream.run())
        self._running = [lambda: _ended(running), client.close, server.close]

    async def stop_ven(self) -> None:
        assert self.agent.session is not None
        self.memory = self.agent.session.record()
        for end in self._running:
            await end()
        self._running = []

    async def write(self, event: DrEvent, *, new: bool) -> DrEvent:
        async with self.store.unit_of_work() as uow:
            stored = StoredEvent(event=event, document="{}")
            await (uow.events.add(stored) if new else uow.events.replace(stored))
            await publish(uow, event, a_program(event.created_at).program, event.modified_at)
        return event

    async def add_event(self, event_id: str) -> DrEvent:
        now = datetime.now(UTC)
        return await self.write(new_event(an_event(now, event_id=event_id), now), new=True)

    async def knocked(self) -> bool:
        async with self.store.view() as view:
            return bool(await view.parties.all())

    async def state(self) -> PushState:
        """How the last push went; as if none had been, before the first."""
        async with self.store.view() as view:
            states = await view.pushes.of_parties(await view.pushes.party_ids())
        return next(iter(states.values()), PushState(party_id="", at=datetime.now(UTC), outcome=""))

    async def unanswered(self) -> int:
        async with self.store.view() as view:
            (party_id,) = await view.pushes.party_ids()
            events = [stored.event for stored in await view.events.current(datetime.now(UTC))]
            rows = await view.deliveries.of_parties([party_id], [event.id for event in events])
        latest = {event.id: event.version for event in events}
        return sum(row.answered_at is None for row in rows if latest[row.event_id] == row.version)

    def taken(self) -> list[tuple[str, str, int]]:
        """What was indicated of events, in order."""
        kinds = EventReceived, EventChanged, EventCancelled
        return [
            (type(one).__name__, one.event.id, one.event.version) for one in self.agent.heard if isinstance(one, kinds)
        ]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def vtn_settings(lab: Lab, folder: Path, preset: PresetName, ports: tuple[int, ...]) -> Settings:
    certificates = [named(lab.chain(f"openadr-{kind}-vtn")) for kind in ("rsa", "ecc")]
    return Settings.model_validate(
        {
            "parties": {
                "port": 0, "host": "localhost", "profile": preset, "certificates": certificates,
                "trust": [lab.trust("ecc"), lab.trust("rsa")], "poll_interval_s": 1,
            },
            "operator": {"port": 0, "certificates": [certificates[1]]},
            "console": {"port": 0},
            "guard": {"event_max_kw": 10_000, "step_max_kw": 10_000},
            "store": {"url": f"sqlite:///{folder / 'vtn.db'}"},
            "push": {"networks": ["127.0.0.0/8"], "ports": ports, "timeout_s": 5, "retry_max_s": 1},
        }
    )  # fmt: skip


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@asynccontextmanager
async def both(lab: Lab, folder: Path, *, preset: PresetName = "modern-2.0b", kind: str = "ecc") -> AsyncIterator[Both]:
    """Enrolled and registered."""
    ven_port = a_free_port()
    async with line_to(ven_port) as line:
        vtn = await start(vtn_settings(lab, folder, preset, (line.port,)))
        made = Both(lab=lab, vtn=vtn, line=line, ven_port=ven_port, preset=preset, kind=kind)
        try:
            async with made.store.unit_of_work() as uow:
                await uow.programs.add(a_program(datetime.now(UTC)))
            await made.start_ven()
            await until(made.knocked)
            await approve_party(made.store, "party", actor="test", now=datetime.now(UTC), targets=("zone-a",))
            await until(lambda: any(isinstance(one, Registered) for one in made.agent.heard))
            yield made
        finally:
            await made.stop_ven()
            await vtn.close()


async def until(true: Callable[[], Any], *, within_s: float = WAIT_S) -> None:
    """A machine that is busy gets its time; what does not come true fails."""
    async with asyncio.timeout(within_s):
        while not (await found if asyncio.iscoroutine(found := true()) else found):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.openadr20b("R37", "R38", "R67", "R68", "S1", "S2", "S6", "T12", "T13", "Q5")
@pytest.mark.parametrize("kind", ["ecc", "rsa"])
@pytest.mark.parametrize("preset", ["certification-2.0b", "modern-2.0b"])
async def test_an_event_is_pushed_taken_and_answered(lab: Lab, tmp_path: Path, preset: PresetName, kind: str) -> None:
    async with both(lab, tmp_path, preset=preset, kind=kind) as pair:
        event = await pair.add_event("one")
        await until(lambda: _all_answered(pair))
        assert pair.taken() == [("EventReceived", "one", 0)]
        event = await pair.write(revised(event, replace(event, comment="longer"), datetime.now(UTC)), new=False)
        await until(lambda: _all_answered(pair))
        await pair.write(cancelled(event, datetime.now(UTC)), new=False)
        await until(lambda: len(pair.taken()) == 3)
        await until(lambda: _all_answered(pair))
        assert [kind for kind, _, _ in pair.taken()] == ["EventReceived", "EventChanged", "EventCancelled"]
        assert (await pair.state()).outcome == "delivered"


async def _all_answered(pair: Both) -> bool:
    return await pair.unanswered() == 0


@pytest.mark.openadr20b("T10")
async def test_a_ven_that_is_away_for_a_while_is_told_when_it_is_back(lab: Lab, tmp_path: Path) -> None:
    async with both(lab, tmp_path) as pair:
        await pair.stop_ven()
        await pair.add_event("while-it-was-away")
        await until(lambda: _failing(pair))
        await pair.start_ven()
        await until(lambda: _all_answered(pair))
        assert pair.taken() == [("EventReceived", "while-it-was-away", 0)]
        await pair.add_event("afterwards")
        await until(lambda: _all_answered(pair))


async def _came_to(pair: Both, outcome: str) -> bool:
    return (await pair.state()).outcome == outcome


async def _failing(pair: Both) -> bool:
    return (await pair.state()).failures > 0


@pytest.mark.chaos
@pytest.mark.openadr20b("T10", "R57", "N3")
async def test_whatever_the_line_loses_every_event_arrives_once(lab: Lab, tmp_path: Path) -> None:
    """R8: requests that arrive and are answered to nobody, cuts, and a slow line; 40 events under them."""
    async with both(lab, tmp_path) as pair:
        dice = random.Random(8)
        pair.line.dice = dice
        pair.line.answers_lost = 0.2
        for number in range(40):
            await pair.add_event(f"event-{number}")
            pair.line.slow_s = dice.choice([0, 0, 0.02])
            if dice.random() < 0.3:
                pair.line.cut()
            await asyncio.sleep(0.05)
        pair.line.answers_lost = pair.line.slow_s = 0.0
        await until(lambda: _all_answered(pair), within_s=60)
        assert sorted(pair.taken()) == sorted(("EventReceived", f"event-{number}", 0) for number in range(40))


@pytest.mark.openadr20b("S6", "T12")
async def test_another_ven_at_the_address_is_told_nothing(lab: Lab, tmp_path: Path) -> None:
    """Same authority, same address, another certificate: not a byte is spoken to it."""
    async with both(lab, tmp_path) as pair:
        await pair.stop_ven()
        pair.memory = None
        heard = len(pair.agent.heard)
        spoken: list[bytes] = []

        async def listen(request: web.Request) -> web.Response:
            spoken.append(await request.read())
            return web.Response()

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", listen)
        tls = server_context(pair.preset, [lab.chain("openadr-ecc-ven", "thief")], pair.trust)
        thief = await serve(app, host="127.0.0.1", port=pair.ven_port, tls=tls)
        await pair.add_event("secret")
        await until(lambda: _came_to(pair, "who answered showed another certificate than is known"))
        await thief.close()
        assert spoken == []
        assert len(pair.agent.heard) == heard


@pytest.mark.openadr20b("T10", "T12")
async def test_an_address_that_must_not_be_reached_is_not(lab: Lab, tmp_path: Path) -> None:
    """T33: a VEN that registers an address inside our own network."""
    async with both(lab, tmp_path) as pair:
        await until(lambda: _came_to(pair, "delivered"))
        before = pair.line.connections
        async with pair.store.unit_of_work() as uow:
            (party_id,) = await uow.pushes.party_ids()
            party = await uow.parties.by_id(party_id)
            assert party is not None
            assert party.registration is not None
            elsewhere = replace(party.registration, transport_address="https://169.254.169.254:1/latest/meta-data/")
            await uow.parties.save(replace(party, registration=elsewhere))
        await pair.add_event("one")
        await until(lambda: _came_to(pair, "port 1 is not one of those that may be reached"))
        assert pair.line.connections == before
