"""Processes of the openleadr package that say what they see: started, heard, told what to do, and ended."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.shell.datafiles import load_schema

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "interop-openadr20b.md"
WAIT_S = 60.0
"""For what takes a second or two on a machine that does nothing else."""
LOOK_AGAIN_S = 0.2
"""What others see comes without news from the stranger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message on the wire, as the stranger saw it."""

    sent: bool
    """By the stranger."""
    name: str
    """``oadrPoll``."""
    signed: bool
    message: m.Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How the two sides vouch for what they say."""

    name: str
    kind: str
    """Of the keys: ecc or rsa."""
    signed: bool
    """Each message, besides TLS."""


MODES = (
    Mode(name="unsigned", kind="ecc", signed=False),
    Mode(name="RSA-signed", kind="rsa", signed=True),
    Mode(name="ECC-signed", kind="ecc", signed=True),
)


@dataclass(slots=True)
class Stranger:
    process: "subprocess.Popen[str]"
    said: list[Said] = field(default_factory=list)
    """Every message but an empty HTTP body, in order."""
    facts: list[dict[str, Any]] = field(default_factory=list)
    """What else it tells."""
    news: threading.Condition = field(default_factory=threading.Condition)

    def do(self, **wish: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()

    def messages(self, name: str, *, sent: bool) -> list[Any]:
        with self.news:
            return [said.message for said in self.said if (said.name, said.sent) == (name, sent)]

    def wait_for(self, name: str, *, sent: bool, count: int = 1) -> Any:
        """The message of that count under this name, once it has been said."""
        self.wait_until(f"{count} {name}", lambda: len(self.messages(name, sent=sent)) >= count)
        return self.messages(name, sent=sent)[count - 1]

    def wait_until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait for something that follows from what is said, or that somebody else sees."""
        give_up = time.monotonic() + WAIT_S
        while not ready():
            with self.news:
                self.news.wait(LOOK_AGAIN_S)
                exchanged = [("→ " if said.sent else "← ") + said.name for said in self.said]
            assert self.process.poll() is None, f"it ended while we waited for {what}"
            assert time.monotonic() < give_up, f"waited for {what}, and heard {exchanged[-40:]}"

    def exchanged(self, *, self_as: str) -> set[tuple[str, str]]:
        """Names of payloads, with who sent them: VTN or VEN."""
        other = {"VTN": "VEN", "VEN": "VTN"}[self_as]
        with self.news:
            return {(said.name, self_as if said.sent else other) for said in self.said}

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            fact = json.loads(line)
            with self.news:
                if "xml" not in fact:
                    self.facts.append(fact)
                elif fact["xml"].startswith("<"):
                    self.said.append(_said(fact))
                self.news.notify_all()
        with self.news:
            self.news.notify_all()


def documented(conversation: str) -> set[tuple[str, str]]:
    """The payloads, and who sends them, that users are told are exchanged in this conversation."""
    rows = [line[1:-1].split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in row] for row in rows if len(row) == 3]
    column = table[0].index(conversation)
    return {(row[0], by.strip()) for row in table if row[0].startswith("oadr") for by in row[column].split(",") if by}


def first_certificate(file: Path) -> str:
    """The package reads nonsense, or fails, where a file holds a chain: it is given the first certificate alone."""
    end = "-----END CERTIFICATE-----\n"
    return file.read_text().partition(end)[0] + end


@contextmanager
def running(script: str, *arguments: str | Path, log: Path) -> Iterator[Stranger]:
    """The script of this folder, with these arguments, until the block ends; its stderr goes to ``log``."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, str(HERE / script), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    stranger = Stranger(process)
    listener = threading.Thread(target=stranger.listen)
    listener.start()
    try:
        yield stranger
    finally:
        process.kill()
        process.wait()
        listener.join()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def _said(fact: dict[str, str]) -> Said:
    message = decode(fact["xml"].encode(), load_schema(), limits=LARGE)
    return Said(
        sent=fact["direction"] == "sent",
        name=f"oadr{type(message).__name__}",
        signed="<ds:Signature" in fact["xml"],
        message=message,
    )
