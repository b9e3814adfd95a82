"""OpenADR 3 over TLS: with a bearer token, with a certificate of ours where there is one."""

import random
import secrets
import ssl
from datetime import timedelta

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_ven.bootstrap.enrolment import enrolled
from openadr_ven.bootstrap.speaking import Listening, Speaking
from openadr_ven.console.view import Link
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr3 import Bid, Bids, Memory, Oadr3Session, Oadr3Settings, Webhook
from openadr_ven.settings import Oadr3VtnSettings, Settings
from openadr_ven.transport.broker_ear import BrokerEar
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.listener import Listener
from openadr_ven.transport.own_certificate import OwnCertificate
from openadr_ven.transport.token_server import WithTokenServer
from openadr_ven.transport.upstream import Upstream

KILO = 1000.0
TOKEN_BYTES = 32


def speak_oadr3(
    settings: Settings,
    vtn: Oadr3VtnSettings,
    *,
    resources: tuple[str, ...],
    record: str | None,
    clock: SystemClock,
    dice: random.Random,
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
            resources=resources,
            webhook=None
            if vtn.webhook is None
            else Webhook(address=vtn.webhook.address, bearer_token=secrets.token_urlsafe(TOKEN_BYTES)),
            uses_broker=vtn.broker,
            bids=Bids(
                imports=_bid(vtn.bids.import_kw, vtn.bids.import_fee_max),
                exports=_bid(vtn.bids.export_kw, vtn.bids.export_fee_max),
            ),
        ),
        dice=dice,
        now=clock.now(),
        memory=None if record is None else from_record(Memory, record),
    )
    own = None if vtn.certificate is None else OwnCertificate(vtn, clock.now)
    carrier = WithTokenServer(
        _client(vtn, own.as_client if own is not None else _public(vtn), own, clock),
        VtnClient(url="", context=_anybody(vtn), fingerprints=(), timeout_s=vtn.timeout_s),
    )
    webhook = vtn.webhook
    link = Link(
        vtn=vtn.url,
        protocol=f"OpenADR 3 ({vtn.base})",
        pushed_at="" if webhook is None else webhook.address,
        fingerprint="" if own is None else own.fingerprint,
        certificate_ends_at=None if own is None else own.ends_at,
    )
    return Speaking(
        session=session,
        carrier=carrier,
        close=carrier.close,
        link=link,
        own=own,
        certificate=vtn.certificate,
        listens=lambda upstream, _refused: _listening(vtn, session, upstream, clock=clock, dice=dice),
    )


def _bid(power_kw: float, fee_max: float) -> Bid | None:
    return Bid(power_w=power_kw * KILO, fee_max=fee_max) if power_kw > 0.0 else None


def _listening(
    vtn: Oadr3VtnSettings, session: Oadr3Session, upstream: Upstream, *, clock: SystemClock, dice: random.Random
) -> list[Listening]:
    def hint() -> None:
        session.hint(now=clock.now())
        upstream.poke()

    async def notified(request: Request) -> Response:
        answer = session.notified(request, now=clock.now())
        upstream.poke()
        return answer

    found: list[Listening] = []
    if vtn.webhook is not None:
        chain = Chain(certificate=vtn.webhook.certificate, key=vtn.webhook.key)
        tls = server_context("oadr3", [chain], [], "none")
        found.append(
            Listener.notified(
                notified, host=vtn.webhook.host, port=vtn.webhook.port, tls=tls, setting="oadr3.webhook.port"
            )
        )
    if vtn.broker:
        found.append(BrokerEar(place=lambda: session.broker, hint=hint, context=lambda: _public(vtn), dice=dice))
    return found


def _client(
    vtn: Oadr3VtnSettings, context: ssl.SSLContext, own: OwnCertificate | None, clock: SystemClock
) -> VtnClient:
    return VtnClient(
        url=vtn.url,
        context=context,
        fingerprints=vtn.fingerprints,
        timeout_s=vtn.timeout_s,
        may_speak=own.is_good if own is not None else lambda: True,
        clock_s=lambda: clock.now().timestamp(),
    )


def _public(vtn: Oadr3VtnSettings) -> ssl.SSLContext:
    """Trusts the authority that is named, or else those of this machine; shows no certificate."""
    return client_context("oadr3", None, [] if vtn.trust is None else [vtn.trust], public=vtn.trust is None)


def _anybody(vtn: Oadr3VtnSettings) -> ssl.SSLContext:
    """The same for somebody's identity provider, whom the VTN's own authority need not have signed."""
    return client_context("oadr3", None, [] if vtn.trust is None else [vtn.trust], public=True)


def _secret(vtn: Oadr3VtnSettings) -> str:
    if vtn.client_secret_file is None:
        return ""
    try:
        return vtn.client_secret_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"oadr3.client_secret_file: {vtn.client_secret_file} cannot be read: {error}") from None
