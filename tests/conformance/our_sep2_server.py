"""This project's own server of 2030.5, as a stranger finds it: an address, an authority, two known devices."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from click.testing import CliRunner, Result

from conformance.__main__ import cli as conformance
from conformance.client.steps import Identity
from conformance.hook import HookFailed
from conformance.sep2.hearing import Receiver, Subscriber
from conformance.sep2.target import Sep2Target
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from openadr_core.pki import Authority, issue
from openadr_core.shell.keyfiles import certificate_profile, read_authority, write_issued
from openadr_core.shell.tls import Chain, server_context
from openadr_vtn.cli.main import main as openadr_vtn
from openadr_vtn.cli.operator_api import OperatorApi, Refused
from tests.free_ports import free_ports
from tests.interop.our_sep2_operator import OurOperator

GROUP, PIN, PEN, CATEGORY = "feeder-1", 111115, "00028547", "020000"
AHEAD_S = 5000
"""Its clock is nobody else's: who goes by another is wrong about everything."""
HOOK = Path(__file__).parents[1] / "interop" / "our_sep2_operator.py"
DEVICES = (Identity.ENROLLED, Identity.OTHER)
KNOWN = (*DEVICES, Identity.AGGREGATOR)
STRANGER = Identity.PENDING


@dataclass(frozen=True, kw_only=True)
class OurServer:
    url: str
    folder: Path
    told_at: int
    commands_told_at: int
    """Ports that are told of changes: of who runs the procedures here, and of the command."""
    subscriber: Subscriber

    def chain(self, identity: Identity) -> Chain:
        return _chain(self.folder, identity)

    @property
    def told(self) -> Chain:
        """Of the subscriber, in the name of its address."""
        return Chain(certificate=self.folder / "told.pem", key=self.folder / "told.key")

    @property
    def trust(self) -> Path:
        return self.folder / "devices" / "trust.pem"

    @property
    def hook(self) -> str:
        return f"{sys.executable} {HOOK} {self.folder / 'home' / 'operator.toml'} {GROUP}"

    @property
    def authority(self) -> Authority:
        return read_authority(self.folder / "home" / "certs", "sep2-serca")

    @cached_property
    def operator(self) -> OurOperator:
        return OurOperator(OperatorApi(self.folder / "home" / "operator.toml"), GROUP)

    def operate(self, action: str, wish: Mapping[str, str], variables: Mapping[str, str]) -> str:
        """What the hook does, without a process."""
        try:
            return self.operator.does(action, wish, variables["ven_id"])
        except Refused as refused:
            raise HookFailed(str(refused)) from None

    @property
    def target(self) -> Sep2Target:
        return Sep2Target(
            url=self.url, trust=self.trust, certificates={one: self.chain(one) for one in (*KNOWN, STRANGER)},
            profile="sep2-strict", hook=self.hook, pin=str(PIN), pen=PEN, notification_uri=_uri(self.told_at),
            subscriber=self.subscriber, authority=self.authority, operator_s=10.0,
        )  # fmt: skip

    def judged(self, *options: str) -> Result:
        shown = [
            part
            for one in (*KNOWN, STRANGER)
            for prefix in ["" if one is Identity.ENROLLED else f"{one}-"]
            for part in (f"--{prefix}certificate", self.chain(one).certificate, f"--{prefix}key", self.chain(one).key)
        ]
        where = ["--url", self.url, "--trust", self.trust, "--operator-hook", self.hook, "--pin", PIN, "--pen", PEN]
        port, root = self.commands_told_at, self.folder / "home" / "certs" / "sep2-serca.pem"
        told = [
            "--notification-uri",
            _uri(port),
            "--notification-listen",
            f"127.0.0.1:{port}",
            "--notification-certificate",
            self.told.certificate,
            "--notification-key",
            self.told.key,
        ]
        signs = ["--authority-certificate", root, "--authority-key", root.with_suffix(".key")]
        arguments = [*where, *told, *signs, *shown, *options]
        return CliRunner().invoke(conformance, ["run", "ieee2030_5-server", *map(str, arguments)])


@contextmanager
def running_server(folder: Path) -> Iterator[OurServer]:
    """It was set up by its own command line, and runs in a process of its own."""
    home, config = folder / "home", folder / "home" / "vtn.toml"
    listeners = ("parties", "operator", "oadr3", "console", "sep2")
    *ports, told_at, commands_told_at = free_ports(len(listeners) + 2)
    given = [f"--{name}-port={port}" for name, port in zip(listeners, ports, strict=True)]
    lfdis = {}
    commanded("init", home, "--sep2-pen", PEN, *given)
    for one in (*KNOWN, STRANGER):
        lfdis[one] = _minted(folder, one)
    environment = {
        "OPENADR_VTN_SEP2__LAB_CLOCK": "true",
        "OPENADR_VTN_SEP2__NOTIFICATIONS__NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
        "OPENADR_VTN_SEP2__NOTIFICATIONS__PORTS": json.dumps([told_at, commands_told_at]),
    }
    command = [sys.executable, "-m", "openadr_vtn", "run", "--config", str(config)]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            _let_in(folder, lfdis)
            commanded("device", "clock", "--ahead", AHEAD_S, access=home / "operator.toml")
            with _subscriber(folder, told_at) as subscriber:
                yield OurServer(
                    url=f"{ready['sep2']}/dcap", folder=folder, told_at=told_at, commands_told_at=commands_told_at,
                    subscriber=subscriber,
                )  # fmt: skip
        finally:
            process.terminate()


@contextmanager
def _subscriber(folder: Path, port: int) -> Iterator[Subscriber]:
    """Its certificate is in the name of its address: a device and an aggregator subscribe for it."""
    mica = read_authority(folder / "home" / "certs", "sep2-mica")
    issued = issue(certificate_profile("sep2-server"), "told", mica, datetime.now(UTC), ip_addresses=["127.0.0.1"])
    chain = write_issued(folder, "told", issued)
    contexts = {(Shown.GOOD, False): server_context("sep2-strict", [chain], [folder / "devices" / "trust.pem"])}
    receiver = Receiver()
    stage = Listening(host="127.0.0.1", port=port, contexts=contexts, script=receiver, speaker="the server")
    try:
        yield Subscriber(receiver=receiver, stage=stage, patience_s=60.0)
    finally:
        stage.close()


def _uri(port: int) -> str:
    return f"https://127.0.0.1:{port}/told"


def _chain(folder: Path, identity: Identity) -> Chain:
    certificate = folder / "devices" / f"{identity}.pem"
    return Chain(certificate=certificate, key=certificate.with_suffix(".key"))


def commanded(*arguments: object, access: Path | None = None) -> str:
    done = CliRunner(env={"OPENADR_OPERATOR": str(access)} if access else {}).invoke(
        openadr_vtn, [*map(str, arguments)]
    )
    assert done.exit_code == 0, done.output
    return done.output


def _minted(folder: Path, identity: Identity) -> str:
    said = commanded(
        "certificate", "mint", "--profile", "sep2-device", "--name", identity,
        "--authorities", folder / "home" / "certs", "--out", folder / "devices",
    )  # fmt: skip
    (lfdi,) = (line.split()[-1] for line in said.splitlines() if line.startswith("lfdi"))
    return lfdi


def _let_in(folder: Path, lfdis: dict[Identity, str]) -> None:
    access = folder / "home" / "operator.toml"
    commanded("device", "add-group", GROUP, "--primacy", 3, access=access)
    for one in KNOWN:
        certificate = folder / "devices" / f"{one}.pem"
        commanded("party", "preconfigure", one, "--certificate", certificate, access=access)
    commanded("device", "aggregator", Identity.AGGREGATOR, PEN, access=access)
    for one in DEVICES:
        commanded(
            "device", "add", one, lfdis[one], "--group", GROUP, "--pin", PIN, "--category", CATEGORY, access=access
        )
