"""What a signature costs beside the key's own work, by kind of key and size of message, and beside signxml."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from lxml import etree
from signxml import methods
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, decode, envelope_of
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import prepare, signed, signer_of, verify
from openadr_core.oadr2.xmldsig.keys import is_signed_by
from openadr_core.oadr2.xmldsig.names import C14N
from openadr_core.shell.datafiles import load_schema
from tests.bench.lab import Lab
from tests.bench.pairing import cpu_s
from tests.bench.tables import Table
from tests.bench.test_codec_cost import VECTORS

pytestmark = pytest.mark.bench

NOW = datetime.now(UTC)
OURS = ("key signs", "sign", "sign again", "key verifies", "verify", "read and verify")
THEIRS = ("signxml signs", "signxml verifies")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_sign_and_verify(lab: Lab, tables: list[Table]) -> None:
    rows = []
    for kind in ("rsa", "ecc"):
        for name, body in messages().items():
            found = cpu_s(calls(lab, kind, body))
            both = found.median("sign") + found.median("read and verify")
            rows.append(
                [f"{kind} {name}", f"{len(body):,}"]
                + [f"{found.median(call) * 1e6:.0f}" for call in (*OURS, *THEIRS)]
                + [f"{both * 1e3:.2f}", f"{1 / both:,.0f}"]
            )
    tables.append(
        Table(
            title="XML signatures of 2.0b, µs of CPU a message",
            header=("key and payload", "bytes", *OURS, *THEIRS, "both, ms", "both, a second"),
            rows=rows,
            notes=(
                "key signs, verifies: the bare operation. sign again: what is said once more.",
                "read and verify: gate, schema and signature. both: sign, and read and verify.",
            ),
        )
    )


def messages() -> Mapping[str, bytes]:
    event = decode((VECTORS / "distribute_event.xml").read_bytes(), load_schema())
    report = decode((VECTORS / "update_report.xml").read_bytes(), load_schema())
    assert isinstance(report, m.UpdateReport)
    large = m.UpdateReport(request_id="q", ven_id=report.ven_id, reports=report.reports * 200)
    return {"poll": encode(m.Poll(ven_id="ven-0")), "event": encode(event), "200 reports": encode(large)}


def calls(lab: Lab, kind: str, body: bytes) -> dict[str, Callable[[], object]]:
    chain = lab.vens(1, kind)[0].chain
    signer = signer_of(chain.certificate.read_bytes(), chain.key.read_bytes())
    prepared = prepare(body)
    wire = signed(prepared, signer, sent_at=NOW, nonce="n")
    envelope = envelope_of(wire, load_schema(), limits=LARGE)
    content = etree.tostring(envelope[0][0], method="c14n")
    certificate, key = chain.certificate.read_text(), chain.key.read_bytes()
    value = signer.sign(content)
    verifier = partial(verify, envelope)
    return {
        "key signs": partial(signer.sign, content),
        "sign": lambda: signed(prepare(body), signer, sent_at=NOW, nonce="n"),
        "sign again": partial(signed, prepared, signer, sent_at=NOW, nonce="n"),
        "key verifies": partial(is_signed_by, verifier().holder.key, signer.method, value, content),
        "verify": verifier,
        "read and verify": lambda: verify(envelope_of(wire, load_schema(), limits=LARGE)),
        "signxml signs": partial(_as_openleadr_signs, etree.fromstring(body)[0], kind, certificate, key),
        "signxml verifies": partial(
            XMLVerifier().verify, wire, x509_cert=certificate, expect_config=SignatureConfiguration(expect_references=2)
        ),
    }


def _as_openleadr_signs(signed_object: etree._Element, kind: str, certificate: str, key: bytes) -> None:
    """With the key in PEM, as that package hands it over each time."""
    signer = XMLSigner(method=methods.detached, c14n_algorithm=C14N)
    signer.sign_alg = SignatureMethod.RSA_SHA256 if kind == "rsa" else SignatureMethod.ECDSA_SHA256
    signer.sign(signed_object, key=key, cert=certificate, reference_uri="#oadrSignedObject")
