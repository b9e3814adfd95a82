"""A shard's composition root: its cells and parcels of the agent's fleet, and its place at the engine."""

import asyncio
import random
import signal
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from openadr_core.errors import ConfigError
from openadr_core.shell.clock import SystemClock
from openadr_ven.adapters.command_ledger import OF_A_SHARD, CommandLedger
from openadr_ven.adapters.fleet_source import KeptFleet, open_fleet
from openadr_ven.adapters.shards.carrier import Carrier
from openadr_ven.adapters.shards.engine import (
    AgentLine,
    EngineAddress,
    rights_of_agent,
    rights_of_shard,
    roll_call,
    serve,
)
from openadr_ven.adapters.shards.hands import Hands
from openadr_ven.adapters.shards.host import ShardHost
from openadr_ven.bootstrap.brokers import broker_address
from openadr_ven.dispatch.cutting import cells_of
from openadr_ven.fleet.parcels import Parcel, dealt, parcels_of
from openadr_ven.gateways.mqtt import MqttGateways
from openadr_ven.settings import Settings, ShardSettings

ROLL_CALL_S = 1.2
"""Each says that it is there twice a second."""
PARCEL = "{client_id}-parcel-{number}"
"""The client id of a parcel's session at the broker: whoever has the parcel has the session."""


async def run_shard(settings: Settings, *, number: int, of: int) -> None:
    """Answer for this shard's cells, and carry its parcels, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    shards = _shards(settings)
    kept = open_fleet(settings.fleet.file)
    cells, parcels = cells_of(kept.fleet, shards.cell_rows), parcels_of(kept.fleet, shards.cell_rows)
    mine, carried = dealt(len(cells), number, of), dealt(len(parcels), number, of)
    if not mine and not carried:
        raise ConfigError(f"--of: the fleet has {len(cells)} cells, and this shard none of them")
    host = ShardHost(kept.fleet, {cell: cells[cell] for cell in mine}, fleet_sha256=kept.sha256)
    clock = SystemClock()
    folder = settings.agent.ledger / OF_A_SHARD.format(number=number)
    ledger = CommandLedger(folder, kept.fleet, fleet_sha256=kept.sha256)
    carriers = [
        Carrier(one, gateways, ledger, fleet_sha256=kept.sha256, now=clock.now)
        for one, gateways in gateways_of_parcels(settings, parcels)
        if one.number in carried
    ]
    who = {"fleet": kept.sha256, "number": number, "of": of, "since": clock.now().timestamp()}
    await serve(engine_address(settings, shards), host, mine, carriers, stop, who=who)


def rights(settings: Settings, *, number: int, of: int) -> str:
    """What the engine must let this shard do, and the agent if it is number 0: permissions of nats-server."""
    shards = _shards(settings)
    address = engine_address(settings, shards)
    if number == 0:
        return rights_of_agent(address).written()
    fleet = open_fleet(settings.fleet.file).fleet
    return rights_of_shard(
        address,
        cells=dealt(len(cells_of(fleet, shards.cell_rows)), number, of),
        parcels=dealt(len(parcels_of(fleet, shards.cell_rows)), number, of),
    ).written()


async def shards_there(settings: Settings) -> list[Mapping[str, Any]]:
    """What shards say of themselves."""
    return await roll_call(engine_address(settings, _shards(settings)), ROLL_CALL_S)


def gateways_of_parcels(settings: Settings, parcels: tuple[Parcel, ...]) -> list[tuple[Parcel, MqttGateways]]:
    """Each parcel's own session at the broker, for whoever has it."""
    address = broker_address(settings)
    return [
        (
            one,
            MqttGateways(
                replace(address, client_id=PARCEL.format(client_id=address.client_id, number=one.number)),
                rng=random.Random(),  # noqa: S311  # jitter
                settle_by_caller=True,
                names=one.gateways,
            ),
        )
        for one in parcels
    ]


def hands(settings: Settings, kept: KeptFleet, ledger: CommandLedger, voice: MqttGateways) -> Hands:
    """The agent's, where shards carry."""
    shards = _shards(settings)
    return Hands(
        kept.fleet,
        gateways_of_parcels(settings, parcels_of(kept.fleet, shards.cell_rows)),
        AgentLine(engine_address(settings, shards), timeout_s=shards.timeout_s),
        ledger,
        voice,
        fleet_sha256=kept.sha256,
    )


def engine_address(settings: Settings, shards: ShardSettings) -> EngineAddress:
    is_tls = shards.trust is not None or shards.engine.startswith("tls:")
    return EngineAddress(
        url=shards.engine,
        fleet=settings.fleet.name,
        tls=ssl.create_default_context(cafile=None if shards.trust is None else str(shards.trust)) if is_tls else None,
        username=shards.username or None,
        password=shards.password or None,
    )


def _shards(settings: Settings) -> ShardSettings:
    if settings.shards is None:
        raise ConfigError("shards: the settings have no such table, and the agent asks no shard")
    return settings.shards
