"""The agent's composition root: the one place that knows which parts there are.

Plain constructor calls, in the order in which parts need each other. Nothing starts before the
settings, the certificates, the fleet and the store have proven good.
"""

import asyncio
import random
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from openadr_core.errors import ConfigError
from openadr_core.model.availability import OptRules
from openadr_core.oadr2.market_context import normalised
from openadr_core.shell.aside import aside
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.metrics import CertificateGauge, ClockMetrics, new_registry
from openadr_core.shell.watchdog import Alarm, Watchdog
from openadr_ven.adapters.command_ledger import CommandLedger
from openadr_ven.adapters.fleet_source import KeptFleet, keep_state, open_fleet
from openadr_ven.adapters.shards.engine import Engine
from openadr_ven.adapters.shards.floor import ShardFloor
from openadr_ven.adapters.shards.watch import ShardWatch
from openadr_ven.adapters.sql.store import SqlStore, open_migrated
from openadr_ven.application.agent import UPSTREAM, Agent, AgentSettings
from openadr_ven.application.books import Floor
from openadr_ven.application.commands import Commands
from openadr_ven.application.control import Control, ControlSettings
from openadr_ven.application.device_metering import DeviceMeters
from openadr_ven.application.observation import Observation
from openadr_ven.application.offering import kept_promises, look
from openadr_ven.application.ports import Gateways, Journal, Ledger
from openadr_ven.application.report_offers import resources_of
from openadr_ven.application.reporter import Kept, Reporter
from openadr_ven.application.status_reporting import Resources
from openadr_ven.application.supporting import Supporting
from openadr_ven.bootstrap.brokers import broker_address
from openadr_ven.bootstrap.oadr2 import speak_oadr2
from openadr_ven.bootstrap.oadr3 import speak_oadr3
from openadr_ven.bootstrap.price_keys import signing_key
from openadr_ven.bootstrap.sep2 import speak_sep2
from openadr_ven.bootstrap.sep2_devices import device_meters
from openadr_ven.bootstrap.shard import engine_address, hands
from openadr_ven.bootstrap.speaking import Listening, Speaking
from openadr_ven.console.metrics import AgentMetrics
from openadr_ven.console.server import Console
from openadr_ven.dispatch.capability import CapabilityModel
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.guard import Envelope, OnBreach
from openadr_ven.domain.held import FleetInUse, Notice
from openadr_ven.fleet.columns import Fleet
from openadr_ven.gateways.mqtt import MqttGateways
from openadr_ven.settings import Settings
from openadr_ven.transport.upstream import Upstream

TICK_S = 1
LOOK_EVERY_S = 60

log = structlog.get_logger("openadr_ven")


@dataclass(slots=True, kw_only=True)
class Ven:
    """The running parts."""

    settings: Settings
    kept: KeptFleet
    store: SqlStore
    clock: SystemClock
    agent: Agent
    upstream: Upstream
    listening: Sequence[Listening]
    """Where the VTN reaches us by itself."""
    speaking: Speaking
    gateways: Gateways
    shards: ShardWatch | None
    console: Console
    watchdog: Watchdog
    model: CapabilityModel | None = None
    """Made when it is first needed: it takes a while for millions."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``, or until a part fails: then all end, and whoever supervises starts us again."""
        await self.agent.start(now=self.clock.now())
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        scheduler = AsyncIOScheduler()
        # F6: a tick that is late is still run, once; what is due is derived from the store, not from the schedule.
        scheduler.add_job(
            partial(self._tick, failed),
            "interval",
            seconds=TICK_S,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        scheduler.add_job(self._remind, "interval", days=1)
        scheduler.add_job(
            self._look,
            "interval",
            seconds=LOOK_EVERY_S,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        scheduler.start()
        await self.console.start()
        for part in self.listening:
            await part.start()
        self._remind()
        link = self.speaking.link
        log.info("ready", console=self.console.entrance, vtn=link.vtn, pushed_at=link.pushed_at or None)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.upstream.run()),
                    tasks.create_task(self._listen()),
                    tasks.create_task(self.watchdog.run()),
                ]
                await self._until(stop, failed)
                for task in running:
                    task.cancel()
        finally:
            scheduler.shutdown(wait=False)
            for part in self.listening:
                await part.close()
            await self.console.close()

    def _remind(self) -> None:
        """2.0b 10.4: of its own certificate's end an agent warns while there is time."""
        if left := self.speaking.ends_soon():
            text = f"{self.speaking.certificate} ends in {left.days} days"
            self.agent.note(Notice(at=self.clock.now(), kind="certificate ends soon", text=text, alarm=True))

    async def _until(self, stop: asyncio.Event, failed: asyncio.Future[None]) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, failed}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failed.done():
            failed.result()

    async def _tick(self, failed: asyncio.Future[None]) -> None:
        for notice in () if self.shards is None else self.shards.news():
            self.agent.note(notice)
        try:
            await self.agent.tick(now=self.clock.now(), frozen=self.clock.new_starts_frozen)
        except Exception as error:  # noqa: BLE001 (whatever it is, it must not be the scheduler's to forget)
            # An agent that lives and commands nobody is worse than one that ends, and is started again.
            if not failed.done():
                failed.set_exception(error)
            return
        self.upstream.poke()  # a report may have come due

    async def _look(self) -> None:
        """Once a minute: what the fleet could be asked for; and what telemetry shows, for the fleet's store."""
        state = self.agent.seen.state  # telemetry goes on while it is written: every value is one that was true
        try:
            await asyncio.to_thread(keep_state, state, self.settings.fleet.file, self.kept.version)
        except OSError as error:
            log.warning("state not kept", error=str(error))
        async with self.store.unit_of_work() as unit:
            ratios = await kept_promises(unit)
        agent, now = self.agent, self.clock.now()
        if self.model is None:
            self.model = await asyncio.to_thread(CapabilityModel, agent.seen.fleet)
        soc_floor = self.settings.envelope.soc_floor
        found = await asyncio.to_thread(
            look, self.model, agent.seen, agent.control, ratios=ratios, soc_floor=soc_floor, now=now
        )
        agent.offer(found, now)

    async def _listen(self) -> None:
        async for report in self.gateways.receive():
            self.agent.hear(report, now=self.clock.now())


async def build(settings: Settings, parts: AsyncExitStack) -> Ven:
    """Every part, connected; ConfigError names the setting that is wrong."""
    clock = SystemClock()
    now = clock.now()
    dice = random.Random()  # noqa: S311  # jitter and draws of start times, no secrets
    store = await open_migrated(settings.store)
    parts.push_async_callback(store.close)
    kept = await _fleet(settings, store, clock)
    fleet = kept.fleet
    envelope = envelope_of(settings)
    seen = Observation(fleet, baseline_s=settings.agent.baseline_s, started_s=now.timestamp())
    rules = _control_settings(settings, envelope)
    reach = _reach(settings, kept, parts, clock=clock, dice=dice)
    control = Control(settings=rules, seen=seen, commands=Commands(fleet), floor=reach.floor, now=now)
    meters = device_meters(settings, seen)
    async with store.unit_of_work() as unit:
        record = await unit.session_record(UPSTREAM)
    supporting = Supporting(fleet, rows_of=control.aim.rows, now=now)
    speaking = _speaking(settings, store, fleet, record, clock=clock, dice=dice, meters=meters, supporting=supporting)
    parts.push_async_callback(speaking.close)
    stands = tuple if reach.shards is None else reach.shards.stands
    agent = Agent(
        settings=AgentSettings(envelope=envelope, priced=frozenset(rules.reference), fleet_sha256=kept.sha256),
        store=store,
        gateways=reach.gateways,
        ledger=reach.ledger,
        session=speaking.session,
        control=control,
        seen=seen,
        supporting=supporting,
        reporter=_reporter(settings, seen, meters, now),
        journal=_journal(),
        turn=asyncio.Lock(),
        aside=aside,
        now=now,
    )
    upstream = Upstream(session=speaking.session, carrier=speaking.carrier, listener=agent, now=clock.now)
    listening = speaking.listens(upstream, lambda text: agent.impostor(text, now=clock.now()))
    registry = new_registry()
    if speaking.certificate is not None:
        CertificateGauge(registry, clock.now).watch("ven", speaking.certificate.read_bytes())
    registry.register(AgentMetrics(agent, stands))
    return Ven(
        settings=settings,
        kept=kept,
        store=store,
        clock=clock,
        agent=agent,
        upstream=upstream,
        listening=listening,
        speaking=speaking,
        gateways=reach.gateways,
        shards=reach.shards,
        console=Console(
            settings=settings.console,
            agent=agent,
            store=store,
            registry=registry,
            link=speaking.link,
            now=clock.now,
            stands=stands,
        ),
        watchdog=Watchdog(clock, _alarm(agent, ClockMetrics(registry, clock), clock)),
    )


def _reporter(settings: Settings, seen: Observation, meters: DeviceMeters, now: datetime) -> Reporter:
    managed = settings.sep2 is not None and settings.sep2.devices is not None
    return Reporter(
        seen=seen,
        resources=Resources(fleet=seen.fleet, names=resources_of(seen.fleet, settings.fleet.name)),
        kept=_kept(settings),
        now=now,
        devices=meters if managed else None,
    )


def _speaking(
    settings: Settings,
    store: SqlStore,
    fleet: Fleet,
    record: str | None,
    *,
    clock: SystemClock,
    dice: random.Random,
    meters: DeviceMeters,
    supporting: Supporting,
) -> Speaking:
    if settings.sep2 is not None:
        return speak_sep2(
            settings, settings.sep2, fleet=fleet, record=record, clock=clock, dice=dice, stand=meters.now,
            functions=lambda rows: supporting.functions(rows, clock.now()),
        )  # fmt: skip
    resources = resources_of(fleet, settings.fleet.name)
    if settings.oadr3 is not None:
        return speak_oadr3(settings, settings.oadr3, resources=resources, record=record, clock=clock, dice=dice)
    if settings.vtn is None:
        raise ConfigError("vtn: is missing")
    return speak_oadr2(settings, settings.vtn, store=store, resources=resources, record=record, clock=clock, dice=dice)


async def run(settings: Settings) -> None:
    """The whole life of the agent's process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as parts:
        ven = await build(settings, parts)
        await ven.run(stop)


def envelope_of(settings: Settings) -> Envelope:
    chosen = settings.envelope.model_dump()
    return Envelope(**{**chosen, "on_breach": OnBreach(settings.envelope.on_breach)})


def _control_settings(settings: Settings, envelope: Envelope) -> ControlSettings:
    programs = {normalised(context): program for context, program in settings.programs.items()}
    return ControlSettings(
        envelope=envelope,
        lease=timedelta(seconds=settings.agent.lease_s),
        renew=timedelta(seconds=settings.agent.renew_s),
        levels={context: program.levels for context, program in programs.items()},
        policies={context: program.policy for context, program in programs.items()},
        reference={
            context: program.reference_price_per_kwh
            for context, program in programs.items()
            if program.reference_price_per_kwh is not None
        },
        act_on_tests=settings.agent.act_on_test_events,
        fleet_name=settings.fleet.name,
        fleet_names=settings.fleet.names,
        fleet_groups=settings.fleet.groups,
        tells_prices=settings.gateways.price_key is not None,
        opt_rules=OptRules(default=settings.opts.default, precedence=settings.opts.precedence),
    )


async def _fleet(settings: Settings, store: SqlStore, clock: SystemClock) -> KeptFleet:
    """The fleet in the file; commands of another one that the store may hold are none of its rows."""
    path = settings.fleet.file
    kept = open_fleet(path)
    async with store.unit_of_work() as unit:
        in_use = FleetInUse(path=str(path), sha256=kept.sha256, devices=kept.fleet.size, loaded_at=clock.now())
        before = await unit.fleet_in_use()
        last = await unit.last_round()
        if before is not None and before.sha256 != kept.sha256 and last is not None and last.ends_at > clock.now():
            raise ConfigError(f"fleet.file: {path} is another fleet than the one under command; wait for its leases")
        await unit.save_fleet(in_use)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """Who computes the fleet's cells, who reaches its devices, and where it is written what they are told."""

    floor: Floor
    gateways: Gateways
    ledger: Ledger
    shards: ShardWatch | None = None
    """None where this process does all of it."""


def _reach(
    settings: Settings, kept: KeptFleet, parts: AsyncExitStack, *, clock: SystemClock, dice: random.Random
) -> _Reach:
    ledger = CommandLedger(settings.agent.ledger, kept.fleet, fleet_sha256=kept.sha256)
    gateways = MqttGateways(
        broker_address(settings), rng=dice, settle_by_caller=True, price_key=signing_key(settings.gateways.price_key)
    )
    if settings.shards is None:
        return _Reach(floor=Cells(kept.fleet), gateways=gateways, ledger=ledger)
    engine = Engine(engine_address(settings, settings.shards), timeout_s=settings.shards.timeout_s)
    parts.callback(engine.close)
    floor = ShardFloor(kept.fleet, engine, fleet_sha256=kept.sha256, cell_rows=settings.shards.cell_rows)
    both = hands(settings, kept, ledger, gateways)
    return _Reach(floor=floor, gateways=both, ledger=both, shards=ShardWatch(floor, both, clock.now))


def _kept(settings: Settings) -> Kept:
    return Kept(
        history=timedelta(days=settings.reports.history_days),
        undelivered=timedelta(days=settings.reports.undelivered_days),
    )


def _alarm(agent: Agent, metrics: ClockMetrics, clock: SystemClock) -> Callable[[Alarm], None]:
    """What the watchdog finds is counted, and shown to the fleet's operator."""

    def tell(alarm: Alarm) -> None:
        metrics.count(alarm)
        text = f"{alarm.seconds:.1f} s" + ("; nothing new is started" if clock.new_starts_frozen else "")
        agent.note(Notice(at=clock.now(), kind=f"process {alarm.kind}", text=text, alarm=True))

    return tell


def _journal() -> Journal:
    def write(text: str, /, *, event_id: str = "", alarm: bool = False, **facts: object) -> None:
        bound = {"event_id": event_id, **facts} if event_id else facts
        (log.error if alarm else log.info)(text, **bound)

    return write
