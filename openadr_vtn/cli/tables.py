"""Tables and times for a terminal."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click


def show_table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Columns as wide as they need to be; ``empty`` is said when there is nothing."""
    if not rows:
        click.echo(empty)
        return
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(heads), *cells]) for column in range(len(heads))]
    for row in [list(heads), *cells]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if row == list(heads) else line)


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def clock_text(moment: str | None) -> str | None:
    """An RFC 3339 moment by the reader's own clock; the date only where it is not today."""
    if moment is None:
        return None
    local = datetime.fromisoformat(moment).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def kw_text(power_kw: float | None) -> str | None:
    return None if power_kw is None else f"{power_kw:,.0f} kW"
