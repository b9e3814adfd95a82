"""A real Mosquitto for tests and benches, where it is installed."""

import asyncio
import getpass
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from openadr_core.shell.tls import Chain
from openadr_ven.gateways.broker import HOST, free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
START_WAIT_S = 10.0
CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
max_queued_messages 10000
max_connections -1
set_tcp_nodelay true
"""
# As root it would become another user, who may not read our keys.
TLS = """\
user {user}
certfile {certificate}
keyfile {key}
tls_version tlsv1.3
"""


@asynccontextmanager
async def running_mosquitto(
    data: Path, *, chain: Chain | None = None, clients: Path | None = None, port: int = 0
) -> AsyncIterator[int]:
    """Its port, on which it speaks TLS if it is given a certificate; its log is in ``data``.

    With ``clients``, an authority, it wants a certificate of it from everybody.
    """
    assert MOSQUITTO
    port = port or free_port()
    configuration = data / f"mosquitto-{port}.conf"
    lines = CONFIGURATION.format(port=port, host=HOST)
    if chain is not None:
        lines += TLS.format(user=getpass.getuser(), certificate=chain.certificate, key=chain.key)
    if clients is not None:
        lines += f"cafile {clients}\nrequire_certificate true\n"
    configuration.write_text(lines)
    with configuration.with_suffix(".log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", str(configuration), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_WAIT_S):
            while True:
                if await answers(port):
                    break
                await asyncio.sleep(0.02)
        yield port
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
