"""Who may connect to the 2030.5 listener, over real TLS: suite, chains, policies, names, uses (T1 to T7, T12)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from openadr_core.pki import Profile, client_faults, issue, make_authority
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_vtn.http.sep2_routes import sep2_app
from tests.core.shell.lab import Lab, profile
from tests.vtn.oadr3.secure_vtn import sha256_of
from tests.vtn.protocols.sep2.sep2_bench import Sep2Bench

DEVICE = profile("sep2-device")
ARC = "1.3.6.1.4.1.40732"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC) - timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Door:
    lab: Lab
    running: Running

    @property
    def url(self) -> str:
        return f"https://localhost:{self.running.port}/tm"

    async def status(self, chain: Chain, *, shown_anyway: bool = False) -> int:
        """Of /tm, which any good certificate reads. ``shown_anyway``: our own client would not show this one."""
        context = client_context("sep2-strict", None if shown_anyway else chain, [self.lab.trust("sep2")])
        if shown_anyway:
            context.load_cert_chain(chain.certificate, chain.key)
        async with httpx.AsyncClient(verify=context, trust_env=False) as http:
            return (await http.get(self.url)).status_code


@pytest.fixture
async def door(sep2: Sep2Bench, lab: Lab) -> AsyncIterator[Door]:
    """It trusts two roots: the lab's and another utility's."""
    app = sep2_app(sep2.server, lambda: sep2.now, on_busy=lambda: None)
    trust = [lab.trust("sep2"), root_of(lab, "other-serca")]
    context = server_context("sep2-strict", [lab.chain("sep2-server")], trust)
    running = await serve(app, host="127.0.0.1", port=0, tls=context)
    yield Door(lab, running)
    await running.close()


def root_of(lab: Lab, name: str) -> Path:
    file = lab.folder / f"{name}.root.pem"
    if name not in lab.authorities:
        lab.authorities[name] = make_authority(name, profile("sep2-serca"), lab.now)
        file.write_bytes(lab.authorities[name].certificate_pem)
    return file


def chain_of(lab: Lab, name: str, wanted: Profile, by: str = "sep2", *, days: int | None = None) -> Chain:
    lab.authority("sep2")
    hosts: dict[str, Any] = {"dns_names": ["localhost"]} if wanted.host_names else {}
    made = issue(wanted, name, lab.authorities[by], lab.now, days=days, **hosts)
    return lab.write(name, made.chain_pem, made.key_pem)


BAD = {
    "of tests": replace(DEVICE, policies=(f"{ARC}.1.1", f"{ARC}.2.1")),
    "self-signed policy": replace(DEVICE, policies=(f"{ARC}.1.1", f"{ARC}.2.2")),
    "no policy": replace(DEVICE, policies=()),
    "policy of others": replace(DEVICE, policies=("1.3.6.1.4.1.99999.1",)),
    "no hardware name": replace(DEVICE, hardware_type="", host_names=True),
    "no key agreement": replace(DEVICE, key_usage=("digital_signature",)),
    "extended uses": replace(DEVICE, extended_key_usage=("client",)),
}
GOOD = {
    "generic": DEVICE,
    "mobile": replace(DEVICE, policies=(f"{ARC}.1.2",)),
    "in bulk": replace(DEVICE, policies=(f"{ARC}.1.3", f"{ARC}.2.4")),
    "service provider": replace(profile("sep2-server"), policies=(f"{ARC}.2.3",)),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.ieee2030_5("T2", "T3", "T6")
async def test_a_certificate_that_the_standard_does_not_allow_is_refused(door: Door, what: str) -> None:
    assert await door.status(chain_of(door.lab, f"bad {what}", BAD[what])) == 403


@pytest.mark.parametrize("what", GOOD)
@pytest.mark.ieee2030_5("T2")
async def test_every_kind_that_it_allows_is_taken(door: Door, what: str) -> None:
    assert await door.status(chain_of(door.lab, f"good {what}", GOOD[what])) == 200


@pytest.mark.ieee2030_5("T2")
async def test_a_device_whose_certificate_ends_is_refused(door: Door) -> None:
    assert await door.status(chain_of(door.lab, "ending", DEVICE, days=30)) == 403


@pytest.mark.parametrize("by", ["sep2-serca", "sep2-mca", "sep2-mica", "other-serca"])
@pytest.mark.ieee2030_5("T4")
async def test_every_shape_of_chain_and_every_root_is_taken(door: Door, by: str) -> None:
    """T4: from the root, over one authority, over two; and of another utility's root."""
    assert await door.status(chain_of(door.lab, f"by-{by}", DEVICE, by)) == 200


@pytest.mark.ieee2030_5("T4", "T6")
async def test_a_chain_of_no_trusted_root_ends_the_handshake(door: Door) -> None:
    root_of(door.lab, "unknown-serca")
    with pytest.raises(httpx.TransportError):
        await door.status(chain_of(door.lab, "unknown", DEVICE, "unknown-serca"))


def chains_of_no_use(lab: Lab) -> dict[str, Chain]:
    """T6, of CSIP's COMM-004: what is wrong with each is for the handshake to find."""
    lab.authority("sep2")
    above, right = lab.authorities["sep2-mca"], lab.authorities["sep2-mica"]
    servers_alone = replace(profile("sep2-mica"), extended_key_usage=("server",))
    lab.authorities["for-servers"] = make_authority("for-servers", servers_alone, lab.now, above)
    renamed = issue(DEVICE, "renamed", make_authority("renamed", profile("sep2-mica"), lab.now, above), lab.now)
    usable = replace(profile("sep2-serca"), key_usage=("digital_signature", "key_agreement", "key_cert_sign"))
    alone = make_authority("alone", usable, lab.now)
    return {
        "an issuing authority for servers alone": chain_of(lab, "by-for-servers", DEVICE, "for-servers"),
        "an issuer of another name": lab.write("renamed", renamed.certificate_pem + right.chain_pem, renamed.key_pem),
        "signed by itself": lab.write("alone", alone.certificate_pem, alone.key_pem),
    }


@pytest.mark.ieee2030_5("T6")
@pytest.mark.parametrize(
    "what", ["an issuing authority for servers alone", "an issuer of another name", "signed by itself"]
)
async def test_a_chain_that_is_not_whole_ends_the_handshake(door: Door, what: str) -> None:
    """T6. Interpretation: the policies and uses of the leaf itself are answered with 403 instead.

    Python's TLS has no way to look at a certificate in the midst of a handshake. OpenSSL's own check of policies
    (X509_V_FLAG_EXPLICIT_POLICY) needs a list of those wanted, which Python cannot give: without it nobody gets in.
    """
    with pytest.raises(httpx.TransportError):
        await door.status(chains_of_no_use(door.lab)[what], shown_anyway=True)


async def test_where_a_deployment_says_so_the_chain_alone_counts(sep2: Sep2Bench, lab: Lab) -> None:
    app = sep2_app(sep2.server, lambda: sep2.now, on_busy=lambda: None, is_strict=False)
    context = server_context("sep2-strict", [lab.chain("sep2-server")], [lab.trust("sep2")])
    running = await serve(app, host="127.0.0.1", port=0, tls=context)
    assert await Door(lab, running).status(chain_of(lab, "lax", BAD["no policy"])) == 200
    await running.close()


@pytest.mark.ieee2030_5("T5")
async def test_who_is_denied_is_refused_on_the_connection_that_it_has(sep2: Sep2Bench, door: Door) -> None:
    """T5, T12: by the full hash, at the next request."""
    chain = chain_of(door.lab, "denied", DEVICE)
    context = client_context("sep2-strict", chain, [door.lab.trust("sep2")])
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        assert (await http.get(door.url)).status_code == 200
        async with sep2.store.unit_of_work() as uow:
            party = await uow.parties.by_certificate(sha256_of(chain))
            assert party is not None
            await uow.parties.deny(sha256_of(chain), "stolen", sep2.now)
            await uow.parties.save(party)
        assert (await http.get(door.url)).status_code == 403


async def test_two_with_the_same_short_names_are_two(sep2: Sep2Bench) -> None:
    """Who has another's SFDI and LFDI, and not its certificate, is a stranger."""
    one = await sep2.enrol("one")
    await sep2.device("one")
    assert await one.status("GET", "/edev?l=1") == 200
    one.peer = replace(one.peer, certificate_sha256="0" * 64)
    assert await one.status("GET", "/edev?l=1") == 403


def test_what_is_no_certificate_is_no_good() -> None:
    assert client_faults(b"x")
