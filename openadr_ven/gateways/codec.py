"""Frames of the gateway contract as bytes, and back, with every field checked.

Little-endian, packed, in this order: prefix, header of the kind, texts, rows. A frame has exactly
the length that its header says. ``decode`` raises MalformedMessage for anything else, and
``encode`` LocalProtocolError, so that no frame leaves that ``decode`` would refuse.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import LocalProtocolError, MalformedMessage, OpenAdrError, Unsupported
from openadr_core.limits import COMMAND_LEASE_MAX_S, COMMAND_RAMP_MAX_S
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import (
    COMMAND_ROW,
    TELEMETRY_ROW,
    TOPIC_NAME,
    AckFrame,
    AckState,
    Channel,
    CommandFrame,
    Fallback,
    Frame,
    GatewayState,
    Reason,
    StatusFrame,
    TelemetryFrame,
)

MAGIC = b"DERG"
VERSION = 1

PREFIX = struct.Struct("<4sBBBB")
"""Magic, version, kind, bytes of the event id (0 but in commands), bytes of the gateway's name."""
COMMAND_HEADER = struct.Struct("<Q16sqqqIfIB3x")
"""Sequence, command id, issued at, start, end, event version, ramp_s, rows, fallback, three bytes for later."""
ACK_HEADER = struct.Struct("<Q16sqBBH")
"""Sequence, command id, at, state, reason, bytes of the bitmap."""
TELEMETRY_HEADER = struct.Struct("<QqQI")
"""Telemetry sequence, measured at, command sequence, rows."""
STATUS_HEADER = struct.Struct("<qQIB")
"""At, command sequence, slots, state."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SLOTS_MAX = 1 << 16
SEQUENCE_MAX = 1 << 62
"""A command a microsecond for 146,000 years; larger numbers are no sequences, and do not fit the agent's columns."""
NO_NAME = "gateway name that is no topic level"
IS_MODE = np.isin(np.arange(256), list(Mode))

Code = TypeVar("Code", bound=IntEnum)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    try:
        data = _ENCODERS[type(frame)](frame)
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
        return _DECODERS[_code(Channel, kind)](_Reader(data, PREFIX.size), event_bytes, gateway_bytes)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise MalformedMessage(f"broken frame: {error}") from error


# -- commands ------------------------------------------------------------------------


def _encode_command(frame: CommandFrame) -> bytes:
    event, gateway = frame.event_id.encode(), frame.gateway.encode()
    _require(TOPIC_NAME.fullmatch(frame.gateway) is not None, NO_NAME)
    _check_rows(frame.rows)
    _check_command(frame)
    return b"".join((
        PREFIX.pack(MAGIC, VERSION, Channel.COMMAND, len(event), len(gateway)),
        COMMAND_HEADER.pack(
            frame.sequence, frame.command_id, _micros(frame.issued_at), _micros(frame.start), _micros(frame.end),
            frame.event_version, frame.ramp_s, frame.rows.size, frame.fallback,
        ),
        event, gateway, frame.rows.astype(COMMAND_ROW, copy=False).tobytes(),
    ))  # fmt: skip


def _decode_command(reader: "_Reader", event_bytes: int, gateway_bytes: int) -> CommandFrame:
    sequence, command_id, issued, start, end, version, ramp_s, count, fallback = reader.unpack(COMMAND_HEADER)
    frame = CommandFrame(
        event_id=reader.text(event_bytes),
        gateway=reader.name(gateway_bytes),
        event_version=version,
        sequence=sequence,
        issued_at=_moment(issued),
        start=_moment(start),
        end=_moment(end),
        ramp_s=ramp_s,
        fallback=_code(Fallback, fallback),
        rows=reader.rows(COMMAND_ROW, count),
    )
    reader.finish()
    _check_command(frame)
    _require(command_id == frame.command_id, "command id that is not the digest of its header")
    return frame


def _check_command(frame: CommandFrame) -> None:
    _require(0 < frame.sequence <= SEQUENCE_MAX, "a command's sequence is between 1 and 2^62")
    _require(bool(frame.event_id), "a command without an event")
    _require(0 <= (frame.end - frame.start).total_seconds() <= COMMAND_LEASE_MAX_S, "a lease that is no lease")
    _require(0 <= frame.ramp_s <= COMMAND_RAMP_MAX_S, "ramp out of range")
    _require(bool(IS_MODE[frame.rows["mode"]].all()), "unknown mode")
    _require(bool(np.isfinite(frame.rows["setpoint_w"]).all()), "setpoint that is no number")


def _check_rows(rows: NDArray[np.void]) -> None:
    _require(0 < rows.size <= SLOTS_MAX, "number of rows")
    slots = rows["slot"]
    _require(bool((slots[1:] > slots[:-1]).all()), "slots that do not rise")


# -- what gateways send --------------------------------------------------------------


def _encode_ack(frame: AckFrame) -> bytes:
    gateway = frame.gateway.encode()
    present = np.zeros(SLOTS_MAX, dtype=np.bool_)
    present[frame.slots] = True
    bitmap = np.packbits(present[: int(frame.slots.max(initial=0)) + 1], bitorder="little").tobytes()
    header = ACK_HEADER.pack(
        frame.sequence, frame.command_id, _micros(frame.at), frame.state, frame.reason, len(bitmap)
    )  # fmt: skip
    return PREFIX.pack(MAGIC, VERSION, Channel.ACK, 0, len(gateway)) + header + gateway + bitmap


def _decode_ack(reader: "_Reader", event_bytes: int, gateway_bytes: int) -> AckFrame:
    sequence, command_id, at, state, reason, bitmap_bytes = reader.unpack(ACK_HEADER)
    _require(sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    gateway = reader.name(gateway_bytes)
    bitmap = np.frombuffer(reader.take(bitmap_bytes), dtype=np.uint8)
    reader.finish()
    _require(event_bytes == 0, "an event id in an acknowledgement")
    _require(bitmap_bytes <= SLOTS_MAX // 8, "bitmap beyond the last slot")
    frame = AckFrame(
        gateway=gateway,
        command_id=command_id,
        sequence=sequence,
        at=_moment(at),
        state=_code(AckState, state),
        reason=_code(Reason, reason),
        slots=np.flatnonzero(np.unpackbits(bitmap, bitorder="little")).astype(np.uint16),
    )
    _require(frame.slots.size > 0, "an acknowledgement of nothing")
    _require((frame.state == AckState.REJECTED) == (frame.reason != Reason.NONE), "a reason goes with REJECTED only")
    return frame


def _encode_telemetry(frame: TelemetryFrame) -> bytes:
    gateway = frame.gateway.encode()
    header = TELEMETRY_HEADER.pack(
        frame.telemetry_sequence, _micros(frame.measured_at), frame.command_sequence, frame.rows.size
    )
    rows = frame.rows.astype(TELEMETRY_ROW, copy=False).tobytes()
    return PREFIX.pack(MAGIC, VERSION, Channel.TELEMETRY, 0, len(gateway)) + header + gateway + rows


def _decode_telemetry(reader: "_Reader", event_bytes: int, gateway_bytes: int) -> TelemetryFrame:
    sequence, measured, command_sequence, count = reader.unpack(TELEMETRY_HEADER)
    _require(command_sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    frame = TelemetryFrame(
        gateway=reader.name(gateway_bytes),
        telemetry_sequence=sequence,
        measured_at=_moment(measured),
        command_sequence=command_sequence,
        rows=reader.rows(TELEMETRY_ROW, count),
    )
    reader.finish()
    _require(event_bytes == 0, "an event id in telemetry")
    _require(bool(np.isfinite(frame.rows["power_w"]).all()), "power that is no number")
    soc = frame.rows["soc"]
    _require(not bool(((soc < 0) | (soc > 1)).any()), "state of charge outside 0 to 1")
    return frame


def _encode_status(frame: StatusFrame) -> bytes:
    gateway = frame.gateway.encode()
    header = STATUS_HEADER.pack(_micros(frame.at), frame.command_sequence, frame.slot_count, frame.state)
    return PREFIX.pack(MAGIC, VERSION, Channel.STATUS, 0, len(gateway)) + header + gateway


def _decode_status(reader: "_Reader", event_bytes: int, gateway_bytes: int) -> StatusFrame:
    at, command_sequence, slot_count, state = reader.unpack(STATUS_HEADER)
    _require(command_sequence <= SEQUENCE_MAX, "no VEN has sent so many commands")
    frame = StatusFrame(
        gateway=reader.name(gateway_bytes),
        at=_moment(at),
        state=_code(GatewayState, state),
        slot_count=slot_count,
        command_sequence=command_sequence,
    )
    reader.finish()
    _require(event_bytes == 0, "an event id in a status")
    _require(slot_count <= SLOTS_MAX, "more slots than there can be")
    return frame


_ENCODERS: dict[type, Callable[..., bytes]] = {
    CommandFrame: _encode_command,
    AckFrame: _encode_ack,
    TelemetryFrame: _encode_telemetry,
    StatusFrame: _encode_status,
}
_DECODERS: dict[Channel, Callable[["_Reader", int, int], Frame]] = {
    Channel.COMMAND: _decode_command,
    Channel.ACK: _decode_ack,
    Channel.TELEMETRY: _decode_telemetry,
    Channel.STATUS: _decode_status,
}


# -- fields --------------------------------------------------------------------------


class _Reader:
    """Takes a frame apart from the left, never past its end."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def take(self, size: int) -> bytes:
        end = self._offset + size
        _require(end <= len(self._data), "frame shorter than its header says")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def unpack(self, header: struct.Struct) -> tuple[Any, ...]:
        return header.unpack(self.take(header.size))

    def text(self, size: int) -> str:
        return self.take(size).decode()

    def name(self, size: int) -> str:
        name = self.text(size)
        _require(TOPIC_NAME.fullmatch(name) is not None, NO_NAME)
        return name

    def rows(self, dtype: np.dtype[np.void], count: int) -> NDArray[np.void]:
        _require(0 < count <= SLOTS_MAX, "number of rows")
        rows = np.frombuffer(self.take(count * dtype.itemsize), dtype=dtype)
        _check_rows(rows)
        return rows

    def finish(self) -> None:
        _require(self._offset == len(self._data), "frame longer than its header says")


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _code(codes: type[Code], value: int) -> Code:
    try:
        return codes(value)
    except ValueError:
        raise Unsupported(f"{codes.__name__} {value}") from None


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise MalformedMessage(what)
