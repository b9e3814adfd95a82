"""The simulator as a process: the town at one step a second, its gateways on MQTT, its meter and log on disk.

The devices live as long as the process; commands and their ids are in memory, as they are in a
device. While it runs, faults are asked for by appending lines (see ``faults.py``) to the file
``faults`` in the output folder.
"""

import asyncio
import json
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import structlog

from openadr_core.errors import ConfigError
from openadr_core.model.grid_support import GridSupport
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.gateways.contract import (
    AckFrame,
    AckState,
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    SupportFrame,
)
from openadr_ven.gateways.edge.link import GatewayLink
from openadr_ven.gateways.mqtt import BrokerAddress
from openadr_ven.gateways.support_codec import write_support
from openadr_ven.simulator.device_log import DeviceLog
from openadr_ven.simulator.faults import Fault, parse_fault
from openadr_ven.simulator.feeder import Feeder, SiteLoads, load_site_loads
from openadr_ven.simulator.meter import Meter
from openadr_ven.simulator.town import Town

STEP = timedelta(seconds=1)
FAULTS_FILE = "faults"
SUPPORT_FILE = "grid_support.json"
"""By device, the curves and the like that it follows, as gateways are told them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Everything that the simulator is told."""

    fleet_file: Path
    """A store, CSV or Parquet: what the agent has loaded."""
    out: Path
    """Folder for the meter's and the devices' records."""
    site_loads: Path | None = None
    """CSV, see ``feeder.SITE_LOADS_HEADER``; without it the feeder has devices only."""
    host: str = "127.0.0.1"
    port: int = 1883
    fleet: str = "fleet"
    """The fleet's name in topics."""
    seed: int = 1
    faults: tuple[str, ...] = field(default=())
    """As written in ``faults.py``; seconds count from the start."""


async def run(settings: SimulatorSettings, *, stopped: asyncio.Event | None = None) -> None:
    """Simulate until ``stopped``, or until SIGTERM or SIGINT. ConfigError names what is wrong at the start."""
    stop = stopped or asyncio.Event()
    loop = asyncio.get_running_loop()
    if stopped is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    with ExitStack() as files:
        simulator = Simulator(settings, files)
        links = [asyncio.create_task(link.run()) for link in simulator.links.values()]
        ticking = asyncio.create_task(simulator.live())
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*links, ticking, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*links, ticking, stopping):
            task.cancel()
        await asyncio.gather(*links, ticking, stopping, return_exceptions=True)
        for task in done - {stopping}:
            await task


class Simulator:
    """The town and what it is connected to."""

    def __init__(self, settings: SimulatorSettings, files: ExitStack) -> None:
        fleet = open_fleet(settings.fleet_file).fleet
        loads = load_site_loads(settings.site_loads) if settings.site_loads else SiteLoads.none()
        dice, feeder_dice = np.random.default_rng(settings.seed).spawn(2)
        self._now = _whole_second(datetime.now(UTC))
        self.town = Town(fleet, rng=dice, started_at=self._now)
        self._feeder = Feeder(fleet, loads, rng=feeder_dice)
        self._log = files.enter_context(DeviceLog(settings.out))
        self._meter = files.enter_context(
            Meter(
                settings.out,
                device_ids=[str(one) for one in fleet.device_id],
                transformer_names=self._feeder.transformer_names,
                transformer_limit_w=self._feeder.transformer_limit_w,
            )
        )
        self._settings = settings
        self._shown: dict[str, tuple[GridSupport, ...]] = {}
        self._planned = [self._due(self._parse(text), self._now) for text in settings.faults]
        self._asked = settings.out / FAULTS_FILE
        self._read_chars = len(self._asked.read_text()) if self._asked.exists() else 0
        address = BrokerAddress(host=settings.host, port=settings.port, fleet=settings.fleet, client_id="")
        self.links = {
            gateway: GatewayLink(
                address,
                gateway,
                on_command=self._receive,
                on_support=self._support,
                status=partial(self._status, gateway),
                rng=random.Random(f"{settings.seed} {gateway}"),  # noqa: S311  (jitter of retries)
            )
            for gateway in self.town.gateways
        }
        log.info("simulating", devices=fleet.size, gateways=len(self.links), out=str(settings.out))

    async def live(self) -> None:
        """One step at every whole second; after a stall, the steps that were missed."""
        while True:
            due = self._now + STEP
            await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0.0))
            self._step(due)

    def _step(self, now: datetime) -> None:
        for fault in self._faults(now):
            self.town.inject(fault)
            log.warning("fault", kind=fault.kind.value, vendor=fault.vendor, value=fault.value)
        self._post(self.town.tick(now))
        self._meter.write(
            self._feeder.measure(self.town.state.power_w, time_s=now.timestamp(), dt_s=STEP.total_seconds())
        )
        self._log.flush()
        self._show()
        self._now = now

    def _receive(self, frame: CommandFrame) -> Sequence[Report]:
        now = datetime.now(UTC)
        receipt = self.town.receive(frame, now)
        if receipt is None:
            return ()
        self._log.delivered(receipt, now)
        return receipt.acks

    def _support(self, frame: SupportFrame) -> Sequence[Report]:
        return self.town.receive_support(frame, datetime.now(UTC))

    def _show(self) -> None:
        """How devices are set, for whoever looks."""
        told = self.town.inverters.told()
        if told == self._shown:
            return
        self._shown = told
        texts = {one: [json.loads(write_support(support)) for support in supports] for one, supports in told.items()}
        draft = self._settings.out / f"{SUPPORT_FILE}.new"
        draft.write_text(json.dumps(texts, indent=1, sort_keys=True))
        draft.replace(self._settings.out / SUPPORT_FILE)

    def _post(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if isinstance(report, AckFrame) and report.state is AckState.COMPLETED:
                self._log.ended(report)
            self.links[report.gateway].post(report)

    def _status(self, gateway: str, state: GatewayState) -> StatusFrame:
        return self.town.status(gateway, state, datetime.now(UTC))

    def _faults(self, now: datetime) -> Iterator[Fault]:
        """What goes wrong now: planned at the start, or asked for since."""
        self._planned += [self._due(fault, now) for fault in self._newly_asked()]
        yield from (fault for due, fault in self._planned if due <= now)
        self._planned = [(due, fault) for due, fault in self._planned if due > now]

    def _newly_asked(self) -> Iterator[Fault]:
        if not self._asked.exists():
            return
        lines, newline, _ = self._asked.read_text()[self._read_chars :].rpartition("\n")
        self._read_chars += len(lines) + len(newline)
        for line in filter(None, lines.split("\n")):
            try:
                yield self._parse(line)
            except ConfigError as error:
                log.warning("fault refused", error=str(error))

    def _parse(self, text: str) -> Fault:
        fault = parse_fault(text)
        self.town.vendor(fault.vendor)
        return fault

    def _due(self, fault: Fault, since: datetime) -> tuple[datetime, Fault]:
        return since + timedelta(seconds=fault.after_s), fault


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
