"""Parcels: whole gateways of a fleet that one process speaks for, so that others can take one over as it is.

How a fleet is parcelled hangs on the fleet alone, not on how many processes there are: whoever has a parcel tells its
gateways the same, writes the same down under the same name, and holds the same session at their broker.
"""

from dataclasses import dataclass

import numpy as np

from openadr_ven.fleet.columns import Fleet

ROW_BYTES = 12
"""Of a device in a message: its row of a command frame, and its relief."""
GATEWAY_BYTES = 400
"""Of a frame besides: its header, with texts of the usual length."""
MESSAGE_BYTES = 900_000
"""Engines carry a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    number: int
    codes: range
    """Of its gateways."""
    gateways: tuple[str, ...]
    rows: int
    """How many devices are behind them."""


def parcels_of(fleet: Fleet, rows_max: int) -> tuple[Parcel, ...]:
    """Consecutive gateways, each parcel with as many as ``rows_max`` devices and one message allow; one at least."""
    devices = np.bincount(fleet.gateway, minlength=len(fleet.gateway_names)).tolist()
    starts, rows, size = [0], 0, 0
    for code, count in enumerate(devices):
        weight = GATEWAY_BYTES + ROW_BYTES * count
        if code > starts[-1] and (rows + count > rows_max or size + weight > MESSAGE_BYTES):
            starts.append(code)
            rows, size = 0, 0
        rows, size = rows + count, size + weight
    ends = [*starts[1:], len(devices)]
    return tuple(
        Parcel(
            number=number,
            codes=range(start, end),
            gateways=fleet.gateway_names[start:end],
            rows=sum(devices[start:end]),
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def dealt(count: int, number: int, of: int) -> range:
    """Which of so many cells, or parcels, one of so many processes has; it is counted from 1."""
    return range(count * (number - 1) // of, count * number // of)
