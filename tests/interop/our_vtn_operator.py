"""The conformance harness's hook for this project's own VTN: what is wanted, by its operator's command line.

Its arguments are the operator's access file, the id of a program, and the id of another in which the second party has
no part.
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
PAYLOAD_TYPES = {
    ("SIMPLE", "level"): "SIMPLE",
    ("ELECTRICITY_PRICE", "price"): "PRICE",
    ("LOAD_DISPATCH", "setpoint"): "DISPATCH_SETPOINT",
}
UNITS = {("powerReal", "none"): "W", ("powerReal", "k"): "KW", ("currencyPerKWh", "none"): "KWH"}


def wanted(program_id: str, wish: dict[str, Any]) -> dict[str, Any]:
    """The event that the environment asks for, as OpenADR 3.1 writes it."""
    signals = [(PAYLOAD_TYPES[signal["name"], signal["type"]], signal) for signal in wish["signals"]]
    if wish["baseline"]:
        signals.append(("BASELINE", wish["baseline"]))
    start, durations_s = datetime.fromisoformat(wish["start"]), wish["durations_s"]
    intervals = [
        {
            "id": number,
            "intervalPeriod": period(start + timedelta(seconds=sum(durations_s[:number])), duration_s),
            "payloads": [{"type": kind, "values": [signal["values"][number]]} for kind, signal in signals],
        }
        for number, duration_s in enumerate(durations_s)
    ]
    # Who was granted these names is addressed by them; the VEN itself, where none are said.
    is_itself = not any(wish["targets"].values())
    return {
        "objectType": "EVENT",
        "programID": program_id,
        "targets": [os.environ["CONFORMANCE_VEN_NAME"]] if is_itself else [],
        "intervalPeriod": period(start, sum(durations_s)),
        "intervals": intervals,
        "payloadDescriptors": [described for kind, signal in signals if (described := descriptor(kind, signal))],
        "attributes": [{"type": kind, "values": values} for kind, values in attributes(wish).items() if values[0]],
        # 3.1 counts priorities from 0, and 2.0b from 1.
        **({"priority": wish["priority"] - 1} if wish["priority"] else {}),
    }


def period(start: datetime, duration_s: int) -> dict[str, str]:
    return {"start": start.isoformat(), "duration": f"PT{duration_s}S" if duration_s else "P9999Y"}


def descriptor(kind: str, signal: dict[str, Any]) -> dict[str, Any]:
    """Nothing where there is nothing to say."""
    money = {"currency": "USD"} if signal["unit"].startswith("currency") else {}
    units = {"units": UNITS[signal["unit"], signal["scale"]]} if signal["unit"] else {}
    classes = {"deviceClasses": signal["device_classes"]} if signal.get("device_classes") else {}
    said = {**units, **money, **classes}
    return {"payloadType": kind, **said} if said else {}


def attributes(wish: dict[str, Any]) -> dict[str, list[Any]]:
    """By type; a first value that is nothing: not wanted."""
    lengths = {
        "START_AFTER": wish["start_after_s"],
        "RAMP_UP": wish["ramp_up_s"],
        "NOTIFICATION": wish["notification_s"],
        "RECOVERY": wish["recovery_s"],
    }
    return {
        **{kind: [f"PT{seconds}S" if seconds else ""] for kind, seconds in lengths.items()},
        "RESPONSE_REQUIRED": [wish["response_required"].upper()],
        "TEST_EVENT": [bool(wish["test_event"])],
        "VTN_COMMENT": [wish["comment"]],
        "RESOURCE_ID": wish["targets"]["resources"] or [""],
        "GROUP_ID": wish["targets"]["groups"] or [""],
        "PARTY_ID": wish["targets"]["parties"] or [""],
    }


def operator(*arguments: str) -> str:
    """What the operator's command prints; it ends this process, and says why, if it cannot."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = openadr_vtn(arguments, standalone_mode=False)
    if status:
        sys.exit(status)
    return printed.getvalue()


def told(document: dict[str, Any], *arguments: str) -> str:
    """A command about an event that is written in a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        return operator("event", *arguments, "--file", file.name)


def report_request(ven: str, wish: dict[str, Any], access: list[str]) -> str:
    """Asks for a report, or for several in one message, and says under which ids."""
    if wish.get("specifier") == "METADATA":
        operator("report", "ask-metadata", ven, *access)
        return ""
    specifiers = wish["specifiers"].split() if "specifiers" in wish else [wish["specifier"]]
    lengths = [f"--granularity={wish['granularity_s']}s", f"--back={wish['report_back_s']}s"]
    lengths += [f"--start={wish['start']}"] if "start" in wish else []
    lengths += [f"--duration={wish['duration_s']}s"] if "duration_s" in wish else []
    asked = json.loads(operator("report", "request", ven, *specifiers, *lengths, "--json", *access))
    return " ".join(str(one["id"]) for one in (asked if isinstance(asked, list) else [asked]))


def done(action: str, ven: str, program_id: str, wish: dict[str, Any], access: list[str]) -> str:
    """The identifier of what was made, where there is one."""
    match action:
        case "create-event":
            return str(json.loads(told(wanted(program_id, wish), "create", "--json", *access))["id"])
        case "modify-event":
            told(wanted(program_id, wish), "change", wish["event_id"], *access)
            return str(wish["event_id"])
        case "cancel-event":
            operator("event", "cancel", wish["event_id"], *access)
            return str(wish["event_id"])
        case "cancel-registration" | "request-reregistration":
            operator("party", action, ven, *access)
        case "require-signatures":
            operator("party", "signatures", ven, "require" if wish["required"] == "true" else "default", *access)
        case "request-report" | "request-reports":
            return report_request(ven, wish, access)
        case "cancel-report":
            to_follow = ["--one-more"] if wish["to_follow"] == "true" else []
            operator("report", "cancel", ven, wish["report_request_id"], *to_follow, *access)
        case _:
            sys.exit(CANNOT)
    return ""


def main() -> None:
    profile, usual_program, other_program = sys.argv[1:]
    ven, wish = os.environ["CONFORMANCE_VEN_NAME"], json.loads(os.environ["CONFORMANCE_WISH"])
    program_id = other_program if wish.get("market") == "other" else usual_program
    action = os.environ["CONFORMANCE_ACTION"]
    sys.stdout.write(done(action, ven, program_id, wish, ["--operator", profile]) + "\n")


if __name__ == "__main__":
    main()
