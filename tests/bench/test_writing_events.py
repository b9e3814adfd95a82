"""An event is written: what it costs until the operator is answered, and afterwards, by how many it is for."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest
from sqlalchemy import delete, update

from openadr_core.oadr3.decode import decode_event
from openadr_vtn.adapters.fan_out import FanOutWorker
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.handlers.events import cancel_events, create_event
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.http.sep2_routes import mrid_maker
from tests.bench.population import populate
from tests.bench.tables import Table
from tests.vtn.operator.desk_bench import relief_bytes

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

PARTIES = 10_000
FEW = [f"id-other-{number}" for number in range(0, PARTIES, PARTIES // 10)]
ROUNDS = 7
RAILS = GuardRails(event_max_w=1e9, step_max_w=1e9)


@dataclass(slots=True)
class Costs:
    """Seconds of CPU, event by event."""

    answered: list[float] = field(default_factory=list)
    afterwards: list[float] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        return [name, f"{1e3 * median(self.answered):.1f}", f"{1e3 * median(self.afterwards):,.0f}"]


def test_events_for_few_and_for_many(tmp_path: Path, tables: list[Table]) -> None:
    tables.append(
        Table(
            title=f"an event is written, {PARTIES:,} parties, ms of CPU, median of {ROUNDS}",
            header=("is for", "until the operator is answered", "afterwards"),
            rows=asyncio.run(_measured(tmp_path)),
            notes=("In this process: HTTP and the token are not in it. Of 2.0b, then the same parties of OpenADR 3.",),
        )
    )


async def _measured(folder: Path) -> list[list[str]]:
    url = f"sqlite:///{folder}/vtn.db"
    await populate(url, [], others=PARTIES)
    store = await open_store(url)
    rows = await _written(store, "of 2.0b")
    await _become_vens(store)
    rows += await _written(store, "vens")
    await store.close()
    return rows


async def _written(store: SqlStore, whom: str) -> list[list[str]]:
    """For few and for many by turns: what earlier events have left is the same for both."""
    few, many = Costs(), Costs()
    await _write(store, FEW, Costs())
    for _ in range(ROUNDS):
        await _write(store, FEW, few)
        await _write(store, [], many)
    return [few.row(f"{len(FEW)} {whom}"), many.row(f"{PARTIES:,} {whom}")]


async def _write(store: SqlStore, targets: list[str], costs: Costs) -> None:
    now, event_id = datetime.now(UTC), f"event-{time.time_ns()}"
    request = decode_event(relief_bytes("program-1", kw=50, targets=targets))
    begun = time.process_time()
    await create_event(store, request, actor="bench", event_id=event_id, rails=RAILS, now=now, maker=mrid_maker(None))
    answered = time.process_time()
    await FanOutWorker(store, lambda: now).turn()
    costs.answered.append(answered - begun)
    costs.afterwards.append(time.process_time() - answered)
    async with store.view() as view:
        assert len(await view.deliveries.of_event(event_id)) == (len(targets) or PARTIES)
    await cancel_events(store, [event_id], actor="bench", reason="measured", now=now)


async def _become_vens(store: SqlStore) -> None:
    """Without certificates; they see what is for their names."""
    party, certificate, registration = (
        tables.table_of(table) for table in (tables.PartyRow, tables.CertificateRow, tables.RegistrationRow)
    )
    async with store.unit_of_work() as uow:
        for table in (certificate, registration):
            await uow.connection.execute(delete(table))
        await uow.connection.execute(update(party).values(client_id=party.c.id))
