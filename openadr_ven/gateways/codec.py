"""Frames of the gateway contract as bytes, and back, with every field checked.

Little-endian, packed, in this order: prefix, header of the kind, texts, rows. A frame has exactly
the length that its header says. ``decode`` raises MalformedMessage for anything else, and
``encode`` LocalProtocolError, so that no frame leaves that ``decode`` would refuse.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import LocalProtocolError, MalformedMessage, OpenAdrError, Unsupported
from openadr_core.limits import COMMAND_LEASE_MAX_S, COMMAND_RAMP_MAX_S
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import (
    COMMAND_ROW,
    TELEMETRY_ROW,
    TOPIC_NAME,
    AbilityFrame,
    AckFrame,
    AckState,
    Channel,
    CommandFrame,
    Fallback,
    Frame,
    GatewayState,
    Reason,
    StatusFrame,
    SupportAckFrame,
    SupportFrame,
    TelemetryFrame,
)
from openadr_ven.gateways.packing import (
    MAGIC,
    NO_NAME,
    PREFIX,
    SEQUENCE_MAX,
    SLOTS_MAX,
    VERSION,
    Reader,
    bitmap_of,
    check_rows,
    code_of,
    micros,
    moment_of,
    require,
)
from openadr_ven.gateways.support_codec import (
    decode_ability,
    decode_support,
    decode_support_ack,
    encode_ability,
    encode_support,
    encode_support_ack,
)

COMMAND_HEADER = struct.Struct("<Q16sqqqIfIB3x")
"""Sequence, command id, issued at, start, end, event version, ramp_s, rows, fallback, three bytes for later."""
ACK_HEADER = struct.Struct("<Q16sqBBH")
"""Sequence, command id, at, state, reason, bytes of the bitmap."""
TELEMETRY_HEADER = struct.Struct("<QqQI")
"""Telemetry sequence, measured at, command sequence, rows."""
STATUS_HEADER = struct.Struct("<qQIB")
"""At, command sequence, slots, state."""

IS_MODE = np.isin(np.arange(256), list(Mode))


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    return _encoded(frame, _ENCODERS)


def encode_all(frames: Sequence[Frame]) -> Iterator[bytes]:
    """The bytes of many frames, each as ``encode`` has it; the rows of their commands are looked at in one piece."""
    encoders = _ENCODERS
    if _are_sound([frame.rows for frame in frames if isinstance(frame, CommandFrame)]):
        encoders = {**_ENCODERS, CommandFrame: _command_bytes}
    for frame in frames:
        yield _encoded(frame, encoders)


def _encoded(frame: Frame, encoders: Mapping[type, Callable[..., bytes]]) -> bytes:
    try:
        data = encoders[type(frame)](frame)
        if not isinstance(frame, CommandFrame):  # what its encoder looks at itself: thousands are sent at a time
            decode(data)
    except (struct.error, OverflowError, OpenAdrError) as error:
        raise LocalProtocolError(f"this {type(frame).__name__} cannot be sent: {error}") from error
    return data


def decode(data: bytes) -> Frame:
    """The frame that these bytes are; Unsupported if it is of a version or fallback we do not know."""
    try:
        magic, version, kind, event_bytes, gateway_bytes = PREFIX.unpack_from(data)
        if magic != MAGIC:
            raise MalformedMessage("not a frame of the gateway contract")
        if version != VERSION:
            raise Unsupported(f"version {version} of the gateway contract")
        return _DECODERS[code_of(Channel, kind)](Reader(data, PREFIX.size), event_bytes, gateway_bytes)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise MalformedMessage(f"broken frame: {error}") from error


# -- commands ------------------------------------------------------------------------


def _encode_command(frame: CommandFrame) -> bytes:
    check_rows(frame.rows)
    _check_orders(frame.rows)
    return _command_bytes(frame)


def _command_bytes(frame: CommandFrame) -> bytes:
    """Of a command whose rows are sound."""
    event, gateway = frame.event_id.encode(), frame.gateway.encode()
    require(TOPIC_NAME.fullmatch(frame.gateway) is not None, NO_NAME)
    _check_command(frame)
    return b"".join((
        PREFIX.pack(MAGIC, VERSION, Channel.COMMAND, len(event), len(gateway)),
        COMMAND_HEADER.pack(
            frame.sequence, frame.command_id, micros(frame.issued_at), micros(frame.start), micros(frame.end),
            frame.event_version, frame.ramp_s, frame.rows.size, frame.fallback,
        ),
        event, gateway, _row_bytes(frame.rows),
    ))  # fmt: skip


def _row_bytes(rows: NDArray[np.void]) -> bytes:
    return rows.astype(COMMAND_ROW, copy=False).tobytes()


def _decode_command(reader: Reader, event_bytes: int, gateway_bytes: int) -> CommandFrame:
    sequence, command_id, issued, start, end, version, ramp_s, count, fallback = reader.unpack(COMMAND_HEADER)
    frame = CommandFrame(
        event_id=reader.text(event_bytes),
        gateway=reader.name(gateway_bytes),
        event_version=version,
        sequence=sequence,
        issued_at=moment_of(issued),
        start=moment_of(start),
        end=moment_of(end),
        ramp_s=ramp_s,
        fallback=code_of(Fallback, fallback),
        rows=reader.rows(COMMAND_ROW, count),
    )
    reader.finish()
    _check_command(frame)
    _check_orders(frame.rows)
    require(command_id == frame.command_id, "command id that is not the digest of its header")
    return frame


def _check_command(frame: CommandFrame) -> None:
    require(0 < frame.sequence <= SEQUENCE_MAX, "a command's sequence is between 1 and 2^62")
    require(bool(frame.event_id), "a command without an event")
    require(0 <= (frame.end - frame.start).total_seconds() <= COMMAND_LEASE_MAX_S, "a lease that is no lease")
    require(0 <= frame.ramp_s <= COMMAND_RAMP_MAX_S, "ramp out of range")


def _check_orders(rows: NDArray[np.void]) -> None:
    require(bool(IS_MODE[rows["mode"]].all()), "unknown mode")
    require(bool(np.isfinite(rows["setpoint_w"]).all()), "setpoint that is no number")


def _are_sound(parts: Sequence[NDArray[np.void]]) -> bool:
    """Whether the rows of all of these commands may be sent, without saying which may not."""
    sizes = np.array([part.size for part in parts], dtype=np.intp)
    if not sizes.size or sizes.min() == 0 or sizes.max() > SLOTS_MAX:
        return False
    # NumPy joins arrays of records one record at a time.
    rows = np.frombuffer(b"".join(_row_bytes(part) for part in parts), dtype=COMMAND_ROW)
    rises = rows["slot"][1:] > rows["slot"][:-1]
    rises[np.cumsum(sizes[:-1]) - 1] = True  # the next one begins where it likes
    return bool(rises.all() and IS_MODE[rows["mode"]].all() and np.isfinite(rows["setpoint_w"]).all())


# -- what gateways send --------------------------------------------------------------


def _encode_ack(frame: AckFrame) -> bytes:
    gateway = frame.gateway.encode()
    bitmap = bitmap_of(frame.slots)
    header = ACK_HEADER.pack(
        frame.sequence, frame.command_id, micros(frame.at), frame.state, frame.reason, len(bitmap)
    )  # fmt: skip
    return PREFIX.pack(MAGIC, VERSION, Channel.ACK, 0, len(gateway)) + header + gateway + bitmap


def _decode_ack(reader: Reader, event_bytes: int, gateway_bytes: int) -> AckFrame:
    sequence, command_id, at, state, reason, bitmap_bytes = reader.unpack(ACK_HEADER)
    require(sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    gateway = reader.name(gateway_bytes)
    slots = reader.slots(bitmap_bytes)
    reader.finish()
    require(event_bytes == 0, "an event id in an acknowledgement")
    frame = AckFrame(
        gateway=gateway,
        command_id=command_id,
        sequence=sequence,
        at=moment_of(at),
        state=code_of(AckState, state),
        reason=code_of(Reason, reason),
        slots=slots,
    )
    require(frame.slots.size > 0, "an acknowledgement of nothing")
    require((frame.state == AckState.REJECTED) == (frame.reason != Reason.NONE), "a reason goes with REJECTED only")
    return frame


def _encode_telemetry(frame: TelemetryFrame) -> bytes:
    gateway = frame.gateway.encode()
    header = TELEMETRY_HEADER.pack(
        frame.telemetry_sequence, micros(frame.measured_at), frame.command_sequence, frame.rows.size
    )
    rows = frame.rows.astype(TELEMETRY_ROW, copy=False).tobytes()
    return PREFIX.pack(MAGIC, VERSION, Channel.TELEMETRY, 0, len(gateway)) + header + gateway + rows


def _decode_telemetry(reader: Reader, event_bytes: int, gateway_bytes: int) -> TelemetryFrame:
    sequence, measured, command_sequence, count = reader.unpack(TELEMETRY_HEADER)
    require(command_sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    frame = TelemetryFrame(
        gateway=reader.name(gateway_bytes),
        telemetry_sequence=sequence,
        measured_at=moment_of(measured),
        command_sequence=command_sequence,
        rows=reader.rows(TELEMETRY_ROW, count),
    )
    reader.finish()
    require(event_bytes == 0, "an event id in telemetry")
    require(bool(np.isfinite(frame.rows["power_w"]).all()), "power that is no number")
    soc = frame.rows["soc"]
    require(not bool(((soc < 0) | (soc > 1)).any()), "state of charge outside 0 to 1")
    return frame


def _encode_status(frame: StatusFrame) -> bytes:
    gateway = frame.gateway.encode()
    header = STATUS_HEADER.pack(micros(frame.at), frame.command_sequence, frame.slot_count, frame.state)
    return PREFIX.pack(MAGIC, VERSION, Channel.STATUS, 0, len(gateway)) + header + gateway


def _decode_status(reader: Reader, event_bytes: int, gateway_bytes: int) -> StatusFrame:
    at, command_sequence, slot_count, state = reader.unpack(STATUS_HEADER)
    require(command_sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    frame = StatusFrame(
        gateway=reader.name(gateway_bytes),
        at=moment_of(at),
        state=code_of(GatewayState, state),
        slot_count=slot_count,
        command_sequence=command_sequence,
    )
    reader.finish()
    require(event_bytes == 0, "an event id in a status")
    require(slot_count <= SLOTS_MAX, "more slots than there can be")
    return frame


_ENCODERS: dict[type, Callable[..., bytes]] = {
    CommandFrame: _encode_command,
    AckFrame: _encode_ack,
    TelemetryFrame: _encode_telemetry,
    StatusFrame: _encode_status,
    SupportFrame: encode_support,
    SupportAckFrame: encode_support_ack,
    AbilityFrame: encode_ability,
}
_DECODERS: dict[Channel, Callable[[Reader, int, int], Frame]] = {
    Channel.COMMAND: _decode_command,
    Channel.ACK: _decode_ack,
    Channel.TELEMETRY: _decode_telemetry,
    Channel.STATUS: _decode_status,
    Channel.SUPPORT: decode_support,
    Channel.SUPPORT_ACK: decode_support_ack,
    Channel.ABILITY: decode_ability,
}
