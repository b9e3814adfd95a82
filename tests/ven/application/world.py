"""A small world in one process: the agent between a scripted VTN and simulated devices, on a clock that is told.

Everything of the agent is real (session, control, store on SQLite); only sockets are missing. A crash is
thrown away memory: the next agent has the store, what the broker kept, and nothing else.
"""

import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from openadr_core.errors import Unavailable, Unreachable
from openadr_core.oadr2 import messages as m
from openadr_core.shell.aside import aside
from openadr_core.shell.clock import ManualClock
from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import SqlStore, SqlUnitOfWork, engine_of
from openadr_ven.application.agent import UPSTREAM, Agent, AgentSettings
from openadr_ven.application.books import Floor
from openadr_ven.application.commands import Commands
from openadr_ven.application.control import Control, ControlSettings
from openadr_ven.application.observation import Observation
from openadr_ven.application.report_offers import offers_of, resources_of
from openadr_ven.application.reporter import Kept, Reporter
from openadr_ven.application.status_reporting import Resources
from openadr_ven.application.supporting import Supporting
from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.guard import Envelope
from openadr_ven.domain.held import Round
from openadr_ven.domain.outcome import DeviceOutcomes
from openadr_ven.domain.records import from_record
from openadr_ven.fleet.columns import Fleet, Floats
from openadr_ven.gateways.contract import CommandFrame, Report, SupportFrame
from openadr_ven.gateways.edge.leases import Receipt
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session
from openadr_ven.simulator.faults import Fault, FaultKind
from openadr_ven.simulator.town import Town
from tests.ven.fleet.synthetic import fleet_of
from tests.ven.protocols.conversation import SETTINGS
from tests.ven.protocols.scripted_vtn import ScriptedVtn, an_event, distribute, read, talk

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)
KEPT = Kept(history=timedelta(days=30), undelivered=timedelta(days=7))
TARGET_W = 200_000.0
ENVELOPE = Envelope(
    event_max_w=600_000,
    ramp_w_per_s=100_000,
    release_ramp_w_per_s=50_000,
    step_max_w=200_000,
    reversals_per_hour=4,
    reversal_deadband_w=50_000,
    soc_floor=0.2,
)


def a_fleet(size: int = 240) -> Fleet:
    """Devices of all classes; each gateway stands before one vendor's."""
    fleet = fleet_of(size, seed=3)
    return replace(fleet, vendor=(fleet.gateway % 4).astype(np.uint32))


@dataclass
class Broker:
    """Gateways behind a broker: it keeps reports until they are settled, and brings commands at once."""

    town: Town
    clock: ManualClock
    unheard: deque[Report] = field(default_factory=deque)
    unsettled: deque[Report] = field(default_factory=deque)
    receipts: list[Receipt] = field(default_factory=list)
    bulletins: list[Bulletin] = field(default_factory=list)
    down: bool = False
    brought: int = 0

    async def send(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        if self.down:
            raise Unreachable("the broker is down")
        for frame in frames:
            if isinstance(frame, SupportFrame):
                self.unheard.extend(self.town.receive_support(frame, self.clock.now()))
                continue
            receipt = self.town.receive(frame, self.clock.now())
            if receipt is not None:
                self.receipts.append(receipt)
                self.unheard.extend(receipt.acks)

    async def announce(self, bulletins: Iterable[Bulletin]) -> None:
        self.bulletins.extend(bulletins)

    def receive(self) -> AsyncIterator[Report]:
        raise NotImplementedError("the world hands reports over itself")

    def mark(self) -> int:
        return self.brought

    def settle(self, mark: int) -> None:
        while self.unsettled and self.brought - len(self.unsettled) < mark:
            self.unsettled.popleft()

    def bring(self) -> list[Report]:
        """What the agent hears now."""
        brought = list(self.unheard)
        self.unheard.clear()
        self.unsettled.extend(brought)
        self.brought += len(brought)
        return brought

    def lose_reader(self) -> None:
        """The agent is gone: what it did not settle will be brought again."""
        self.unheard.extendleft(reversed(self.unsettled))
        self.unsettled.clear()


class FailingStore(SqlStore):
    """A store whose database can go away."""

    failing = False

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[SqlUnitOfWork]:
        if self.failing:
            raise Unavailable("the database is gone")
        async with super().unit_of_work() as unit:
            yield unit


async def store_at(folder: Path) -> FailingStore:
    """A store of its own, at this version's schema."""
    engine = engine_of(f"sqlite:///{folder / 'ven.db'}")
    await migrate(engine)
    return FailingStore(engine)


@dataclass
class NotedPage:
    ledger: "Noted"
    made: Round

    def keep(self) -> None:
        self.ledger.rounds.append(self.made)

    def drop(self) -> None:
        self.ledger.dropped.append(self.made)


@dataclass
class Noted:
    """A ledger in memory."""

    rounds: list[Round] = field(default_factory=list)
    outcomes: list[DeviceOutcomes] = field(default_factory=list)

    dropped: list[Round] = field(default_factory=list)

    def commanded(self, made: Round, relief_w: Floats) -> "NotedPage":
        assert relief_w.size == len(made.mode)
        return NotedPage(self, made)

    def came_to(self, outcomes: DeviceOutcomes) -> None:
        self.outcomes.append(outcomes)


class World:
    """The agent and its surroundings."""

    def __init__(
        self, store: SqlStore, now: datetime, *, fleet: Fleet | None = None, floor: Callable[[Fleet], Floor] = Cells
    ) -> None:
        self.clock = ManualClock(now)
        self.store = store
        self.fleet = a_fleet() if fleet is None else fleet
        self.floor = floor(self.fleet)
        self.resources = resources_of(self.fleet, "fleet")
        self.town = Town(self.fleet, rng=np.random.default_rng(2), started_at=now)
        self.broker = Broker(town=self.town, clock=self.clock)
        self.vtn = ScriptedVtn()
        self.power_w: list[float] = []
        self.ledger = Noted()
        self.settled_at = now
        """From when on a test looks at what came of its events."""
        self.journal: list[str] = []
        self.envelope = ENVELOPE
        self.session_settings = SETTINGS
        self.tells_prices = False
        self.reference: dict[str, float] = {}
        """What a kWh usually costs, by market context."""
        self.agent: Agent | None = None

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def running(self) -> Agent:
        assert self.agent is not None
        return self.agent

    @property
    def session(self) -> Oadr2Session:
        assert isinstance(self._session, Oadr2Session)
        return self._session

    async def start(self) -> None:
        """A new process: memory is empty, the store is what it was."""
        seen = Observation(self.fleet, baseline_s=10, started_s=self.now.timestamp())
        control = Control(
            settings=ControlSettings(
                envelope=self.envelope,
                lease=LEASE,
                renew=timedelta(seconds=10),
                reference=self.reference,
                tells_prices=self.tells_prices,
            ),
            seen=seen,
            commands=Commands(self.fleet),
            floor=self.floor,
            now=self.now,
        )
        async with self.store.unit_of_work() as unit:
            record = await unit.session_record(UPSTREAM)
        memory = None if record is None else from_record(Memory, record)
        dice = random.Random(5)
        settings = replace(self.session_settings, offers=offers_of(self.resources, KEPT.history))
        self._session = Oadr2Session(settings=settings, decode=read, dice=dice, now=self.now, memory=memory)
        self.agent = Agent(
            settings=AgentSettings(envelope=self.envelope, priced=frozenset(self.reference)),
            store=self.store,
            gateways=self.broker,
            ledger=self.ledger,
            session=self._session,
            control=control,
            seen=seen,
            supporting=Supporting(self.fleet, rows_of=control.aim.rows, now=self.now),
            reporter=Reporter(
                seen=seen,
                resources=Resources(fleet=self.fleet, names=self.resources),
                kept=KEPT,
                now=self.now,
            ),
            journal=self._journal,
            turn=nullcontext(),
            aside=aside,
            now=self.now,
        )
        await self.agent.start(now=self.now)

    def crash(self) -> None:
        """SIGKILL: nothing is flushed. What was not settled, the broker will bring again."""
        self.agent = None
        self.broker.lose_reader()

    async def second(self, count: int = 1) -> None:
        """Seconds of everybody's life."""
        for _ in range(count):
            self.clock.advance(1)
            self.broker.unheard.extend(self.town.tick(self.now))
            self.power_w.append(float(self.town.state.power_w.sum()))
            if self.agent is not None:
                await self._live(self.agent)

    async def until(self, holds: Callable[[], bool], *, most: int = 90) -> int:
        """How many seconds it took."""
        for passed in range(most):
            if holds():
                return passed
            await self.second()
        raise AssertionError(f"not within {most} s")

    def silence(self, vendor: str) -> None:
        self.town.inject(Fault(kind=FaultKind.SILENT, vendor=vendor, value=0.0, after_s=0.0))

    def readings(self) -> dict[datetime, dict[str, float]]:
        """What the VTN was told, by the start of the interval; it must never have been told two things."""
        told: dict[datetime, dict[str, float]] = {}
        for message in self.vtn.said(m.UpdateReport):
            for interval in message.reports[0].intervals:
                assert interval.dtstart is not None
                values = {one.r_id: one.value for one in interval.payloads if isinstance(one.value, float)}
                assert told.setdefault(interval.dtstart, values) == values
        return told

    async def _live(self, agent: Agent) -> None:
        talk(self._session, self.vtn, now=self.now)
        indications = self._session.indications()
        if indications:
            await agent.heed(indications, now=self.now)
            talk(self._session, self.vtn, now=self.now)
            await agent.heed(self._session.indications(), now=self.now)
        for report in self.broker.bring():
            agent.hear(report, now=self.now)
        await agent.tick(now=self.now)

    def _journal(self, text: str, /, *, event_id: str = "", alarm: bool = False, **facts: object) -> None:
        del event_id, alarm, facts
        self.journal.append(text)


def post(world: World, *events: m.Event) -> None:
    """The VTN lists these events from now on, and says so with the next poll."""
    world.vtn.events = events
    world.vtn.queue.append(distribute(*events))


def an_ask(world: World, *, minutes: int = 5, kw: float = TARGET_W / 1e3) -> m.Event:
    return an_event(starts_at=world.now.replace(microsecond=0), minutes=minutes, value=kw)
