"""Our VTN, the package's notification server beside it, and the package's runs of its test procedures against it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from openadr_core.identity import sfdi_of
from tests.conformance.our_sep2_server import commanded
from tests.free_ports import free_ports

HERE = Path(__file__).parent
PYTHON = Path(sys.prefix) / "cactus" / "bin" / "python"
"""Of the environment that the Makefile installs cactus-client into: it wants other versions than we do."""
UTILITY_PEN, CLIENT_PEN, PIN, SET_MAX_W = 28547, 12345, 111115, 30_000
LISTENERS = ("parties", "operator", "oadr3", "console", "sep2")


@dataclass(frozen=True, slots=True, kw_only=True)
class CactusLab:
    folder: Path
    dcap: str
    told: str
    asked: str

    def run(self, procedures: Mapping[str, Sequence[str]], *, within_s: int) -> str:
        """The procedures at once, each with clients of its own of these kinds: ``device`` or ``aggregator``.

        What the package printed; at the end a line each, with PASS or FAIL before its name.
        """
        clients = {
            name: [self._client(f"{name}-{number}", kind) for number, kind in enumerate(kinds)]
            for name, kinds in procedures.items()
        }
        (self.folder / "found").mkdir()
        config = {
            "output_dir": str(self.folder / "found"),
            "server": {
                "device_capability_uri": self.dcap, "verify_ssl": True, "pen": UTILITY_PEN,
                "serca_pem_file": str(self.folder / "clients" / "trust.pem"),
                "notification_uri": self.told, "notification_admin_uri": self.asked,
            },
            "clients": [one for several in clients.values() for one in several],
        }  # fmt: skip
        # What is JSON is YAML.
        (self.folder / "cactus.yaml").write_text(json.dumps(config))
        wanted = [":".join([name, *(str(one["id"]) for one in several)]) for name, several in clients.items()]
        said = {
            "OPENADR_OPERATOR": str(self.folder / "home" / "operator.toml"), "CACTUS_TIMEOUT_S": str(within_s),
            "COLUMNS": "160",
        }  # fmt: skip
        command = [str(PYTHON), str(HERE / "cactus_operator.py"), str(self.folder / "cactus.yaml"), *wanted]
        with (self.folder / "log").open("w") as log:
            done = subprocess.run(
                command, check=False, env=os.environ | said, stdout=subprocess.PIPE, stderr=log, text=True
            )
        return done.stdout

    def _client(self, name: str, kind: str) -> dict[str, object]:
        said = commanded(
            "certificate", "mint", "--profile", "sep2-device", "--name", name,
            "--authorities", self.folder / "home" / "certs", "--out", self.folder / "clients",
        )  # fmt: skip
        (own,) = (line.split()[-1] for line in said.splitlines() if line.startswith("lfdi"))
        lfdi = own if kind == "device" else f"{own[:32]}{CLIENT_PEN:08}"
        certificate = self.folder / "clients" / f"{name}.pem"
        return {
            "id": name, "type": kind, "lfdi": lfdi, "sfdi": sfdi_of(bytes.fromhex(lfdi)),
            "certificate_file": str(certificate), "key_file": str(certificate.with_suffix(".key")),
            "pen": CLIENT_PEN, "pin": PIN, "max_watts": SET_MAX_W,
        }  # fmt: skip


@contextmanager
def cactus_lab(folder: Path) -> Iterator[CactusLab]:
    home = folder / "home"
    *ports, told_at = free_ports(len(LISTENERS) + 1)
    given = [f"--{name}-port={port}" for name, port in zip(LISTENERS, ports, strict=True)]
    commanded("init", home, "--sep2-pen", UTILITY_PEN, *given)
    commanded(
        "certificate", "mint", "--profile", "sep2-device", "--name", "nobody",
        "--authorities", home / "certs", "--out", folder / "clients",
    )  # fmt: skip
    environment = {
        "OPENADR_VTN_SEP2__NOTIFICATIONS__NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
        "OPENADR_VTN_SEP2__NOTIFICATIONS__PORTS": json.dumps([told_at]),
    }
    shown = home / "certs" / "sep2.pem"
    hearing = [
        PYTHON, HERE / "cactus_hearing.py", "--port", told_at, "--certificate", shown,
        "--key", shown.with_suffix(".key"), "--trust", folder / "clients" / "trust.pem",
    ]  # fmt: skip
    vtn = [sys.executable, "-m", "openadr_vtn", "run", "--config", home / "vtn.toml"]
    with ExitStack() as stack:
        ready = stack.enter_context(_said_once_ready(vtn, environment))
        heard = stack.enter_context(_said_once_ready(hearing, {}))
        yield CactusLab(folder=folder, dcap=f"{ready['sep2']}/dcap", told=heard["told"], asked=heard["asked"])


@contextmanager
def _said_once_ready(command: Sequence[object], environment: dict[str, str]) -> Iterator[dict[str, str]]:
    with subprocess.Popen(
        list(map(str, command)), env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
