"""cactus-client with our VTN behind its admin hooks: what a procedure wants of an operator, by the admin API.

Run by the Python of the environment that cactus-client is installed in, in place of its own ``cactus run``, whose check
of its arguments wants Python 3.12 (the rest of it does not)::

    OPENADR_OPERATOR=utility/operator.toml python cactus_operator.py .cactus.yaml S-ALL-11:a-device S-ALL-25:a-client

Procedures with their clients, which no two share. A client of its configuration becomes a party by that name; NAME-1
and NAME-2 are its device's groups: DERPrograms.
"""

import asyncio
import hashlib
import os
import ssl
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from cactus_client.admin import get_plugin_manager, hookimpl
from cactus_client.execution.run import run_entrypoint
from cactus_client.model.config import GlobalConfig, RunConfig, load_config
from cactus_client.model.execution import ActionResult
from cactus_test_definitions.csipaus import CSIPAusVersion
from cactus_test_definitions.server.test_procedures import TestProcedureId

Said = Mapping[str, Any]
"""The parameters of an instruction."""
LASTS_S, AWAY_S = 300, 5
"""How long a control lasts, and when it starts, if nothing is said."""
POST_RATE_S = 1
"""A procedure that sends several readings waits so long between them."""
TOLD_WITHIN_S = {
    "ensure-fsa": 3, "ensure-der-program": 3, "create-der-control": 3, "create-default-der-control": 3,
    "clear-der-controls": 3, "set-poll-rate": 30,
}  # fmt: skip
"""What subscribers may be told of. The package warns of a rate that it does not see at its first look."""
WARNED = {"S-ALL-49"}
"""It wants two programs, and warns of each that it is not the other."""
PEM_END = "-----END CERTIFICATE-----"


class AdminApi:
    """The operator's API, by the access that ``openadr-vtn init`` wrote."""

    def __init__(self, http: aiohttp.ClientSession, said: Mapping[str, str]) -> None:
        self._http = http
        self._said = said
        self._headers: dict[str, str] = {}

    async def enter(self) -> None:
        form = {
            "grant_type": "client_credentials",
            **{name: self._said[name] for name in ("client_id", "client_secret")},
        }
        async with self._http.post(f"{self._said['url']}/openadr3/3.1.0/auth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, body: Any = None, *, but: tuple[int, ...] = ()) -> Any:
        """``but``: refusals that are as good as done."""
        url = f"{self._said['url']}/admin/v1/{path}"
        async with self._http.request(method, url, json=body, headers=self._headers) as answer:
            if answer.status in but:
                return None
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


@dataclass(frozen=True, slots=True)
class Device:
    """Of one of the package's clients, as our operator sees it."""

    api: AdminApi
    client: Any

    async def enter(self) -> None:
        """Its party is let in, its groups are there, and it is not registered."""
        name, certificate = self.client.id, self.client.certificate_file
        await self.api.ask("POST", "parties", {"name": name, "sha256": _sha256(certificate)}, but=(409,))
        for number in (1, 2):
            await self.api.ask("POST", "sep2/groups", {"name": f"{name}-{number}", **_placed(number)}, but=(409,))
        if self.client.type == "aggregator":
            await self.api.ask("POST", "sep2/aggregators", {"party": name, "pen": self.client.pen})
            own = {"party": name, "lfdi": _sha256(certificate)[:40]}
            await self.api.ask("POST", "sep2/devices", own, but=(409,))
        await self.ensure_end_device({"registered": False})

    async def ensure_end_device(self, said: Said) -> None:
        address, wish = f"sep2/devices/{self.client.lfdi}", {"pin": self.client.pin, "post_rate_s": POST_RATE_S}
        if not said["registered"]:
            await self.api.ask("DELETE", address, but=(404,))
        elif await self.api.ask("GET", address, but=(404,)) is None:
            named = {"party": self.client.id, "lfdi": self.client.lfdi}
            await self.api.ask("POST", "sep2/devices", {**named, **wish})
        else:
            await self.api.ask("PUT", address, wish)

    async def ensure_fsa(self, said: Said) -> None:
        await self._group(said)

    async def ensure_der_program(self, said: Said) -> None:
        """It is there with its group. It changes, so that subscribers are told, and has a default to subscribe to."""
        group = await self._group(said)
        await self.api.ask("PUT", f"sep2/groups/{group}", _placed(said.get("primacy", 1)))
        await self.api.ask("PUT", f"sep2/groups/{group}/default", {"DERControlBase": {}})

    async def ensure_der_control_list(self, said: Said) -> None:
        """Each program has one, and each can be subscribed to."""
        await self._group(said)

    async def ensure_mup_list_empty(self, _said: Said) -> None:
        await self.api.ask("DELETE", f"sep2/devices/{self.client.lfdi}/meters")

    async def create_der_control(self, said: Said) -> None:
        group = await self._group(said)
        now = datetime.now(UTC)
        away_s = 0 if said["status"] == "active" else said.get("start_offset_seconds", AWAY_S)
        wish = {
            "asks": {name: value for name, value in said.items() if name.startswith("opMod") or name == "rampTms"},
            "start": (now + timedelta(seconds=away_s)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "duration_s": said.get("duration_seconds", LASTS_S),
            "randomize_start_s": said.get("randomizeStart_seconds", 0),
        }
        await self.api.ask("POST", f"sep2/groups/{group}/controls", wish)

    async def create_default_der_control(self, said: Said) -> None:
        group = await self._group(said)
        base = {name: value for name, value in said.items() if name.startswith("opMod")}
        gradient = {"setGradW": said["setGradW"]} if "setGradW" in said else {}
        await self.api.ask("PUT", f"sep2/groups/{group}/default", {"DERControlBase": base, **gradient})

    async def clear_der_controls(self, said: Said) -> None:
        standing = [
            one["mrid"]
            for number in (1, 2)
            for one in await self.api.ask("GET", f"sep2/groups/{self.client.id}-{number}/controls")
            if one["status"] in ("scheduled", "active")
        ]
        for mrid in standing if said.get("all") else standing[-1:]:
            await self.api.ask("POST", f"sep2/controls/{mrid}/cancel", {})

    async def set_poll_rate(self, said: Said) -> None:
        await self.api.ask("PUT", f"sep2/rates/{said['resource']}", {"seconds": said["rate_seconds"]})

    async def set_post_rate(self, said: Said) -> None:
        await self.api.ask("PUT", f"sep2/devices/{self.client.lfdi}", {"post_rate_s": said["rate_seconds"]})

    async def set_client_access(self, said: Said) -> None:
        await self.api.ask("PUT", f"sep2/devices/{self.client.lfdi}", {"enabled": said["granted"]})

    async def told(self) -> dict[int, int]:
        """How many notifications each of the client's subscriptions has brought."""
        party = (await self.api.ask("GET", f"parties/{self.client.id}"))["id"]
        there = await self.api.ask("GET", "sep2/subscriptions")
        return {one["id"]: one["delivered"] for one in there if one["party_id"] == party}

    async def _group(self, said: Said) -> str:
        """The group of that primacy, with the device in it."""
        group = f"{self.client.id}-{said.get('primacy', 1)}"
        there = (await self.api.ask("GET", f"sep2/devices/{self.client.lfdi}"))["groups"]
        if group not in there:
            await self.api.ask("PUT", f"sep2/devices/{self.client.lfdi}", {"groups": sorted([*there, group])})
        return group


class OurOperator:
    """The package's hooks."""

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    @hookimpl  # type: ignore[untyped-decorator]
    async def admin_setup(self, context: Any) -> ActionResult:
        for client in context.client_configs.values():
            await Device(self._api, client).enter()
        return ActionResult.done()

    @hookimpl  # type: ignore[untyped-decorator]
    async def admin_instruction(self, instruction: Any, context: Any) -> ActionResult:
        device = Device(self._api, context.client_config_for(instruction.client))
        before = await device.told()
        await getattr(device, instruction.type.replace("-", "_"))(instruction.parameters)
        if before:
            await _until_told(device, before, TOLD_WITHIN_S.get(instruction.type, 0))
        return ActionResult.done()


def _placed(number: int) -> dict[str, int]:
    """Each group is in FunctionSetAssignments of its own; that of the first stands first: the greater number does."""
    return {"primacy": number, "assignment": 3 - number}


async def _until_told(device: Device, before: dict[int, int], within_s: int) -> None:
    """The package looks once, and then only every five seconds."""
    for _ in range(within_s * 10):
        if await device.told() != before:
            return
        await asyncio.sleep(0.1)


def _sha256(certificate: str) -> str:
    """Of the leaf, which stands first."""
    pem = Path(certificate).read_text(encoding="utf-8")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[: pem.index(PEM_END) + len(PEM_END)])).hexdigest()


async def main(config: str, profile: Path, procedures: list[str]) -> bool:
    """All at once, since most of their time is waiting. What a procedure found is printed if it failed."""
    given, _ = load_config(config)
    said = tomllib.loads(profile.read_text(encoding="utf-8"))  # noqa: ASYNC240  # nothing runs yet
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=profile.parent / said["trust"]))
    async with aiohttp.ClientSession(connector=trusting) as http:
        api = AdminApi(http, said)
        await api.enter()
        get_plugin_manager().register(OurOperator(api))
        passed = await asyncio.gather(*(_passed(given, *one.split(":")) for one in procedures))
    for one, has_passed in zip(procedures, passed, strict=True):
        sys.stdout.write(f"{'PASS' if has_passed else 'FAIL'} {one.partition(':')[0]}\n")
    return all(passed)


async def _passed(given: GlobalConfig, procedure: str, *clients: str) -> bool:
    """Without a warning, but for those that it cannot do without."""
    wanted = RunConfig(
        test_procedure_id=TestProcedureId(procedure), client_ids=list(clients), strict=procedure not in WARNED,
        headless=True, quiet=True, csip_aus_version=CSIPAusVersion.RELEASE_1_2,
        timeout=int(os.environ.get("CACTUS_TIMEOUT_S", "600")),
    )  # fmt: skip
    return bool(await run_entrypoint(given, wanted))


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1], Path(os.environ["OPENADR_OPERATOR"]), sys.argv[2:])) else 1)
