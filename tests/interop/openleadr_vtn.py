"""Somebody else's VTN, the one of the published ``openleadr`` package, in its own process and over mutual TLS.

``serve`` runs it as its documentation tells an operator to, and prints one line of JSON when it listens. Its events are
made by Python calls, so a small control address on the loopback does what an operator's console would do; ``event``
is the conformance harness's hook, which speaks to that address.

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
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from openleadr import OpenADRServer
from openleadr.utils import certificate_fingerprint

CANNOT = 77
"""The exit status by which the harness hears that the package has no such thing."""
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
        requested_poll_freq=timedelta(seconds=10),
        **signing,
    )
    vtn.add_handler("on_create_party_registration", operator.register)
    vtn.add_handler("on_cancel_party_registration", operator.cancel)
    return vtn


def make_event(vtn: OpenADRServer, wish: dict[str, Any]) -> str:
    if wish["action"] == "cancel":
        vtn.cancel_event(wish["ven_id"], wish["event_id"])
        return str(wish["event_id"])
    start = datetime.fromisoformat(wish["start"])
    intervals = []
    for duration_s, value in zip(wish["durations_s"], wish["values"], strict=True):
        duration = timedelta(seconds=duration_s)
        intervals.append({"dtstart": start, "duration": duration, "signal_payload": value})
        start += duration
    event_id = vtn.add_event(
        ven_id=wish["ven_id"],
        signal_name=wish["signal_name"],
        signal_type=wish["signal_type"],
        intervals=intervals,
        callback=lambda ven_id, event_id, opt_type: None,  # noqa: ARG005 openleadr asks for these names
    )
    return str(event_id)


async def serve(options: argparse.Namespace) -> None:
    port = _free_port()
    vtn = vtn_of(options, port)
    await vtn.run_async()

    async def control(request: web.Request) -> web.Response:
        return web.Response(text=make_event(vtn, await request.json()))

    app = web.Application()
    app.add_routes([web.post("/event", control)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    control_port = runner.addresses[0][1]
    ready = {"url": f"https://127.0.0.1:{port}", "control": f"http://127.0.0.1:{control_port}/event"}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def tell_event(options: argparse.Namespace) -> None:
    action, _, what = os.environ["CONFORMANCE_ACTION"].partition("-")
    if what != "event" or action == "modify":
        sys.exit(CANNOT)
    asked = json.loads(os.environ["CONFORMANCE_WISH"])
    wish = {"action": action, "event_id": asked.get("event_id", ""), "ven_id": os.environ["CONFORMANCE_VEN_ID"]}
    if action == "create":
        (signal,) = asked["signals"]
        wish |= {
            "signal_name": signal["name"],
            "signal_type": signal["type"],
            "start": asked["start"],
            "durations_s": signal["durations_s"],
            "values": signal["values"],
        }
    request = urllib.request.Request(  # noqa: S310 the address is our own
        options.control, data=json.dumps(wish).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        sys.stdout.write(answer.read().decode() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="run the VTN")
    server.add_argument("--certificate", required=True)
    server.add_argument("--key", required=True)
    server.add_argument("--trust", required=True)
    server.add_argument("--signed", action="store_true", help="sign, and refuse what a VEN has not signed")
    server.add_argument("--enrol", nargs=2, action="append", default=[], metavar=("NAME", "CERTIFICATE"))
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
