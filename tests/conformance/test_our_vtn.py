"""The harness judges this project's own VTN as it judges a stranger's: from outside, by what is on the wire."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.__main__ import cli as conformance
from openadr_core.pki import issue
from openadr_core.shell.keyfiles import certificate_profile, read_authority, write_issued
from openadr_vtn.cli.main import main as openadr_vtn
from tests.free_ports import free_ports

from .conftest import ROOT

HOOK = ROOT / "tests" / "interop" / "lasting_hook.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class OurVtn:
    folder: Path
    url: str
    trust: Path
    push_port: int

    @property
    def push_address(self) -> str:
        return f"https://localhost:{self.push_port}/ven/"

    @property
    def operator(self) -> str:
        return str(self.folder / "vtn" / "operator.toml")

    def certificate(self, name: str, prefix: str = "") -> list[str]:
        own = self.folder / name
        return [f"--{prefix}certificate", str(own / f"{name}.pem"), f"--{prefix}key", str(own / f"{name}.key")]

    def judged(self, *options: str) -> Result:
        # The limits of time are for a peer, not for whatever else this machine is testing.
        where = ["--url", self.url, "--trust", str(self.trust), "--latency-s", "0.4"]
        return CliRunner().invoke(conformance, ["run", "openadr20b-vtn", *where, *options])


def commanded(*arguments: str) -> str:
    done = CliRunner().invoke(openadr_vtn, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def our_vtn(tmp_path: Path) -> Iterator[OurVtn]:
    home = tmp_path / "vtn"
    listeners = ("parties", "operator", "oadr3", "console")
    *ports, push_port = free_ports(len(listeners) + 1)
    commanded("init", str(home), *(f"--{name}-port={port}" for name, port in zip(listeners, ports, strict=True)))
    for name in ("ven", "other", "pending"):
        commanded(
            "certificate",
            "mint",
            "--name",
            name,
            "--host",
            "localhost",
            "--out",
            str(tmp_path / name),
            "--authorities",
            str(home / "certs"),
        )
    then = datetime.now(UTC) - timedelta(days=30)
    authority = read_authority(home / "certs", "openadr-ecc-ca")
    (tmp_path / "expired").mkdir()
    old = issue(certificate_profile("openadr-ecc-ven"), "expired", authority, then, days=1)
    write_issued(tmp_path / "expired", "expired", old)
    trust = tmp_path / "trust.pem"
    trust.write_bytes(b"".join(root.read_bytes() for root in sorted((home / "certs").glob("*-root.pem"))))
    command = [sys.executable, "-m", "openadr_vtn", "run", "--config", str(home / "vtn.toml")]
    reached = {"OPENADR_VTN_PUSH__NETWORKS": '["127.0.0.0/8"]', "OPENADR_VTN_PUSH__PORTS": f"[{push_port}]"}
    environment = {**os.environ, **reached}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield OurVtn(folder=tmp_path, url=ready["parties"], trust=trust, push_port=push_port)
        finally:
            process.terminate()


@contextmanager
def lasting_hook(folder: Path, *arguments: str) -> Iterator[str]:
    """The operator at a desk of its own, which is imported once, not for each of the hook's calls."""
    desk = folder / "desk"
    command = [sys.executable, "-m", "tests.interop.our_vtn_operator_desk", str(desk), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield f"{sys.executable} -S -I {HOOK} {desk}"
        finally:
            process.terminate()


@pytest.mark.timeout(720)
def test_our_own_vtn_is_as_known(our_vtn: OurVtn) -> None:
    operator = ("--operator", our_vtn.operator)
    own = granted("heater-1", "heater-2", "feeder-7", "north", "account-1", "others")
    certificate = str(our_vtn.folder / "ven" / "ven.pem")
    commanded("party", "preconfigure", "ven", "--certificate", certificate, "--ven-id", "VEN_LAB_1", *own, *operator)
    knocked = our_vtn.judged(*our_vtn.certificate("other"), "--only", "registration-create")
    assert "found responseCode 463" in knocked.stdout
    commanded("party", "approve", "other", *granted("north"), *operator)
    usual = json.loads(commanded("program", "create", "lab", "--json", *operator))
    second = json.loads(commanded("program", "create", "second-lab", *granted("others"), "--json", *operator))
    with lasting_hook(our_vtn.folder, our_vtn.operator, usual["id"], second["id"]) as hook:
        ended = judged_as_known(our_vtn, hook)
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines()[-1].endswith("all as expected")


def judged_as_known(our_vtn: OurVtn, hook: str) -> Result:
    return our_vtn.judged(
        *our_vtn.certificate("ven"),
        *our_vtn.certificate("other", "other-"),
        *our_vtn.certificate("pending", "pending-"),
        *our_vtn.certificate("expired", "expired-"),
        *("--preconfigured-ven-id", "VEN_LAB_1", "--resource", "heater-1", "--resource", "heater-2"),
        *("--group", "feeder-7", "--shared-group", "north", "--party-id", "account-1"),
        *("--push-listen", f"127.0.0.1:{our_vtn.push_port}", "--push-address", our_vtn.push_address),
        *("--signatures", "--ven-name", "ven", "--operator-hook", hook, "--target", "openadr-der"),
    )


def granted(*names: str) -> list[str]:
    """What events address a party, or a program its parties, by."""
    return [option for name in names for option in ("--target", name)]
