"""Somebody else's VEN: the client of the published ``openleadr`` package, over mutual TLS.

It opts in to whatever it is sent, so that the operator sees an implementation that is not
ours take the same event. That client gives up when it is refused, so this script starts it
again until an operator has approved its certificate.
"""

import argparse
import asyncio
import logging
from typing import Any

from openleadr import OpenADRClient

RETRY_S = 2.0


async def opt_in(_event: dict[str, Any]) -> str:
    """Take part in every event."""
    return "optIn"


async def run(arguments: argparse.Namespace) -> None:
    """Register, again and again until approved, then answer events for ever."""
    while True:
        client = OpenADRClient(
            ven_name=arguments.name,
            vtn_url=f"{arguments.vtn}/OpenADR2/Simple/2.0b",
            cert=arguments.certificate,
            key=arguments.key,
            ca_file=arguments.trust,
            disable_signature=not arguments.vtn_fingerprint,
            vtn_fingerprint=arguments.vtn_fingerprint,
            # It reads one certificate at most of a file that holds a chain, and now and then fails on it.
            show_fingerprint=False,
            allow_jitter=False,
        )
        client.add_handler("on_event", opt_in)
        client.add_handler("on_update_event", opt_in)
        await client.run()
        if client.registration_id:
            await asyncio.Event().wait()
        await asyncio.sleep(RETRY_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="venName to register under")
    parser.add_argument("--vtn", required=True, help="https://host:port of the VTN")
    parser.add_argument("--certificate", required=True, help="PEM chain")
    parser.add_argument("--key", required=True, help="PEM key")
    parser.add_argument("--trust", required=True, help="PEM of the root to trust")
    parser.add_argument("--vtn-fingerprint", help="sign, and believe only what this certificate has signed")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
