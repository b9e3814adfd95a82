"""The conformance harness's hook for the client of the openleadr package: what is wanted, on the client's input.

Its argument is the named pipe that ``openleadr_ven.py`` reads its wishes from.
"""

import json
import os
import sys
from pathlib import Path
from uuid import uuid4

CANNOT = 77
"""The exit status by which the harness hears that there is no such thing."""


def main() -> None:
    (pipe,) = sys.argv[1:]
    wish = json.loads(os.environ["CONFORMANCE_WISH"])
    match os.environ["CONFORMANCE_ACTION"]:
        case "create-opt" if "event_id" in wish:
            told = {"do": "opt", "modification_number": 0, "opt_id": str(uuid4()), **wish}
        case "create-opt":
            told = {"do": "opt_for_a_time", "opt_id": str(uuid4()), **wish}
        case "cancel-opt":
            told = {"do": "cancel_opt", "opt_id": wish["opt_id"]}
        case "cancel-registration":
            told = {"do": "cancel_registration"}
        case "restart" | "register":  # it registers when it starts, and whoever keeps it running starts it again
            told = {"do": "end"}
        case _:
            sys.exit(CANNOT)
    with Path(pipe).open("a") as wishes:
        wishes.write(json.dumps(told) + "\n")
    sys.stdout.write(told.get("opt_id", "") + "\n")


if __name__ == "__main__":
    main()
