"""The conformance harness's hook for this project's own server of 2030.5: what is wanted, by its command line.

Its arguments are the operator's access file and the group that the device under test is in.
"""

import contextlib
import io
import json
import os
import sys
from datetime import UTC, datetime

from openadr_vtn.cli.main import main as openadr_vtn


def told(*arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        openadr_vtn(list(arguments), standalone_mode=False)
    return said.getvalue()


def main(access: str, group: str) -> None:
    os.environ["OPENADR_OPERATOR"] = access
    action, wish = os.environ["CONFORMANCE_ACTION"], json.loads(os.environ["CONFORMANCE_WISH"])
    lfdi = os.environ["CONFORMANCE_VEN_ID"]
    match action:
        case "create-control":
            start = datetime.fromtimestamp(int(wish["start"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            asks, lasts = f"{wish['mode']}={wish['value']}", f"{wish['duration_s']}s"
            said = told("control", "create", group, asks, "--start", start, "--duration", lasts)
            sys.stdout.write(f"{said.split()[1]}\n")
        case "cancel-control":
            told("control", "cancel", wish["mrid"])
        case "withdraw-access":
            told("device", "change", lfdi, "--no-access")
        case "grant-access":
            told("device", "change", lfdi, "--access")


if __name__ == "__main__":
    main(*sys.argv[1:])
