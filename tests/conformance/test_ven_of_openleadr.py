"""The harness judges somebody else's VEN, over real mutual TLS, and finds exactly what is known of it.

Most of a run is waiting for what a VEN does by itself, so several of them are judged at once, each by a part.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from conformance.loading import load_suite

from .conftest import ROOT, Lab

UNSTEADY = {
    "poll-drains", "poll-interval", "http-busy", "registration-cancel", "registration-lost", "registration-refused",
}  # fmt: skip
"""The package polls by a clock of its own whatever it is told, and hears some things at its first poll alone: it is
now within these limits, and now beyond."""
PROCEDURES = [
    one for one in load_suite("openadr20b-ven").procedures if "push" not in one.needs and one.id not in UNSTEADY
]
AT_ONCE = 6
PATIENCE = ("--connect-s", "30", "--patience-s", "15", "--latency-s", "0.4")
OPENLEADR_VEN = ROOT / "tests" / "interop" / "openleadr_ven.py"
OPERATOR = ROOT / "tests" / "interop" / "openleadr_ven_operator.py"


def parts() -> list[list[str]]:
    """Every so manieth procedure; what a VEN must do whatever is asked of it stands at the end of each."""
    names = [one.id for one in PROCEDURES if one.id != "everything"]
    return [[*names[first::AT_ONCE], "everything"] for first in range(AT_ONCE)]


@contextmanager
def judging(lab: Lab, folder: Path, procedures: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """The command under way, and the stranger at its door."""
    folder.mkdir()
    pipe = folder / "wishes"
    os.mkfifo(pipe)
    vtn, ven, expired = lab.chain("vtn"), lab.chain("ven"), lab.chain("expired")
    command = [
        sys.executable, "-m", "conformance", "run", "openadr20b-ven", "--listen", "127.0.0.1:0",
        "--certificate", vtn.certificate, "--key", vtn.key, "--trust", lab.trust, "--target", "openleadr",
        "--expired-certificate", expired.certificate, "--expired-key", expired.key,
        "--resource", "meter", "--operator-hook", f"{sys.executable} {OPERATOR} {pipe}", *PATIENCE,
        *(option for name in procedures for option in ("--only", name)),
    ]  # fmt: skip
    with ExitStack() as stack:
        harness = stack.enter_context(
            subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(harness.kill)
        assert harness.stderr is not None
        port = harness.stderr.readline().rpartition("/OpenADR2")[0].rpartition(":")[2]
        command = [
            OPENLEADR_VEN, "--name", "ven", "--vtn", f"https://localhost:{port}",
            "--certificate", ven.certificate, "--key", ven.key, "--trust", lab.trust,
        ]  # fmt: skip
        stack.enter_context(kept_running([sys.executable, *map(str, command)], pipe))
        yield harness


@contextmanager
def kept_running(command: list[str], pipe: Path) -> Iterator[None]:
    """As a service manager keeps it: whatever ends it, it begins anew. What it says is the harness's business."""
    # Opened for both, a pipe is never at its end.
    wishes = os.open(pipe, os.O_RDWR)
    running: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()

    def keep() -> None:
        while not ended.is_set():
            running[:] = [subprocess.Popen(command, stdin=wishes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
            running[0].wait()

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        while keeper.is_alive():
            for process in running:
                process.kill()
            keeper.join(0.1)
        os.close(wishes)


@pytest.mark.timeout(240)
def test_openleadr_is_as_known(lab: Lab, tmp_path: Path) -> None:
    with ExitStack() as stack:
        harnesses = [
            stack.enter_context(judging(lab, tmp_path / str(number), part)) for number, part in enumerate(parts())
        ]
        told = [harness.communicate(timeout=200)[0] for harness in harnesses]
        assert [harness.returncode for harness in harnesses] == [0] * AT_ONCE, "\n".join(told)
    lines = [line for text in told for line in text.splitlines() if line and not line.startswith(" ")]
    verdicts = {line[:30].strip(): line[31:47].strip() for line in lines}
    assert {one.id for one in PROCEDURES} <= set(verdicts)
    assert verdicts["event-new"] == "passed"
