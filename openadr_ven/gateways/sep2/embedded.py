"""The VTN's IEEE 2030.5 server, embedded to face our own devices: the one place where the VEN imports the VTN.

Each device has a certificate and an EndDevice of its own, in a group of its own, so that what it is told is in one
DERProgram that nobody else reads. Controls, responses and what devices mirror are in a store of this gateway's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from openadr_core.errors import ConfigError, LocalProtocolError, RuleBroken, SchemaViolation, Unavailable
from openadr_core.identity import Peer, peer_of_digest
from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_core.model.party import PartyState
from openadr_core.model.report import Measurand, Reading
from openadr_core.sep2.controls import DERControlBase, DERCurve
from openadr_core.sep2.curve_rules import check_curve
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.translate_grid_support import curve_members_of, members_of
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_core.xml.parse import parse
from openadr_ven.gateways.sep2.driver import LOST_AFTER, Heard, Key, Wish
from openadr_ven.gateways.sep2.words import Facts, function_of
from openadr_ven.gateways.settings import Sep2GatewaySettings
from openadr_vtn.adapters.gathering import gathered
from openadr_vtn.adapters.new_ids import new_id
from openadr_vtn.adapters.sep2_notifier import Sep2Notifier
from openadr_vtn.adapters.sql.store import SqlStore, open_migrated
from openadr_vtn.adapters.turns import KeyedTurns
from openadr_vtn.application.directory import Directory
from openadr_vtn.application.handlers import parties, sep2_controls, sep2_groups, sep2_rates
from openadr_vtn.application.handlers.parties import Preconfiguration
from openadr_vtn.application.handlers.retention import forget_reports
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.application.ports import Notice, UnitOfWork
from openadr_vtn.application.sep2_drafts import ControlWish, drafted
from openadr_vtn.application.sep2_ports import StoredControl
from openadr_vtn.domain.sep2.curve_addresses import curve_address
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.http.sep2_routes import mrid_maker, sep2_app, sep2_server
from openadr_vtn.settings import CertificateSettings, Sep2NotificationSettings, Sep2Settings

ACTOR = "gateway"
DEVICE_PATHS = {"capability": "der/1/dercap", "settings": "der/1/derg", "status": "der/1/ders"}
POLLED = ("DERList", "DERProgramList", "DeviceCapability", "EndDeviceList", "FunctionSetAssignmentsList", "Time")
POSTED = "EndDevice"
TELLS = frozenset({"POST", "PUT"})
FORGETS_EVERY_S = 600.0
KEPT = timedelta(hours=1)
"""Of readings, and of controls that have ended, with what was answered to them."""
POLL_INTERVAL = timedelta(seconds=10)
"""Of OpenADR, which nobody speaks here."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a device is in the store."""

    party_id: str
    number: int
    group_id: int


class EmbeddedServer:
    """For the devices that settings name; whoever else comes is turned away."""

    def __init__(self, chosen: Sep2GatewaySettings, now: Callable[[], datetime]) -> None:
        """ConfigError names a file that cannot be used."""
        own = Chain(certificate=chosen.certificate, key=chosen.key)
        trust = list(chosen.trust)
        self._settings = _as_a_vtn_has_them(chosen)
        self._tls = server_context(chosen.profile, [own], trust)
        self._notifies = client_context(chosen.profile, own, trust, check_hostname=False)
        self._chosen = chosen
        self._now = now
        self._maker = mrid_maker(self._settings)
        self._store: SqlStore | None = None
        self._places: dict[str, Place] = {}
        """By LFDI."""

    @asynccontextmanager
    async def serving(self, heard: Heard) -> AsyncIterator[str]:
        store = self._store = await open_migrated(f"sqlite:///{self._chosen.store}")
        directory = Directory(store, poll_interval=POLL_INTERVAL, new_id=new_id, gather=gathered)
        server = sep2_server(self._settings, store, directory, KeyedTurns())
        notifier = Sep2Notifier(
            self._settings.notifications, store, server, self._notifies, now=self._now, witness=_witness
        )
        app = sep2_app(server, self._now, on_busy=lambda: None, is_strict=self._settings.is_strict)
        app.middlewares.append(_noting(heard))
        forgetting = asyncio.create_task(self._forget(notifier))
        try:
            await self._enrol()
            running = await self._listen(app)
            notifier.start()
            try:
                yield running.url
            finally:
                await running.close()
        finally:
            forgetting.cancel()
            await notifier.close()
            self._store = None
            await store.close()

    async def tell(self, wishes: Sequence[Wish]) -> Mapping[Key, tuple[str, ...] | None]:
        """In one transaction for all."""
        found: dict[Key, tuple[str, ...] | None] = {}
        if not wishes:
            return found
        moment = int(self._now().timestamp())
        async with self._open_store.unit_of_work() as uow:
            for wish in wishes:
                group_id = self._places[wish.lfdi].group_id
                try:
                    members = await self._members(uow, wish, group_id)
                    draft = self._draft(members, wish.until, group_id, moment) if members else None
                except (RuleBroken, SchemaViolation) as error:
                    log.warning("cannot be told", lfdi=wish.lfdi, said=str(error))
                    found[wish.key] = None
                    continue
                there = await _taken_back(uow, group_id, wish.function, moment)
                found[wish.key] = there if draft is None else (draft.control.mrid,)
                if draft is not None:
                    await uow.controls.add_control(draft)
        return found

    async def answers(self, mrids: Collection[str]) -> Mapping[str, frozenset[int]]:
        found: dict[str, frozenset[int]] = {}
        if mrids:
            async with self._open_store.view() as view:
                for one in await view.mirrors.responses(mrids):
                    found[one.subject] = found.get(one.subject, frozenset()) | {one.status}
        return found

    async def facts(self, lfdi: str) -> Facts:
        place, now = self._places[lfdi], self._now()
        said: dict[str, Any] = {}
        async with self._open_store.view() as view:
            for name, path in DEVICE_PATHS.items():
                document = await view.registry.document(place.number, path)
                said[name] = None if document is None else read(parse(document.body))
            measured: list[Reading] = []
            for source in (f"{lfdi},DER", ""):
                # What the device itself does goes before what its whole site does.
                if not measured:
                    measured = await view.reports.series(
                        place.party_id, Measurand.USAGE, now - self._reaches_back, now + KEPT, source=source
                    )
        newest = measured[-1] if measured else None
        return Facts(
            **said,
            power_w=None if newest is None else newest.value,
            power_at=None if newest is None else newest.starts_at + newest.duration,
        )

    # -- who there is ------------------------------------------------------------------

    async def _enrol(self) -> None:
        """Those that settings name, and nobody besides."""
        store, now, rates = self._open_store, self._now(), dict.fromkeys(POLLED, self._chosen.poll_rate_s)
        wanted = {one.certificate_sha256: one for one in self._chosen.devices.values()}
        for party in await parties.parties(store, PartyState.APPROVED):
            if not any(one.sha256 in wanted for one in party.certificates):
                await parties.refuse_party(store, party.id, actor=ACTOR, reason="not in the settings", now=now)
        for name, seconds in {**rates, POSTED: self._chosen.post_rate_s}.items():
            await sep2_rates.save_rate(store, name, seconds, actor=ACTOR, now=now)
        async with store.view() as view:
            groups = {group.name: group.id for group in await view.registry.groups()}
        for sha256, one in wanted.items():
            peer = peer_of_digest(bytes.fromhex(sha256))
            if peer.lfdi not in groups:
                made = await sep2_groups.create_group(
                    store, name=peer.lfdi, parent=None, primacy=None, maker=self._maker, actor=ACTOR, now=now
                )
                groups[peer.lfdi] = made.id
            wish = DeviceWish(groups=[peer.lfdi], pin=one.pin, post_rate_s=self._chosen.post_rate_s)
            device = await self._admitted(peer, wish)
            self._places[peer.lfdi] = Place(
                party_id=device.party_id, number=device.number, group_id=groups[peer.lfdi]
            )  # fmt: skip
            await self._save_default(peer.lfdi)

    async def _admitted(self, peer: Peer, wish: DeviceWish) -> EndDevice:
        store, now = self._open_store, self._now()
        async with store.view() as view:
            party = await view.parties.by_certificate(peer.certificate_sha256)
            device = await view.registry.device_by_lfdi(peer.lfdi)
        if party is None:
            known = Preconfiguration(peer=peer, name=peer.lfdi, targets=(), poll_interval=POLL_INTERVAL)
            await parties.preconfigure_party(store, known, actor=ACTOR, new_id=new_id, now=now)
        elif party.state is not PartyState.APPROVED:
            await parties.approve_party(store, party.id, name=peer.lfdi, actor=ACTOR, now=now)
        if device is None:
            return await sep2_groups.add_device(
                store, party=peer.lfdi, lfdi=peer.lfdi, wish=wish, actor=ACTOR, now=now
            )  # fmt: skip
        return await sep2_groups.change_device(store, peer.lfdi, wish, actor=ACTOR, now=now)

    async def _save_default(self, lfdi: str) -> None:
        """Nothing is written, and nobody told, where it is as it was."""
        store, members = self._open_store, self._chosen.default
        async with store.view() as view:
            body = await view.controls.default(self._places[lfdi].group_id)
        held = None if body is None else read(parse(body))
        try:
            base = from_json(DERControlBase, members) if members else None
        except SchemaViolation as error:
            raise ConfigError(f"sep2.default: {error}") from None
        if base == (None if held is None else held.der_control_base):
            return
        if members:
            whole = {"DERControlBase": members}
            await sep2_controls.save_default(store, lfdi, whole, maker=self._maker, actor=ACTOR, now=self._now())
        else:
            await sep2_controls.remove_default(store, lfdi, actor=ACTOR, now=self._now())

    # -- what goes on ------------------------------------------------------------------

    @property
    def _open_store(self) -> SqlStore:
        if self._store is None:
            raise LocalProtocolError("the server does not serve")
        return self._store

    @property
    def _reaches_back(self) -> timedelta:
        """A reading that began before that says nothing of now."""
        return timedelta(seconds=LOST_AFTER * max(self._chosen.poll_rate_s, self._chosen.post_rate_s))

    async def _members(self, uow: UnitOfWork, wish: Wish, group_id: int) -> Mapping[str, Any]:
        """Of DERControlBase; none where the device is let go."""
        support = wish.support
        if support is None:
            return wish.members
        return members_of(support, curve_href=await self._curve(uow, support, group_id) if support.curve else "")

    async def _curve(self, uow: UnitOfWork, support: GridSupport, group_id: int) -> str:
        """Where the curve is: one that was told before is not written again."""
        if support.curve is None:
            raise LocalProtocolError(f"{support.function.name} has no curve")
        members = curve_members_of(support.function, support.curve)
        wanted = from_json(
            DERCurve, {"mRID": self._maker.mrid(), "creationTime": int(self._now().timestamp()), **members}
        )
        check_curve(wanted)
        for stored in await uow.controls.curves(group_id):
            there: DERCurve = read(parse(stored.body))
            if replace(there, mrid=wanted.mrid, creation_time=wanted.creation_time) == wanted:
                return curve_address(group_id, stored.id)
        stored = await uow.controls.add_curve(group_id, encode(wanted, csipaus=None))
        return curve_address(group_id, stored.id)

    def _draft(self, members: Mapping[str, Any], until: datetime, group_id: int, moment: int) -> StoredControl:
        lasts_s = max(1, ceil(until.timestamp()) - moment)
        asked = ControlWish(kind="DERControl", members=members, starts_at=moment, duration_s=lasts_s)
        return drafted(asked, group_id, mrid=self._maker.mrid(), moment=moment)

    async def _listen(self, app: web.Application) -> Running:
        chosen = self._settings
        try:
            return await serve(
                app, host=chosen.host, port=chosen.port, tls=self._tls, connections=chosen.connection_limits
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"sep2.port: {chosen.host}:{chosen.port}: {error.strerror}") from None

    async def _forget(self, notifier: Sep2Notifier) -> None:
        """A device moves each minute: what is over must not fill the disk."""
        while True:
            await asyncio.sleep(FORGETS_EVERY_S)
            before = self._now() - KEPT
            try:
                await forget_reports(self._open_store, self._now(), keep=KEPT)
                async with self._open_store.unit_of_work() as uow:
                    await uow.controls.forget(int(before.timestamp()))
                await notifier.forget()
            except Unavailable as error:
                log.warning("nothing forgotten", said=str(error))


async def _taken_back(uow: UnitOfWork, group_id: int, function: GridFunction | None, moment: int) -> tuple[str, ...]:
    """Cancel what the group's devices are told of this; the mRIDs of all that they may not have left yet."""
    there = [one.control for one in await uow.controls.controls(group_id, "DERControl", since=moment)]
    listed = [control for control in there if function_of(control.asks) is function]
    for control in listed:
        if control.cancelled_at is None:
            await uow.controls.cancel_control(control.mrid, moment, randomly=False)
    return tuple(control.mrid for control in listed)


def _as_a_vtn_has_them(chosen: Sep2GatewaySettings) -> Sep2Settings:
    return Sep2Settings(
        host=chosen.host,
        port=chosen.port,
        profile=chosen.profile,
        certificates=(CertificateSettings(certificate=chosen.certificate, key=chosen.key),),
        trust=chosen.trust,
        client_certificates=chosen.client_certificates,
        pen=chosen.pen,
        csipaus=chosen.csipaus,
        in_band=False,
        notifications=Sep2NotificationSettings(networks=chosen.networks, ports=chosen.notification_ports),
    )


def _noting(heard: Heard) -> Middleware:
    """Tell who comes, and whether it told us something."""

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        peer = peer_of_transport(request.transport)
        if peer is not None and answer.status < HTTPStatus.BAD_REQUEST:
            heard(peer.lfdi, request.method in TELLS)
        return answer

    return note


def _witness(notice: Notice) -> None:
    log.info("notification", kind=notice.kind, detail=notice.detail)
