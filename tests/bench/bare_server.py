"""The limit to be measured against: an aiohttp handler on uvloop over TLS that answers fixed bytes."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from openadr_core.shell.tls import Chain, server_context


async def serve(arguments: argparse.Namespace, body: bytes) -> None:
    headers = {"Content-Type": arguments.content_type}

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    chain = Chain(certificate=arguments.certificate, key=arguments.key)
    tls = server_context(arguments.preset, [chain], [arguments.trust], arguments.client_certificates)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    sys.stdout.write(json.dumps({"url": f"https://127.0.0.1:{runner.addresses[0][1]}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--certificate", "--key", "--trust", "--body"):
        parser.add_argument(name, required=True, type=Path)
    parser.add_argument("--content-type", default="application/xml")
    parser.add_argument("--preset", default="modern-2.0b")
    parser.add_argument("--client-certificates", default="required", choices=["required", "none"])
    arguments = parser.parse_args()
    uvloop.run(serve(arguments, arguments.body.read_bytes()))


if __name__ == "__main__":
    main()
