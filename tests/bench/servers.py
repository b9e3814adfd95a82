"""Servers to be measured: each in a process of its own, ready when it prints a line of JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    pid: int
    ready: Mapping[str, Any]
    """What it said when it was ready."""

    def port(self, url: str) -> int:
        """The port of the address that it said under this name."""
        return int(str(self.ready[url]).rpartition(":")[2])


@contextmanager
def running(*arguments: str, log: Path) -> Iterator[Server]:
    """``python`` with these arguments, until the block ends; what it writes to stderr is added to ``log``."""
    command = [sys.executable, *arguments]
    with (
        log.open("ab") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            ready = next((json.loads(line) for line in process.stdout if line.startswith("{")), None)
            assert ready is not None, f"{arguments} ended: {log.read_text()[-2000:]}"
            yield Server(pid=process.pid, ready=ready)
        finally:
            process.kill()
