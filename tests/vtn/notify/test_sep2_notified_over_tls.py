"""Notifications of 2030.5 over real TLS: our own certificate, the one suite, and who may answer (T1, T33)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from aiohttp import web

from openadr_core.errors import CertificateRejected, Forbidden, TlsFailed
from openadr_core.identity import peer_of
from openadr_core.model.party import Certificate
from openadr_core.shell.http_armour import serve
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import Chain, PresetName, client_context, server_context
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_vtn.adapters.sep2_notifier import Sep2Carrier
from openadr_vtn.domain.notification import Notification
from openadr_vtn.protocols.sep2.notifying import Sep2Parcel
from tests.core.shell.lab import Lab
from tests.vtn.oadr3.secure_vtn import sha256_of
from tests.vtn.samples import a_party

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
BODY = b"<Notification/>"
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@asynccontextmanager
async def receiving(
    lab: Lab, chain: Chain, seen: list[object], preset: PresetName = "sep2-strict"
) -> AsyncIterator[str]:
    """A subscriber's end; what it saw of us."""

    async def hear(request: web.Request) -> web.Response:
        peer = peer_of_transport(request.transport)
        assert request.transport is not None
        tls = request.transport.get_extra_info("ssl_object")
        headers = (request.headers["Content-Type"], "Accept-Encoding" in request.headers)
        seen.append((await request.read(), peer and peer.lfdi, tls.version(), tls.cipher()[0], headers))
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post("/notify", hear)
    context = server_context(preset, [chain], [lab.trust("sep2")])
    running = await serve(app, host="0.0.0.0", port=0, tls=context)  # noqa: S104  # all addresses of loopback
    try:
        yield f"https://localhost:{running.port}/notify"
    finally:
        await running.close()


@asynccontextmanager
async def carrier(lab: Lab, url: str, *, private: bool = True) -> AsyncIterator[Sep2Carrier]:
    port = int(url.split(":")[2].split("/", maxsplit=1)[0])
    outbound = Outbound(
        rules=OutboundRules(networks=LOOPBACK if private else (), ports=frozenset({port})),
        context=client_context(
            "sep2-strict", lab.chain("sep2-server", "utility"), [lab.trust("sep2")], check_hostname=False
        ),
        timeout_s=5.0,
        connections_max=10,
    )
    try:
        yield Sep2Carrier(outbound)
    finally:
        await outbound.close()


def a_parcel(lab: Lab, url: str) -> Sep2Parcel:
    """For the holder of the certificate of ``aggregator``."""
    peer = peer_of(b"", subject="")
    sha256 = sha256_of(lab.chain("sep2-device", "aggregator"))
    certificate = Certificate(
        sha256=sha256, fingerprint_20b=peer.fingerprint_20b, lfdi=peer.lfdi, subject="", first_seen_at=NOW
    )
    return Sep2Parcel(
        notification=Notification(number=1, subscription_id="1", position=0, change_number=1), url=url, body=BODY,
        party=a_party(NOW, "aggregator", certificates=(certificate,)), is_last=False,
    )  # fmt: skip


async def test_it_is_told_by_ccm_8_with_our_own_certificate(lab: Lab) -> None:
    """To a receiver that shows the certificate by which the subscriber is known: it has no name in it."""
    seen: list[object] = []
    ours = lab.chain("sep2-server", "utility")
    async with receiving(lab, lab.chain("sep2-device", "aggregator"), seen) as url, carrier(lab, url) as carry:
        for _ in range(2):
            assert (await carry.carry(a_parcel(lab, url), NOW)).status == 201
    lfdi = sha256_of(ours)[:40].upper()
    assert seen == [(BODY, lfdi, "TLSv1.2", "ECDHE-ECDSA-AES128-CCM8", ("application/sep+xml", False))] * 2


async def test_a_receiver_may_be_known_by_its_name(lab: Lab) -> None:
    seen: list[object] = []
    async with receiving(lab, lab.chain("sep2-server", "receiver"), seen) as url, carrier(lab, url) as carry:
        for address in (url, url.replace("localhost", "127.0.0.1")):
            assert (await carry.carry(a_parcel(lab, address), NOW)).status == 201
        with pytest.raises(CertificateRejected):
            await carry.carry(a_parcel(lab, url.replace("localhost", "127.0.0.2")), NOW)
    assert len(seen) == 2


async def test_nobody_else_is_told(lab: Lab) -> None:
    """Neither another device of the same authorities, nor who is of none, nor who has not the suite."""
    seen: list[object] = []
    ends: list[tuple[Chain, PresetName, type[Exception]]] = [
        (lab.chain("sep2-device", "another"), "sep2-strict", CertificateRejected),
        (lab.chain("openadr-ecc-vtn"), "sep2-strict", CertificateRejected),
        (lab.chain("sep2-device", "aggregator"), "oadr3", TlsFailed),
    ]
    for chain, preset, error in ends:
        async with receiving(lab, chain, seen, preset) as url, carrier(lab, url) as carry:
            with pytest.raises(error):
                await carry.carry(a_parcel(lab, url), NOW)
    assert seen == []


async def test_nobody_is_led_into_our_own_network(lab: Lab) -> None:
    seen: list[object] = []
    async with (
        receiving(lab, lab.chain("sep2-device", "aggregator"), seen) as url,
        carrier(lab, url, private=False) as carry,
    ):
        with pytest.raises(Forbidden):
            await carry.carry(a_parcel(lab, url), NOW)
    assert seen == []
