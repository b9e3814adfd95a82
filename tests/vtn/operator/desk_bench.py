"""The operator's listener over a real store and a real socket, with a clock that tests move."""

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from openadr_core.errors import RuleBroken
from openadr_core.model.availability import OptRules
from openadr_core.model.event import DrEvent
from openadr_core.oadr3.subscriptions import Watch
from openadr_core.oadr3.tokens import TokenRules, new_signing_key
from openadr_core.sep2.mrid import PenForm
from openadr_core.shell.clock import ManualClock
from openadr_core.shell.http_armour import serve
from openadr_core.shell.throttle import Throttle
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.handlers.clients import add_client
from openadr_vtn.application.handlers.tokens import OwnTokens, open_keyring
from openadr_vtn.application.horizon import Horizon
from openadr_vtn.application.known_clients import KnownClients
from openadr_vtn.application.lab_clock import TRUE_TIME, LabClock
from openadr_vtn.application.ports import SigningKey
from openadr_vtn.application.reads import Reads
from openadr_vtn.application.sep2_drafts import Maker
from openadr_vtn.application.viewers import Viewers
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.http.access import Desk
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.app import operator_app
from openadr_vtn.http.problem import refuse
from tests.vtn.samples import a_party

SECRET = "open sesame"  # noqa: S105  # a test's own
RULES = TokenRules(issuer="VTN", audience="VTN/operator")
FAILURES_PER_MINUTE = 20


@dataclass(slots=True)
class DeskBench:
    http: httpx.AsyncClient
    store: SqlStore
    clock: ManualClock
    done: list[tuple[str, str]]
    """Commands that the desk told of, with what they were done to."""
    heard: dict[str, datetime]
    """Vens, and when they were heard last."""
    doubt: Event
    """Set it, and the desk does not trust its clock."""
    echoes: "Echoes"

    async def token(self, client_id: str = "chief", **form: str) -> httpx.Response:
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET, **form}
        return await self.http.post(f"{OADR3}/auth/token", data=asked)

    async def authorise(self, client_id: str = "chief") -> None:
        """Every request from now on is this client's."""
        answer = (await self.token(client_id)).json()
        self.http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    async def add_client(self, client_id: str, *scopes: str, role: Role = Role.BUSINESS) -> None:
        await add_client(
            self.store, client_id=client_id, name=client_id, role=role, secret=SECRET, scopes=scopes,
            now=self.clock.now(),
        )  # fmt: skip

    async def create_program(self, name: str = "peak", **members: Any) -> str:
        body = {"programName": name, "attributes": [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}], **members}
        answer = await self.http.post(f"{OADR3}/programs", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def create_event(self, program_id: str, **changes: Any) -> str:
        answer = await self.post_event(program_id, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def post_event(self, program_id: str, *, key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(f"{OADR3}/events", json=relief_event(program_id, **changes), headers=headers)

    async def add_party(self, name: str, **changes: Any) -> None:
        async with self.store.unit_of_work() as uow:
            await uow.parties.add(a_party(self.clock.now(), name, **changes))

    async def event(self, event_id: str) -> DrEvent:
        async with self.store.view() as view:
            stored = await view.events.by_id(event_id)
        assert stored is not None
        return stored.event

    async def owed(self, event_id: str) -> list[tuple[str, int, bool]]:
        """Party, version, withdrawn: the event's rows in the delivery ledger."""
        async with self.store.view() as view:
            rows = await view.deliveries.of_event(event_id)
        return sorted((row.party_id, row.version, row.withdrawn) for row in rows)


BROKER = Broker(
    publisher="openadr-vtn",
    uris=("mqtts://broker.example:8883",),
    admission=lambda client_id: {
        "method": "CERTIFICATE",
        "caCert": "CA",
        "clientCert": client_id,
        "clientKey": f"{client_id}'s",
    },
)


class Echoes:
    """Addresses that say our word back, but for those that do not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent: set[str] = set()

    async def prove(self, watches: Sequence[Watch]) -> None:
        for watch in watches:
            self.asked.append(watch.callback_url)
            if watch.callback_url in self.silent:
                raise RuleBroken(f"callbackUrl: {watch.callback_url} did not answer")


def relief_event(program_id: str, *, kw: float = 5000, **changes: Any) -> dict[str, Any]:
    return {
        "programID": program_id,
        "eventName": "evening peak",
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT120S"},
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"}
        ],
        "intervals": [{"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [kw]}]}],
        **changes,
    }


def relief_bytes(program_id: str, **changes: Any) -> bytes:
    return json.dumps(relief_event(program_id, **changes)).encode()


def a_key(clock: ManualClock, key_id: str = "k-1") -> SigningKey:
    return SigningKey(id=key_id, pem=new_signing_key(), created_at=clock.now())


@asynccontextmanager
async def running_desk(
    empty_database: Path,
    file: Path,
    clock: ManualClock,
    *,
    strict_targets: bool = False,
    requests_per_minute: int | None = None,
    lab: LabClock = TRUE_TIME,
) -> AsyncIterator[DeskBench]:
    shutil.copy(empty_database, file)
    store = await open_store(f"sqlite:///{file}")
    numbers = count(1)
    done: list[tuple[str, str]] = []
    heard: dict[str, datetime] = {}
    doubt = Event()
    echoes = Echoes()
    tokens = OwnTokens(
        store=store, clients=KnownClients(store), rules=RULES, lifetime=timedelta(hours=1),
        keyring=await open_keyring(store, a_key(clock), clock.now()),
    )  # fmt: skip
    desk = Desk(
        store=store,
        now=clock.now,
        new_id=lambda: f"id-{next(numbers)}",
        rails=GuardRails(event_max_w=10e6, step_max_w=6e6),
        opt_rules=OptRules(),
        poll_interval=timedelta(seconds=10),
        judge=tokens,
        tokens=tokens,
        maker=Maker(pen=28547, pen_form=PenForm.DECIMAL, new_unique=lambda: next(numbers)),
        is_time_in_doubt=doubt.is_set,
        token_throttle=Throttle(FAILURES_PER_MINUTE),
        request_throttle=None if requests_per_minute is None else Throttle(requests_per_minute),
        viewers=Viewers(store, strict_targets=strict_targets),
        horizon=Horizon(store),
        saw=lambda party_id, now: heard.update({party_id: now}),
        callbacks=echoes,
        reads=Reads(store, clock.now, lambda: None),
        broker=BROKER,
        lab=lab,
        wrote=lambda _caller, command, subject: done.append((command, subject)),
    )
    running = await serve(operator_app(desk), host="127.0.0.1", port=0, refuse=refuse)
    try:
        async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
            bench = DeskBench(http=http, store=store, clock=clock, done=done, doubt=doubt, heard=heard, echoes=echoes)
            await bench.add_client("chief", *SCOPES[Role.BUSINESS])
            await bench.authorise()
            yield bench
    finally:
        await running.close()
        await store.close()
