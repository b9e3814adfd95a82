"""cactus-client's runs of its test procedures against our VTN, with its notification server beside it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openadr_core.identity import sfdi_of

from .sep2_utility import PIN, STRANGERS, UTILITY_PEN, Utility, running_utility, said_once_ready

HERE = Path(__file__).parent
PYTHON = STRANGERS / "python"
CLIENT_PEN, SET_MAX_W = 12345, 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CactusLab:
    utility: Utility
    told: str
    """Where notifications are heard."""
    asked: str
    """Where the package asks for them."""

    def run(self, procedures: Mapping[str, Sequence[str]], *, within_s: int) -> str:
        """The procedures at once, each with clients of its own of these kinds: ``device`` or ``aggregator``.

        What the package printed; at the end a line each, with PASS or FAIL before its name.
        """
        clients = {
            name: [self._client(f"{name}-{number}", kind) for number, kind in enumerate(kinds)]
            for name, kinds in procedures.items()
        }
        folder = self.utility.folder
        (folder / "found").mkdir()
        config = {
            "output_dir": str(folder / "found"),
            "server": {
                "device_capability_uri": f"{self.utility.url}/dcap", "verify_ssl": True, "pen": UTILITY_PEN,
                "serca_pem_file": str(self.utility.trust),
                "notification_uri": self.told, "notification_admin_uri": self.asked,
            },
            "clients": [one for several in clients.values() for one in several],
        }  # fmt: skip
        # What is JSON is YAML.
        (folder / "cactus.yaml").write_text(json.dumps(config))
        wanted = [":".join([name, *(str(one["id"]) for one in several)]) for name, several in clients.items()]
        said = {"OPENADR_OPERATOR": str(self.utility.access), "CACTUS_TIMEOUT_S": str(within_s), "COLUMNS": "160"}
        command = [str(PYTHON), str(HERE / "cactus_operator.py"), str(folder / "cactus.yaml"), *wanted]
        with (folder / "log").open("w") as log:
            done = subprocess.run(
                command, check=False, env=os.environ | said, stdout=subprocess.PIPE, stderr=log, text=True
            )
        return done.stdout

    def _client(self, name: str, kind: str) -> dict[str, object]:
        certificate, own = self.utility.minted(name)
        lfdi = own if kind == "device" else f"{own[:32]}{CLIENT_PEN:08}"
        return {
            "id": name, "type": kind, "lfdi": lfdi, "sfdi": sfdi_of(bytes.fromhex(lfdi)),
            "certificate_file": str(certificate), "key_file": str(certificate.with_suffix(".key")),
            "pen": CLIENT_PEN, "pin": PIN, "max_watts": SET_MAX_W,
        }  # fmt: skip


@contextmanager
def cactus_lab(folder: Path) -> Iterator[CactusLab]:
    with running_utility(folder) as utility:
        shown = utility.home / "certs" / "sep2.pem"
        hearing = [
            PYTHON, HERE / "cactus_hearing.py", "--port", utility.told_at, "--certificate", shown,
            "--key", shown.with_suffix(".key"), "--trust", utility.trust,
        ]  # fmt: skip
        with said_once_ready(hearing, {}) as heard:
            yield CactusLab(utility=utility, told=heard["told"], asked=heard["asked"])
