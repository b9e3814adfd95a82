"""IEEE 2030.5 over TLS 1.2 with CCM-8, as a utility server's client."""

import hashlib
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import numpy as np

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.datafiles import load_schema
from openadr_ven.application.device_metering import DeviceNow
from openadr_ven.bootstrap.sep2_devices import load_classes_of, managed_devices, managed_rows, ratings_of
from openadr_ven.bootstrap.speaking import Listening, Speaking
from openadr_ven.console.view import Link
from openadr_ven.domain.records import from_record
from openadr_ven.fleet.columns import Fleet, Rows
from openadr_ven.protocols.sep2 import Identity, Memory, Sep2Session, Sep2Settings, Speech
from openadr_ven.protocols.sep2.load import categories_of
from openadr_ven.settings import Sep2VtnSettings, Settings
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.listener import Listener
from openadr_ven.transport.own_certificate import OwnCertificate
from openadr_ven.transport.upstream import Upstream

SCHEMAS: Mapping[str, tuple[CsipAus | None, str]] = {
    "none": (None, "schemas/ieee2030_5/sep.xsd"),
    "1.2": (CsipAus.V1_2, "schemas/ieee2030_5/csipaus-1.2.xsd"),
    "1.3": (CsipAus.V1_3, "schemas/ieee2030_5/csipaus-1.3.xsd"),
}
MIXED_DER = 1 << 18
"""deviceCategory of a fleet, besides those of its loads."""
SECRET_HEX_DIGITS = 40


def speak_sep2(
    settings: Settings,
    vtn: Sep2VtnSettings,
    *,
    fleet: Fleet,
    record: str | None,
    clock: SystemClock,
    dice: random.Random,
    stand: Callable[[str, datetime], DeviceNow] | None = None,
    functions: Callable[[Rows], int | None] = lambda _rows: 0,
) -> Speaking:
    """``stand`` says how a device stands, by LFDI; ``functions`` what some of the fleet can do for the grid (bits).

    ConfigError names a file that cannot be used, or says that this machine has no CCM-8.
    """
    csipaus, schema = SCHEMAS[vtn.csipaus]
    rows_of = _rows_of(settings, vtn, fleet)
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
            nmi=vtn.nmi,
            stand=stand,
            functions=lambda lfdi: functions(rows_of(lfdi)),
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


def _rows_of(settings: Settings, vtn: Sep2VtnSettings, fleet: Fleet) -> Callable[[str], Rows]:
    """What of the fleet is behind a device, by its LFDI."""
    known = {} if vtn.devices is None else managed_rows(vtn.devices, fleet, settings.fleet.name)
    everything = np.arange(fleet.size)
    return lambda lfdi: known.get(lfdi, everything)


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
    return [Listener.notified(notified, host=chosen.host, port=chosen.port, tls=own.as_server, setting=where)]


def _secret_path(vtn: Sep2VtnSettings) -> str:
    """Of our address: it follows from our key, so that it is the same after a restart, and nobody can guess it."""
    try:
        return hashlib.sha256(b"notifications of 2030.5" + vtn.key.read_bytes()).hexdigest()[:SECRET_HEX_DIGITS]
    except OSError as error:
        raise ConfigError(f"sep2.key: {vtn.key} cannot be read: {error}") from None
