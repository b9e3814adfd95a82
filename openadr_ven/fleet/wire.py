"""Named values and columns as bytes: what the agent and its shards say to each other, and what it tells of a price.

    4 bytes   length of the head, little-endian
    head      JSON: the values, and of each array its name, type and length
    arrays    as they lie in memory, little-endian, in the head's order

Numbers arrive to the bit: JSON carries Python's shortest exact form of a double, and arrays are copied.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage

LENGTH = struct.Struct("<I")
TYPES = frozenset({"<f8", "<i8", "|b1", "<f4", "|u1"})
"""Of arrays that travel: nothing that could hold an object."""
NO_ARRAYS: Mapping[str, NDArray[Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """One message."""

    values: Mapping[str, Any]
    """Numbers, texts, and lists and mappings of them."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=lambda: NO_ARRAYS)


def encode(said: Said) -> bytes:
    head = json.dumps({
        "values": said.values, "arrays": [[name, one.dtype.str, one.size] for name, one in said.arrays.items()]
    }).encode()  # fmt: skip
    return b"".join((LENGTH.pack(len(head)), head, *(one.tobytes() for one in said.arrays.values())))


def decode(data: bytes) -> Said:
    """MalformedMessage if it is none."""
    try:
        (length,) = LENGTH.unpack_from(data)
        at = LENGTH.size + length
        head = json.loads(data[LENGTH.size : at])
        arrays = {}
        for name, kind, size in head["arrays"]:
            if kind not in TYPES or not isinstance(size, int) or size < 0:
                raise MalformedMessage(f"array of {kind!r}, {size!r}")
            dtype = np.dtype(kind)
            arrays[str(name)] = np.frombuffer(data, dtype=dtype, count=size, offset=at)
            at += size * dtype.itemsize
        if at != len(data) or not isinstance(head["values"], dict):
            raise MalformedMessage("longer than its head says")
        return Said(values=head["values"], arrays=arrays)
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise MalformedMessage(f"no message of values and columns: {problem}") from None


def bundle(values: Mapping[str, Any], pieces: Sequence[bytes], **arrays: NDArray[Any]) -> bytes:
    """A message that carries others as they are."""
    lengths = [len(one) for one in pieces]
    joined = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    return encode(Said(values={**values, "lengths": lengths}, arrays={**arrays, "pieces": joined}))


def pieces_of(said: Said) -> list[bytes]:
    """What a bundle carries; MalformedMessage if it is none."""
    lengths, joined = said.values.get("lengths"), said.arrays.get("pieces")
    if not isinstance(lengths, list) or not all(isinstance(one, int) and one >= 0 for one in lengths):
        raise MalformedMessage("no lengths")
    if joined is None or joined.dtype != np.uint8 or joined.size != sum(lengths):
        raise MalformedMessage("other pieces than their lengths")
    data = joined.tobytes()
    ends = list(accumulate(lengths))
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]
