"""Fleets in files: CSV to begin with, Parquet when they grow; one row per device.

The header is documented in ``fleet_header.FLEET_COLUMNS``. The order of columns and rows does not
matter, and columns of other names are ignored. A row that cannot be right is reported with its line
and the reason; it is left out, or nothing is loaded, as asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_header import (
    ASSUMED_TEXT,
    FLEET_COLUMNS,
    LATENCY_WHEN_EMPTY_S,
    LIMITED,
    NUMBER_COLUMNS,
    TERMS,
    TEXT_COLUMNS,
    ZERO_WHEN_EMPTY,
)
from openadr_ven.adapters.fleet_rows import CheckedRows
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, Mask, Texts, in_network_order
from openadr_ven.fleet.terms import Terms

__all__ = ["FLEET_COLUMNS", "BadRow", "FleetFileRefused", "LoadedFleet", "OnBadRow", "load_fleet", "write_fleet"]

SHORT_TABLES = ("vendor", "gateway", "feeder", "substation")
"""Names that are few enough to be Python's own strings."""


class OnBadRow(Enum):
    """What one bad row does to a file."""

    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was not loaded. Lines count from 1, the header included; in Parquet the first row is line 2."""

    line: int
    column: str = ""
    """Empty if the row is none at all."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column} {self.reason}" if self.column else f"line {self.line}: {self.reason}"


class FleetFileRefused(ConfigError):
    """Nothing was loaded; ``bad_rows`` says why."""

    def __init__(self, path: Path, bad_rows: tuple[BadRow, ...]) -> None:
        shown = "; ".join(str(row) for row in bad_rows[:5])
        more = f"; and {len(bad_rows) - 5} more" if len(bad_rows) > 5 else ""
        super().__init__(f"{path}: {shown}{more}")
        self.bad_rows = bad_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFleet:
    fleet: Fleet
    bad_rows: tuple[BadRow, ...]
    """What was left out."""


def load_fleet(path: Path, *, on_bad_row: OnBadRow = OnBadRow.REFUSE) -> LoadedFleet:
    """The fleet in a CSV or Parquet file, in network order.

    Raises ``FleetFileRefused`` for bad rows, unless they are to be skipped, and ``ConfigError`` for a
    file that is no fleet at all.
    """
    table, lines, bad = _read(path)
    needed = [name for name in (*TEXT_COLUMNS, "slot") if name not in ASSUMED_TEXT]
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise ConfigError(f"{path}: no column {', '.join(missing)}; the header is in `openadr-ven fleet load --help`")
    checked = CheckedRows(table)
    found = (
        BadRow(line=int(lines[row]), column=refusal.column, reason=refusal.reason)
        for row, refusal in checked.refused().items()
    )
    bad_rows = tuple(sorted((*bad, *found), key=lambda row: row.line))
    if bad_rows and on_bad_row is OnBadRow.REFUSE:
        raise FleetFileRefused(path, bad_rows)
    good = checked.good()
    if not good.any():
        raise ConfigError(f"{path}: no device in it")
    return LoadedFleet(fleet=_fleet(checked, good), bad_rows=bad_rows)


def write_fleet(fleet: Fleet, path: Path) -> None:
    """The fleet as a file that ``load_fleet`` reads back: Parquet, or CSV if the name ends so."""
    columns: dict[str, Any] = {"device_id": fleet.device_id.tolist()}
    columns["device_class"] = _names(fleet.device_class, [one.name.lower() for one in DeviceClass])
    for name in TEXT_COLUMNS:
        if name not in columns:
            columns[name] = _names(getattr(fleet, name), getattr(fleet, f"{name}_names"))
    columns["slot"] = pa.array(fleet.slot)
    limits = {f"{name}_limit_w": getattr(fleet, f"{name}_limit_w")[getattr(fleet, name)] for name in LIMITED}
    columns |= {name: _numbers(by_row) for name, by_row in limits.items()}
    columns |= {name: _numbers(getattr(fleet.terms, name).astype(np.float64)) for name in TERMS}
    columns |= {
        column.name: _numbers(np.asarray(getattr(fleet, column.name), dtype=np.float64))
        for column in NUMBER_COLUMNS
        if column.name not in columns
    }
    table = pa.table(columns)
    if path.suffix == ".csv":
        pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="needed"))
    else:
        pa_parquet.write_table(table, path, compression="zstd")


def _read(path: Path) -> tuple[pa.Table, NDArray[np.int64], list[BadRow]]:
    """The file's table, the line of each row, and rows that are no rows at all."""
    bad: dict[int, BadRow] = {}

    def broken(row: pa_csv.InvalidRow) -> str:
        line = row.number if row.number is not None else 0
        bad[line] = BadRow(line=line, reason=f"{row.actual_columns} cells where the header has {row.expected_columns}")
        return "skip"

    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                names = [name.strip().strip('"') for name in file.readline().split(",")]
            table = pa_csv.read_csv(
                path,
                read_options=pa_csv.ReadOptions(use_threads=False),
                parse_options=pa_csv.ParseOptions(invalid_row_handler=broken, ignore_empty_lines=False),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        else:
            table = pa_parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as problem:
        raise ConfigError(f"{path}: {problem}") from None
    lines = np.arange(2, 2 + table.num_rows + len(bad))
    return table, lines[~np.isin(lines, list(bad))], list(bad.values())


def _fleet(checked: CheckedRows, good: Mask) -> Fleet:
    """The rows that are good, as columns."""
    values: dict[str, Any] = {column.name: checked.number[column.name][good] for column in NUMBER_COLUMNS}
    terms = {
        name: np.nan_to_num(values.pop(name), nan=empty, posinf=empty).astype(kind)
        for name, (kind, empty) in TERMS.items()
    }
    values["latency_s"] = np.nan_to_num(values["latency_s"], nan=LATENCY_WHEN_EMPTY_S).astype(np.float32)
    for name in ZERO_WHEN_EMPTY:
        values[name] = np.nan_to_num(values[name])
    ids, id_names = checked.text["device_id"]
    codes = {name: _recoded(checked, name, good) for name in TEXT_COLUMNS if name not in {"device_id", "device_class"}}
    for name in LIMITED:
        code, names = codes[name]
        values[f"{name}_limit_w"] = _by_code(code, values[f"{name}_limit_w"], len(names))
    substation, _ = codes["substation"]
    feeder, feeders = codes["feeder"]
    feeder_substation = np.zeros(len(feeders), dtype=np.uint32)
    feeder_substation[feeder] = substation
    values |= {name: code for name, (code, _) in codes.items() if name != "substation"}
    for name, (_, names) in codes.items():
        values[f"{name}_names"] = tuple(names.tolist()) if name in SHORT_TABLES else names
    values["slot"] = values["slot"].astype(np.uint16)
    return in_network_order(
        Fleet(
            device_id=id_names[ids[good]],
            device_class=checked.device_class[good].astype(np.uint8),
            feeder_substation=feeder_substation,
            terms=Terms(**terms),
            **values,
        )
    )


def _recoded(checked: CheckedRows, name: str, good: Mask) -> tuple[NDArray[np.uint32], Texts]:
    """A text column's codes with the names that good rows use, and no others."""
    codes, names = checked.text[name]
    used, recoded = np.unique(codes[good], return_inverse=True)
    return recoded.astype(np.uint32), names[used]


def _by_code(codes: NDArray[np.uint32], values: Floats, size: int) -> Floats:
    """One value per name; infinite where none is given."""
    found = np.full(size, np.inf)
    found[codes] = np.where(np.isnan(values), np.inf, values)
    return found


def _names(codes: NDArray[Any], names: Texts | Sequence[str]) -> Any:  # pyarrow has no types
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(list(names))).cast(pa.string())


def _numbers(values: Floats) -> Any:
    return pa.array(values, mask=~np.isfinite(values))
