"""How long one event takes to reach a thousand VENs that are pushed to, each with a certificate of its own."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import uvloop
from sqlalchemy import update

from openadr_core.shell.tls import server_context
from openadr_vtn.adapters.sql import tables as stored
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.cli.client import profile_text
from openadr_vtn.cli.client_store import NewClient, create_client
from openadr_vtn.cli.operator_api import OperatorApi
from openadr_vtn.domain.access import Role
from openadr_vtn.settings import load
from tests.bench.lab import Lab, Ven
from tests.bench.population import populate
from tests.bench.servers import running
from tests.bench.tables import Table
from tests.vtn.operator.desk_bench import relief_event

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

VENS = 1_000
PORT = 28_443
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
RETRY_S = 1
BENCH = NewClient(name="bench", role=Role.BUSINESS, scopes=("read_all", "write_events"))
EVENT_ID = re.compile(b"<ei:eventID>([^<]+)</ei:eventID>")


@dataclass
class Field:
    """Who has been told of which event, and when; ``complete`` is released when all have been."""

    told: dict[bytes, dict[int, float]] = field(default_factory=dict)
    complete: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def hear(self, number: int, body: bytes) -> None:
        now = asyncio.get_running_loop().time()
        for event_id in EVENT_ID.findall(body):
            heard = self.told.setdefault(event_id, {})
            if number not in heard:
                heard[number] = now
                if len(heard) == VENS:
                    self.complete.release()


def address(number: int) -> str:
    """One of loopback's own for each VEN."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


@asynccontextmanager
async def listening(lab: Lab, vens: Sequence[Ven], field_: Field) -> AsyncIterator[None]:
    async def answer(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                field_.hear(number, await reader.readexactly(int(lengths[0].split(b":")[1])))
                writer.write(TAKEN)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    servers = []
    for number, ven in enumerate(vens):
        tls = server_context("modern-2.0b", [ven.chain], [lab.trust()], every_suite=False)
        servers.append(await asyncio.start_server(partial(answer, number), address(number), PORT, ssl=tls))
    try:
        yield
    finally:
        for server in servers:
            server.close()


async def pushed(url: str, vens: Sequence[Ven]) -> None:
    """Make those that poll into those that are pushed to."""
    registration = stored.table_of(stored.RegistrationRow)
    engines = engines_of(url)
    async with engines.writer.begin() as connection:
        for number, ven in enumerate(vens):
            new = {"pull": False, "transport_address": f"https://{address(number)}:{PORT}/"}
            await connection.execute(update(registration).where(registration.c.party_id == ven.ven_id).values(new))
    await engines.close()


def operator(lab: Lab, config: Path, url: str) -> OperatorApi:
    client_id, secret = asyncio.run(create_client(load(config), BENCH))
    profile = lab.folder / "operator.toml"
    profile.write_text(profile_text(url, client_id, secret, "ecc-root.pem"))
    return OperatorApi(profile)


def test_one_event_to_a_thousand_that_are_pushed_to(tmp_path: Path, tables: list[Table]) -> None:
    lab = Lab(tmp_path)
    vens = lab.vens(VENS)
    url = f"sqlite:///{tmp_path}/vtn.db"
    asyncio.run(populate(url, vens))
    asyncio.run(pushed(url, vens))
    config = lab.settings(url, "[push]", 'networks = ["127.0.0.0/8"]', f"ports = [{PORT}]", f"retry_max_s = {RETRY_S}")
    rows: list[list[str]] = []
    with running("-m", "openadr_vtn", "run", "--config", str(config), log=tmp_path / "servers.log") as server:
        process = psutil.Process(server.pid)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(server.pid, {0})  # one core for the VTN, whatever the VENs take
        api = operator(lab, config, f"https://localhost:{server.port('operator')}")

        async def measured() -> None:
            heard = Field()
            async with listening(lab, vens, heard):
                for name, wait_s in (("first, over new connections", 0), ("second, over kept ones", 1)):
                    await asyncio.sleep(wait_s)
                    rows.append([name, *(await _told(api, process, heard, name))])

        uvloop.run(measured())
    tables.append(
        Table(
            title=f"One event to {VENS:,} VENs that are pushed to over mutual TLS, VTN on one core",
            header=("", "half have it, s", "the last has it, s", "CPU of the VTN, s"),
            rows=rows,
            notes=("From the operator's request to the last VEN's having read it; all VENs are in one other process.",),
        )
    )


async def _told(api: OperatorApi, process: psutil.Process, heard: Field, name: str) -> list[str]:
    loop = asyncio.get_running_loop()
    event = relief_event("program-1", eventName=name, targets=[])
    event["attributes"] = [{"type": "RESPONSE_REQUIRED", "values": ["NEVER"]}]
    before, began = process.cpu_times(), loop.time()
    made = await loop.run_in_executor(None, lambda: api.write("POST", "events", json.dumps(event).encode()))
    await asyncio.wait_for(heard.complete.acquire(), 120)
    after = process.cpu_times()
    times = sorted(at - began for at in heard.told[made["id"].encode()].values())
    assert len(times) == VENS
    cpu_s = after.user + after.system - before.user - before.system
    return [f"{times[VENS // 2]:.2f}", f"{times[-1]:.2f}", f"{cpu_s:.2f}"]
