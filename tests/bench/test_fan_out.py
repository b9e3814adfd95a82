"""Ten thousand connected VENs in one process of the VTN: what each costs, and how an event reaches them all."""

import asyncio
import json
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import uvloop

from openadr_core.shell.garbage import keep_what_is_there
from openadr_vtn.cli.client import profile_text
from openadr_vtn.cli.client_store import NewClient, create_client
from openadr_vtn.cli.operator_api import OperatorApi
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.settings import load
from tests.bench.lab import Lab
from tests.bench.population import populate
from tests.bench.servers import Server, running
from tests.bench.swarm import Swarm
from tests.bench.tables import Table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

VENS = 10_000
INTERVAL_S = 10.0
COMING_IN_INTERVAL_S = 30.0
"""While handshakes are going on, which are to be paid for and not the polls of whoever is in."""
WAIT_S = 300.0
BENCH = NewClient(name="bench", role=Role.BUSINESS, scopes=tuple(SCOPES[Role.BUSINESS]))


@dataclass(slots=True, kw_only=True)
class Vtn:
    server: Server
    operator: OperatorApi

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.server.pid)

    def rss(self) -> int:
        return int(self.process.memory_info().rss)

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def ask_all(self, level: int) -> str:
        start = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0).isoformat()
        wanted = {
            "objectType": "EVENT",
            "programID": "program-1",
            "intervalPeriod": {"start": start, "duration": "PT1H"},
            "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [level]}]}],
        }
        made: dict[str, Any] = self.operator.write("POST", "events", json.dumps(wanted).encode())
        return str(made["id"])


@contextmanager
def vtn_at(lab: Lab, store: str) -> Iterator[Vtn]:
    settings = lab.settings(store)
    client_id, secret = asyncio.run(create_client(load(settings), BENCH))
    with running("-m", "openadr_vtn", "run", "--config", str(settings), log=lab.folder / "servers.log") as server:
        profile = lab.folder / "operator.toml"
        profile.write_text(profile_text(str(server.ready["operator"]), client_id, secret, str(lab.trust())))
        yield Vtn(server=server, operator=OperatorApi(profile))


@pytest.mark.openadr3("U8")
def test_an_event_for_ten_thousand_vens(tmp_path: Path, tables: list[Table]) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lab = Lab(tmp_path)
    vens = lab.vens(VENS)
    store = f"sqlite:///{tmp_path}/vtn.db"
    asyncio.run(populate(store, vens))
    keep_what_is_there()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as stack:
        vtn = stack.enter_context(vtn_at(lab, store))
        runner.run(_measured(lab, vens, vtn, tables))


async def _measured(lab: Lab, vens: list[Any], vtn: Vtn, tables: list[Table]) -> None:
    loop = asyncio.get_running_loop()
    swarm = Swarm(interval_s=COMING_IN_INTERVAL_S)
    bare, before, began = vtn.rss(), vtn.cpu_s(), loop.time()
    await swarm.connect(lab, vens, vtn.server.port("parties"))
    spent_s, took_s = vtn.cpu_s() - before, loop.time() - began
    each = (vtn.rss() - bare) / VENS
    swarm.interval_s = INTERVAL_S
    await asyncio.sleep(COMING_IN_INTERVAL_S)
    tables.append(
        Table(
            title=f"{VENS:,} VENs, each connected over mutual TLS 1.3 to one process of the VTN",
            header=("KiB of memory each", "ms of CPU each to come in", "s until all were in"),
            rows=[[f"{each / 1024:.0f}", f"{1e3 * spent_s / VENS:.2f}", f"{took_s:.0f}"]],
            notes=(
                "To come in: handshake, standing read from the store, polls until the last is in. The process has",
                f"{bare >> 20} MiB before anybody connects.",
            ),
        )
    )
    fan_out = [await _told(swarm, vtn, level) for level in (1, 2)]
    tables.append(
        Table(
            title=f"one event for {VENS:,} VENs that poll every {INTERVAL_S:.0f} s and answer at once",
            header=(
                "", "operator's answer s", "half have it s", "the last has it s", "last answer taken s",
                "told to come again", "VTN's CPU s", "ms of CPU each",
            ),
            rows=[[f"event {number}", *figures] for number, figures in enumerate(fan_out, 1)],
            notes=("Counted from the operator's POST. An answer is taken once it is in the store.",),
        )
    )  # fmt: skip
    swarm.close()


async def _told(swarm: Swarm, vtn: Vtn, level: int) -> list[str]:
    loop = asyncio.get_running_loop()
    cpu_s, busy, posted_at = vtn.cpu_s(), swarm.busy, loop.time()
    event_id = await asyncio.to_thread(vtn.ask_all, level)
    answered_s = loop.time() - posted_at
    key = (event_id, 0)
    await swarm.until("all answers", lambda: len(swarm.answered_at.get(key, ())) >= VENS, wait_s=WAIT_S)
    heard, taken = (sorted(one - posted_at for one in by[key]) for by in (swarm.heard_at, swarm.answered_at))
    assert len(heard) == VENS
    spent_s = vtn.cpu_s() - cpu_s
    return [
        f"{answered_s:.2f}", f"{median(heard):.1f}", f"{heard[-1]:.1f}", f"{taken[-1]:.1f}",
        f"{swarm.busy - busy:,}", f"{spent_s:.1f}", f"{1e3 * spent_s / VENS:.2f}",
    ]  # fmt: skip
