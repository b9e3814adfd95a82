"""Rows for spreadsheets, as CSV."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FORMULA = re.compile(r"[=+\-@\t\r]")
"""A text that begins so is a formula to a spreadsheet, and a party chose it."""


def write_csv(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """How many rows there were."""
    count = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(columns)
        for count, row in enumerate(rows, start=1):  # noqa: B007  # the count is what is wanted
            table.writerow([_cell(row[name]) for name in columns])
    return count


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
