"""What all frames of the gateway contract are made of: little-endian, packed, and checked field by field."""

import struct
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage, Unsupported
from openadr_ven.gateways.contract import TOPIC_NAME

MAGIC = b"DERG"
VERSION = 1
PREFIX = struct.Struct("<4sBBBB")
"""Magic, version, kind, bytes of the event id (0 but in what the VEN sends), bytes of the gateway's name."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SLOTS_MAX = 1 << 16
SEQUENCE_MAX = 1 << 62
"""A command a microsecond for 146,000 years; larger numbers are no sequences, and do not fit the agent's columns."""
NO_NAME = "gateway name that is no topic level"

Code = TypeVar("Code", bound=IntEnum)


class Reader:
    """Takes a frame apart from the left, never past its end."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def take(self, size: int) -> bytes:
        end = self._offset + size
        require(end <= len(self._data), "frame shorter than its header says")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def unpack(self, header: struct.Struct) -> tuple[Any, ...]:
        return header.unpack(self.take(header.size))

    def text(self, size: int) -> str:
        return self.take(size).decode()

    def name(self, size: int) -> str:
        name = self.text(size)
        require(TOPIC_NAME.fullmatch(name) is not None, NO_NAME)
        return name

    def rows(self, dtype: np.dtype[np.void], count: int) -> NDArray[np.void]:
        require(0 < count <= SLOTS_MAX, "number of rows")
        rows = np.frombuffer(self.take(count * dtype.itemsize), dtype=dtype)
        check_rows(rows)
        return rows

    def slots(self, bitmap_bytes: int) -> NDArray[np.uint16]:
        """Of a bitmap: bit ``s % 8``, counted from the least, of byte ``s / 8`` is slot ``s``."""
        require(bitmap_bytes <= SLOTS_MAX // 8, "bitmap beyond the last slot")
        bitmap = np.frombuffer(self.take(bitmap_bytes), dtype=np.uint8)
        return np.flatnonzero(np.unpackbits(bitmap, bitorder="little")).astype(np.uint16)

    def finish(self) -> None:
        require(self._offset == len(self._data), "frame longer than its header says")


def bitmap_of(slots: NDArray[np.uint16]) -> bytes:
    """As ``Reader.slots`` reads them."""
    present = np.zeros(SLOTS_MAX, dtype=np.bool_)
    present[slots] = True
    return np.packbits(present[: int(slots.max(initial=0)) + 1], bitorder="little").tobytes()


def check_rows(rows: NDArray[np.void]) -> None:
    require(0 < rows.size <= SLOTS_MAX, "number of rows")
    slots = rows["slot"]
    require(bool((slots[1:] > slots[:-1]).all()), "slots that do not rise")


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment_of(count: int) -> datetime:
    return EPOCH + timedelta(microseconds=count)


def code_of(codes: type[Code], value: int) -> Code:
    try:
        return codes(value)
    except ValueError:
        raise Unsupported(f"{codes.__name__} {value}") from None


def require(holds: bool, what: str) -> None:
    if not holds:
        raise MalformedMessage(what)
