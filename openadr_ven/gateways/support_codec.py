"""Frames of grid support as bytes, and back; ``codec`` finds them by their kind.

How a function is set is text (JSON): a curve is told to a device once in an hour, and people read it.
"""

import struct

from pydantic import TypeAdapter, ValidationError

from openadr_core.errors import MalformedMessage
from openadr_core.limits import COMMAND_LEASE_MAX_S
from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_ven.gateways.contract import (
    ABILITY_ROW,
    TOPIC_NAME,
    AbilityFrame,
    AckState,
    Channel,
    Fallback,
    Reason,
    SupportAckFrame,
    SupportFrame,
)
from openadr_ven.gateways.packing import (
    MAGIC,
    NO_NAME,
    PREFIX,
    SEQUENCE_MAX,
    VERSION,
    Reader,
    bitmap_of,
    code_of,
    micros,
    moment_of,
    require,
)

SUPPORT_HEADER = struct.Struct("<Q16sqqqIBBHH6x")
"""Sequence, id, issued at, start, end, event version, function, fallback, bytes of the bitmap and of the text, six
bytes for later."""
SUPPORT_ACK_HEADER = struct.Struct("<Q16sqBBBxH6x")
"""Sequence, id, at, state, reason, function, bytes of the bitmap, six bytes for later."""
ABILITY_HEADER = struct.Struct("<qQI")
"""At, sequence, rows."""
TEXT_MAX_BYTES = 4_096
"""Ten points take less than one."""

_SUPPORT: TypeAdapter[GridSupport] = TypeAdapter(GridSupport)


def encode_support(frame: SupportFrame) -> bytes:
    event, gateway, bitmap = frame.event_id.encode(), frame.gateway.encode(), bitmap_of(frame.slots)
    text = b"" if frame.support is None else write_support(frame.support)
    return b"".join((
        PREFIX.pack(MAGIC, VERSION, Channel.SUPPORT, len(event), len(gateway)),
        SUPPORT_HEADER.pack(
            frame.sequence, frame.command_id, micros(frame.issued_at), micros(frame.start), micros(frame.end),
            frame.event_version, frame.function, frame.fallback, len(bitmap), len(text),
        ),
        event, gateway, bitmap, text,
    ))  # fmt: skip


def decode_support(reader: Reader, event_bytes: int, gateway_bytes: int) -> SupportFrame:
    sequence, command_id, issued, start, end, version, function, fallback, bitmap_bytes, text_bytes = reader.unpack(
        SUPPORT_HEADER
    )
    require(text_bytes <= TEXT_MAX_BYTES, "settings that are too long")
    frame = SupportFrame(
        event_id=reader.text(event_bytes),
        gateway=reader.name(gateway_bytes),
        event_version=version,
        sequence=sequence,
        issued_at=moment_of(issued),
        start=moment_of(start),
        end=moment_of(end),
        function=code_of(GridFunction, function),
        fallback=code_of(Fallback, fallback),
        slots=reader.slots(bitmap_bytes),
        support=read_support(reader.take(text_bytes)) if text_bytes else None,
    )
    reader.finish()
    require(0 < frame.sequence <= SEQUENCE_MAX, "a sequence is between 1 and 2^62")
    require(bool(frame.event_id), "grid support without an event")
    require(frame.slots.size > 0, "grid support for nobody")
    require(0 <= (frame.end - frame.start).total_seconds() <= COMMAND_LEASE_MAX_S, "a lease that is no lease")
    require(frame.support is None or frame.support.function is frame.function, "settings of another function")
    require(command_id == frame.command_id, "an id that is not the digest of its header")
    return frame


def encode_support_ack(frame: SupportAckFrame) -> bytes:
    gateway, bitmap = frame.gateway.encode(), bitmap_of(frame.slots)
    header = SUPPORT_ACK_HEADER.pack(
        frame.sequence, frame.command_id, micros(frame.at), frame.state, frame.reason, frame.function, len(bitmap)
    )
    return PREFIX.pack(MAGIC, VERSION, Channel.SUPPORT_ACK, 0, len(gateway)) + header + gateway + bitmap


def decode_support_ack(reader: Reader, event_bytes: int, gateway_bytes: int) -> SupportAckFrame:
    sequence, command_id, at, state, reason, function, bitmap_bytes = reader.unpack(SUPPORT_ACK_HEADER)
    require(sequence <= SEQUENCE_MAX, "no VEN has sent so much")
    frame = SupportAckFrame(
        gateway=reader.name(gateway_bytes),
        function=code_of(GridFunction, function),
        command_id=command_id,
        sequence=sequence,
        at=moment_of(at),
        state=code_of(AckState, state),
        reason=code_of(Reason, reason),
        slots=reader.slots(bitmap_bytes),
    )
    reader.finish()
    require(event_bytes == 0, "an event id in an acknowledgement")
    require(frame.slots.size > 0, "an acknowledgement of nothing")
    require((frame.state == AckState.REJECTED) == (frame.reason != Reason.NONE), "a reason goes with REJECTED only")
    return frame


def encode_ability(frame: AbilityFrame) -> bytes:
    gateway = frame.gateway.encode()
    require(TOPIC_NAME.fullmatch(frame.gateway) is not None, NO_NAME)
    header = ABILITY_HEADER.pack(micros(frame.at), frame.sequence, frame.rows.size)
    rows = frame.rows.astype(ABILITY_ROW, copy=False).tobytes()
    return PREFIX.pack(MAGIC, VERSION, Channel.ABILITY, 0, len(gateway)) + header + gateway + rows


def decode_ability(reader: Reader, event_bytes: int, gateway_bytes: int) -> AbilityFrame:
    at, sequence, count = reader.unpack(ABILITY_HEADER)
    require(sequence <= SEQUENCE_MAX, "no VEN has sent so much")
    frame = AbilityFrame(
        gateway=reader.name(gateway_bytes), at=moment_of(at), sequence=sequence, rows=reader.rows(ABILITY_ROW, count)
    )
    reader.finish()
    require(event_bytes == 0, "an event id in what devices can do")
    return frame


def write_support(support: GridSupport) -> bytes:
    """As JSON: members are called as the fields of ``GridSupport``, functions by their numbers."""
    return _SUPPORT.dump_json(support, exclude_none=True)


def read_support(text: bytes) -> GridSupport:
    """Interpretation: a member that we do not know would change what the rest means, so it is refused."""
    try:
        return _SUPPORT.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise MalformedMessage(f"settings that cannot be read: {error.errors()[0]['msg'][:200]}") from None
