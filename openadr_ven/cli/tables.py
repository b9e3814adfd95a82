"""Tables for people: columns as wide as what is in them, numbers to the right."""

from collections.abc import Sequence

import click


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (list(header), *texts)) for column in range(len(header))]
    right = [bool(texts) and all(_is_number(row[column]) for row in texts) for column in range(len(header))]
    for row in (list(header), *texts):
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit()
