"""The client of 2030.5 as it is put together from settings: its TLS, who it trusts, and what it says is wrong."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from openadr_core.errors import CertificateRejected, ConfigError, TlsFailed
from openadr_core.exchange import Request
from openadr_core.identity import peer_of
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import server_context
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.bootstrap.sep2 import speak_sep2
from openadr_ven.bootstrap.sep2_devices import managed_devices, ratings_of
from openadr_ven.bootstrap.speaking import Speaking
from openadr_ven.fleet.columns import Fleet
from openadr_ven.protocols.sep2 import Ratings
from openadr_ven.settings import Settings
from tests.core.shell.lab import Lab
from tests.pair.test_oadr3_over_tls import ENVELOPE
from tests.rig import write_small_fleet
from tests.vtn.oadr3.secure_vtn import sha256_of
from tests.vtn.protocols.sep2.sep2_bench import a_lfdi

DCAP = Request(method="GET", path="/dcap", headers={"accept": "application/sep+xml"})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return open_fleet(write_small_fleet(tmp_path_factory.mktemp("fleet") / "fleet.csv")).fleet


@pytest.fixture
async def seen() -> list[str]:
    return []


@pytest.fixture
async def url(lab: Lab, seen: list[str]) -> AsyncIterator[str]:
    """A server that answers by the suite that was agreed on."""

    async def dcap(request: web.Request) -> web.Response:
        assert request.transport is not None
        tls = request.transport.get_extra_info("ssl_object")
        seen.extend([tls.version(), tls.cipher()[0], peer_of(tls.getpeercert(binary_form=True)).lfdi])
        return web.Response(body=b"<x/>", content_type="application/sep+xml")

    app = web.Application()
    app.router.add_get("/dcap", dcap)
    context = server_context("sep2-strict", [lab.chain("sep2-server")], [lab.trust("sep2")])
    door = await serve(app, host="127.0.0.1", port=0, tls=context)
    yield f"https://localhost:{door.port}"
    await door.close()


def speaking(lab: Lab, fleet: Fleet, url: str, **table: Any) -> Speaking:
    chain = lab.chain("sep2-device", "aggregator")
    sep2 = {"url": url, "certificate": chain.certificate, "key": chain.key, "trust": lab.trust("sep2"), **table}
    settings = Settings.model_validate({"sep2": sep2, "envelope": ENVELOPE, "fleet": {"file": "fleet"}})
    assert settings.sep2 is not None
    return speak_sep2(settings, settings.sep2, fleet=fleet, record=None, clock=SystemClock(), dice=random.Random(1))


@pytest.mark.ieee2030_5("T1", "T7")
async def test_it_speaks_tls_1_2_with_ccm_8_and_is_known_by_its_lfdi(
    lab: Lab, fleet: Fleet, url: str, seen: list[str]
) -> None:
    client = speaking(lab, fleet, url)
    assert (await client.carrier.exchange(DCAP)).status == 200
    assert client.own is not None
    assert seen == ["TLSv1.2", "ECDHE-ECDSA-AES128-CCM8", client.own.peer.lfdi]
    assert client.own.peer.lfdi in client.link.protocol
    await client.close()


async def test_a_server_of_another_root_is_told_nothing(lab: Lab, fleet: Fleet, url: str, seen: list[str]) -> None:
    client = speaking(lab, fleet, url, trust=lab.trust("ecc"))
    with pytest.raises(CertificateRejected, match="the VTN's certificate was refused"):
        await client.carrier.exchange(DCAP)
    assert seen == []
    await client.close()


async def test_a_pinned_server_is_known_by_its_pin_whatever_its_name_is(lab: Lab, fleet: Fleet, url: str) -> None:
    pin = sha256_of(lab.chain("sep2-server"))
    named_otherwise = url.replace("localhost", "127.0.0.2")
    client = speaking(lab, fleet, named_otherwise, fingerprints=(pin,))
    assert client.own is not None
    assert not client.own.as_client.check_hostname
    await client.close()
    good = speaking(lab, fleet, url, fingerprints=(pin,))
    assert (await good.carrier.exchange(DCAP)).status == 200
    await good.close()
    other = speaking(lab, fleet, url, fingerprints=("0" * 64,))
    with pytest.raises(CertificateRejected, match="not the pinned VTN"):
        await other.carrier.exchange(DCAP)
    await other.close()


@pytest.mark.ieee2030_5("T1")
async def test_a_server_without_ccm_8_is_not_spoken_to(lab: Lab, fleet: Fleet) -> None:
    context = server_context("oadr3", [lab.chain("sep2-server")], [lab.trust("sep2")])
    door = await serve(web.Application(), host="127.0.0.1", port=0, tls=context)
    client = speaking(lab, fleet, f"https://localhost:{door.port}")
    with pytest.raises(TlsFailed):
        await client.carrier.exchange(DCAP)
    await client.close()
    both = speaking(lab, fleet, f"https://localhost:{door.port}", profile="sep2-compat")
    assert (await both.carrier.exchange(DCAP)).status == 404
    await both.close()
    await door.close()


def test_what_per_cents_are_of(fleet: Fleet) -> None:
    assert ratings_of(fleet) == Ratings(
        max_w=300_000.0, charge_max_w=300_000.0, discharge_max_w=300_000.0, energy_wh=810_000.0, der_type=80
    )


def test_devices_that_we_answer_for_are_parts_of_the_fleet(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(f"lfdi,name\n{a_lfdi(1).lower()},home-1\n{a_lfdi(2)},home-2\n{a_lfdi(2)},home-3\n")
    found = managed_devices(file, fleet, "fleet")
    assert [one.ratings.max_w for one in found.values()] == [5_000.0, 10_000.0]
    assert list(found) == [a_lfdi(1), a_lfdi(2)]
    assert [target.name for target in found[a_lfdi(2)].targets] == ["home-2", "home-3"]
    file.write_text(f"lfdi,nmi,name\n{a_lfdi(1)},4102335218,home-1\n{a_lfdi(2)},,home-2\n")
    assert [one.nmi for one in managed_devices(file, fleet, "fleet").values()] == ["4102335218", ""]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lfdi\nAB\n", "needs the columns lfdi and name"),
        (f"lfdi,name,nmi\n{'A' * 40},home-1,1\n{'A' * 40},home-2,2\n", "line 3: a device has one nmi"),
        ("lfdi,name\nAB,home-1\n", "line 2: an LFDI has 40 hex digits"),
        (f"lfdi,name\n{'Z' * 40},home-1\n", "line 2: an LFDI has 40 hex digits"),
        (f"lfdi,name\n{'A' * 40},nowhere\n", "nothing of the fleet is called nowhere"),
    ],
)
def test_a_line_that_is_wrong_is_named(fleet: Fleet, tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=fault):
        managed_devices(file, fleet, "fleet")


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"pin": 111_111}, "a sixth, the last one of their sum"),
        ({"url": "http://utility.example"}, "must be https"),
        ({"url": "https://utility.example/dcap"}, "the path of DeviceCapability is dcap"),
        ({"dcap": "dcap"}, "dcap"),
        ({"fingerprints": ("AB",)}, "64 hex digits"),
    ],
)
def test_settings_that_are_wrong_say_how(lab: Lab, fleet: Fleet, wrong: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        speaking(lab, fleet, **{"url": "https://utility.example", **wrong})
