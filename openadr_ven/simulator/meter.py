"""The independent meter: what really flowed, second by second, in a file that neither VTN nor VEN reads.

``meter.json`` names what is metered: ``devices`` (ids), ``transformers`` (names) and
``transformer_limit_w`` (null if unknown), in the order of the columns. ``meter.bin`` holds one record
per second, little-endian, without gaps between fields: ``time_s`` (float64, seconds since 1970),
``feeder_w`` (float64), then float32 for each transformer, then float32 for each device; all real
power is net import in watts. A record that a crash cut short is at the end, and is not read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import Floats
from openadr_ven.simulator.feeder import Sample

NAMES, RECORDS = "meter.json", "meter.bin"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeterRecord:
    """What was metered so far."""

    device_ids: tuple[str, ...]
    transformer_names: tuple[str, ...]
    transformer_limit_w: Floats
    """Infinite if unknown."""
    time_s: Floats
    feeder_w: Floats
    transformer_w: NDArray[np.float32]
    """A row per second, a column per transformer."""
    device_w: NDArray[np.float32]
    """A row per second, a column per device."""


class Meter:
    """Writes a record per second."""

    def __init__(
        self, folder: Path, *, device_ids: list[str], transformer_names: tuple[str, ...], transformer_limit_w: Floats
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        limits = [float(limit_w) if np.isfinite(limit_w) else None for limit_w in transformer_limit_w]
        names = {"devices": device_ids, "transformers": list(transformer_names), "transformer_limit_w": limits}
        (folder / NAMES).write_text(json.dumps(names))
        self._record = np.zeros(1, dtype=_record_type(len(device_ids), len(transformer_names)))
        self._file = (folder / RECORDS).open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, sample: Sample) -> None:
        """Append one second, visible to readers at once."""
        self._record["time_s"], self._record["feeder_w"] = sample.time_s, sample.feeder_w
        self._record["transformer_w"], self._record["device_w"] = sample.transformer_w, sample.device_w
        self._file.write(self._record.tobytes())
        self._file.flush()


def read_meter(folder: Path) -> MeterRecord:
    """Everything that the meter in this folder has written so far; ConfigError if there is none."""
    try:
        names = json.loads((folder / NAMES).read_text())
        written = (folder / RECORDS).read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"no meter here: {error.filename}") from None
    record = _record_type(len(names["devices"]), len(names["transformers"]))
    whole = np.frombuffer(written, dtype=record, count=len(written) // record.itemsize)
    return MeterRecord(
        device_ids=tuple(names["devices"]),
        transformer_names=tuple(names["transformers"]),
        transformer_limit_w=np.array(
            [np.inf if limit_w is None else limit_w for limit_w in names["transformer_limit_w"]], dtype=np.float64
        ),
        time_s=whole["time_s"].copy(),
        feeder_w=whole["feeder_w"].copy(),
        transformer_w=whole["transformer_w"],
        device_w=whole["device_w"],
    )


def _record_type(devices: int, transformers: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("time_s", "<f8"), ("feeder_w", "<f8"),
            ("transformer_w", "<f4", (transformers,)), ("device_w", "<f4", (devices,)),
        ]
    )  # fmt: skip
