"""Our VEN at somebody else's VTN: the one of the published openleadr package, in its own process, over mutual TLS."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.model.event import SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.oadr2.market_context import normalised
from openadr_core.shell.clock import ManualClock
from openadr_core.shell.tls import client_context
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.protocols.oadr2.events import Enrolled
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.upstream import Upstream
from tests.core.shell.lab import Lab
from tests.ven.protocols.conversation import SETTINGS, of
from tests.ven.protocols.scripted_vtn import read
from tests.ven.transport.test_vtn_client import fingerprint

RUNNER = Path(__file__).resolve().parents[2] / "interop" / "openleadr_vtn.py"
CONTEXT = "oadr://unknown.context"
"""What openleadr writes when its user names none."""
POLL_S = 11


@dataclass
class Decider:
    """An agent that opts in to everything."""

    heard: list[i.Indication] = field(default_factory=list)
    session: Oadr2Session | None = None

    async def heed(self, indications: Sequence[i.Indication], *, now: datetime) -> bool:
        self.heard.extend(indications)
        for one in of(i.EventReceived, list(indications)):
            assert self.session is not None
            opt = Opt(event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=now)
            self.session.answer(opt)
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        raise AssertionError(f"{text} at {now}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture(scope="module")
def stranger(lab: Lab) -> Iterator[dict[str, str]]:
    ours, theirs = lab.chain("openadr-ecc-ven"), lab.chain("openadr-ecc-vtn")
    trust = lab.trust("ecc")
    authorities = lab.folder / "authorities.pem"
    authorities.write_bytes(lab.authority("ecc").certificate_pem + trust.read_bytes())
    # openleadr takes a fingerprint from a file with one certificate; a chain gives it nonsense, or an exception.
    leaf = lab.folder / "leaf.pem"
    certificate = x509.load_pem_x509_certificates(ours.certificate.read_bytes())[0]
    leaf.write_bytes(certificate.public_bytes(Encoding.PEM))
    process = subprocess.Popen(
        [
            sys.executable, str(RUNNER), "serve", "--certificate", str(theirs.certificate), "--key", str(theirs.key),
            "--trust", str(authorities), "--enrol", "ours", str(leaf),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(next(line for line in process.stdout if line.startswith("{")))
    finally:
        process.kill()
        process.wait()


def wish(**changes: Any) -> dict[str, Any]:
    start = datetime.now(UTC).replace(microsecond=0).isoformat()
    return {
        "action": "create", "event_id": "", "ven_id": "VEN-ours", "signal_name": "SIMPLE", "signal_type": "level",
        "start": start, "durations_s": [600], "values": [1.0],
    } | changes  # fmt: skip


async def test_registration_an_event_our_answer_and_its_cancel(lab: Lab, stranger: dict[str, str]) -> None:
    clock, decider = ManualClock(datetime.now(UTC)), Decider()
    enrolled = Enrolled(relief_signs={normalised(CONTEXT): None})
    session = Oadr2Session(
        settings=replace(SETTINGS, enrolled=enrolled), decode=read, dice=random.Random(1), now=clock.now()
    )
    decider.session = session
    context = client_context("modern-2.0b", lab.chain("openadr-ecc-ven"), [lab.trust("ecc")])
    pins = [fingerprint(lab.chain("openadr-ecc-vtn"))]
    client = VtnClient(url=stranger["url"], context=context, fingerprints=pins, timeout_s=5)
    upstream = Upstream(session=session, carrier=client, listener=decider, now=clock.now)

    async def talk() -> None:
        clock.advance(POLL_S)
        while await upstream.step():
            pass

    for _ in range(10):  # it says that it is ready a moment before it is
        await talk()
        if session.memory.synchronised:
            break
        await asyncio.sleep(0.2)
    (registered,) = of(i.Registered, decider.heard)
    assert registered.ven_id == "VEN-ours"
    assert session.memory.offered
    assert session.memory.synchronised

    async with httpx.AsyncClient() as operator:
        event_id = (await operator.post(stranger["control"], json=wish())).text
        await talk()
        (received,) = of(i.EventReceived, decider.heard)
        assert received.event.id == event_id
        assert received.event.signals[0].kind is SignalKind.LEVEL
        assert session.memory.answers == ()  # acknowledged
        assert of(i.VtnRefused, decider.heard) == []

        await operator.post(stranger["control"], json=wish(action="cancel", event_id=event_id))
        await talk()
        (cancelled,) = of(i.EventCancelled, decider.heard)
        assert cancelled.event.id == event_id
    await client.close()
