"""Signed messages between us and the openleadr package, both ways, with both kinds of key, over mutual TLS."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from openleadr.utils import certificate_fingerprint

from demo.lab import Lab as Deployment
from demo.lab import Ports
from demo.processes import run_command
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr2.xmldsig import signer_of
from openadr_core.shell.clock import ManualClock
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.tls import client_context
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.seal import Seal, SealedCarrier
from openadr_ven.transport.upstream import Upstream
from tests.core.shell.lab import Lab
from tests.rig import VTN_SETTINGS
from tests.ven.protocols.conversation import SETTINGS, of
from tests.ven.protocols.scripted_vtn import read
from tests.ven.transport.test_strangers_vtn_and_our_ven import Decider
from tests.ven.transport.test_vtn_client import fingerprint

pytestmark = pytest.mark.openadr20b("R514", "S7", "S8", "S9")

RUNNER = Path(__file__).with_name("openleadr_vtn.py")
NAME = "stranger"


@pytest.fixture(params=["ecc", "rsa"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def deployment(tmp_path: Path, kind: str) -> Iterator[Deployment]:
    """Our VTN, which takes nothing unsigned, and openleadr's VEN, which believes nothing unsigned."""
    settings = {**VTN_SETTINGS, "OPENADR_VTN_PARTIES__SIGNATURES": "require"}
    made = Deployment(folder=tmp_path / "lab", ports=Ports.free(), vtn_settings=settings)
    try:
        made.make_vtn()
        made.start_vtn()
        certificates = made.folder / "certificates"
        run_command(
            "openadr_vtn", "certificate", "mint", "--profile", f"openadr-{kind}-ven", "--name", NAME,
            "--authorities", made.vtn / "certs", "--out", certificates,
        )  # fmt: skip
        end = "-----END CERTIFICATE-----\n"
        ours = (made.vtn / "certs" / "vtn-ecc.pem").read_text().partition(end)[0] + end
        made.processes.start(
            NAME, "demo.stranger", "--name", NAME, "--vtn", made.vtn_url, "--trust", made.authority,
            "--certificate", certificates / f"{NAME}.pem", "--key", certificates / f"{NAME}.key",
            "--vtn-fingerprint", certificate_fingerprint(ours),
        )  # fmt: skip
        yield made
    finally:
        made.processes.stop_all()


def test_their_ven_signs_registers_and_answers_an_event_at_our_vtn(deployment: Deployment) -> None:
    lab = deployment
    lab.processes.wait_until("the stranger to knock", lambda: bool(lab.operator_json("party", "list")))
    lab.operator_command("party", "approve", NAME)
    lab.processes.wait_until(
        "the stranger to register", lambda: bool(lab.operator_json("party", "list")[0]["registered_at"])
    )
    lab.operator_command("program", "create", "levels", "--market-context", "http://utility.example/levels")
    event_id = lab.operator_json(
        "event", "create", "--program", "levels", "--payload-type", "SIMPLE", "--value", "2", "--duration", "60s"
    )["id"]
    lab.processes.wait_until(
        "its answer", lambda: any(row["opt"] for row in lab.operator_json("event", "show", event_id)["ledger"])
    )
    # Nothing of all that can have been unsigned, on either side.
    assert "signature refused" not in (lab.processes.logs / "vtn.log").read_text()


class EachNonceOnce:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def claim(self, key: str, until: datetime) -> bool:
        assert until > datetime.now(UTC)
        is_new = key not in self.seen
        self.seen.add(key)
        return is_new


@pytest.fixture
def signing_lab(tmp_path: Path) -> Lab:
    return Lab(folder=tmp_path, now=datetime.now(UTC))


@pytest.fixture
def their_vtn(signing_lab: Lab, kind: str) -> Iterator[str]:
    """The address of openleadr's VTN, which signs, and takes nothing unsigned."""
    lab, ours, theirs = signing_lab, signing_lab.chain(f"openadr-{kind}-ven"), signing_lab.chain(f"openadr-{kind}-vtn")
    authorities, leaf = lab.folder / "authorities.pem", lab.folder / "leaf.pem"
    authorities.write_bytes(lab.authority(kind).certificate_pem + lab.trust(kind).read_bytes())
    certificate = x509.load_pem_x509_certificates(ours.certificate.read_bytes())[0]
    leaf.write_bytes(certificate.public_bytes(Encoding.PEM))
    process = subprocess.Popen(
        [
            sys.executable, str(RUNNER), "serve", "--signed", "--certificate", str(theirs.certificate),
            "--key", str(theirs.key), "--trust", str(authorities), "--enrol", "ours", str(leaf),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(next(line for line in process.stdout if line.startswith("{")))["url"]
    finally:
        process.kill()
        process.wait()


async def test_our_ven_signs_and_registers_at_their_vtn(their_vtn: str, signing_lab: Lab, kind: str) -> None:
    lab = signing_lab
    ours, theirs = lab.chain(f"openadr-{kind}-ven"), lab.chain(f"openadr-{kind}-vtn")
    clock, decider, nonces = ManualClock(datetime.now(UTC)), Decider(), count()
    session = Oadr2Session(
        settings=replace(SETTINGS, xml_signature=True), decode=read, dice=random.Random(1), now=clock.now()
    )
    decider.session = session
    pins = [fingerprint(theirs)]
    context = client_context("modern-2.0b", ours, [lab.trust(kind)])
    client = VtnClient(url=their_vtn, context=context, fingerprints=pins, timeout_s=5)
    signer = signer_of(ours.certificate.read_bytes(), ours.key.read_bytes())
    security = MessageSecurity(
        signers={signer.kind: signer}, claims=EachNonceOnce(), clock=lambda: datetime.now(UTC),
        new_nonce=lambda: f"nonce-{next(nonces)}", window=timedelta(seconds=5),
    )  # fmt: skip
    seal = Seal(
        security=security, rule=SignatureRule.REQUIRE, certificates=pins, schema=load_schema(),
        now=lambda: datetime.now(UTC),
    )  # fmt: skip
    upstream = Upstream(session=session, carrier=SealedCarrier(client, seal), listener=decider, now=clock.now)
    for _ in range(20):  # it says that it is ready a moment before it is
        clock.advance(11)
        while await upstream.step():
            pass
        if session.memory.synchronised:
            break
        await asyncio.sleep(0.2)
    (registered,) = of(i.Registered, decider.heard)
    assert registered.ven_id == "VEN-ours"
    assert session.memory.offered
    assert of(i.VtnRefused, decider.heard) == []
    await client.close()
