"""Our 2030.5 client's core at our server without sockets, both by one clock that a test moves."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.timeline import segments
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.datafiles import load_schema
from openadr_ven.application.device_metering import DeviceNow
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.sep2 import (
    Identity,
    ManagedDevice,
    Memory,
    Ratings,
    Sep2Session,
    Sep2Settings,
    Speech,
)
from tests.vtn.protocols.sep2.sep2_bench import PEN, Sep2Bench, running_server

URL = "https://utility.example"
RATINGS = Ratings(max_w=10_000.0, charge_max_w=8_000.0, discharge_max_w=6_000.0)
SCHEMA = load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")
STEPS_MAX = 2_000


@dataclass(slots=True)
class ClientEnd:
    """The client's core, what carries its requests, and an agent that answers every event alike."""

    bench: Sep2Bench
    peer: Peer
    settings: Sep2Settings
    session: Sep2Session
    answer_with: OptType | None = OptType.IN
    code: str = "200"
    held: dict[str, HeldEvent] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_out_of_reach: bool = False
    change: Callable[[Request, Response], Response] = lambda _, answer: answer
    """What becomes of an answer on its way."""

    async def run(self) -> list[i.Indication]:
        """All that is due now; what was indicated."""
        found: list[i.Indication] = []
        for _ in range(STEPS_MAX):
            request = self.session.next_request(now=self.bench.now)
            if request is not None:
                await self._carry(request)
            fresh = self._heed()
            found += fresh
            wakeup = self.session.next_wakeup()
            if request is None and not fresh and (wakeup is None or wakeup > self.bench.now):
                return found
        raise AssertionError("it has no end")

    async def until(self, seconds: float) -> list[i.Indication]:
        """The same for so many seconds, each as it comes due."""
        end = self.bench.now + timedelta(seconds=seconds)
        found = await self.run()
        while True:
            wakeup = self.session.next_wakeup()
            if wakeup is None or wakeup > end:
                self.bench.now = end
                return found + await self.run()
            self.bench.now = max(self.bench.now, wakeup)
            found += await self.run()

    async def responses(self, mrid: str) -> list[int]:
        """What the server has of us on a control, in order."""
        async with self.bench.store.view() as uow:
            found = await uow.mirrors.responses([mrid])
        return [one.status for one in sorted(found, key=lambda one: one.id)]

    def restart(self) -> None:
        """The process ends; what was stored begins it anew."""
        memory = from_record(Memory, self.session.record())
        self.session = Sep2Session(settings=self.settings, dice=random.Random(7), now=self.bench.now, memory=memory)

    def asks(self) -> dict[SignalKind, float]:
        """What rules now, by kind: the value of the one that dispatch would follow."""
        found: dict[SignalKind, tuple[int, float]] = {}
        for held in self.held.values():
            event = held.as_acted_on(self.bench.now)
            if event is None:
                continue
            for segment in ruling(event, self.bench.now):
                kind, rank = segment[0], event.priority or 0
                if kind not in found or rank < found[kind][0]:
                    found[kind] = rank, segment[1]
        return {kind: value for kind, (_, value) in found.items()}

    async def _carry(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.path.partition('?')[0]}")
        if self.is_out_of_reach:
            self.session.request_failed(now=self.bench.now, reason="nothing answers")
            return
        answer = await self.bench.server.receive_request(request, self.peer, self.bench.now)
        self.session.receive_response(self.change(request, answer), now=self.bench.now)

    def _heed(self) -> list[i.Indication]:
        found = self.session.indications()
        for one in found:
            if isinstance(one, i.EventReceived | i.EventChanged) and self.answer_with is not None:
                opt = Opt(
                    event_id=one.event.id, version=one.event.version, opt_type=self.answer_with, at=self.bench.now,
                    code=self.code,
                )  # fmt: skip
                self.held[one.event.id] = HeldEvent(event=one.event, opt=opt, received_at=self.bench.now)
                self.session.answer(opt)
            elif isinstance(one, i.EventCancelled):
                before = self.held[one.event.id]
                self.held[one.event.id] = HeldEvent(
                    event=one.event, opt=before.opt, received_at=before.received_at, stop_fraction=one.stop_fraction
                )
        return found


def ruling(event: DrEvent, now: datetime) -> list[tuple[SignalKind, float]]:
    return [(one.signal.kind, one.value) for one in segments(event, now=now) if one.rules_at(now)]


def settings_of(
    peer: Peer, *, dcap: str = "/dcap", pin: int | None = None, registers: bool = False,
    managed: Mapping[str, ManagedDevice] | None = None, notified_at: str = "",
    stand: Callable[[str, datetime], DeviceNow] | None = None, nmi: str = "",
    functions: Callable[[str], int | None] = lambda _lfdi: 0,
) -> Sep2Settings:  # fmt: skip
    return Sep2Settings(
        dcap=dcap,
        speech=Speech(url=URL, csipaus=CsipAus.V1_2, schema=SCHEMA),
        identity=Identity(lfdi=peer.lfdi, sfdi=peer.sfdi, pin=pin, registers=registers, pen=PEN),
        ratings=RATINGS,
        load_classes=("Thermostat", "Water_Heater"),
        managed=managed or {},
        stand=stand,
        functions=functions,
        nmi=nmi,
        notified_at=notified_at,
        enrolment_retry=timedelta(seconds=30),
    )


def client_of(bench: Sep2Bench, name: str = "one", **told: object) -> ClientEnd:
    peer = bench.parties[name]
    settings = settings_of(peer, **told)  # type: ignore[arg-type]  # passed on as it is
    return ClientEnd(
        bench=bench, peer=peer, settings=settings,
        session=Sep2Session(settings=settings, dice=random.Random(1), now=bench.now),
    )  # fmt: skip


@asynccontextmanager
async def pair(file: Path) -> AsyncIterator[Sep2Bench]:
    """A server, and a party ``one`` whose own device lies in a feeder of a system."""
    async with running_server(file, datetime(2026, 7, 1, 12, tzinfo=UTC)) as bench:
        await bench.enrol("one")
        await bench.group("system", primacy=9)
        await bench.group("feeder", "system", primacy=3)
        yield bench
