"""What a benchmark shows: aligned tables that are Markdown too, under one line that names the machine."""

import os
import platform
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lxml import etree

SHOWN = ("aiohttp", "uvloop", "lxml", "numpy", "sqlalchemy", "openleadr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The first column to the left, figures to the right."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = [
            "| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |"
            for row in (self.header, rule, *self.rows)
        ]
        return "\n".join([f"**{self.title}**", "", *lines, *([""] if self.notes else []), *self.notes])


def machine() -> str:
    """The machine and the libraries that the figures are of."""
    libxml2 = ".".join(map(str, etree.LIBXML_VERSION))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, "
        f"{' '.join(ssl.OPENSSL_VERSION.split()[:2])}, libxml2 {libxml2}, "
        + ", ".join(f"{name} {version(name)}" for name in SHOWN)
    )


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
