"""This project's own VTN of OpenADR 3, as a stranger finds it: an address, an authority, clients with secrets."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner, Result

from conformance.__main__ import cli as conformance
from conformance.api.receiver import Callback, Receiver
from conformance.api.steps import Who
from conformance.api.target import ApiTarget, Client
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from openadr_core.shell.tls import Chain, server_context
from openadr_vtn.cli.main import main as openadr_vtn
from tests.free_ports import free_ports

FORMER_BASE = "/openadr3/3.0.1"
ROLES = {Who.BUSINESS: "business", Who.VEN: "ven", Who.OTHER: "ven"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OurVtn:
    url: str
    trust: Path
    secrets: dict[Who, str]
    callback_port: int
    """Where it comes to tell of changes, as ``localhost``."""
    callback_chain: Path

    @property
    def target(self) -> ApiTarget:
        clients = {who: Client(id=f"c-{who}", secret=secret) for who, secret in self.secrets.items()}
        return ApiTarget(url=self.url, trust=self.trust, clients=clients, former_base=FORMER_BASE)

    @property
    def callback_url(self) -> str:
        return f"https://localhost:{self.callback_port}"

    @contextmanager
    def told(self) -> Iterator[ApiTarget]:
        """The target, with a receiver that it can reach."""
        chain, receiver = (
            Chain(certificate=self.callback_chain, key=self.callback_chain.with_suffix(".key")),
            Receiver(),
        )
        contexts = {(Shown.GOOD, False): server_context("oadr3", [chain], [], "none")}
        stage = Listening(host="127.0.0.1", port=self.callback_port, contexts=contexts, script=receiver)
        try:
            yield replace(self.target, callback=Callback(url=self.callback_url, receiver=receiver, stage=stage))
        finally:
            stage.close()

    def judged(self, *options: str, who: tuple[Who, ...] = tuple(ROLES)) -> Result:
        clients = [
            part for one in who for part in (f"--{one}-client", f"c-{one}", f"--{one}-secret", self.secrets[one])
        ]
        callback = {
            "url": self.callback_url, "listen": f"127.0.0.1:{self.callback_port}",
            "certificate": self.callback_chain, "key": self.callback_chain.with_suffix(".key"),
        }  # fmt: skip
        told = [part for name, value in callback.items() for part in (f"--callback-{name}", str(value))]
        where = ["--url", self.url, "--trust", str(self.trust), *clients, *told]
        where += ["--former-base", FORMER_BASE]
        return CliRunner().invoke(conformance, ["run", "openadr3-vtn", *where, *options])


def commanded(*arguments: str) -> None:
    done = CliRunner().invoke(openadr_vtn, arguments)
    assert done.exit_code == 0, done.output


@contextmanager
def running_vtn(home: Path) -> Iterator[OurVtn]:
    """It was set up by its own command line, and runs in a process of its own."""
    listeners = ("parties", "operator", "oadr3", "console")
    ports = [f"--{name}-port={port}" for name, port in zip(listeners, free_ports(len(listeners)), strict=True)]
    commanded("init", str(home), *ports)
    config = str(home / "vtn.toml")
    secrets = {}
    for who, role in ROLES.items():
        file = home / f"{who}.toml"
        commanded("client", "create", who, "--id", f"c-{who}", "--role", role, "--out", str(file), "--config", config)
        secrets[who] = str(tomllib.loads(file.read_text())["client_secret"])
    trust = home / "trust.pem"
    trust.write_bytes(b"".join(root.read_bytes() for root in sorted((home / "certs").glob("*-root.pem"))))
    (callback_port,) = free_ports(1)
    webhooks = {"NETWORKS": ["127.0.0.0/8", "::1/128"], "PORTS": [callback_port], "TRUST": [str(trust)]}
    environment = {f"OPENADR_VTN_WEBHOOKS__{name}": json.dumps(value) for name, value in webhooks.items()}
    # Nobody answers there: that the VTN has a broker is enough for it to say what is heard where.
    environment["OPENADR_VTN_MQTT__URL"] = "mqtts://localhost:1"
    command = [sys.executable, "-m", "openadr_vtn", "run", "--config", config]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield OurVtn(
                url=f"{ready['oadr3']}/openadr3/3.1.0", trust=trust, secrets=secrets, callback_port=callback_port,
                callback_chain=home / "certs" / "vtn-ecc.pem",
            )  # fmt: skip
        finally:
            process.terminate()
