"""The limit to be measured against: an aiohttp handler on uvloop over mutual TLS that answers fixed bytes."""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(arguments: argparse.Namespace, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/xml")

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(arguments.certificate, arguments.key)
    tls.load_verify_locations(arguments.trust)
    tls.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.port, ssl_context=tls).start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--certificate", "--key", "--trust", "--body"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments, Path(arguments.body).read_bytes()))


if __name__ == "__main__":
    main()
