"""Somebody else's VEN, the client of the published ``openleadr`` package, in its own process and over mutual TLS.

It knocks until it is let in, offers a reading, and opts in to every event. It prints a line of JSON for each message
that it sends or gets. What its user would do by Python calls, it does on a line of JSON on its standard input:
``{"do": "cancel_opt", "opt_id": …}``.
"""

import argparse
import asyncio
import json
import sys
from datetime import datetime, timedelta
from typing import Any

from openleadr import OpenADRClient, enums, objects

RETRY_S = 0.5
READING_W = 1250.0


def tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def client_of(options: argparse.Namespace) -> OpenADRClient:
    client = OpenADRClient(
        ven_name=options.name,
        vtn_url=f"{options.vtn}/OpenADR2/Simple/2.0b",
        cert=options.certificate,
        key=options.key,
        ca_file=options.trust,
        disable_signature=not options.vtn_fingerprint,
        vtn_fingerprint=options.vtn_fingerprint,
        # It reads one certificate at most of a file that holds a chain, and now and then fails on it.
        show_fingerprint=False,
        allow_jitter=False,
    )
    client.add_handler("on_event", opt_in)
    client.add_handler("on_update_event", opt_in)
    client.add_hook("before_send_xml", lambda text: tell({"direction": "sent", "xml": text}))
    client.add_hook("after_receive_xml", lambda text: tell({"direction": "received", "xml": text}))
    # Its default type is a reading; and a measurement that is told by name becomes a unit of its own.
    client.add_report(
        callback=lambda: READING_W,
        resource_id="meter",
        measurement=enums.MEASUREMENTS.POWER_REAL,
        report_type=enums.REPORT_TYPE.USAGE,
        report_specifier_id="telemetry",
        r_id="power",
        sampling_rate=objects.SamplingRate(
            min_period=timedelta(seconds=1), max_period=timedelta(minutes=1), on_change=False
        ),
        report_duration=timedelta(hours=1),
    )
    return client


async def opt_in(_event: dict[str, Any]) -> str:
    """Take part in every event."""
    return "optIn"


async def registered(options: argparse.Namespace) -> OpenADRClient:
    """A client that runs: one that was refused does not knock again, so another one does."""
    while True:
        client = client_of(options)
        await client.run()
        if client.registration_id:
            return client
        await asyncio.sleep(RETRY_S)


async def do(client: OpenADRClient, wish: dict[str, Any]) -> None:
    match wish["do"]:
        case "opt":
            await client.create_opt(
                opt_type=wish["opt_type"],
                opt_reason="economic",
                targets=[objects.Target(ven_id=client.ven_id)],
                event_id=wish["event_id"],
                modification_number=wish["modification_number"],
                opt_id=wish["opt_id"],
            )
        case "opt_for_a_time":
            time = objects.VavailabilityComponent(
                dtstart=datetime.fromisoformat(wish["start"]), duration=timedelta(seconds=float(wish["duration_s"]))
            )
            await client.create_opt(
                opt_type=wish["opt_type"],
                opt_reason="notParticipating",
                targets=[objects.Target(ven_id=client.ven_id)],
                vavailability=objects.Vavailability(components=[time]),
                opt_id=wish["opt_id"],
            )
        case "cancel_opt":
            await client.cancel_opt(wish["opt_id"])
        case "end":
            sys.exit()
        case "register_again":
            await client.create_party_reregistration()
        case "cancel_registration":
            await client.cancel_party_registration()


async def run(options: argparse.Namespace) -> None:
    client = await registered(options)
    wishes = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(wishes), sys.stdin)
    async for line in wishes:
        await do(client, json.loads(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="venName to register under")
    parser.add_argument("--vtn", required=True, help="https://host:port of the VTN")
    for name in ("--certificate", "--key", "--trust"):
        parser.add_argument(name, required=True)
    parser.add_argument("--vtn-fingerprint", help="sign, and believe only what this certificate has signed")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
