"""This project's own VTN of OpenADR 3, as a stranger finds it: an address, an authority, clients with secrets."""

import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from conformance.__main__ import cli as conformance
from conformance.api.steps import Who
from conformance.api.target import ApiTarget, Client
from openadr_vtn.cli.main import main as openadr_vtn

ROLES = {Who.BUSINESS: "business", Who.VEN: "ven", Who.OTHER: "ven"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OurVtn:
    url: str
    trust: Path
    secrets: dict[Who, str]

    @property
    def target(self) -> ApiTarget:
        clients = {who: Client(id=f"c-{who}", secret=secret) for who, secret in self.secrets.items()}
        return ApiTarget(url=self.url, trust=self.trust, clients=clients)

    def judged(self, *options: str, who: tuple[Who, ...] = tuple(ROLES)) -> Result:
        clients = [
            part for one in who for part in (f"--{one}-client", f"c-{one}", f"--{one}-secret", self.secrets[one])
        ]
        where = ["--url", self.url, "--trust", str(self.trust), *clients]
        return CliRunner().invoke(conformance, ["run", "openadr3-vtn", *where, *options])


def commanded(*arguments: str) -> None:
    done = CliRunner().invoke(openadr_vtn, arguments)
    assert done.exit_code == 0, done.output


@contextmanager
def running_vtn(home: Path) -> Iterator[OurVtn]:
    """It was set up by its own command line, and runs in a process of its own."""
    listeners = ("parties", "operator", "oadr3", "console")
    ports = [f"--{name}-port={port}" for name, port in zip(listeners, _free_ports(len(listeners)), strict=True)]
    commanded("init", str(home), *ports)
    config = str(home / "vtn.toml")
    secrets = {}
    for who, role in ROLES.items():
        file = home / f"{who}.toml"
        commanded("client", "create", who, "--id", f"c-{who}", "--role", role, "--out", str(file), "--config", config)
        secrets[who] = str(tomllib.loads(file.read_text())["client_secret"])
    trust = home / "trust.pem"
    trust.write_bytes(b"".join(root.read_bytes() for root in sorted((home / "certs").glob("*-root.pem"))))
    command = [sys.executable, "-m", "openadr_vtn", "run", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield OurVtn(url=f"{ready['oadr3']}/openadr3/3.1.0", trust=trust, secrets=secrets)
        finally:
            process.terminate()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
