"""A VTN core over a real store, with no socket: what its protocol tests drive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.limits import PENDING_PARTIES_MAX
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import BASE
from openadr_core.shell.datafiles import load_schema
from openadr_vtn.adapters.fan_out import FanOutWorker
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.directory import Directory
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import Notice, StoredEvent, UnitOfWork
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.enrolment import approved
from openadr_vtn.domain.lifecycle import cancelled, new_event, revised
from openadr_vtn.domain.reporting import TelemetryWish
from openadr_vtn.protocols.oadr2 import Oadr2Connection, Oadr2Vtn
from openadr_vtn.protocols.oadr2_answers import OPERATIONS
from openadr_vtn.protocols.oadr2_signatures import Signatures
from tests.vtn.samples import a_party, a_peer, a_program, an_event

VTN_ID = "TH_VTN"
M = TypeVar("M", bound=m.Message)


@dataclass(slots=True)
class Ven:
    """A scripted party: says what a test tells it to, over one connection."""

    bench: "Bench"
    peer: Peer
    connection: Oadr2Connection

    async def post(
        self, body: bytes, *, service: str, method: str = "POST", path: str | None = None, **headers: str
    ) -> Response:
        sent = {"content-type": "application/xml"} | {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(method=method, path=path or f"{BASE}{service}", body=body, headers=sent)
        return await self.connection.receive_request(request, self.bench.now)

    async def say(self, message: m.Message, *, service: str | None = None) -> m.Message:
        """The message that answers, as the schema allows it."""
        response = await self.post(encode(message), service=service or OPERATIONS[type(message)][0])
        assert response.status == 200
        return decode(response.body, self.bench.schema)

    async def ask(self, message: m.Message, kind: type[M]) -> M:
        answer = await self.say(message)
        assert isinstance(answer, kind)
        return answer

    def reconnected(self) -> "Ven":
        """The same party over a new connection."""
        return self.bench.ven(self.peer)


@dataclass(slots=True)
class Bench:
    store: SqlStore
    now: datetime
    vtn: Oadr2Vtn = field(init=False)
    restarts: int = 0
    notices: list[Notice] = field(default_factory=list)
    signatures: Signatures | None = None
    """In force from the next restart on."""
    telemetry: TelemetryWish = field(default_factory=TelemetryWish)
    schema = load_schema()

    def ven(self, peer: Peer) -> Ven:
        return Ven(bench=self, peer=peer, connection=self.vtn.connection(peer))

    def restart(self, *, pending_max: int = PENDING_PARTIES_MAX) -> None:
        """A new process over the same store: whatever was in memory is gone."""
        numbers = count(1)

        def new_id() -> str:
            return f"id-{self.restarts}-{next(numbers)}"

        self.restarts += 1
        self.vtn = Oadr2Vtn(
            store=self.store,
            directory=Directory(
                self.store, poll_interval=timedelta(seconds=10), new_id=new_id, pending_max=pending_max
            ),
            schema=self.schema,
            vtn_id=VTN_ID,
            telemetry=self.telemetry,
            new_id=new_id,
            witness=self.notices.append,
            signatures=self.signatures,
        )

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def add_party(
        self, name: str = "ven-one", *, registered: bool = True, **changes: object
    ) -> tuple[Ven, Party]:
        party = a_party(self.now, name, registered=registered, **changes)
        async with self.store.unit_of_work() as uow:
            await uow.parties.add(party)
            await owe_current(uow, party, self.now)
        return self.ven(a_peer(name)), party

    async def approve(self, party_id: str) -> None:
        async with self.store.unit_of_work() as uow:
            party = await uow.parties.by_id(party_id)
            assert party is not None
            party = approved(party, targets=("zone-a",))
            await uow.parties.save(party)
            await owe_current(uow, party, self.now)

    async def write_event(self, **changes: object) -> DrEvent:
        event = new_event(an_event(self.now, **changes), self.now)  # type: ignore[arg-type]
        async with self.store.unit_of_work() as uow:
            await uow.events.add(StoredEvent(event=event, document="{}"))
            await self._publish(uow, event)
        await self._tell_all()
        return event

    async def revise_event(self, old: DrEvent, new: DrEvent) -> DrEvent:
        return await self._replace(revised(old, new, self.now))

    async def cancel_event(self, old: DrEvent) -> DrEvent:
        return await self._replace(cancelled(old, self.now))

    async def row_of(self, event: DrEvent, version: int = 0) -> Delivery:
        """The one row of the delivery ledger for this version."""
        async with self.store.view() as view:
            (row,) = [row for row in await view.deliveries.of_event(event.id) if row.version == version]
        return row

    async def _replace(self, event: DrEvent) -> DrEvent:
        async with self.store.unit_of_work() as uow:
            await uow.events.replace(StoredEvent(event=event, document="{}"))
            await self._publish(uow, event)
        await self._tell_all()
        return event

    async def _tell_all(self) -> None:
        """The parties beyond the first hundred."""
        await FanOutWorker(self.store, lambda: self.now).turn()

    async def _publish(self, uow: UnitOfWork, event: DrEvent) -> None:
        await publish(uow, event, a_program(self.now).program, self.now)


@asynccontextmanager
async def running_bench(file: Path, now: datetime) -> AsyncIterator[Bench]:
    """Over a migrated database."""
    store = await open_store(f"sqlite:///{file}")
    bench = Bench(store=store, now=now)
    bench.restart()
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
    yield bench
    await store.close()
