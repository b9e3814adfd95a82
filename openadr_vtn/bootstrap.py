"""The VTN's composition root: everything is built here, by plain calls, and handed what it needs.

`run` serves until it is told to stop. Tests call `start` and `Vtn.close` with settings and a clock of their own.
"""

import asyncio
import json
import logging
import random
import secrets
import signal
import ssl
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from aiohttp import web

from openadr_core.errors import ConfigError
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr3.tokens import TokenRules, new_signing_key
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.console.gate import Gate
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.door import Door
from openadr_core.shell.garbage import keep_what_is_there
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.logs import configure_logs
from openadr_core.shell.metrics import CertificateGauge, ClockMetrics, exposition, new_registry
from openadr_core.shell.open_files import raise_open_files
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.throttle import Throttle
from openadr_core.shell.watchdog import Watchdog
from openadr_vtn.adapters.claims import GroupedClaims
from openadr_vtn.adapters.fan_out import FanOutWorker
from openadr_vtn.adapters.gathering import gathered
from openadr_vtn.adapters.identity_provider import Provider, open_provider
from openadr_vtn.adapters.new_ids import new_id
from openadr_vtn.adapters.notifiers import Notifiers
from openadr_vtn.adapters.push import PartyCarrier, Pusher
from openadr_vtn.adapters.sql.store import SqlStore, is_new_file, open_migrated, open_store
from openadr_vtn.adapters.sql.vault import vault_of
from openadr_vtn.adapters.ticks import Ticks, forget_nonces
from openadr_vtn.adapters.turns import KeyedTurns
from openadr_vtn.application.directory import Directory
from openadr_vtn.application.handlers.retention import forget_reports
from openadr_vtn.application.handlers.tokens import OwnTokens, open_keyring
from openadr_vtn.application.horizon import Horizon
from openadr_vtn.application.known_clients import KnownClients
from openadr_vtn.application.lab_clock import LabClock
from openadr_vtn.application.ports import Notice, SigningKey, Store, Witness
from openadr_vtn.application.viewers import Viewers
from openadr_vtn.console.routes import console_app
from openadr_vtn.domain.access import Caller
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.domain.reporting import TelemetryWish
from openadr_vtn.http.access import Desk
from openadr_vtn.http.app import oadr3_app, operator_app
from openadr_vtn.http.certificates import OwnCertificates
from openadr_vtn.http.health_routes import Health
from openadr_vtn.http.metrics import VtnMetrics, refresh_metrics
from openadr_vtn.http.oadr2_routes import NoticeLog, parties_app
from openadr_vtn.http.problem import refuse
from openadr_vtn.http.sep2_routes import mrid_maker, sep2_app, sep2_server
from openadr_vtn.protocols.oadr2 import Oadr2Vtn
from openadr_vtn.protocols.oadr2_push import Oadr2Pusher
from openadr_vtn.protocols.oadr2_signatures import Signatures
from openadr_vtn.settings import (
    ConsoleSettings,
    Listener,
    Oadr3Settings,
    OperatorSettings,
    PartiesSettings,
    Sep2Settings,
    Settings,
)

log = structlog.get_logger(__name__)

PROGRAM = "openadr-vtn"
LAST_SEEN_WRITTEN = timedelta(seconds=1)
METRICS_REFRESHED = timedelta(seconds=10)
NONCE_BYTES = 16
REPORTS_FORGOTTEN = timedelta(hours=1)
PROVIDER_ASKED = timedelta(minutes=10)
NONCES_FORGOTTEN = timedelta(seconds=10)
Listening = PartiesSettings | OperatorSettings | ConsoleSettings | Oadr3Settings | Sep2Settings


@dataclass(slots=True, kw_only=True)
class Vtn:
    """A VTN that serves; `close` ends it."""

    listeners: dict[str, Running]
    """By table of the settings."""
    console_url: str
    """With the token that opens it: for the operator's eyes."""
    _store: SqlStore
    _ticks: Ticks
    _directory: Directory
    _watchdog: asyncio.Task[None]
    _fan_out: FanOutWorker
    _pusher: Pusher
    _outbound: Outbound
    _notifiers: Notifiers
    _provider: Provider | None
    _certificates: OwnCertificates
    _security: MessageSecurity
    _gauge: CertificateGauge

    def renew_certificates(self) -> None:
        """Take the certificates that the files hold now: new connections get them, none is cut.

        ConfigError if one cannot be used; all stay as they are then.
        """
        self._certificates.renew()
        self._security.renew(self._certificates.signers())
        self._certificates.show(self._gauge)

    async def close(self) -> None:
        """Stop listening, let what is in progress end, write down what is only in memory."""
        self._watchdog.cancel()
        parts = [
            self._ticks.close,
            self._fan_out.close,
            self._pusher.close,
            self._outbound.close,
            self._notifiers.close,
            *([] if self._provider is None else [self._provider.close]),
            *(listener.close for listener in self.listeners.values()),
            self._directory.write_last_seen,
            self._store.close,
        ]
        # One that fails keeps no other open.
        async with AsyncExitStack() as ending:
            for end in reversed(parts):
                ending.push_async_callback(end)


async def start(settings: Settings, *, clock: SystemClock | None = None) -> Vtn:
    """Serve on all listeners. ConfigError names a setting that cannot be used."""
    clock = clock or SystemClock()
    certificates = OwnCertificates(settings, clock.now)
    store = await open_migrated(settings.store.url, vault_of(settings.store.secret_keys))
    metrics = VtnMetrics(registry := new_registry())
    certificates.show(gauge := CertificateGauge(registry, clock.now))
    directory = Directory(
        store, poll_interval=timedelta(seconds=settings.parties.poll_interval_s), new_id=new_id, gather=gathered
    )
    watchdog = Watchdog(clock, ClockMetrics(registry, clock).count)
    notifiers = Notifiers(settings.webhooks, settings.mqtt, store, now=clock.now, witness=_witness(metrics))
    metrics.watch("notifications", lambda: notifiers.in_flight)
    desk = await _desk(settings, store, clock, metrics, directory, notifiers=notifiers)
    # A key of this run's own: sessions end with the process.
    gate = Gate(name=PROGRAM, token=secrets.token_urlsafe(24), key=secrets.token_bytes(32), now=clock.now)
    health = Health(store=store, metrics=lambda: exposition(registry))
    signatures = _signatures(settings, certificates, store, clock.now)
    vtn = _oadr2(settings, store, directory, signatures, _witness(metrics))
    fan_out = FanOutWorker(store, clock.now)
    pusher, outbound = _pusher(settings, vtn, certificates, metrics, clock.now)
    provider = open_provider(settings.oadr3, store, clock.now)
    pages = console_app(store, gate, clock.now, settings.vtn.id, health, opt_rules=settings.opts.rules, lab=desk.lab)
    services = _parties_app(settings, vtn, metrics, clock.now)
    served: list[tuple[web.Application, Listening, ssl.SSLContext | None]] = [
        (services, settings.parties, certificates.for_parties),
        (operator_app(desk), settings.operator, certificates.for_operators),
        (pages, settings.console, None),
    ]
    if settings.oadr3.certificates:
        throttled = replace(desk, request_throttle=Throttle(settings.oadr3.requests_per_minute))
        served.append((oadr3_app(_believing(provider, throttled)), settings.oadr3, certificates.for_oadr3))
    if settings.sep2 is not None:
        devices = sep2_server(settings.sep2, store, directory, KeyedTurns(), desk.lab)
        app = sep2_app(devices, clock.now, on_busy=lambda: metrics.refused("busy"), is_strict=settings.sep2.is_strict)
        served.append((app, settings.sep2, certificates.for_sep2))
        notifiers.tell_sep2(settings.sep2.notifications, devices, certificates.for_sep2_notifications)
    try:
        listeners = await _listen_to_all(served, metrics, certificates)
    except BaseException:
        await store.close()
        raise
    fan_out.start()
    pusher.start()
    notifiers.start()
    return Vtn(
        listeners=listeners,
        console_url=f"{listeners['console'].url}/?token={gate.token}",
        _store=store,
        _ticks=_wake(
            directory,
            store,
            metrics,
            certificates,
            clock.now,
            settings=settings,
            notifiers=notifiers,
            provider=provider,
        ),
        _directory=directory,
        _watchdog=asyncio.create_task(watchdog.run()),
        _fan_out=fan_out,
        _pusher=pusher,
        _outbound=outbound,
        _notifiers=notifiers,
        _provider=provider,
        _certificates=certificates,
        _security=signatures.security,
        _gauge=gauge,
    )


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; one line of JSON on stdout says when, and where. SIGHUP renews certificates."""
    configure_logs(level=settings.log.level, human=settings.log.format == "console")
    for chatty in ("apscheduler", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    log.info("open files", at_most=raise_open_files())
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    vtn = await start(settings)
    keep_what_is_there()
    loop.add_signal_handler(signal.SIGHUP, _renew_soundly, vtn)
    where = {name: listener.url for name, listener in vtn.listeners.items() if name != "console"}
    log.info("ready", **where, console=vtn.listeners["console"].url)
    # Not a log record: it carries the token that opens the console, for whoever started us.
    sys.stdout.write(json.dumps({"event": "ready", **where, "console": vtn.console_url}) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    log.info("stopping")
    await vtn.close()


def _renew_soundly(vtn: Vtn) -> None:
    try:
        vtn.renew_certificates()
    except ConfigError as error:
        log.warning("certificates not renewed", said=str(error))
    else:
        log.info("certificates renewed")


async def check(settings: Settings) -> None:
    """Everything that can be wrong before serving: certificates, keys, database. Nothing is changed."""
    OwnCertificates(settings, SystemClock().now).signers()
    if not is_new_file(settings.store.url):
        store = await open_store(settings.store.url, vault_of(settings.store.secret_keys))
        await store.close()


async def _desk(
    settings: Settings,
    store: Store,
    clock: SystemClock,
    metrics: VtnMetrics,
    directory: Directory,
    *,
    notifiers: Notifiers,
) -> Desk:
    def wrote(caller: Caller, command: str, subject: str) -> None:
        log.info("operator command", command=command, by=caller.actor, subject=subject)
        metrics.wrote(command)

    fresh = SigningKey(id=new_id(), pem=new_signing_key(), created_at=clock.now())
    tokens = OwnTokens(
        store=store,
        clients=KnownClients(store),
        keyring=await open_keyring(store, fresh, clock.now()),
        rules=TokenRules(issuer=settings.vtn.id, audience=f"{settings.vtn.id}/operator"),
        lifetime=timedelta(seconds=settings.operator.token_lifetime_s),
    )
    return Desk(
        store=store,
        now=clock.now,
        new_id=new_id,
        is_time_in_doubt=lambda: clock.new_starts_frozen,
        rails=GuardRails(event_max_w=settings.guard.event_max_kw * 1000, step_max_w=settings.guard.step_max_kw * 1000),
        opt_rules=settings.opts.rules,
        poll_interval=timedelta(seconds=settings.parties.poll_interval_s),
        maker=mrid_maker(settings.sep2),
        judge=tokens,
        tokens=tokens,
        token_throttle=Throttle(settings.operator.token_failures_per_minute),
        request_throttle=None,
        viewers=Viewers(store, strict_targets=settings.oadr3.strict_targets),
        horizon=Horizon(store),
        saw=directory.saw,
        lab=LabClock(is_lab=settings.sep2 is not None and settings.sep2.lab_clock),
        callbacks=notifiers.callbacks,
        reads=notifiers.reads,
        broker=notifiers.broker,
        wrote=wrote,
    )


def _believing(provider: Provider | None, desk: Desk) -> Desk:
    """The desk that takes the tokens of an identity provider, where there is one, and makes none."""
    return desk if provider is None else replace(desk, judge=provider.tokens, tokens=None, token_url=provider.token_url)


def _witness(metrics: VtnMetrics) -> Witness:
    in_the_log = NoticeLog()

    def witness(notice: Notice) -> None:
        in_the_log(notice)
        metrics.noticed(notice)

    return witness


def _oadr2(
    settings: Settings, store: Store, directory: Directory, signatures: Signatures, witness: Witness
) -> Oadr2Vtn:
    return Oadr2Vtn(
        store=store,
        directory=directory,
        schema=load_schema(),
        vtn_id=settings.vtn.id,
        telemetry=TelemetryWish(
            granularity=timedelta(seconds=settings.reports.granularity_s),
            report_back=timedelta(seconds=settings.reports.report_back_s),
            status_back=timedelta(seconds=settings.reports.status_back_s),
        ),
        new_id=new_id,
        prefix=settings.parties.prefix,
        opt_rules=settings.opts.rules,
        witness=witness,
        signatures=signatures,
    )


def _parties_app(
    settings: Settings, vtn: Oadr2Vtn, metrics: VtnMetrics, now: Callable[[], datetime]
) -> web.Application:
    door = Door(
        body_max_bytes=XML_REPORT_BODY_MAX_BYTES,
        in_flight_max=settings.parties.requests_max,
        on_busy=lambda: metrics.refused("busy"),
    )
    metrics.watch("requests", lambda: door.in_flight)
    return parties_app(vtn, now, polled=metrics.polled, door=door)


def _pusher(
    settings: Settings, vtn: Oadr2Vtn, certificates: OwnCertificates, metrics: VtnMetrics, now: Callable[[], datetime]
) -> tuple[Pusher, Outbound]:
    chosen = settings.push
    outbound = Outbound(
        rules=OutboundRules(networks=chosen.networks, ports=frozenset(chosen.ports)),
        context=certificates.for_pushes,
        timeout_s=chosen.timeout_s,
        connections_max=chosen.parties_at_once,
        may_speak=certificates.may_speak_to_parties,
        clock_s=lambda: now().timestamp(),
    )
    core = Oadr2Pusher(
        desk=vtn.desk,
        schema=vtn.schema,
        signatures=vtn.signatures,
        retry_longest=timedelta(seconds=chosen.retry_max_s),
        dice=random.Random(),  # noqa: S311  # jitter, no secrets
    )
    pusher = Pusher(
        store=vtn.store,
        core=core,
        carrier=PartyCarrier(outbound),
        now=now,
        holder=new_id(),
        witness=vtn.witness,
        saw=vtn.directory.saw,
        in_flight_max=chosen.parties_at_once,
    )
    metrics.watch("pushes", lambda: pusher.in_flight)
    return pusher, outbound


def _signatures(
    settings: Settings, certificates: OwnCertificates, store: Store, now: Callable[[], datetime]
) -> Signatures:
    security = MessageSecurity(
        signers=certificates.signers(),
        claims=GroupedClaims(store),
        clock=now,
        new_nonce=lambda: secrets.token_hex(NONCE_BYTES),
        window=timedelta(seconds=settings.parties.signature_age_max_s),
    )
    return Signatures(rule=settings.parties.signatures, security=security)


async def _listen_to_all(
    served: list[tuple[web.Application, Listening, ssl.SSLContext | None]],
    metrics: VtnMetrics,
    certificates: OwnCertificates,
) -> dict[str, Running]:
    """By table of the settings; none is left open if one cannot be had."""
    listeners: dict[str, Running] = {}
    try:
        for app, where, tls in served:
            name = type(where).__name__.removesuffix("Settings").lower()
            try:
                listeners[name] = await serve(
                    app, host=where.host, port=where.port, tls=tls, on_refusal=metrics.refused,
                    connections=where.connection_limits if isinstance(where, Listener) else None,
                    may_speak=certificates.may_speak_to_parties if name == "parties" else lambda: True,
                    refuse=refuse if name in {"operator", "oadr3"} else None,
                )  # fmt: skip
            except OSError as error:
                raise ConfigError(f"{name}.port: {where.host}:{where.port}: {error.strerror}") from None
    except BaseException:
        for listener in listeners.values():
            await listener.close()
        raise
    return listeners


def _wake(
    directory: Directory,
    store: Store,
    metrics: VtnMetrics,
    certificates: OwnCertificates,
    now: Callable[[], datetime],
    *,
    settings: Settings,
    notifiers: Notifiers,
    provider: Provider | None,
) -> Ticks:
    ticks = Ticks()
    ticks.every(LAST_SEEN_WRITTEN, "write last seen", directory.write_last_seen)
    ticks.every(METRICS_REFRESHED, "refresh metrics", lambda: refresh_metrics(store, metrics, now()))
    ticks.every(NONCES_FORGOTTEN, "forget nonces", lambda: forget_nonces(store, now()))
    keep = timedelta(days=settings.reports.keep_days)
    ticks.every(REPORTS_FORGOTTEN, "forget reports", lambda: forget_reports(store, now(), keep=keep))
    ticks.every(REPORTS_FORGOTTEN, "forget changes", notifiers.forget)
    ticks.every(timedelta(days=1), "remind of certificates", certificates.remind)
    if provider is not None:
        ticks.every(PROVIDER_ASKED, "ask the identity provider", provider.ask, first_at=now())
    ticks.start()
    return ticks


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415  # it is not made for Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
