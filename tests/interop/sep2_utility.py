"""Our VTN as a utility's server of IEEE 2030.5, set up by its own command line, for clients that are not ours."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openadr_vtn.cli.operator_api import OperatorApi
from tests.conformance.our_sep2_server import commanded
from tests.free_ports import free_ports

STRANGERS = Path(sys.prefix) / "strangers" / "bin"
"""Of the environment that the Makefile installs other people's software of 2030.5 into: it wants other versions."""
MISSING = "other people's software of IEEE 2030.5 is not installed: `make test` does so, in an environment of its own"
UTILITY_PEN, PIN = 28547, 111115
LISTENERS = ("parties", "operator", "oadr3", "console", "sep2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    folder: Path
    url: str
    told_at: int
    """The port that a receiver of notifications may listen at."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def access(self) -> Path:
        return self.home / "operator.toml"

    @property
    def trust(self) -> Path:
        """The root of all certificates here, as a client is given it."""
        return self.folder / "clients" / "trust.pem"

    @property
    def operator(self) -> OperatorApi:
        return OperatorApi(self.access)

    def minted(self, name: str) -> tuple[Path, str]:
        """A device's certificate, and its LFDI; the key lies beside it."""
        return _minted(self.folder, name)


def _minted(folder: Path, name: str) -> tuple[Path, str]:
    said = commanded(
        "certificate", "mint", "--profile", "sep2-device", "--name", name,
        "--authorities", folder / "home" / "certs", "--out", folder / "clients",
    )  # fmt: skip
    (lfdi,) = (line.split()[-1] for line in said.splitlines() if line.startswith("lfdi"))
    return folder / "clients" / f"{name}.pem", lfdi


@contextmanager
def running_utility(folder: Path) -> Iterator[Utility]:
    home = folder / "home"
    *ports, told_at = free_ports(len(LISTENERS) + 1)
    given = [f"--{name}-port={port}" for name, port in zip(LISTENERS, ports, strict=True)]
    commanded("init", home, "--sep2-pen", UTILITY_PEN, *given)
    _minted(folder, "nobody")
    environment = {
        "OPENADR_VTN_SEP2__NOTIFICATIONS__NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
        "OPENADR_VTN_SEP2__NOTIFICATIONS__PORTS": json.dumps([told_at]),
    }
    vtn = [sys.executable, "-m", "openadr_vtn", "run", "--config", home / "vtn.toml"]
    with said_once_ready(vtn, environment) as ready:
        yield Utility(folder=folder, url=ready["sep2"], told_at=told_at)


@contextmanager
def said_once_ready(command: Sequence[object], environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A process, until the end, and the line of JSON that it prints first."""
    with subprocess.Popen(
        list(map(str, command)), env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
