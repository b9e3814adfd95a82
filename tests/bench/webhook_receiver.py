"""A receiver of webhooks that costs next to nothing: TLS, and a fixed answer to every request."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvloop

from openadr_core.shell.tls import Chain, server_context

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]))
            writer.write(TAKEN)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(chain: Chain, trust: Path | None) -> None:
    """With somebody to trust: a subscriber of IEEE 2030.5."""
    tls = (
        server_context("oadr3", [chain], [], "none")
        if trust is None
        else server_context("sep2-strict", [chain], [trust])
    )
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    sys.stdout.write(json.dumps({"url": f"https://localhost:{server.sockets[0].getsockname()[1]}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--certificate", "--key"):
        parser.add_argument(name, required=True, type=Path)
    parser.add_argument("--trust", type=Path)
    arguments = parser.parse_args()
    uvloop.run(serve(Chain(certificate=arguments.certificate, key=arguments.key), arguments.trust))


if __name__ == "__main__":
    main()
