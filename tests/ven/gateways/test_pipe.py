"""MQTT 3.1.1 as bytes, and a connection that carries thousands of messages, with brokers that behave and others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, MalformedMessage, Unreachable
from openadr_ven.gateways import mqtt_packets as packets
from openadr_ven.gateways.broker import HOST, running_broker
from openadr_ven.gateways.mqtt_packets import Kind, Publication, Splitter
from openadr_ven.gateways.pipe import IN_FLIGHT_MAX, Pipe
from tests.mosquitto import MOSQUITTO, running_mosquitto

WAIT_S = 10.0
ACCEPTED = b"\x20\x02\x00\x00"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# -- bytes ---------------------------------------------------------------------------


def test_packets_are_those_of_the_standard() -> None:
    assert packets.connect("a", keepalive_s=15).hex(" ") == "10 0d 00 04 4d 51 54 54 04 02 00 0f 00 01 61"
    assert packets.connect("a", keepalive_s=15, username="u", password="p").hex(" ") == (  # noqa: S106
        "10 13 00 04 4d 51 54 54 04 c2 00 0f 00 01 61 00 01 75 00 01 70"
    )
    assert packets.publish("t", b"!").hex(" ") == "30 04 00 01 74 21"
    assert packets.publish("t", b"!", packet_id=258).hex(" ") == "32 06 00 01 74 01 02 21"
    assert packets.puback(258).hex(" ") == "40 02 01 02"
    assert packets.subscribe(1, ["t"], qos=1).hex(" ") == "82 06 00 01 00 01 74 01"
    assert packets.publish("t", bytes(321 - 3))[:3].hex(" ") == "30 c1 02", "the example of 2.2.3"


@given(
    said=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=300), st.integers(0, 0xFFFF)), max_size=8),
    cuts=st.lists(st.integers(1, 64), min_size=1, max_size=8),
)
def test_what_is_written_is_read_however_it_is_cut(said: list[tuple[str, bytes, int]], cuts: list[int]) -> None:
    stream = b"".join(packets.publish(topic, payload, packet_id=number) for topic, payload, number in said)
    splitter, heard, at, turn = Splitter(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        heard += [packets.publication(one) for one in splitter.feed(stream[at : at + size])]
        at, turn = at + size, turn + 1
    assert [(one.topic, one.payload, one.packet_id) for one in heard] == said


@pytest.mark.parametrize(
    "stream",
    [
        bytes.fromhex("30 ff ff ff ff 01"),  # a length of five bytes
        bytes.fromhex("30 ff ff ff 7f"),  # 256 MiB
        bytes.fromhex("30 01 00"),  # no room for a topic's length
        bytes.fromhex("30 03 00 05 61"),  # a topic longer than the packet
        bytes.fromhex("30 03 00 01 ff"),  # no UTF-8
        bytes.fromhex("32 05 00 01 61 00 00"),  # packet id 0
        bytes.fromhex("34 05 00 01 61 00 01"),  # QoS 2
    ],
)
def test_what_is_no_publish_is_refused(stream: bytes) -> None:
    with pytest.raises(MalformedMessage):
        [packets.publication(one) for one in Splitter().feed(stream)]


@given(stream=st.binary(max_size=200))
def test_noise_raises_nothing_else(stream: bytes) -> None:
    with suppress(MalformedMessage):
        for heard in Splitter().feed(stream):
            packets.publication(heard)


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        packets.publish("t" * 0x10000, b"")
    with pytest.raises(LocalProtocolError):
        packets.publish("t", bytes(1 << 28))


# -- brokers that behave -------------------------------------------------------------


@pytest.fixture(params=["nats-server", "mosquitto"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[int]:
    if request.param == "mosquitto" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed here")
    async with (running_broker if request.param == "nats-server" else running_mosquitto)(tmp_path) as port:
        yield port


async def test_more_than_may_be_in_flight_is_acknowledged_and_heard(port: int) -> None:
    count, heard, all_there = IN_FLIGHT_MAX + 500, [], asyncio.Event()

    def take(said: Publication) -> None:
        heard.append(said)
        if len(heard) == count:
            all_there.set()

    hearing = await Pipe.opened(HOST, port, client_id="b", on_message=take)
    await hearing.subscribe(["many/+"], qos=0)
    telling = await Pipe.opened(HOST, port, client_id="a")
    assert await telling.publish((f"many/{number}", b"%d" % number) for number in range(count)) == count
    await asyncio.wait_for(all_there.wait(), WAIT_S)
    assert {(one.topic, one.payload) for one in heard} == {
        (f"many/{number}", b"%d" % number) for number in range(count)
    }
    for pipe in (hearing, telling):
        pipe.close()
        assert not pipe.is_open
    with pytest.raises(Unreachable, match="closed"):
        await telling.publish([("many/1", b"")])


async def test_a_broker_that_dies_is_said_with_what_it_had(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as port:
        pipe = await Pipe.opened(HOST, port, client_id="a")
        assert await pipe.publish([("t", b"1")]) == 1
    with pytest.raises(Unreachable):
        await pipe.publish([("t", b"2")])
    assert not pipe.is_open


# -- brokers that do not -------------------------------------------------------------


@asynccontextmanager
async def scripted(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(*answers: bytes, then_close: bool = False) -> Serve:
    """A broker that answers each piece that it reads with the next of these, and then no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(4096)
            writer.write(answer)
        if then_close:
            writer.close()
        while await reader.read(4096):
            pass

    return serve


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x05", b"\x20\x01\x00"])
async def test_a_broker_that_lets_us_not_in(answer: bytes) -> None:
    async with scripted(saying(answer)) as port:
        with pytest.raises(Unreachable):
            await Pipe.opened(HOST, port, client_id="a", timeout_s=0.2)


async def test_nobody_there() -> None:
    async with scripted(saying()) as port:
        pass
    with pytest.raises(Unreachable, match="no broker"):
        await Pipe.opened(HOST, port, client_id="a")


@pytest.mark.parametrize(
    "broker",
    [
        saying(ACCEPTED),  # says nothing more
        saying(ACCEPTED, bytes((Kind.PINGRESP << 4, 0))),  # lives, and acknowledges nothing
        saying(ACCEPTED, then_close=True),
        saying(ACCEPTED, b"\x30\xff\xff\xff\xff\x01"),  # nonsense
        saying(ACCEPTED, b"\x40\x01\x00"),  # half an acknowledgement
    ],
)
async def test_a_broker_that_acknowledges_nothing_is_given_up(broker: Serve) -> None:
    async with scripted(broker) as port:
        pipe = await Pipe.opened(HOST, port, client_id="a", timeout_s=0.2)
        with pytest.raises(Unreachable, match="took 0"):
            await asyncio.wait_for(pipe.publish(("t", b"") for _ in range(IN_FLIGHT_MAX + 1)), WAIT_S)
        assert not pipe.is_open


async def test_a_subscription_that_is_not_granted() -> None:
    async with scripted(saying(ACCEPTED, b"\x90\x03\x00\x01\x80")) as port:
        pipe = await Pipe.opened(HOST, port, client_id="a")
        with pytest.raises(Unreachable, match="no such topics"):
            await pipe.subscribe(["t"], qos=0)
        pipe.close()


async def test_what_comes_at_qos_1_is_acknowledged_once_it_is_taken() -> None:
    answered: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(ACCEPTED + packets.publish("t", b"x", packet_id=9))
        while data := await reader.read(4096):
            answered.append(data)
            if packets.puback(9) in b"".join(answered):
                done.set()

    heard: list[Publication] = []
    async with scripted(serve) as port:
        pipe = await Pipe.opened(HOST, port, client_id="a", on_message=heard.append)
        await asyncio.wait_for(done.wait(), WAIT_S)
        assert [(one.topic, one.payload) for one in heard] == [("t", b"x")]
        pipe.close()
