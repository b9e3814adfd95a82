"""TLS contexts by protocol preset, proven at start by a handshake in memory, and renewed while running.

A preset says which versions and suites a protocol wants. Several chains may stand in one server
context: OpenADR 2.0b wants an RSA and an ECC certificate of every VTN (10.1, R68).
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from openadr_core.errors import CertificateRejected, ConfigError
from openadr_core.limits import CERTIFICATE_LEFT_MIN_S, CERTIFICATE_WARNING_DAYS
from openadr_core.pki import expires_at

log = structlog.get_logger(__name__)

PresetName = Literal["certification-2.0b", "modern-2.0b", "sep2-strict", "sep2-compat", "oadr3", "ocpp"]
ClientCertificates = Literal["required", "optional", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    suites: tuple[str, ...]
    """TLS 1.2 suites by OpenSSL's names, best first."""
    tls_1_3: bool
    curve: str = ""
    """The only curve for key agreement; empty leaves OpenSSL's."""
    security_level: int | None = None


MODERN_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
OPENADR_20B_SUITES = ("ECDHE-ECDSA-AES128-SHA256", "AES128-SHA256")
"""OpenADR 2.0b R67. Python's own list lacks the second, so a stock Python VTN cannot serve an RSA VEN."""

PRESETS: dict[PresetName, Preset] = {
    # R67: one of these two is selected, whatever else is offered.
    "certification-2.0b": Preset(suites=OPENADR_20B_SUITES, tls_1_3=False),
    "modern-2.0b": Preset(suites=MODERN_SUITES + OPENADR_20B_SUITES, tls_1_3=True),
    # IEEE 2030.5: the one mandatory suite. OpenSSL counts its short tag as weak from 3.2 on, hence level 0,
    # and hence a listener of its own: the level must not reach other protocols.
    "sep2-strict": Preset(
        suites=("ECDHE-ECDSA-AES128-CCM8",), tls_1_3=False, curve="prime256v1", security_level=0
    ),
    "sep2-compat": Preset(
        suites=("ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        tls_1_3=False, curve="prime256v1", security_level=0,
    ),
    "oadr3": Preset(suites=MODERN_SUITES, tls_1_3=True),
    # OCPP's security profiles 2 and 3 also name two suites without forward secrecy, for RSA alone.
    "ocpp": Preset(suites=(*MODERN_SUITES, "AES128-GCM-SHA256", "AES256-GCM-SHA384"), tls_1_3=True),
}  # fmt: skip

VERIFY_MODES: dict[ClientCertificates, ssl.VerifyMode] = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Our own certificate, as files."""

    certificate: Path
    """PEM, leaf first, then its authorities without the root."""
    key: Path
    """PEM, unencrypted, readable by us alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """What two contexts agreed on."""

    version: str
    suite: str


def server_context(
    preset: PresetName,
    chains: Sequence[Chain],
    trust: Sequence[Path],
    client_certificates: ClientCertificates = "required",
    *,
    every_suite: bool = True,
) -> ssl.SSLContext:
    """A server's context that has proven in memory that every chain can be used; else a ConfigError names the file.

    ``trust`` holds the PEM files of the authorities whose client certificates are let in. Without
    ``every_suite`` it is enough to serve one: a VEN has one certificate (OpenADR 2.0b R68).
    """
    if not chains:
        raise ConfigError("a TLS server needs at least one certificate chain")
    if client_certificates != "none" and not trust:
        raise ConfigError("client certificates are asked for, and no authority is trusted to sign them")
    proven = {_prove(preset, chain).suite for chain in chains}
    if every_suite and preset == "certification-2.0b" and (missing := set(PRESETS[preset].suites) - proven):
        # R67, R68: a VTN has an RSA and an ECC certificate, a VEN only one of them.
        log.warning("no certificate for a suite that a VEN may insist on", preset=preset, suites=sorted(missing))
    context = _context(ssl.PROTOCOL_TLS_SERVER, preset)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    for chain in chains:
        _load_chain(context, chain)
    _load_trust(context, trust)
    context.verify_mode = VERIFY_MODES[client_certificates]
    return context


def client_context(
    preset: PresetName,
    chain: Chain | None,
    trust: Sequence[Path],
    *,
    others: Sequence[Chain] = (),
    check_hostname: bool = True,
    public: bool = False,
) -> ssl.SSLContext:
    """A client's context that has proven in memory that a server can take its chain; else a ConfigError names the file.

    ``others`` are chains with other kinds of keys: the server's wishes decide which one it is shown.
    Without ``check_hostname`` the caller must pin the server's certificate instead. If ``public``, the
    authorities that this machine trusts count too.
    """
    if not trust and not public:
        raise ConfigError("no authority is trusted to sign the server's certificate")
    context = _context(ssl.PROTOCOL_TLS_CLIENT, preset)
    context.check_hostname = check_hostname
    for one in (*([] if chain is None else [chain]), *others):
        _prove_as_client(preset, one)
        _load_chain(context, one)
    _load_trust(context, trust)
    if public:
        context.load_default_certs()
    return context


def reload(context: ssl.SSLContext, preset: PresetName, chains: Sequence[Chain], trust: Sequence[Path] = ()) -> None:
    """Give a context that is in use renewed chains, and authorities that are trusted from now on.

    New connections see them at once, old ones live on. Everything is proven first: a bad file
    raises ConfigError and changes nothing. An authority is only ever added; to drop one, restart
    (a single certificate is dropped at once by refusing its party).
    """
    rehearsal = _context(ssl.PROTOCOL_TLS_SERVER, preset)
    for chain in chains:
        _prove(preset, chain)
    _load_trust(rehearsal, trust)
    for chain in chains:
        _load_chain(context, chain)
    _load_trust(context, trust)


def refuse_expired(chains: Sequence[Chain], now: datetime, *, forced: bool = False) -> dict[Path, datetime]:
    """When our certificates end, by file; ConfigError if one has less than a day left, unless that is ``forced``.

    One that ends within two months is logged as a warning (OpenADR 2.0b 10.4): call it at start,
    and then every day with ``forced``.
    """
    ends = {chain.certificate: _expires_at(chain) for chain in chains}
    for certificate, end in ends.items():
        left = end - now
        if not forced and left < timedelta(seconds=CERTIFICATE_LEFT_MIN_S):
            raise ConfigError(f"{certificate} ends at {end.isoformat()}: renew it, or start with the force option")
        if left < timedelta(days=CERTIFICATE_WARNING_DAYS):
            log.warning("certificate ends soon", file=str(certificate), ends=end.isoformat(), days_left=left.days)
    return ends


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, *, server_name: str = "") -> Negotiated:
    """Let two contexts shake hands in memory. Raises ssl.SSLError of the side that gives up first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    calling = client.wrap_bio(to_client, to_server, server_hostname=server_name or None)
    waiting = [calling, serving]
    # A handshake takes at most three turns of each side; a read of nothing then shows a late refusal (TLS 1.3).
    for _ in range(4):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    if waiting:
        raise ssl.SSLError("the handshake did not end")
    suite = serving.cipher()
    return Negotiated(version=str(serving.version()), suite=suite[0] if suite else "")


def _context(protocol: "ssl._SSLMethod", preset: PresetName) -> ssl.SSLContext:
    try:
        wanted = PRESETS[preset]
    except KeyError:
        raise ConfigError(f"{preset!r} is no TLS preset; known are {', '.join(PRESETS)}") from None
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3 if wanted.tls_1_3 else ssl.TLSVersion.TLSv1_2
    # Renegotiation is no part of any of the protocols, and the old way to exhaust a server.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    level = [] if wanted.security_level is None else [f"@SECLEVEL={wanted.security_level}"]
    try:
        context.set_ciphers(":".join([*wanted.suites, *level]))
        if wanted.curve:
            context.set_ecdh_curve(wanted.curve)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"this OpenSSL ({ssl.OPENSSL_VERSION}) has no {preset}: {error}") from None
    return context


def _prove(preset: PresetName, chain: Chain) -> Negotiated:
    """Shake hands in memory with this chain alone: a suite that OpenSSL lists is not yet one that it can use."""
    server, client = _context(ssl.PROTOCOL_TLS_SERVER, preset), _context(ssl.PROTOCOL_TLS_CLIENT, preset)
    _load_chain(server, chain)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    # The suites of TLS 1.2 are what depends on the certificate; every preset has them.
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        return handshake(server, client)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{chain.certificate} ({_key_kind(chain)} key) cannot serve {preset}, which wants "
            f"{' or '.join(PRESETS[preset].suites)}: {error.reason or error}"
        ) from None


def _prove_as_client(preset: PresetName, chain: Chain) -> None:
    """Let a server that trusts just this certificate ask for it: its dates, its uses and its key are looked at."""
    server, client = _context(ssl.PROTOCOL_TLS_SERVER, preset), _context(ssl.PROTOCOL_TLS_CLIENT, preset)
    for context in (server, client):
        _load_chain(context, chain)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _load_trust(server, [chain.certificate])
    try:
        handshake(server, client)
    except ssl.SSLError as error:
        raise ConfigError(f"{chain.certificate} cannot be shown to a server: {error.reason or error}") from None


def _load_chain(context: ssl.SSLContext, chain: Chain) -> None:
    for path in (chain.certificate, chain.key):
        if not path.is_file():
            raise ConfigError(f"{path} is not there")
    try:
        # An encrypted key would make OpenSSL ask at the terminal: a service has none.
        context.load_cert_chain(chain.certificate, chain.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(f"{chain.certificate} with {chain.key} cannot be used: {error}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _load_trust(context: ssl.SSLContext, trust: Sequence[Path]) -> None:
    for path in trust:
        try:
            context.load_verify_locations(path)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"{path} holds no authorities that can be trusted: {error}") from None


def _expires_at(chain: Chain) -> datetime:
    try:
        return expires_at(chain.certificate.read_bytes())
    except (OSError, CertificateRejected) as error:
        raise ConfigError(f"{chain.certificate} cannot be read: {error}") from None


def _key_kind(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificate(chain.certificate.read_bytes())
    return "RSA" if isinstance(certificate.public_key(), rsa.RSAPublicKey) else "ECC"
