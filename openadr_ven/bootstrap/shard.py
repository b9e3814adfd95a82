"""A shard's composition root: its cells of the agent's fleet, and its place at the engine."""

import asyncio
import signal
import ssl

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.adapters.shards.engine import EngineAddress, serve
from openadr_ven.adapters.shards.host import ShardHost
from openadr_ven.dispatch.cutting import cells_of
from openadr_ven.settings import Settings, ShardSettings


async def run_shard(settings: Settings, *, number: int, of: int) -> None:
    """Answer for this shard's cells until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    if settings.shards is None:
        raise ConfigError("shards: the settings have no such table, and the agent asks no shard")
    kept = open_fleet(settings.fleet.file)
    parts = dict(enumerate(cells_of(kept.fleet, settings.shards.cell_rows)))
    mine = range(len(parts) * (number - 1) // of, len(parts) * number // of)
    if not mine:
        raise ConfigError(f"--of: the fleet has {len(parts)} cells, and this shard none of them")
    host = ShardHost(kept.fleet, {cell: parts[cell] for cell in mine}, fleet_sha256=kept.sha256)
    await serve(engine_address(settings, settings.shards), host, mine, stop)


def engine_address(settings: Settings, shards: ShardSettings) -> EngineAddress:
    is_tls = shards.trust is not None or shards.engine.startswith("tls:")
    return EngineAddress(
        url=shards.engine,
        fleet=settings.fleet.name,
        tls=ssl.create_default_context(cafile=None if shards.trust is None else str(shards.trust)) if is_tls else None,
        username=shards.username or None,
        password=shards.password or None,
    )
