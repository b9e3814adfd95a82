"""The operator of a VTN in a process of its own, who writes one event after the other."""

import ssl
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from demo.lab import Lab
from openadr_vtn.http.addresses import OADR3


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    http: httpx.AsyncClient
    program_id: str

    async def event(self) -> str:
        """The id of an event that was accepted."""
        event: dict[str, Any] = {
            "programID": self.program_id,
            "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT120S"},
            "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
        }
        return await created(self.http, "events", event)


async def created(http: httpx.AsyncClient, kind: str, body: dict[str, Any]) -> str:
    answer = await http.post(f"{OADR3}/{kind}", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@asynccontextmanager
async def writing_events(lab: Lab) -> AsyncIterator[Writer]:
    """With a program of theirs."""
    operator = tomllib.loads((lab.vtn / "operator.toml").read_text())
    trusted = ssl.create_default_context(cafile=lab.authority)
    async with httpx.AsyncClient(base_url=operator["url"], verify=trusted, trust_env=False) as http:
        form = {
            "grant_type": "client_credentials",
            "client_id": operator["client_id"],
            "client_secret": operator["client_secret"],
        }
        token = (await http.post(f"{OADR3}/auth/token", data=form)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        relief = [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}]
        yield Writer(http=http, program_id=await created(http, "programs", {"programName": "p", "attributes": relief}))
