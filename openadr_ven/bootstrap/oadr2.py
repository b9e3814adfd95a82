"""OpenADR 2.0b over mutual TLS, pulled or pushed, signed or not."""

import random
import secrets
from datetime import timedelta

from openadr_core.errors import CertificateRejected, ConfigError
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr2.xmldsig import signer_of
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.validate import Schema
from openadr_ven.adapters.claims import StoredClaims
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.application.report_offers import offers_of
from openadr_ven.bootstrap.enrolment import enrolled
from openadr_ven.bootstrap.speaking import Refused, Speaking
from openadr_ven.console.view import Link
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, Pushed, SessionSettings
from openadr_ven.settings import Settings, VtnSettings
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.listener import Listener
from openadr_ven.transport.own_certificate import OwnCertificate
from openadr_ven.transport.seal import Seal, SealedCarrier, sealed_receiver
from openadr_ven.transport.upstream import Upstream

NONCE_BYTES = 16


def speak_oadr2(
    settings: Settings,
    vtn: VtnSettings,
    *,
    store: SqlStore,
    resources: tuple[str, ...],
    record: str | None,
    clock: SystemClock,
    dice: random.Random,
) -> Speaking:
    """ConfigError names a file that cannot be used."""
    schema = load_schema()
    session = Oadr2Session(
        settings=_session_settings(settings, vtn, resources),
        decode=lambda body: decode(body, schema, limits=LARGE),
        dice=dice,
        now=clock.now(),
        memory=None if record is None else from_record(Memory, record),
    )
    own = OwnCertificate(vtn, clock.now, serves=settings.push is not None)
    client = _client(vtn, own, clock)
    seal = _seal(vtn, store, schema, clock)
    pushed_at = "" if settings.push is None else settings.push.address
    return Speaking(
        session=session,
        carrier=client if seal is None else SealedCarrier(client, seal),
        close=client.close,
        own=own,
        certificate=vtn.certificate,
        link=Link(
            vtn=vtn.url,
            protocol="OpenADR 2.0b",
            pushed_at=pushed_at,
            fingerprint=own.fingerprint,
            certificate_ends_at=own.ends_at,
        ),
        listens=lambda upstream, refused: _push_server(settings, upstream, seal, own, refused),
    )


def _session_settings(settings: Settings, vtn: VtnSettings, resources: tuple[str, ...]) -> SessionSettings:
    return SessionSettings(
        ven_name=vtn.ven_name,
        ven_id=vtn.ven_id,
        registration_id=vtn.registration_id,
        report_only=vtn.report_only,
        poll_jitter=vtn.poll_jitter,
        poll_interval=timedelta(seconds=vtn.poll_interval_s),
        enrolment_retry=timedelta(seconds=vtn.enrolment_retry_s),
        enrolled=enrolled(settings),
        offers=offers_of(resources, timedelta(days=settings.reports.history_days)),
        pushed=None
        if settings.push is None
        else Pushed(address=settings.push.address, vtn_sha256=frozenset(vtn.fingerprints)),
        xml_signature=vtn.signatures is not SignatureRule.OFF,
    )


def _seal(chosen: VtnSettings, store: SqlStore, schema: Schema, clock: SystemClock) -> Seal | None:
    """How messages are signed; None if they are not."""
    if chosen.signatures is SignatureRule.OFF:
        return None
    try:
        signer = signer_of(chosen.certificate.read_bytes(), chosen.key.read_bytes())
    except CertificateRejected as error:
        raise ConfigError(f"vtn.key: {chosen.key}: {error}") from None
    window = timedelta(seconds=chosen.signature_age_max_s)
    security = MessageSecurity(
        signers={signer.kind: signer},
        claims=StoredClaims(store, window=window),
        clock=clock.now,
        new_nonce=lambda: secrets.token_hex(NONCE_BYTES),
        window=window,
    )
    return Seal(
        security=security, rule=chosen.signatures, certificates=chosen.fingerprints, schema=schema, now=clock.now
    )


def _client(vtn: VtnSettings, own: OwnCertificate, clock: SystemClock) -> VtnClient:
    return VtnClient(
        url=vtn.url,
        context=own.as_client,
        fingerprints=vtn.fingerprints,
        timeout_s=vtn.timeout_s,
        compressed=vtn.compressed,
        may_speak=own.is_good,
        clock_s=lambda: clock.now().timestamp(),
    )


def _push_server(
    settings: Settings,
    upstream: Upstream,
    seal: Seal | None,
    own: OwnCertificate,
    refused: Refused,
) -> list[Listener]:
    chosen = settings.push
    if chosen is None or own.as_server is None:
        return []
    receive = upstream.receive if seal is None else sealed_receiver(upstream.receive, seal, refused)
    return [Listener.pushed_to(receive, host=chosen.host, port=chosen.port, tls=own.as_server, may_speak=own.is_good)]
