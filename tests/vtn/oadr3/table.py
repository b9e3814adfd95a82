"""Business logic and VENs at one VTN, each with a token of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from openadr_core.shell.clock import ManualClock
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.http.addresses import OADR3
from tests.vtn.operator.desk_bench import DeskBench, running_desk

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with a token."""

    id: str
    http: httpx.AsyncClient
    headers: Mapping[str, str]

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.http.request(method, f"{OADR3}/{path}", headers=headers, **more)

    async def read(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ids(self, path: str) -> list[str]:
        return [one["id"] for one in await self.read(path)]

    async def status(self, path: str) -> int:
        return (await self.ask("GET", path)).status_code

    async def create(self, path: str, body: Object, *, expect: int = 201) -> Object:
        return await self._write("POST", path, body, expect)

    async def replace(self, path: str, body: Object, *, expect: int = 200) -> Object:
        return await self._write("PUT", path, body, expect)

    async def remove(self, path: str, *, expect: int = 200) -> Object:
        answer = await self.ask("DELETE", path)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    async def _write(self, method: str, path: str, body: Object, expect: int) -> Object:
        answer = await self.ask(method, path, json=body)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())


@dataclass(frozen=True, slots=True)
class Table:
    desk: DeskBench
    bl: Client
    ven: Client
    other: Client
    """Another VEN."""

    async def enrol(self, client: Client, *targets: str, **members: Any) -> Object:
        """A ven for the client, with these targets."""
        body = {"objectType": "BL_VEN_REQUEST", "clientID": client.id, "venName": client.id, "targets": list(targets)}
        return await self.bl.create("vens", body | members)

    async def seat(self, client_id: str, role: Role, *scopes: str) -> Client:
        """A client with a token for these scopes, or for all that its role may have."""
        await self.desk.add_client(client_id, *(scopes or SCOPES[role]), role=role)
        answer = (await self.desk.token(client_id)).json()
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        return Client(id=client_id, http=self.desk.http, headers=bearer)


@asynccontextmanager
async def laid_table(
    empty_database: Path,
    file: Path,
    clock: ManualClock,
    *,
    strict_targets: bool = False,
    requests_per_minute: int | None = None,
) -> AsyncIterator[Table]:
    async with running_desk(
        empty_database, file, clock, strict_targets=strict_targets, requests_per_minute=requests_per_minute
    ) as desk:
        chief = Client(id="chief", http=desk.http, headers={})
        table = Table(desk=desk, bl=chief, ven=chief, other=chief)
        yield Table(
            desk=desk,
            bl=await table.seat("bl", Role.BUSINESS),
            ven=await table.seat("ven-1", Role.VEN),
            other=await table.seat("ven-2", Role.VEN),
        )


def ven_request(name: str = "my house", **members: Any) -> Object:
    return {"objectType": "VEN_VEN_REQUEST", "venName": name, **members}


def resource_request(name: str = "battery", **members: Any) -> Object:
    return {"objectType": "VEN_RESOURCE_REQUEST", "resourceName": name, **members}


def bl_resource_request(ven_id: str, client_id: str, name: str = "battery", **members: Any) -> Object:
    return {
        "objectType": "BL_RESOURCE_REQUEST", "venID": ven_id, "clientID": client_id, "resourceName": name, **members,
    }  # fmt: skip


def report_request(event_id: str, **members: Any) -> Object:
    return {
        "eventID": event_id,
        "clientName": "my house",
        "payloadDescriptors": [
            {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": "DEMAND", "units": "KW"},
            {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": "BASELINE", "units": "KW"},
        ],
        "resources": [{"resourceName": "AGGREGATED_REPORT", "intervals": []}],
        **members,
    }
