"""The conformance harness's hook for this project's own VEN: what is wanted, by its operator's command line.

Its argument is the agent's settings; the environment that overrides them for the agent overrides them here too.
"""

import json
import os
import sys

CANNOT = 77
"""The exit status by which the harness hears that there is no such thing."""


def main() -> None:
    (config,) = sys.argv[1:]
    wish = json.loads(os.environ["CONFORMANCE_WISH"])
    side = wish.get("opt_type", "").removeprefix("opt").lower()
    match os.environ["CONFORMANCE_ACTION"]:
        case "create-opt" if "event_id" in wish:
            arguments = ["opt", "event", wish["event_id"], side]
        case "create-opt":
            arguments = ["opt", side, "--when", f"{wish['start']}/{wish['duration_s']}s"]
        case "cancel-opt":
            arguments = ["opt", "cancel", wish["opt_id"]]
        case "cancel-registration":
            arguments = ["registration", "leave"]
        case "register":
            arguments = ["registration", "join"]
        case _:
            sys.exit(CANNOT)
    from openadr_ven.cli.root import main as openadr_ven  # noqa: PLC0415  # seconds, for what may not be wanted

    openadr_ven([*arguments, "--config", config])


if __name__ == "__main__":
    main()
