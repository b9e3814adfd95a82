"""Somebody else's VTN, the one of the published ``openleadr`` package, in its own process and over mutual TLS.

``serve`` runs it as its documentation tells an operator to, and prints one line of JSON when it listens. With
``--tell`` it then prints a line for each message that it takes or answers, and for what reports brought. Its events
are made by Python calls, so a small control address on the loopback does what an operator's console would do;
``event`` is the conformance harness's hook, which speaks to that address.

openleadr keeps its state in classes, so there is one VTN per process.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from openleadr import OpenADRServer, hooks, objects
from openleadr.utils import certificate_fingerprint, find_by, increment_event_modification_number, setmember

CANNOT = 77
"""The exit status by which the harness hears that the package has no such thing."""
MEASUREMENTS = {
    ("powerReal", "k"): objects.Measurement(
        name="powerReal", description="RealPower", unit="W", scale="k",
        power_attributes=objects.PowerAttributes(hertz=50, voltage=400, ac=True),
    ),
    ("currencyPerKWh", "none"): objects.Measurement(
        name="currencyPerKWh", description="currencyPerKWh", unit="USD", scale="none"
    ),
}  # fmt: skip
"""The package's words for an item base."""
CONTEXTS = {"": "oadr://unknown.context", "other": "oadr://other.context"}
VTN_ID = "TH_VTN"  # openleadr's own VEN refuses an identifier in lower case


@dataclass
class Operator:
    """Whom the operator has enrolled, and who has registered."""

    names: dict[str, str]
    """By fingerprint."""
    registrations: dict[str, dict[str, str]] = field(default_factory=dict)
    """By venID."""

    def register(self, request: dict[str, Any]) -> tuple[str, str] | bool:
        name = self.names.get(request["fingerprint"])
        if name is None:
            return False
        ven_id = f"VEN-{name}"
        registration = self.registrations.setdefault(
            ven_id,
            {
                "ven_id": ven_id,
                "ven_name": request["ven_name"],
                "fingerprint": request["fingerprint"],
                "registration_id": f"REG-{uuid.uuid4().hex[:8]}",
            },
        )
        return ven_id, registration["registration_id"]

    def cancel(self, request: dict[str, Any]) -> None:
        self.registrations.pop(str(request.get("ven_id")), None)

    def lookup(self, ven_id: str) -> dict[str, str] | None:
        return self.registrations.get(ven_id)


def first_certificate(file: str) -> str:
    """The package reads nonsense, or fails, where a file holds a chain: it is given the first certificate alone."""
    end = "-----END CERTIFICATE-----\n"
    return Path(file).read_text().partition(end)[0] + end


def vtn_of(options: argparse.Namespace, port: int) -> OpenADRServer:
    signing: dict[str, Any] = {}
    if options.signed:
        leaf = Path(options.certificate).with_suffix(".leaf.pem")
        leaf.write_text(first_certificate(options.certificate))
        signing = {"cert": str(leaf), "key": options.key, "show_fingerprint": False}
    enrolled = {certificate_fingerprint(first_certificate(file)): name for name, file in options.enrol}
    operator = Operator(names=enrolled)
    vtn = OpenADRServer(
        vtn_id=VTN_ID,
        http_host="127.0.0.1",
        http_port=port,
        http_cert=options.certificate,
        http_key=options.key,
        http_ca_file=options.trust,
        ven_lookup=operator.lookup,
        verify_message_signatures=options.signed,
        requested_poll_freq=timedelta(seconds=options.poll_s),
        **signing,
    )
    vtn.add_handler("on_create_party_registration", operator.register)
    vtn.add_handler("on_cancel_party_registration", operator.cancel)
    if options.tell:
        hooks.register("before_parse", lambda content: told("received", content))
        hooks.register("before_respond", lambda content: told("sent", content))
        vtn.add_handler("on_register_report", ask_for_report)
    return vtn


async def told(direction: str, content: bytes | str | None) -> None:
    text = content.decode() if isinstance(content, bytes) else content or ""
    tell({"direction": direction, "xml": text})


def tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def ask_for_report(report: dict[str, Any]) -> list[tuple[str, Callable[..., None], timedelta, timedelta]] | None:
    """The first measurement of a report, as often as it can be had.

    Not all of them: the package cannot read an interval with two payloads, nor a status.
    """
    wanted = report["report_descriptions"][0]
    if "measurement" not in wanted:
        return None

    def received(values: list[tuple[datetime, float]]) -> None:
        tell({"r_id": wanted["r_id"], "readings": [[at.isoformat(), value] for at, value in values]})

    interval = max(wanted["sampling_rate"]["min_period"], timedelta(seconds=1))
    return [(wanted["r_id"], received, interval, 2 * interval)]


def do(vtn: OpenADRServer, wish: dict[str, Any]) -> str:
    """What the operator wishes; the event's id, if it is about one."""
    ven_id = wish["ven_id"]
    match wish["action"]:
        case "create":
            return str(
                vtn.add_event(
                    ven_id=ven_id,
                    signal_name=wish["signal_name"],
                    signal_type=wish["signal_type"],
                    intervals=intervals_of(wish),
                    market_context=wish.get("market_context", "oadr://unknown.context"),
                    # openleadr asks for these names.
                    callback=lambda ven_id, event_id, opt_type: tell({"event": event_id, "opt": opt_type}),  # noqa: ARG005
                )
            )
        case "create-whole":
            return str(vtn.add_raw_event(ven_id, whole_event(wish), callback=lambda ven_id, event_id, opt_type: None))  # noqa: ARG005
        case "modify-whole":
            event = find_by(vtn.events[ven_id], "event_descriptor.event_id", wish["event_id"])
            changed = whole_event(wish)
            setmember(event, "event_signals", changed.event_signals)
            setmember(event, "active_period", changed.active_period)
            increment_event_modification_number(event)
            vtn.events_updated[ven_id] = True
        case "modify":
            # It has no call for it: this is what its own cancel does.
            event = find_by(vtn.events[ven_id], "event_descriptor.event_id", wish["event_id"])
            setmember(event, "event_signals", [replaced_signal(event, wish)])
            increment_event_modification_number(event)
            vtn.events_updated[ven_id] = True
        case "cancel":
            vtn.cancel_event(ven_id, wish["event_id"])
        case "say":
            say(vtn, wish["payload"], wish["fields"])
    return str(wish.get("event_id", ""))


def intervals_of(wish: dict[str, Any]) -> list[dict[str, Any]]:
    start = datetime.fromisoformat(wish["start"])
    intervals = []
    for duration_s, value in zip(wish["durations_s"], wish["values"], strict=True):
        duration = timedelta(seconds=duration_s)
        intervals.append({"dtstart": start, "duration": duration, "signal_payload": value})
        start += duration
    return intervals


def whole_event(wish: dict[str, Any]) -> objects.Event:
    """All that the package's own objects can say of an event that the harness wants."""
    signals = [
        objects.EventSignal(
            intervals=intervals_of({**signal, "start": wish["start"]}),
            signal_name=signal["name"],
            signal_type=signal["type"],
            signal_id=uuid.uuid4().hex,
            measurement=MEASUREMENTS.get((signal["unit"], signal["scale"])),
        )
        for signal in wish["signals"]
    ]
    lengths = {
        f"{name}_period": timedelta(seconds=wish[f"{name}_s"]) if wish[f"{name}_s"] else None
        for name in ("notification", "ramp_up", "recovery")
    }
    start_after = timedelta(seconds=wish["start_after_s"])
    return objects.Event(
        event_descriptor=objects.EventDescriptor(
            event_id=wish["event_id"] or uuid.uuid4().hex,
            modification_number=0,
            market_context=CONTEXTS[wish["market"]],
            event_status="far",
            priority=wish["priority"],
            test_event=wish["test_event"] or False,
            vtn_comment=wish["comment"] or None,
        ),
        active_period=objects.ActivePeriod(
            dtstart=datetime.fromisoformat(wish["start"]),
            duration=timedelta(seconds=sum(wish["durations_s"])),
            tolerance={"tolerate": {"startafter": start_after}} if start_after else None,
            **lengths,
        ),
        event_signals=signals,
        targets=[{"resource_id": name} for name in wish["targets"]["resources"]] or [{"ven_id": wish["ven_id"]}],
        response_required=wish["response_required"],
    )


def replaced_signal(event: objects.Event, wish: dict[str, Any]) -> objects.EventSignal:
    (before,) = event.event_signals
    return objects.EventSignal(
        intervals=intervals_of(wish),
        signal_name=before.signal_name,
        signal_type=before.signal_type,
        signal_id=before.signal_id,
    )


def say(vtn: OpenADRServer, payload: str, fields: dict[str, Any]) -> None:
    """Answer the next poll with this payload: what its handler for polls may do, while its own queue waits."""
    polls = vtn.services["poll_service"]

    def answer(ven_id: str) -> tuple[str, dict[str, Any]]:
        polls.polling_method = "internal"
        return payload, {"ven_id": ven_id, **fields}

    polls.on_poll = answer
    polls.polling_method = "external"


async def serve(options: argparse.Namespace) -> None:
    port = options.port or _free_port()
    vtn = vtn_of(options, port)
    await vtn.run_async()

    async def control(request: web.Request) -> web.Response:
        return web.Response(text=do(vtn, await request.json()))

    app = web.Application()
    app.add_routes([web.post("/event", control)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    control_port = runner.addresses[0][1]
    tell({"url": f"https://127.0.0.1:{port}", "control": f"http://127.0.0.1:{control_port}/event"})
    await asyncio.Event().wait()


def tell_event(options: argparse.Namespace) -> None:
    action, _, what = os.environ["CONFORMANCE_ACTION"].partition("-")
    asked = json.loads(os.environ["CONFORMANCE_WISH"])
    if what != "event" or asked.get("baseline") or is_for_more(asked):
        sys.exit(CANNOT)
    wish = {"event_id": "", **asked, "ven_id": os.environ["CONFORMANCE_VEN_ID"]}
    wish["action"] = action if action == "cancel" else f"{action}-whole"
    request = urllib.request.Request(  # noqa: S310 the address is our own
        options.control, data=json.dumps(wish).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        sys.stdout.write(answer.read().decode() + "\n")


def is_for_more(asked: dict[str, Any]) -> bool:
    """Whether it is for a group, a party or a market, of which the package knows no members; or for a class of
    devices, which its template leaves out.
    """
    targets = asked.get("targets", {})
    classes = any(signal["device_classes"] for signal in asked.get("signals", []))
    return bool(classes or targets.get("groups") or targets.get("parties") or targets.get("everybody"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="run the VTN")
    server.add_argument("--certificate", required=True)
    server.add_argument("--key", required=True)
    server.add_argument("--trust", required=True)
    server.add_argument("--signed", action="store_true", help="sign, and refuse what a VEN has not signed")
    server.add_argument("--enrol", nargs=2, action="append", default=[], metavar=("NAME", "CERTIFICATE"))
    server.add_argument("--port", type=int, help="any, if it is not given")
    server.add_argument("--poll-s", type=float, default=10.0, help="what VENs are asked to poll at")
    server.add_argument("--tell", action="store_true", help="print messages and readings as lines of JSON")
    hook = commands.add_parser("event", help="make or cancel an event, as the environment says")
    hook.add_argument("--control", required=True)
    options = parser.parse_args()
    if options.command == "event":
        tell_event(options)
    else:
        asyncio.run(serve(options))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
