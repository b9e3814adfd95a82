"""IEEE 2030.5 over TLS 1.2 with CCM-8, as a utility server's client."""

import csv
import hashlib
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.model.availability import Scope
from openadr_core.model.target import Target, TargetKind
from openadr_core.sep2.mrid import LFDI_HEX_DIGITS
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.datafiles import load_schema
from openadr_ven.bootstrap.speaking import Listening, Speaking
from openadr_ven.console.view import Link
from openadr_ven.domain.records import from_record
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mask
from openadr_ven.fleet.naming import CLASSES_20B, rows_in
from openadr_ven.protocols.sep2 import Identity, ManagedDevice, Memory, Ratings, Sep2Session, Sep2Settings, Speech
from openadr_ven.protocols.sep2.load import CATEGORY_BITS, categories_of
from openadr_ven.settings import Sep2VtnSettings, Settings
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.own_certificate import OwnCertificate
from openadr_ven.transport.upstream import Upstream
from openadr_ven.transport.webhook_server import WebhookServer

SCHEMAS: Mapping[str, tuple[CsipAus | None, str]] = {
    "none": (None, "schemas/ieee2030_5/sep.xsd"),
    "1.2": (CsipAus.V1_2, "schemas/ieee2030_5/csipaus-1.2.xsd"),
    "1.3": (CsipAus.V1_3, "schemas/ieee2030_5/csipaus-1.3.xsd"),
}
STORES = (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL)
PHOTOVOLTAIC, STORAGE, CHARGERS, PHOTOVOLTAIC_AND_STORAGE = 4, 80, 82, 83
"""DERType."""
MIXED_DER = 1 << 18
"""deviceCategory of a fleet, besides those of its loads."""
COLUMNS = ("lfdi", "name")
SECRET_HEX_DIGITS = 40


def speak_sep2(
    settings: Settings,
    vtn: Sep2VtnSettings,
    *,
    fleet: Fleet,
    record: str | None,
    clock: SystemClock,
    dice: random.Random,
) -> Speaking:
    """ConfigError names a file that cannot be used, or says that this machine has no CCM-8."""
    csipaus, schema = SCHEMAS[vtn.csipaus]
    own = OwnCertificate(vtn, clock.now, serves=vtn.notifications is not None, pinned_alone=bool(vtn.fingerprints))
    notified_at = "" if vtn.notifications is None else f"{vtn.notifications.address}/{_secret_path(vtn)}"
    session = Sep2Session(
        settings=Sep2Settings(
            dcap=vtn.dcap,
            speech=Speech(url=vtn.url, csipaus=csipaus, schema=load_schema(schema)),
            identity=Identity(
                lfdi=own.peer.lfdi,
                sfdi=own.peer.sfdi,
                pin=vtn.pin,
                registers=vtn.in_band,
                category=MIXED_DER | categories_of(load_classes_of(fleet)),
                pen=vtn.pen,
            ),
            post_rate_s=vtn.post_rate_s,
            ratings=ratings_of(fleet),
            load_classes=load_classes_of(fleet),
            managed={} if vtn.devices is None else managed_devices(vtn.devices, fleet, settings.fleet.name),
            notified_at=notified_at,
            poll_jitter=vtn.poll_jitter,
            enrolment_retry=timedelta(seconds=vtn.enrolment_retry_s),
        ),
        dice=dice,
        now=clock.now(),
        memory=None if record is None else from_record(Memory, record),
    )
    client = VtnClient(
        url=vtn.url,
        context=own.as_client,
        fingerprints=vtn.fingerprints,
        timeout_s=vtn.timeout_s,
        may_speak=own.is_good,
        clock_s=lambda: clock.now().timestamp(),
    )
    link = Link(
        vtn=vtn.url,
        protocol=f"IEEE 2030.5 ({vtn.dcap}), as LFDI {own.peer.lfdi}",
        pushed_at="" if vtn.notifications is None else vtn.notifications.address,
        fingerprint=own.fingerprint,
        certificate_ends_at=own.ends_at,
    )
    return Speaking(
        session=session,
        carrier=client,
        close=client.close,
        link=link,
        own=own,
        certificate=vtn.certificate,
        listens=lambda upstream, _refused: _listening(vtn, session, own, upstream, clock),
    )


def _listening(
    vtn: Sep2VtnSettings, session: Sep2Session, own: OwnCertificate, upstream: Upstream, clock: SystemClock
) -> list[Listening]:
    chosen = vtn.notifications
    if chosen is None or own.as_server is None:
        return []

    async def notified(request: Request) -> Response:
        answer = session.notified(request, now=clock.now())
        upstream.poke()
        return answer

    where = "sep2.notifications.port"
    return [WebhookServer(notified, host=chosen.host, port=chosen.port, tls=own.as_server, setting=where)]


def _secret_path(vtn: Sep2VtnSettings) -> str:
    """Of our address: it follows from our key, so that it is the same after a restart, and nobody can guess it."""
    try:
        return hashlib.sha256(b"notifications of 2030.5" + vtn.key.read_bytes()).hexdigest()[:SECRET_HEX_DIGITS]
    except OSError as error:
        raise ConfigError(f"sep2.key: {vtn.key} cannot be read: {error}") from None


def ratings_of(fleet: Fleet, rows: Mask | None = None) -> Ratings:
    """What the fleet, or some of it, is set to: the sums of what its devices can feed in, and can store or give back.

    Interpretation: what never feeds in has no part in setMaxW, which says what a generator gives.
    """
    mine = np.ones(fleet.size, dtype=np.bool_) if rows is None else rows
    stores = mine & np.isin(fleet.device_class, STORES)
    return Ratings(
        max_w=float(fleet.export_max_w[mine].sum()),
        charge_max_w=float(fleet.import_max_w[stores].sum()),
        discharge_max_w=float(fleet.export_max_w[stores].sum()),
        energy_wh=float(fleet.energy_wh[stores].sum()),
        der_type=_der_type(fleet, mine),
    )


def load_classes_of(fleet: Fleet, rows: Mask | None = None) -> tuple[str, ...]:
    """What loads there are, by classes of OpenADR 2.0b."""
    there = set(fleet.device_class[slice(None) if rows is None else rows].tolist())
    return tuple(name for name in CATEGORY_BITS if any(name in CLASSES_20B[DeviceClass(one)] for one in there))


def _der_type(fleet: Fleet, mine: Mask) -> int:
    """What people would call it."""
    there = set(fleet.device_class[mine].tolist())
    if DeviceClass.SOLAR_INVERTER in there:
        return PHOTOVOLTAIC if there.isdisjoint(STORES) else PHOTOVOLTAIC_AND_STORAGE
    return CHARGERS if there.isdisjoint(STORES) and DeviceClass.EV_CHARGER in there else STORAGE


def managed_devices(path: Path, fleet: Fleet, fleet_name: str) -> dict[str, ManagedDevice]:
    """By LFDI; ConfigError names the line that is wrong. Lines with the same LFDI make one device together."""
    names: dict[str, list[str]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            if not set(COLUMNS) <= set(lines.fieldnames or ()):
                raise ConfigError(f"sep2.devices: {path} needs the columns {' and '.join(COLUMNS)}")
            for number, line in enumerate(lines, 2):
                lfdi, name = ((line[column] or "").strip() for column in COLUMNS)
                if len(lfdi) != LFDI_HEX_DIGITS or set(lfdi.upper()) - set("0123456789ABCDEF"):
                    raise ConfigError(f"sep2.devices: {path}, line {number}: an LFDI has {LFDI_HEX_DIGITS} hex digits")
                names.setdefault(lfdi.upper(), []).append(name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"sep2.devices: {path} cannot be read: {error}") from None
    return {lfdi: _managed(path, lfdi, mine, fleet, fleet_name) for lfdi, mine in names.items()}


def _managed(path: Path, lfdi: str, names: list[str], fleet: Fleet, fleet_name: str) -> ManagedDevice:
    targets = tuple(Target(kind=TargetKind.RESOURCE, name=name) for name in names)
    rows = rows_in(fleet, Scope(targets=frozenset(targets)), fleet_name=fleet_name)
    if not rows.any():
        raise ConfigError(f"sep2.devices: {path}: nothing of the fleet is called {', '.join(names)} ({lfdi})")
    return ManagedDevice(ratings=ratings_of(fleet, rows), targets=targets, load_classes=load_classes_of(fleet, rows))
