"""IEEE 2030.5 over HTTPS: bytes and a certificate in, bytes out; everything between is the sans-IO core's."""

import hashlib
import secrets
import ssl
import time
from asyncio import BaseTransport
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.exchange import Response
from openadr_core.identity import Peer, peer_of
from openadr_core.limits import XML_BODY_MAX_BYTES
from openadr_core.pki import client_faults
from openadr_core.sep2.mrid import PenForm
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.door import Door
from openadr_core.shell.http_armour import read_body, refusal
from openadr_core.shell.outbound import OutboundRules
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_vtn.application.directory import Directory
from openadr_vtn.application.lab_clock import TRUE_TIME, LabClock
from openadr_vtn.application.ports import Store
from openadr_vtn.application.sep2_drafts import Maker
from openadr_vtn.application.sep2_ports import Turns
from openadr_vtn.domain.sep2.zone import zone_facts
from openadr_vtn.protocols.sep2 import Sep2Desk, Sep2Server
from openadr_vtn.protocols.sep2.scene import Speech
from openadr_vtn.settings import Sep2Settings

SCHEMAS = {
    None: "schemas/ieee2030_5/sep.xsd",
    CsipAus.V1_2: "schemas/ieee2030_5/csipaus-1.2.xsd",
    CsipAus.V1_3: "schemas/ieee2030_5/csipaus-1.3.xsd",
}
PREFIXES = {"/csip": None, "/csipaus-1.2": CsipAus.V1_2, "/csipaus-1.3": CsipAus.V1_3}
"""Addresses that settle what is spoken, whatever the deployment speaks without."""
SPOKEN = {"none": None, "1.2": CsipAus.V1_2, "1.3": CsipAus.V1_3}
TIME_QUALITY, LAB_QUALITY = 3, 7
"""Our clock follows NTP, as the deployment guide demands; one that somebody moves follows nothing."""
DICE_BITS = 48
"""Of an mRID's own 96; the others are the time, in milliseconds."""

log = structlog.get_logger(__name__)

WITH_BODY = frozenset({"POST", "PUT"})


def sep2_server(
    settings: Sep2Settings, store: Store, directory: Directory, turns: Turns | None = None, lab: LabClock = TRUE_TIME
) -> Sep2Server:
    zone = ZoneInfo(settings.time_zone)
    spoken = {**PREFIXES, "": SPOKEN[settings.csipaus]}
    desk = Sep2Desk(
        own=_own(settings.certificates[0].certificate),
        speeches=[
            Speech(prefix=prefix, csipaus=csipaus, schema=load_schema(SCHEMAS[csipaus]))
            for prefix, csipaus in spoken.items()
        ],
        pen=settings.pen,
        pen_form=PenForm(settings.pen_form),
        time_quality=LAB_QUALITY if lab.is_lab else TIME_QUALITY,
        lab=lab,
        time_zone=lambda now: zone_facts(zone, now),
        shows_registration=settings.shows_registration,
        in_band=settings.in_band,
        guard_uri=OutboundRules(ports=frozenset(settings.notifications.ports)).check_url,
    )
    return Sep2Server(store=store, directory=directory, desk=desk, turns=turns)


def _own(certificate: Path) -> Peer:
    """A certificate that is put in its place while we run has another name, which is told from the next start on."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    return peer_of(read.public_bytes(Encoding.DER), subject=read.subject.rfc4514_string())


def mrid_maker(settings: Sep2Settings | None) -> Maker:
    """Without the table, mRIDs end in nobody's number: nobody sees them.

    They begin with the time, as UUIDs of version 7 do. Interpretation: of two controls that were created in the same
    second the later one goes before, and the greater mRID, which stands first in lists, is the later one's.
    """
    form = PenForm.DECIMAL if settings is None else PenForm(settings.pen_form)
    pen = 0 if settings is None else settings.pen
    return Maker(pen=pen, pen_form=form, new_unique=_later_number)


def _later_number() -> int:
    """Greater than any of an earlier millisecond."""
    return time.time_ns() // 1_000_000 << DICE_BITS | secrets.randbits(DICE_BITS)


class Judge:
    """Whether the certificate of a connection is one that 2030.5 allows (T2, T3); looked at once a connection."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict
        self._judged: WeakKeyDictionary[ssl.SSLObject, bool] = WeakKeyDictionary()

    def takes(self, transport: BaseTransport | None) -> bool:
        connection = None if transport is None else transport.get_extra_info("ssl_object")
        if connection is None or not self._is_strict:
            return True
        if connection not in self._judged:
            certificate = connection.getpeercert(binary_form=True) or b""
            faults = client_faults(certificate)
            if faults:
                log.warning("certificate refused", sha256=hashlib.sha256(certificate).hexdigest(), faults=faults)
            self._judged[connection] = not faults
        return self._judged[connection]


def sep2_app(
    server: Sep2Server, clock: Callable[[], datetime], *, on_busy: Callable[[], None], is_strict: bool = True
) -> web.Application:
    """What 2030.5 clients reach. To be served with client certificates required.

    ``is_strict``: their certificates must be as the standard has them, and not only of a trusted chain.
    """
    judge = Judge(is_strict=is_strict)
    door = Door(body_max_bytes=XML_BODY_MAX_BYTES, on_busy=on_busy, writing=written)

    async def exchange(request: web.Request) -> web.Response:
        peer = peer_of_transport(request.transport)
        if peer is None or not judge.takes(request.transport):
            return refusal(403)
        body = await read_body(request, max_bytes=XML_BODY_MAX_BYTES) if request.method in WITH_BODY else b""
        return await door.exchange(request, lambda asked: server.receive_request(asked, peer, clock()), body)

    app = web.Application(client_max_size=XML_BODY_MAX_BYTES)
    app.router.add_route("*", "/{path:.*}", exchange)
    return app


def written(answer: Response) -> web.Response:
    """With its headers and body; a refusal ends no connection, for its client has others to ask for."""
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
