"""A 2030.5 server over a real store, and clients of it, without sockets."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer, peer_of
from openadr_core.model.party import Certificate, PartyState
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.mrid import PenForm
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.outbound import OutboundRules
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.adapters.turns import KeyedTurns
from openadr_vtn.application.directory import Directory
from openadr_vtn.application.handlers import sep2_controls, sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.application.sep2_drafts import ControlWish, Maker
from openadr_vtn.application.sep2_ports import StoredControl
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.protocols.sep2 import Sep2Desk, Sep2Server
from openadr_vtn.protocols.sep2.scene import Speech
from tests.vtn.samples import a_party, a_peer

T = TypeVar("T")
PEN = 28547
SPEECHES = (
    Speech(prefix="/csip", csipaus=None, schema=load_schema("schemas/ieee2030_5/sep.xsd")),
    Speech(prefix="/v13", csipaus=CsipAus.V1_3, schema=load_schema("schemas/ieee2030_5/csipaus-1.3.xsd")),
    Speech(prefix="", csipaus=CsipAus.V1_2, schema=load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")),
)
ACTOR = "client:chief"


@dataclass(slots=True)
class Client:
    """Somebody with a certificate."""

    bench: "Sep2Bench"
    peer: Peer
    prefix: str = ""

    async def ask(self, method: str, path: str, message: object = None, **headers: str) -> Response:
        body = b""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(message, bytes):
            body = message
        elif message is not None:
            body = encode(message, csipaus=next(one.csipaus for one in SPEECHES if one.prefix == self.prefix))
        if message is not None:
            said.setdefault("content-type", "application/sep+xml")
        request = Request(method=method, path=f"{self.prefix}{path}", body=body, headers=said)
        return await self.bench.server.receive_request(request, self.peer, self.bench.now)

    async def get(self, path: str, kind: type[T]) -> T:
        """What is there, valid by the schema of what this client speaks."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, (path, answer.status)
        root = etree.fromstring(answer.body)
        next(one.schema for one in SPEECHES if one.prefix == self.prefix).validate(root)
        found = read(root)
        assert isinstance(found, kind)
        return found

    async def status(self, method: str, path: str, message: object = None, **headers: str) -> int:
        return (await self.ask(method, path, message, **headers)).status


@dataclass(slots=True)
class Sep2Bench:
    store: SqlStore
    server: Sep2Server
    now: datetime
    maker: Maker
    parties: dict[str, Peer] = field(default_factory=dict)

    def client(self, name: str, prefix: str = "") -> Client:
        return Client(self, self.parties[name], prefix)

    @property
    def moment(self) -> int:
        return int(self.now.timestamp())

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def enrol(self, name: str, state: PartyState = PartyState.APPROVED) -> Client:
        peer = peer_of(name.encode(), subject="")
        certificate = Certificate(
            sha256=peer.certificate_sha256, fingerprint_20b=peer.fingerprint_20b, lfdi=peer.lfdi, subject="",
            first_seen_at=self.now,
        )  # fmt: skip
        async with self.store.unit_of_work() as uow:
            await uow.parties.add(a_party(self.now, name, certificates=(certificate,), state=state, registration=None))
        self.parties[name] = peer
        return self.client(name)

    async def group(self, name: str, parent: str | None = None, primacy: int | None = None) -> int:
        made = await sep2_groups.create_group(
            self.store, name=name, parent=parent, primacy=primacy, maker=self.maker, actor=ACTOR, now=self.now
        )
        return made.id

    async def device(self, party: str, *groups: str, lfdi: str | None = None, **wish: Any) -> EndDevice:
        """Out of band; the party's own, if no other is named."""
        return await sep2_groups.add_device(
            self.store, party=party, lfdi=lfdi or self.parties[party].lfdi, wish=DeviceWish(groups=groups, **wish),
            actor=ACTOR, now=self.now,
        )  # fmt: skip

    async def control(self, group: str, start: int = 0, lasts: int = 600, **asks: Any) -> StoredControl:
        """A DERControl that begins so many seconds from now."""
        said = {name: asks.pop(name) for name in list(asks) if not name.startswith(("opMod", "rampTms"))}
        wish = ControlWish(
            kind="DERControl", members=asks or {"opModExpLimW": 5000}, starts_at=self.moment + start, duration_s=lasts,
            **said,
        )  # fmt: skip
        return await sep2_controls.create_control(self.store, group, wish, maker=self.maker, actor=ACTOR, now=self.now)


@asynccontextmanager
async def running_server(file: Path, now: datetime) -> AsyncIterator[Sep2Bench]:
    store = await open_store(f"sqlite:///{file}")
    numbers = count(1)
    directory = Directory(store, poll_interval=timedelta(seconds=10), new_id=lambda: f"i{next(numbers)}")
    desk = Sep2Desk(
        own=a_peer("utility"),
        speeches=SPEECHES,
        pen=PEN,
        pen_form=PenForm.DECIMAL,
        time_quality=7,
        time_zone=lambda _: (36_000, 0, 0, 0),
        guard_uri=OutboundRules().check_url,
    )
    uniques = count(1)
    maker = Maker(pen=PEN, pen_form=PenForm.DECIMAL, new_unique=lambda: next(uniques))
    try:
        server = Sep2Server(store=store, directory=directory, desk=desk, turns=KeyedTurns())
        yield Sep2Bench(store=store, server=server, now=now, maker=maker)
    finally:
        await store.close()


def a_lfdi(number: int) -> str:
    """One that an aggregator with our PEN may register."""
    return f"{hashlib.sha256(b'%d' % number).hexdigest()[:32].upper()}{PEN:08d}"
