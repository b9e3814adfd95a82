"""TLS contexts: what each preset takes and refuses, found by trying every suite that OpenSSL has (security T14)."""

import ssl
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives import serialization

from openadr_core.errors import ConfigError
from openadr_core.shell import tls
from tests.core.shell.lab import FAULTS, Lab

TLS_1_3_SUITES = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
MODERN = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
}  # fmt: skip
CERTIFICATION = {"ECDHE-ECDSA-AES128-SHA256", "AES128-SHA256"}
GOLDEN: dict[tls.PresetName, set[str]] = {
    "certification-2.0b": CERTIFICATION,
    "modern-2.0b": MODERN | CERTIFICATION | TLS_1_3_SUITES,
    "sep2-strict": {"ECDHE-ECDSA-AES128-CCM8"},
    "sep2-compat": {"ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    "oadr3": MODERN | TLS_1_3_SUITES,
}
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def server_of(lab: Lab, preset: tls.PresetName, *, trust: str = "ecc") -> ssl.SSLContext:
    if preset.startswith("sep2"):
        return tls.server_context(preset, [lab.chain("sep2-server")], [lab.trust("sep2"), lab.trust(trust)])
    both = [lab.chain("openadr-rsa-vtn"), lab.chain("openadr-ecc-vtn")]
    return tls.server_context(preset, both, [lab.trust("rsa"), lab.trust(trust)])


def any_client(lab: Lab, suites: str = EVERYTHING) -> ssl.SSLContext:
    """A client that takes anything from anyone, with a good certificate: what is refused, the server refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.SSLv3
    context.set_ciphers(suites)
    good = lab.chain("openadr-ecc-ven")
    context.load_cert_chain(good.certificate, good.key)
    return context


def accepts(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    try:
        return tls.handshake(server, client).suite
    except ssl.SSLError:
        return ""


@pytest.mark.openadr20b("R67", "S1")
@pytest.mark.parametrize("preset", GOLDEN)
def test_a_server_speaks_the_golden_suites_and_no_other(lab: Lab, preset: tls.PresetName) -> None:
    server, spoken = server_of(lab, preset), set()
    known = {suite["name"] for suite in any_client(lab).get_ciphers()}
    assert {"NULL-SHA256", "ADH-AES128-SHA256"} < known, "the client must be able to ask for what is refused"
    for suite in known - TLS_1_3_SUITES:
        client = any_client(lab, f"{suite}:@SECLEVEL=0")
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        spoken.add(accepts(server, client))
    client = any_client(lab)
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    spoken |= TLS_1_3_SUITES if accepts(server, client) else set()
    assert spoken - {""} == GOLDEN[preset]


@pytest.mark.openadr20b("R67", "S1")
@pytest.mark.parametrize("preset", GOLDEN)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(lab: Lab, preset: tls.PresetName, version: ssl.TLSVersion) -> None:
    client = any_client(lab)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.maximum_version = version
    server = server_of(lab, preset)
    assert not accepts(server, client)
    # The same client does speak that version, to a server that lets it.
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        careless.minimum_version = version
    careless.set_ciphers(EVERYTHING)
    chain = lab.chain("openadr-rsa-vtn")
    careless.load_cert_chain(chain.certificate, chain.key)
    assert accepts(careless, client)


@pytest.mark.parametrize("preset", GOLDEN)
def test_nothing_is_renegotiated(lab: Lab, preset: tls.PresetName) -> None:
    assert server_of(lab, preset).options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.openadr20b("R67", "R68", "S1", "S2")
def test_a_ven_needs_one_of_the_two_suites_of_2_0b(lab: Lab) -> None:
    """R67: the VTN serves a VEN that has only the RSA suite, and one that has only the ECC suite."""
    server = server_of(lab, "certification-2.0b")
    for suite, kind in (("AES128-SHA256", "rsa"), ("ECDHE-ECDSA-AES128-SHA256", "ecc")):
        client = tls.client_context(
            "certification-2.0b", lab.chain(f"openadr-{kind}-ven"), [lab.trust(kind)]
        )  # fmt: skip
        client.set_ciphers(suite)
        assert tls.handshake(server, client, server_name="localhost").suite == suite


@pytest.mark.openadr20b("R68", "S2")
def test_a_vtn_with_one_certificate_is_told_whom_it_cannot_serve(lab: Lab) -> None:
    chains = {"AES128-SHA256": lab.chain("openadr-ecc-vtn"), "ECDHE-ECDSA-AES128-SHA256": lab.chain("openadr-rsa-vtn")}
    for suite, other in chains.items():
        with structlog.testing.capture_logs() as records:
            tls.server_context("certification-2.0b", [other], [lab.trust("rsa")])
        assert [record["suites"] for record in records] == [[suite]]
    with structlog.testing.capture_logs() as records:
        tls.server_context("certification-2.0b", list(chains.values()), [lab.trust("rsa")])
    assert records == []


def test_a_device_chain_is_taken_from_leaf_to_serca(lab: Lab) -> None:
    server = server_of(lab, "sep2-strict")
    client = tls.client_context("sep2-strict", lab.chain("sep2-device"), [lab.trust("sep2")])
    found = tls.handshake(server, client, server_name="localhost")
    assert found == tls.Negotiated(version="TLSv1.2", suite="ECDHE-ECDSA-AES128-CCM8")


def test_a_device_that_sends_no_chain_is_refused(lab: Lab) -> None:
    made = lab.issued("sep2-device", "lonely")
    alone = lab.write("lonely", made.certificate_pem, made.key_pem)
    client = tls.client_context("sep2-strict", alone, [lab.trust("sep2")])
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        tls.handshake(server_of(lab, "sep2-strict"), client, server_name="localhost")


@pytest.mark.openadr20b("R516", "R517", "S3", "S4")
def test_a_bad_client_certificate_ends_the_handshake(lab: Lab, fault: str) -> None:
    """OpenADR 2.0b 9.2.1.1, IEEE 2030.5 COMM-004: refused by the handshake, not after it."""
    with pytest.raises(ssl.SSLError, match=FAULTS[fault].reason):
        shown(lab, lab.bad(fault))


def test_the_same_certificate_without_a_fault_is_taken(lab: Lab) -> None:
    assert shown(lab, lab.bad("")).version == "TLSv1.3"


def shown(lab: Lab, chain: tls.Chain) -> tls.Negotiated:
    """What a server says to this client certificate; the client itself minds nothing."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("DEFAULT:AES128-SHA256:@SECLEVEL=0")
    client.load_cert_chain(chain.certificate, chain.key)
    return tls.handshake(server_of(lab, "modern-2.0b"), client)


@pytest.mark.openadr20b("S3")
def test_a_certificate_of_another_authority_or_none_at_all_is_refused(lab: Lab) -> None:
    server = tls.server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    for chain in (lab.chain("openadr-rsa-ven"), None):
        client = tls.client_context("modern-2.0b", chain, [lab.trust("ecc")])
        with pytest.raises(ssl.SSLError, match="CERTIFICATE"):
            tls.handshake(server, client, server_name="localhost")


def test_no_client_certificate_is_let_in_where_it_is_optional(lab: Lab) -> None:
    choices: tuple[tls.ClientCertificates, ...] = ("optional", "none")
    for wanted in choices:
        server = tls.server_context("oadr3", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")], wanted)
        client = tls.client_context("oadr3", None, [lab.trust("ecc")])
        assert tls.handshake(server, client, server_name="localhost").version == "TLSv1.3"


@pytest.mark.openadr20b("S3")
def test_a_client_looks_at_the_server(lab: Lab) -> None:
    server = tls.server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    ours = lab.chain("openadr-ecc-ven")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        tls.handshake(server, tls.client_context("modern-2.0b", ours, [lab.trust("ecc")]), server_name="vtn.example")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get|self-signed"):
        tls.handshake(server, tls.client_context("modern-2.0b", ours, [lab.trust("rsa")]), server_name="localhost")
    pinned = tls.client_context("modern-2.0b", ours, [lab.trust("ecc")], check_hostname=False)
    assert tls.handshake(server, pinned, server_name="vtn.example").version == "TLSv1.3"


def test_a_context_that_cannot_work_is_refused_at_start(lab: Lab, tmp_path: Path) -> None:
    chain, trust = lab.chain("openadr-ecc-vtn"), lab.trust("ecc")
    rsa = lab.chain("openadr-rsa-vtn")
    empty = tmp_path / "empty.pem"
    empty.touch()
    missing = tmp_path / "missing.pem"
    with pytest.raises(ConfigError, match=r"vtn\.party\.pem \(RSA key\) cannot serve sep2-strict"):
        tls.server_context("sep2-strict", [rsa], [trust])
    with pytest.raises(ConfigError, match="no TLS preset"):
        tls.server_context("rot13", [chain], [trust])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one certificate chain"):
        tls.server_context("oadr3", [], [trust])
    with pytest.raises(ConfigError, match="no authority is trusted"):
        tls.server_context("oadr3", [chain], [])
    with pytest.raises(ConfigError, match="no authority is trusted"):
        tls.client_context("oadr3", None, [])
    with pytest.raises(ConfigError, match=r"missing\.pem is not there"):
        tls.server_context("oadr3", [tls.Chain(certificate=missing, key=chain.key)], [trust])
    with pytest.raises(ConfigError, match="cannot be used"):
        tls.server_context("oadr3", [tls.Chain(certificate=chain.certificate, key=rsa.key)], [trust])
    with pytest.raises(ConfigError, match=r"empty\.pem holds no authorities"):
        tls.server_context("oadr3", [chain], [empty])
    with pytest.raises(ConfigError, match=r"missing\.pem holds no authorities"):
        tls.client_context("oadr3", None, [missing])


def test_an_encrypted_key_is_refused_and_not_asked_about(lab: Lab, tmp_path: Path) -> None:
    chain = lab.chain("openadr-ecc-vtn")
    key = serialization.load_pem_private_key(chain.key.read_bytes(), password=None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the key is encrypted"):
        tls.client_context("oadr3", tls.Chain(certificate=chain.certificate, key=locked), [lab.trust("ecc")])


@pytest.mark.openadr20b("R516", "S4")
def test_a_service_does_not_start_on_its_last_day(lab: Lab) -> None:
    short, long = lab.chain("openadr-ecc-vtn", "short", days=2), lab.chain("sep2-device")
    assert tls.refuse_expired([short, long], lab.now)[long.certificate].year == 9999
    late = lab.now + timedelta(days=1, seconds=1)
    with pytest.raises(ConfigError, match=r"short\.pem ends at"):
        tls.refuse_expired([short, long], late)
    with structlog.testing.capture_logs() as records:
        assert set(tls.refuse_expired([short, long], late, forced=True)) == {short.certificate, long.certificate}
    assert [(record["event"], record["file"], record["days_left"]) for record in records] == [
        ("certificate ends soon", str(short.certificate), 0)
    ]


def test_a_renewed_chain_is_served_without_a_restart(lab: Lab) -> None:
    old, new = lab.chain("openadr-ecc-vtn", "old"), lab.chain("openadr-ecc-vtn", "new")
    server = tls.server_context("modern-2.0b", [old], [lab.trust("ecc")])
    client = tls.client_context("modern-2.0b", lab.chain("openadr-ecc-ven"), [lab.trust("ecc")])
    assert served(server, client) == leaf(old)
    broken = tls.Chain(certificate=new.certificate, key=old.key)
    with pytest.raises(ConfigError):
        tls.reload(server, "modern-2.0b", [broken])
    assert served(server, client) == leaf(old), "a bad file changes nothing"
    tls.reload(server, "modern-2.0b", [new])
    assert served(server, client) == leaf(new)


def test_an_authority_can_be_trusted_from_now_on(lab: Lab) -> None:
    server = tls.server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    client = tls.client_context("modern-2.0b", lab.chain("openadr-rsa-ven"), [lab.trust("ecc")])
    assert not served(server, client)
    tls.reload(server, "modern-2.0b", [], [lab.trust("rsa")])
    assert served(server, client)


def served(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """The leaf certificate that a new connection is shown; nothing if it is refused."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    calling = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        for side in (calling, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return b""
    return calling.getpeercert(binary_form=True) or b""


def leaf(chain: tls.Chain) -> bytes:
    first, _, _ = chain.certificate.read_text().partition("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(first + "-----END CERTIFICATE-----\n")


@pytest.mark.openadr20b("R516", "S3", "S4")
@pytest.mark.parametrize("fault", ["expired", "for servers only", "no digital signature"])
def test_a_client_that_no_server_would_take_is_told_so_at_start(lab: Lab, fault: str) -> None:
    with pytest.raises(ConfigError, match="cannot be shown to a server"):
        tls.client_context("modern-2.0b", lab.bad(fault), [lab.trust("ecc")])


@pytest.mark.openadr20b("R67", "R68", "S1", "S2")
@pytest.mark.parametrize("kind", ["ecc", "rsa"])
@pytest.mark.parametrize("preset", ["certification-2.0b", "modern-2.0b"])
def test_a_vtn_as_client_has_both_suites_for_a_ven_with_one(lab: Lab, preset: tls.PresetName, kind: str) -> None:
    trust = [lab.trust("ecc"), lab.trust("rsa")]
    with structlog.testing.capture_logs() as records:
        ven = tls.server_context(preset, [lab.chain(f"openadr-{kind}-ven")], trust, every_suite=False)
    assert records == [], "of a VEN one certificate is all that is wanted"
    vtn = tls.client_context(
        preset, lab.chain("openadr-rsa-vtn"), trust, others=[lab.chain("openadr-ecc-vtn")], check_hostname=False
    )
    suite = tls.handshake(ven, vtn).suite
    assert suite in (CERTIFICATION if preset == "certification-2.0b" else GOLDEN[preset])
    if preset == "certification-2.0b":
        assert suite == {"ecc": "ECDHE-ECDSA-AES128-SHA256", "rsa": "AES128-SHA256"}[kind]
