"""The conformance harness's hook for this project's own VTN: what is wanted, by its operator's command line.

Its arguments are the operator's access file and the id of a program.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from datetime import datetime, timedelta
from typing import Any

from openadr_vtn.cli.main import main as openadr_vtn

CANNOT = 77
"""The exit status by which the harness hears that there is no such thing yet."""


def wanted(program_id: str, wish: dict[str, Any]) -> dict[str, Any]:
    """The event that the environment asks for, as OpenADR 3.1 writes it."""
    (signal,) = wish["signals"]
    first = start = datetime.fromisoformat(wish["start"])
    intervals: list[dict[str, Any]] = []
    for duration_s, value in zip(signal["durations_s"], signal["values"], strict=True):
        duration = timedelta(seconds=duration_s)
        payload = {"type": signal["name"], "values": [value]}
        intervals.append({"id": len(intervals), "intervalPeriod": period(start, duration), "payloads": [payload]})
        start += duration
    return {
        "objectType": "EVENT",
        "programID": program_id,
        "targets": [os.environ["CONFORMANCE_VEN_NAME"]],
        "intervalPeriod": period(first, start - first),
        "intervals": intervals,
    }


def period(start: datetime, duration: timedelta) -> dict[str, str]:
    return {"start": start.isoformat(), "duration": f"PT{duration.total_seconds():.0f}S"}


def operator(*arguments: str) -> str:
    """What the operator's command prints; it ends this process, and says why, if it cannot."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = openadr_vtn(arguments, standalone_mode=False)
    if status:
        sys.exit(status)
    return printed.getvalue()


def main() -> None:
    access, program_id = sys.argv[1:]
    wish = json.loads(os.environ["CONFORMANCE_WISH"])
    match os.environ["CONFORMANCE_ACTION"]:
        case "create-event":
            with tempfile.NamedTemporaryFile("w", suffix=".json") as document:
                json.dump(wanted(program_id, wish), document)
                document.flush()
                made = operator("event", "create", "--file", document.name, "--json", "--operator", access)
            event_id = json.loads(made)["id"]
        case "cancel-event":
            event_id = wish["event_id"]
            operator("event", "cancel", event_id, "--operator", access)
        case "cancel-registration" | "request-reregistration" as action:
            operator("party", action, os.environ["CONFORMANCE_VEN_NAME"], "--operator", access)
            return
        case _:
            sys.exit(CANNOT)
    sys.stdout.write(event_id + "\n")


if __name__ == "__main__":
    main()
