"""The fleet's own store: a folder of versions, each a fleet as columns that are mapped into memory, not read.

    fleet.store/current                 the number of the version in use
    fleet.store/000001/manifest.json    how many devices, when it was saved, the SHA-256 of its columns
    fleet.store/000001/rows.arrow       one row per device
    fleet.store/000001/<node>.arrow     names and limits of vendors, gateways, sites, transformers …
    fleet.store/000001/state.arrow      what telemetry showed last, if it was saved

Files are Arrow, without compression: nine million devices are there in a second or two, and processes
that map the same version share its memory. A version never changes; a new one takes its place by one
rename, so whoever reads sees the old one whole or the new one whole. Only the state is replaced, also by
a rename.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as pa_ipc
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import ROW_COLUMNS, Fleet, FleetState, Texts
from openadr_ven.fleet.terms import Terms

CURRENT, MANIFEST, ROWS, STATE = "current", "manifest.json", "rows.arrow", "state.arrow"
NODES = ("vendor", "gateway", "site", "transformer", "feeder", "substation")
AS_STRINGS = ("vendor", "gateway", "feeder", "substation")
"""Nodes that are few enough for Python's own strings."""
KEPT_VERSIONS = 5
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    number: int
    saved_at: datetime
    devices: int
    sha256: str
    note: str


class FleetStore:
    """One folder. Methods raise ``ConfigError`` if it is no store, or not one of this format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, fleet: Fleet, *, note: str = "", now: datetime | None = None) -> Version:
        """The next version, in use from now on; the oldest beyond a handful are removed."""
        number = max((version.number for version in self.versions()), default=0) + 1
        folder, draft = self._at(number), self.folder / f".draft-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        rows = {name: getattr(fleet, name) for name in ROW_COLUMNS}
        rows |= {f"terms.{field.name}": getattr(fleet.terms, field.name) for field in fields(Terms)}
        _write(draft / ROWS, rows)
        for node in NODES:
            _write(draft / f"{node}.arrow", _node_columns(fleet, node))
        version = Version(
            number=number,
            saved_at=now or datetime.now(UTC),
            devices=fleet.size,
            sha256=_digest(draft),
            note=note,
        )
        (draft / MANIFEST).write_text(json.dumps(_plain(version), indent=2))
        draft.rename(folder)
        _replace(self.folder / CURRENT, str(number).encode())
        for old in self.versions()[:-KEPT_VERSIONS]:
            shutil.rmtree(self._at(old.number))
        return version

    def load(self, number: int | None = None) -> Fleet:
        """A version's fleet, the one in use if none is named. Its columns are the file's: they cannot be written to."""
        folder = self._at(self.current().number if number is None else number)
        if not (folder / MANIFEST).is_file():
            raise ConfigError(f"{self.folder}: no version {number}")
        rows = _read(folder / ROWS)
        values: dict[str, Any] = {name: rows[name] for name in ROW_COLUMNS}
        values["terms"] = Terms(**{field.name: rows[f"terms.{field.name}"] for field in fields(Terms)})
        for node in NODES:
            columns = _read(folder / f"{node}.arrow")
            names = columns.pop("names")
            values[f"{node}_names"] = tuple(names.tolist()) if node in AS_STRINGS else names
            values |= columns
        return Fleet(**values)

    def current(self) -> Version:
        """The version in use."""
        try:
            number = int((self.folder / CURRENT).read_text())
        except (OSError, ValueError):
            raise ConfigError(f"{self.folder} is no fleet store; `openadr-ven fleet load FILE` makes one") from None
        return _version(self._at(number) / MANIFEST)

    def versions(self) -> list[Version]:
        """All that are kept, oldest first."""
        return [_version(path) for path in sorted(self.folder.glob(f"[0-9]*/{MANIFEST}"))]

    def use(self, number: int) -> Version:
        """Go back, or forth, to another version."""
        version = _version(self._at(number) / MANIFEST)
        _replace(self.folder / CURRENT, str(number).encode())
        return version

    def save_state(self, state: FleetState, *, number: int) -> None:
        """What telemetry shows of a version's devices, in place of what was saved before."""
        path = self._at(number) / STATE
        draft = path.with_suffix(f".{os.getpid()}")
        _write(draft, {field.name: getattr(state, field.name) for field in fields(FleetState)})
        draft.replace(path)

    def load_state(self, number: int | None = None) -> FleetState | None:
        """None if none was saved of this version."""
        path = self._at(self.current().number if number is None else number) / STATE
        if not path.is_file():
            return None
        # Copied: telemetry goes on in it.
        return FleetState(**{name: np.array(column) for name, column in _read(path).items()})

    def _at(self, number: int) -> Path:
        return self.folder / f"{number:06d}"


def _node_columns(fleet: Fleet, node: str) -> dict[str, Any]:
    columns: dict[str, Any] = {"names": getattr(fleet, f"{node}_names")}
    if node != "gateway":
        columns[f"{node}_limit_w"] = getattr(fleet, f"{node}_limit_w")
    if node == "feeder":
        columns["feeder_substation"] = fleet.feeder_substation
    return columns


def _write(path: Path, columns: Mapping[str, NDArray[Any] | Texts | tuple[str, ...]]) -> None:
    table = pa.table({name: _arrow(column) for name, column in columns.items()})
    with pa.OSFile(str(path), "wb") as file, pa_ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(table.num_rows, 1))


def _arrow(column: Any) -> Any:  # pyarrow has no types
    """As one Arrow array; truth values as bytes, since Arrow packs them into bits that cannot be mapped."""
    if isinstance(column, tuple) or column.dtype.kind == "T":
        return pa.array(list(column) if isinstance(column, tuple) else column.tolist(), type=pa.large_string())
    return pa.array(column.view(np.uint8), type=pa.uint8()) if column.dtype == np.bool_ else pa.array(column)


def _read(path: Path) -> dict[str, Any]:
    try:
        with pa.memory_map(str(path)) as file:
            table = pa_ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid) as problem:
        raise ConfigError(f"{path}: {problem}") from None
    return {name: _column(name, table[name]) for name in table.column_names}


def _column(name: str, column: Any) -> Any:
    chunk = column.chunk(0) if column.num_chunks else column.combine_chunks()
    if pa.types.is_large_string(chunk.type):
        return chunk.to_numpy(zero_copy_only=False).astype(np.dtypes.StringDType())
    values = chunk.to_numpy(zero_copy_only=True)
    return values.view(np.bool_) if name in TRUTHS else values


TRUTHS = frozenset({"terms.consent", "terms.storm_hold", "plugged", "online", "override"})
"""Columns of bytes that are truth values."""


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.arrow")):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _plain(version: Version) -> dict[str, object]:
    return {
        "format": FORMAT, "number": version.number, "saved_at": version.saved_at.isoformat(),
        "devices": version.devices, "sha256": version.sha256, "note": version.note,
    }  # fmt: skip


def _version(manifest: Path) -> Version:
    try:
        told = json.loads(manifest.read_text())
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{manifest}: {problem}") from None
    if told.pop("format", None) != FORMAT:
        raise ConfigError(f"{manifest}: a format of another release; load the fleet anew")
    return Version(**{**told, "saved_at": datetime.fromisoformat(told["saved_at"])})


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
