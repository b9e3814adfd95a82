"""A whole deployment in one folder, on loopback: certificates, settings, and its processes.

The demo shows it; the chaos test kills parts of it. Nothing here knows what happens in it:
it only calls the command lines that a user calls.
"""

import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.processes import Processes, run_command

MARKET_CONTEXT = "https://utility.example/programs/evening-relief"
FLEET = "demo"
VEN_NAME = "aggregator"
PORTS = (20_000, 30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Free ports below those that systems hand out by themselves.

    From the hand-out range, an outgoing connection could take one in the seconds between now and the bind.
    """

    parties: int
    operator: int
    oadr3: int
    vtn_console: int
    ven_console: int
    broker: int

    @classmethod
    def free(cls) -> "Ports":
        candidates = random.SystemRandom().sample(range(*PORTS), k=200)
        numbers = [number for number in candidates if not _listens(number)][:6]
        return cls(
            parties=numbers[0],
            operator=numbers[1],
            oadr3=numbers[2],
            vtn_console=numbers[3],
            ven_console=numbers[4],
            broker=numbers[5],
        )


@dataclass(slots=True, kw_only=True)
class Lab:
    """Folder by folder: ``vtn``, ``ven``, ``certificates``, ``fleet``, ``meter``, ``broker``, ``logs``."""

    folder: Path
    ports: Ports
    vtn_settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables over the VTN's file."""
    ven_settings: Mapping[str, str] = field(default_factory=dict)
    processes: Processes = field(init=False)

    def __post_init__(self) -> None:
        logs = self.folder / "logs"
        logs.mkdir(parents=True)
        self.processes = Processes(logs=logs)

    # -- settings and certificates ---------------------------------------------------

    def make_vtn(self, *more: str) -> None:
        """``openadr-vtn init`` writes settings, mints a lab authority and the VTN's own certificates.

        ``more`` are options of it besides.
        """
        run_command(
            "openadr_vtn", "init", self.vtn, "--vtn-id", "Utility-VTN",
            "--parties-port", str(self.ports.parties), "--operator-port", str(self.ports.operator),
            "--oadr3-port", str(self.ports.oadr3), "--console-port", str(self.ports.vtn_console), *more,
        )  # fmt: skip

    def mint(self, name: str, *, kind: str = "ecc") -> Path:
        """A party's certificate and key from the lab's authority; returns the certificate's file."""
        folder = self.folder / "certificates"
        run_command(
            "openadr_vtn", "certificate", "mint", "--profile", f"openadr-{kind}-ven",
            "--name", name, "--authorities", self.vtn / "certs", "--out", folder,
        )  # fmt: skip
        return folder / f"{name}.pem"

    def make_ven(self, fleet_file: Path) -> None:
        """``openadr-ven init`` writes settings; the envelope and the fleet come from whoever runs this."""
        certificate = self.mint(VEN_NAME)
        run_command(
            "openadr_ven", "init", self.ven,
            "--vtn-url", self.vtn_url,
            "--vtn-fingerprint", self.vtn_fingerprint(),
            "--certificate", certificate,
            "--key", certificate.with_suffix(".key"),
            "--trust", self.authority,
            "--name", VEN_NAME,
            "--market-context", MARKET_CONTEXT,
        )  # fmt: skip
        self.ven_command("fleet", "load", fleet_file)

    def vtn_fingerprint(self, *, kind: str = "ecc") -> str:
        """The SHA-256 that the VEN pins."""
        printed = run_command("openadr_ven", "fingerprint", self.vtn / "certs" / f"vtn-{kind}.pem")
        return next(word for word in printed.split() if len(word) == 64)

    # -- processes -------------------------------------------------------------------

    def start_broker(self) -> None:
        data = self.folder / "broker"
        self.processes.start("broker", "openadr_ven.gateways.broker", "--data", data, "--port", str(self.ports.broker))
        self.processes.wait_until("the broker", lambda: _listens(self.ports.broker))

    def start_simulator(self, *arguments: str | Path) -> None:
        self.processes.start(
            "simulator", "openadr_ven", "simulate", "--out", self.meter, "--fleet-name", FLEET,
            "--port", str(self.ports.broker), *arguments,
        )  # fmt: skip
        self.processes.wait_until("the device simulator", (self.meter / "meter.bin").exists)

    def start_vtn(self) -> None:
        self.processes.start(
            "vtn", "openadr_vtn", "run", "--config", self.vtn / "vtn.toml", environment=self.vtn_settings
        )
        self.processes.wait_until("the VTN", lambda: _listens(self.ports.operator) and _listens(self.ports.parties))

    def start_ven(self) -> None:
        self.processes.start(
            "ven", "openadr_ven", "run", "--config", self.ven / "ven.toml", environment=self._ven_environment()
        )

    # -- commands --------------------------------------------------------------------

    def operator_command(self, *arguments: str | Path) -> str:
        """``openadr-vtn …`` as the operator types it."""
        return run_command("openadr_vtn", *arguments, environment={"OPENADR_OPERATOR": str(self.vtn / "operator.toml")})

    def operator_json(self, *arguments: str | Path) -> Any:
        return json.loads(self.operator_command(*arguments, "--json"))

    def ven_command(self, *arguments: str | Path) -> str:
        return run_command(
            "openadr_ven", *arguments, "--config", self.ven / "ven.toml", environment=self._ven_environment()
        )

    def console_url(self, name: str) -> str:
        """The address with its token that ``vtn`` or ``ven`` printed when it started."""
        lines = (self.processes.logs / f"{name}.log").read_text().splitlines()
        ready = [json.loads(line) for line in lines if line.startswith("{") and '"ready"' in line and "token=" in line]
        return str(ready[-1]["console"]) if ready else ""

    # -- places ----------------------------------------------------------------------

    @property
    def vtn(self) -> Path:
        return self.folder / "vtn"

    @property
    def ven(self) -> Path:
        return self.folder / "ven"

    @property
    def meter(self) -> Path:
        return self.folder / "meter"

    @property
    def authority(self) -> Path:
        return self.vtn / "certs" / "openadr-ecc-root.pem"

    @property
    def vtn_url(self) -> str:
        return f"https://localhost:{self.ports.parties}"

    def _ven_environment(self) -> dict[str, str]:
        return {
            "OPENADR_VEN_GATEWAYS__PORT": str(self.ports.broker),
            "OPENADR_VEN_CONSOLE__PORT": str(self.ports.ven_console),
            "OPENADR_VEN_FLEET__NAME": FLEET,
            **self.ven_settings,
        }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
