"""The demo's processes: each its own, each with a log, all stopped at the end whatever happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_WAIT_S = 8.0


class DemoFailed(Exception):
    """The demo cannot go on; the text says why, and which log tells more."""


@dataclass(slots=True)
class Processes:
    """Children by name."""

    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
        """Start ``python -m …`` as ``name``; its output goes to a log of that name."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # A Ctrl-C in the terminal is the demo's to handle: it stops the children in order.
                start_new_session=True,
            )

    def kill(self, name: str) -> int:
        """SIGKILL, as a crash would: nothing is flushed, nobody is told."""
        child = self.running.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait()
        return child.pid

    def stop(self, name: str) -> None:
        """Ask a child to end, and insist after a while."""
        _end([self.running.pop(name)])

    def check(self) -> None:
        """Raise if a child has ended that should be running."""
        for name, child in self.running.items():
            if child.poll() is not None:
                raise DemoFailed(f"{name} ended with status {child.returncode}:\n{self.tail(name)}")

    def wait_until(self, what: str, ready: Callable[[], bool], *, wait_s: float = 30.0) -> None:
        """Wait for ``ready``, watching the children meanwhile."""
        give_up = time.monotonic() + wait_s
        while not ready():
            self.check()
            if time.monotonic() > give_up:
                raise DemoFailed(f"waited {wait_s:.0f} s for {what}; the logs are in {self.logs}")
            time.sleep(0.1)

    def stop_all(self) -> None:
        """The same of every child, last started first, whatever happens to the others."""
        _end([*reversed(self.running.values())])
        self.running.clear()

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a child's log."""
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])


def run_command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run ``python -m …`` to its end and return what it printed; its own words are in the error."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoFailed(f"{' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
