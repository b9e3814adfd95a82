"""The VEN of OpenADR 3 as it is put together from settings, at our whole VTN over TLS: secrets, pins, certificates."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openadr_core.model.event import SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_ven.bootstrap.oadr3 import speak_oadr3
from openadr_ven.bootstrap.speaking import Speaking
from openadr_ven.domain import indications as i
from openadr_ven.settings import Settings
from openadr_ven.transport.upstream import Upstream
from openadr_vtn.domain.access import Role
from openadr_vtn.http.addresses import OADR3, OADR301
from tests.core.shell.lab import Lab
from tests.vtn.oadr3.secure_vtn import SecureVtn, ask, secure_vtn, sha256_of, token_of
from tests.vtn.operator.desk_bench import relief_event

STEPS_MAX = 60
ENVELOPE = {
    "event_max_w": 1, "ramp_w_per_s": 1, "release_ramp_w_per_s": 1, "step_max_w": 1, "reversals_per_hour": 2,
    "reversal_deadband_w": 0, "notice_min_s": 0, "soc_floor": 0.2,
}  # fmt: skip


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture
async def vtn(lab: Lab, tmp_path: Path) -> AsyncIterator[SecureVtn]:
    async with secure_vtn(lab, tmp_path) as vtn:
        yield vtn


@dataclass
class Agent:
    """Keeps what it hears, and answers every event alike."""

    answer: OptType
    heard: list[i.Indication] = field(default_factory=list)
    impostors: list[str] = field(default_factory=list)
    speaking: Speaking | None = None

    async def heed(self, indications: Sequence[i.Indication], *, now: datetime) -> bool:
        assert self.speaking is not None
        self.heard.extend(indications)
        for one in indications:
            if isinstance(one, i.EventReceived):
                opt = Opt(event_id=one.event.id, version=one.event.version, opt_type=self.answer, at=now)
                self.speaking.session.answer(opt)
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        del now
        self.impostors.append(text)


@dataclass
class VenEnd:
    agent: Agent
    speaking: Speaking
    upstream: Upstream

    async def run(self) -> list[i.Indication]:
        """All that is due; what was indicated."""
        self.agent.heard.clear()
        for _ in range(STEPS_MAX):
            if not await self.upstream.step():
                return self.agent.heard
        raise AssertionError("it has no end")


def ven_end(vtn: SecureVtn, folder: Path, secret: str, answer: OptType = OptType.IN, **table: Any) -> VenEnd:
    file = folder / "client-secret"
    file.write_text(f"{secret}\n")
    oadr3 = {
        "url": vtn.vtn.listeners["oadr3"].url.replace("127.0.0.1", "localhost"), "ven_name": "house",
        "client_id": "ven-1", "client_secret_file": file, "trust": vtn.lab.trust("ecc"), **table,
    }  # fmt: skip
    settings = Settings.model_validate(
        {
            "oadr3": oadr3, "envelope": ENVELOPE, "fleet": {"file": "fleet"},
            "programs": {"*": {"relief_sign": "POSITIVE"}},
        }
    )  # fmt: skip
    assert settings.oadr3 is not None
    speaking = speak_oadr3(
        settings, settings.oadr3, resources=("fleet", "fleet-battery"), record=None, clock=vtn.clock,
        dice=random.Random(1),
    )  # fmt: skip
    agent = Agent(answer, speaking=speaking)
    upstream = Upstream(session=speaking.session, carrier=speaking.carrier, listener=agent, now=vtn.clock.now)
    return VenEnd(agent, speaking, upstream)


async def event_of(vtn: SecureVtn, **changes: Any) -> str:
    secret = await vtn.add("desk", Role.BUSINESS)
    async with vtn.client() as http:
        bearer = {"Authorization": f"Bearer {await token_of(http, 'desk', secret)}"}
        made = await http.post(f"{OADR3}/programs", json={"programName": "relief"}, headers=bearer)
        answer = await http.post(f"{OADR3}/events", json=relief_event(made.json()["id"], **changes), headers=bearer)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def read(vtn: SecureVtn, what: str) -> list[dict[str, Any]]:
    """As business logic sees it."""
    secret = await vtn.add(f"reader of {what}", Role.BUSINESS)
    async with vtn.client() as http:
        found: list[dict[str, Any]] = (
            await ask(http, await token_of(http, f"reader of {what}", secret), f"{OADR3}/{what}")
        ).json()
        return found


@pytest.mark.openadr3("R7.12")
async def test_it_bids_for_capacity_where_an_event_asks_and_its_settings_say_so(vtn: SecureVtn, tmp_path: Path) -> None:
    offered = [{"type": "IMPORT_CAPACITY_AVAILABLE", "values": [25]}]
    event_id = await event_of(
        vtn, intervals=[{"id": 3, "payloads": offered}],
        reportDescriptors=[{"payloadType": f"{way}_RESERVATION_CAPACITY"} for way in ("IMPORT", "EXPORT")],
    )  # fmt: skip
    ven = ven_end(vtn, tmp_path, await vtn.add("ven-1"), bids={"import_kw": 40, "import_fee_max": 0.3})
    (not_bid,) = [one for one in await ven.run() if isinstance(one, i.ReportNotOffered)]
    assert not_bid.what == "EXPORT_RESERVATION_CAPACITY"
    (report,) = [one for one in await read(vtn, "reports") if "RESERVATION" in one["reportName"]]
    (interval,) = report["resources"][0]["intervals"]
    assert (report["eventID"], interval["id"]) == (event_id, 3)
    assert interval["payloads"] == [{"type": "IMPORT_RESERVATION_CAPACITY", "values": [25.0]}]


@pytest.mark.parametrize("base", [OADR3, OADR301])
async def test_it_follows_an_event_and_opts_out_in_either_version(vtn: SecureVtn, tmp_path: Path, base: str) -> None:
    event_id = await event_of(vtn)
    ven = ven_end(vtn, tmp_path, await vtn.add("ven-1"), OptType.OUT, base=base)
    heard = await ven.run()
    (received,) = [one for one in heard if isinstance(one, i.EventReceived)]
    assert (received.event.id, received.event.signals[0].kind) == (event_id, SignalKind.RELIEF)
    assert received.event.signals[0].intervals[0].value == 5e6
    assert [one for one in heard if isinstance(one, i.VtnRefused | i.VtnUnreachable | i.EventRefused)] == []
    (report,) = await read(vtn, "reports")
    assert (report["eventID"], report["clientID"]) == (event_id, "ven-1")
    assert report["resources"][0]["intervals"][0]["payloads"][0]["values"] == ["RUNNING_OPTED_OUT"]
    assert {one["resourceName"] for one in await read(vtn, "resources")} == {"fleet", "fleet-battery"}
    await ven.speaking.close()


async def test_a_token_that_ends_is_renewed_on_the_same_connection(vtn: SecureVtn, tmp_path: Path) -> None:
    ven = ven_end(vtn, tmp_path, await vtn.add("ven-1"))
    await ven.run()
    vtn.hours.ahead_s += timedelta(hours=2).total_seconds()
    assert [type(one) for one in await ven.run()] == []
    await ven.speaking.close()


async def test_it_shows_the_certificate_that_its_tokens_are_bound_to(vtn: SecureVtn, lab: Lab, tmp_path: Path) -> None:
    chain = lab.chain("openadr-ecc-ven")
    secret = await vtn.add("ven-1", certificate_sha256=sha256_of(chain))
    bare = ven_end(vtn, tmp_path, secret)
    assert [type(one) for one in await bare.run()] == [i.NotEnrolled]
    await bare.speaking.close()
    ven = ven_end(vtn, tmp_path, secret, certificate=chain.certificate, key=chain.key)
    assert [type(one) for one in await ven.run()] == [i.Registered]
    await ven.speaking.close()


async def test_whoever_is_not_the_pinned_vtn_is_told_no_secret(vtn: SecureVtn, lab: Lab, tmp_path: Path) -> None:
    """T01: the right authority, and another certificate than the one that was pinned."""
    secret = await vtn.add("ven-1")
    good = ven_end(vtn, tmp_path, secret, fingerprints=(sha256_of(lab.chain("openadr-ecc-vtn")),))
    assert [type(one) for one in await good.run()] == [i.Registered]
    await good.speaking.close()
    other = ven_end(vtn, tmp_path, secret, fingerprints=("0" * 64,))
    assert [type(one) for one in await other.run()] == [i.VtnUnreachable]
    assert other.agent.impostors == ["the VTN's certificate was refused: ('not the pinned VTN',)"]
    await other.speaking.close()
    strange = ven_end(vtn, tmp_path, secret, trust=lab.trust("rsa"))
    assert [type(one) for one in await strange.run()] == [i.VtnUnreachable]
    assert len(strange.agent.impostors) == 1
    await strange.speaking.close()
