"""OpenADR 3 over TLS: with a bearer token, with a certificate of ours where there is one."""

import random
from datetime import timedelta

from openadr_core.errors import ConfigError
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.tls import client_context
from openadr_ven.bootstrap.enrolment import enrolled
from openadr_ven.bootstrap.speaking import Speaking
from openadr_ven.console.view import Link
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr3 import Memory, Oadr3Session, Oadr3Settings
from openadr_ven.settings import Oadr3VtnSettings, Settings
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.own_certificate import OwnCertificate


def speak_oadr3(
    settings: Settings, vtn: Oadr3VtnSettings, *, record: str | None, clock: SystemClock, dice: random.Random
) -> Speaking:
    """ConfigError names a file that cannot be used."""
    session = Oadr3Session(
        settings=Oadr3Settings(
            url=vtn.url,
            base=vtn.base,
            ven_name=vtn.ven_name,
            client_id=vtn.client_id,
            client_secret=_secret(vtn),
            scope=vtn.scope,
            poll_interval=timedelta(seconds=vtn.poll_interval_s),
            poll_jitter=vtn.poll_jitter,
            enrolment_retry=timedelta(seconds=vtn.enrolment_retry_s),
            enrolled=enrolled(settings),
        ),
        dice=dice,
        now=clock.now(),
        memory=None if record is None else from_record(Memory, record),
    )
    own = None if vtn.certificate is None else OwnCertificate(vtn, clock.now)
    context = (
        own.as_client
        if own is not None
        else client_context("oadr3", None, [] if vtn.trust is None else [vtn.trust], public=vtn.trust is None)
    )
    client = VtnClient(
        url=vtn.url,
        context=context,
        fingerprints=vtn.fingerprints,
        timeout_s=vtn.timeout_s,
        may_speak=own.is_good if own is not None else lambda: True,
        clock_s=lambda: clock.now().timestamp(),
    )
    link = Link(
        vtn=vtn.url,
        pushed_at="",
        fingerprint="" if own is None else own.fingerprint,
        certificate_ends_at=None if own is None else own.ends_at,
    )
    return Speaking(
        session=session, carrier=client, close=client.close, link=link, own=own, certificate=vtn.certificate
    )


def _secret(vtn: Oadr3VtnSettings) -> str:
    if vtn.client_secret_file is None:
        return ""
    try:
        return vtn.client_secret_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"oadr3.client_secret_file: {vtn.client_secret_file} cannot be read: {error}") from None
