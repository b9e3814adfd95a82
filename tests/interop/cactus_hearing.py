"""cactus-client-notifications as it is meant to run: behind TLS for the server under test, plain for cactus-client.

Run by the Python of the environment that the package is installed in; prints its two addresses as JSON once it listens.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys

from aiohttp import web

os.environ["LOG_LEVEL"] = "WARNING"  # the next import reads it

from cactus_client_notifications.server.main import create_app


def tls(certificate: str, key: str, trust: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(trust)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def serve(port: int, context: ssl.SSLContext) -> None:
    os.environ["SERVER_URL"] = f"https://localhost:{port}"
    runner = web.AppRunner(create_app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    plain = runner.addresses[1][1]
    sys.stdout.write(json.dumps({"told": f"https://localhost:{port}/", "asked": f"http://127.0.0.1:{plain}/"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    for name in ("--certificate", "--key", "--trust"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, tls(given.certificate, given.key, given.trust)))
