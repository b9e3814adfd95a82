"""MQTT 3.1.1 as bytes, as far as a client needs it that publishes and hears at QoS 0 and 1 in a clean session. Pure.

The libraries look through all that waits for an acknowledgement for each message that is sent; thousands at once
need a client that does not (``pipe.py``). Clauses are those of the OASIS standard.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from openadr_core.errors import LocalProtocolError, MalformedMessage

PACKET_ID_MAX = 0xFFFF
BODY_MAX_BYTES = 1 << 20
"""Of what is heard; the standard allows 256 MiB. A frame of 65,536 rows has half of that."""
TEXT_MAX_BYTES = 0xFFFF
CLEAN, WITH_PASSWORD, WITH_USERNAME = 0x02, 0x40, 0x80
REFUSED = 0x80
"""In the broker's answer to a subscription (3.9.3)."""
DUP, RETAIN = 0x08, 0x01
SHORT = struct.Struct(">H")


class Kind(IntEnum):
    """Control packets (2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A packet that came in."""

    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self) -> int:
        """Of PUBACK and SUBACK."""
        return _short(self.body, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a PUBLISH says (3.3)."""

    topic: str
    payload: bytes
    retain: bool
    packet_id: int
    """0 at QoS 0; otherwise it is to be acknowledged."""


def connect(client_id: str, *, keepalive_s: int, username: str | None = None, password: str | None = None) -> bytes:
    """CONNECT (3.1) for a clean session."""
    flags = CLEAN | (WITH_USERNAME if username is not None else 0) | (WITH_PASSWORD if password is not None else 0)
    texts = [one for one in (client_id, username, password) if one is not None]
    return _packet(
        Kind.CONNECT, 0, _text("MQTT") + bytes((4, flags)) + SHORT.pack(keepalive_s) + b"".join(map(_text, texts))
    )


def publish(topic: str, payload: bytes, *, packet_id: int = 0, retain: bool = False) -> bytes:
    """PUBLISH (3.3): QoS 1 with a packet id, else QoS 0."""
    if packet_id:
        return _packet(Kind.PUBLISH, 0x02 | (RETAIN if retain else 0), _text(topic) + SHORT.pack(packet_id) + payload)
    return _packet(Kind.PUBLISH, 0, _text(topic) + payload)


def puback(packet_id: int) -> bytes:
    return _packet(Kind.PUBACK, 0, SHORT.pack(packet_id))


def subscribe(packet_id: int, topics: Sequence[str], *, qos: int) -> bytes:
    """SUBSCRIBE (3.8)."""
    return _packet(
        Kind.SUBSCRIBE, 0x02, SHORT.pack(packet_id) + b"".join(_text(topic) + bytes((qos,)) for topic in topics)
    )


PINGREQ = bytes((Kind.PINGREQ << 4, 0))
DISCONNECT = bytes((Kind.DISCONNECT << 4, 0))


def publication(heard: Heard) -> Publication:
    """What a PUBLISH says; MalformedMessage if it is none, or of QoS 2, which nobody here asked for."""
    qos = heard.flags >> 1 & 0x03
    if qos > 1:
        raise MalformedMessage(f"PUBLISH of QoS {qos}", clause="MQTT-3.3.1-4")
    size = _short(heard.body, 0)
    end = 2 + size
    packet_id = _short(heard.body, end) if qos else 0
    try:
        topic = heard.body[2:end].decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"topic that is no UTF-8: {error}", clause="MQTT-3.3.2-1") from None
    if len(heard.body) < end or (qos and not packet_id):
        raise MalformedMessage("broken PUBLISH", clause="MQTT-2.3.1-1")
    payload = heard.body[end + 2 :] if qos else heard.body[end:]
    return Publication(topic=topic, payload=payload, retain=bool(heard.flags & RETAIN), packet_id=packet_id)


class Splitter:
    """Packets out of a stream of bytes, however it was cut."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Heard]:
        """The packets that are now whole; MalformedMessage for a length that is none, or too much."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        try:
            while end - at >= 2:
                size, start = _length(data, at + 1)
                if size is None or start + size > end:
                    break
                first, body = data[at], data[start : start + size]
                at = start + size
                yield Heard(kind=first >> 4, flags=first & 0x0F, body=body)
        finally:
            self._rest = data[at:]


def _length(data: bytes, at: int) -> tuple[int | None, int]:
    """The remaining length (2.2.3) and where the rest begins; None if it is not whole yet."""
    size = 0
    for place in range(4):
        if at + place >= len(data):
            return None, at
        byte = data[at + place]
        size |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            if size > BODY_MAX_BYTES:
                raise MalformedMessage(f"a packet of {size} bytes")
            return size, at + place + 1
    raise MalformedMessage("a remaining length of more than four bytes", clause="MQTT 2.2.3")


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, byte = divmod(size, 128)
        length.append(byte | (0x80 if size else 0))
        if not size:
            break
    if len(length) > 4:
        raise LocalProtocolError(f"a packet of {len(body)} bytes", clause="MQTT 2.2.3")
    return bytes((kind << 4 | flags,)) + bytes(length) + body


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > TEXT_MAX_BYTES:
        raise LocalProtocolError(f"a text of {len(data)} bytes", clause="MQTT 1.5.3")
    return SHORT.pack(len(data)) + data


def _short(body: bytes, at: int) -> int:
    if len(body) < at + 2:
        raise MalformedMessage("a packet shorter than it must be")
    return int(SHORT.unpack_from(body, at)[0])
