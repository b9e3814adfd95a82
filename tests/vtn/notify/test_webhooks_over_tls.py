"""Webhooks over real TLS: the echo, the signature, where they may lead (security T18, T33; spec R9.1 to R9.3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from aiohttp import web

from openadr_core.errors import CertificateRejected, Forbidden, RuleBroken
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import Watch
from openadr_core.oadr3.webhook_signature import secret_text, verify
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.callbacks import Webhooks
from openadr_vtn.application.spreading import Parcel
from openadr_vtn.domain.notification import Notification
from tests.core.shell.lab import Lab
from tests.vtn.notify.receiver import Receiver, receiving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
SECRET = secret_text(b"s" * 32)
BODY = b'{"objectType": "EVENT", "operation": "CREATE", "object": {}}'


def a_watch(url: str, token: str | None = "t0ken") -> Watch:  # noqa: S107  # a test's own
    kinds, operations = frozenset({ObjectKind.EVENT}), frozenset({Operation.CREATE})
    return Watch(kinds=kinds, operations=operations, callback_url=url, bearer_token=token)


def a_parcel(url: str) -> Parcel:
    one = Notification(number=7, subscription_id="sub-1", position=0, change_number=1)
    return Parcel(notification=one, url=url, token="t0ken", secret=SECRET, body=BODY)  # noqa: S106  # a test's own


@asynccontextmanager
async def webhooks(lab: Lab, *ports: int, private: bool = True) -> AsyncIterator[Webhooks]:
    outbound = Outbound(
        rules=OutboundRules(networks=LOOPBACK if private else (), ports=frozenset(ports)),
        context=client_context("oadr3", None, [lab.trust("ecc")], public=True),
        timeout_s=5.0,
        connections_max=10,
    )
    try:
        yield Webhooks(outbound)
    finally:
        await outbound.close()


@asynccontextmanager
async def both(lab: Lab) -> AsyncIterator[tuple[Webhooks, Receiver]]:
    async with receiving(lab.chain("openadr-ecc-vtn")) as receiver, webhooks(lab, receiver.port) as ours:
        yield ours, receiver


@pytest.mark.openadr3("R9.2")
async def test_an_address_is_asked_for_a_word_that_nobody_could_guess(lab: Lab) -> None:
    async with both(lab) as (ours, receiver):
        await ours.prove([a_watch(receiver.url), a_watch(f"{receiver.url}?a=b", None), a_watch(receiver.url)])
    words = [request.query["echo"] for request in receiver.asked]
    assert len(words) == len(set(words)) == 2, "each address once"
    assert all(len(word) >= 32 for word in words)
    assert {request.query.get("a") for request in receiver.asked} == {None, "b"}
    assert {request.headers.get("Authorization") for request in receiver.asked} == {"Bearer t0ken", None}


async def test_the_word_may_be_said_as_json(lab: Lab) -> None:
    async def as_json(request: web.Request) -> web.Response:
        return web.json_response(request.query["echo"])

    async with both(lab) as (ours, receiver):
        receiver.echo = as_json
        await ours.prove([a_watch(receiver.url)])


async def wrong_word(_: web.Request) -> web.Response:
    return web.Response(text="yes")


async def word_among_others(request: web.Request) -> web.Response:
    return web.Response(text=f"you said {request.query['echo']}")


async def wrong_status(request: web.Request) -> web.Response:
    return web.Response(status=404, text=request.query["echo"])


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect(f"/other?echo={request.query['echo']}")


async def flood(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * 2_000_000)


@pytest.mark.parametrize("echo", [wrong_word, word_among_others, wrong_status, elsewhere, flood])
async def test_who_does_not_say_it_is_not_called(lab: Lab, echo: object) -> None:
    async with both(lab) as (ours, receiver):
        receiver.echo = echo  # type: ignore[assignment]  # one of those above
        with pytest.raises(RuleBroken, match="callbackUrl"):
            await ours.prove([a_watch(receiver.url)])
        assert len(receiver.asked) == 1, "a redirect is not followed"


async def test_one_bad_address_of_several_is_enough(lab: Lab) -> None:
    async with both(lab) as (ours, receiver):
        with pytest.raises(RuleBroken, match="callbackUrl"):
            await ours.prove([a_watch(receiver.url), a_watch("https://localhost:1/")])


@pytest.mark.openadr3("R9.1", "R9.3", "U1")
async def test_what_is_told_is_signed_and_carries_the_receivers_token(lab: Lab) -> None:
    now = datetime.now(UTC)
    async with both(lab) as (ours, receiver):
        answer = await ours.carry(a_parcel(receiver.url), now)
    (told,) = receiver.told
    assert (answer.status, told.body) == (200, BODY)
    assert told.headers["authorization"] == "Bearer t0ken"
    assert told.headers["content-type"] == "application/json"
    assert verify(SECRET, told.headers, told.body, now, window=timedelta(minutes=5)) == "sub-1-7"


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
@pytest.mark.openadr3("R9.3")
async def test_nobody_is_led_into_our_own_network(lab: Lab, address: str) -> None:
    """However the address is spelt, no connection is made that an operator has not allowed; to ask and to tell."""
    async with receiving(lab.chain("openadr-ecc-vtn")) as receiver, webhooks(lab, receiver.port, private=False) as ours:
        url = f"https://{address}:{receiver.port}/hook"
        with pytest.raises(RuleBroken, match="callbackUrl"):
            await ours.prove([a_watch(url)])
        with pytest.raises(Forbidden):
            await ours.carry(a_parcel(url), datetime.now(UTC))
    assert (receiver.asked, receiver.told) == ([], [])


async def test_ports_that_are_not_for_webhooks_are_not_reached(lab: Lab) -> None:
    async with receiving(lab.chain("openadr-ecc-vtn")) as receiver, webhooks(lab, 443) as ours:
        with pytest.raises(RuleBroken, match="port"):
            await ours.prove([a_watch(receiver.url)])
    assert receiver.asked == []


async def test_a_receiver_must_show_a_certificate_in_its_name(lab: Lab) -> None:
    async with receiving(lab.chain("openadr-ecc-ven")) as receiver, webhooks(lab, receiver.port) as ours:
        with pytest.raises(RuleBroken, match="callbackUrl"):
            await ours.prove([a_watch(receiver.url)])
        with pytest.raises(CertificateRejected):
            await ours.carry(a_parcel(receiver.url), datetime.now(UTC))
    assert (receiver.asked, receiver.told) == ([], [])
