"""A gateway's composition root: its edge, its link to the broker, and the driver of its devices."""

import asyncio
import random
import signal
import ssl
from collections.abc import Callable
from datetime import datetime

from openadr_core.errors import ConfigError
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.tls import Chain, server_context
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.gateways.edge.driver import Driver
from openadr_ven.gateways.edge.link import GatewayLink
from openadr_ven.gateways.edge.run import RunningEdge
from openadr_ven.gateways.mqtt import BrokerAddress
from openadr_ven.gateways.ocpp.central import CentralSystem, StationAccess
from openadr_ven.gateways.ocpp.profiles import RateUnit
from openadr_ven.gateways.settings import GatewaySettings, OcppSettings

Now = Callable[[], datetime]


async def run(settings: GatewaySettings, *, stopped: asyncio.Event | None = None) -> None:
    """Until ``stopped``, or until SIGTERM or SIGINT. ConfigError names the setting that is wrong."""
    stop = stopped or asyncio.Event()
    if stopped is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    edge, link = build(settings, SystemClock().now)
    running, stopping = asyncio.create_task(edge.run(link)), asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (running, stopping):
        task.cancel()
    await asyncio.wait([running])
    if not running.cancelled() and (failed := running.exception()):
        raise failed.exceptions[0] if isinstance(failed, BaseExceptionGroup) and len(failed.exceptions) == 1 else failed


def build(settings: GatewaySettings, now: Now) -> tuple[RunningEdge, GatewayLink]:
    """Every part, connected."""
    driver, devices = _driver(settings, now)
    edge = Edge(open_fleet(settings.fleet).fleet, settings.gateway, driver.traits)
    if strangers := devices - edge.device_ids:
        raise ConfigError(f"the fleet has no {min(strangers)!r} behind {settings.gateway}")
    running = RunningEdge(edge, driver, record=settings.record, now=now)
    dice = random.Random()  # noqa: S311  (jitter of retries)
    return running, GatewayLink(
        _broker(settings), settings.gateway, on_command=running.command, status=running.status, rng=dice
    )


def _driver(settings: GatewaySettings, now: Now) -> tuple[Driver, frozenset[str]]:
    """What speaks to the devices, and which of the fleet's it knows."""
    if settings.ocpp is not None:
        return _ocpp(settings.ocpp, now)
    raise ConfigError("no table says what is behind this gateway")


def _ocpp(chosen: OcppSettings, now: Now) -> tuple[Driver, frozenset[str]]:
    trust = [] if chosen.trust is None else [chosen.trust]
    tls = server_context(
        "ocpp", [Chain(certificate=chosen.certificate, key=chosen.key)], trust, "optional" if trust else "none"
    )
    stations = {
        identity: StationAccess(
            evses=one.evses or {1: identity},
            password_sha256=one.password_sha256,
            certificate_sha256=one.certificate_sha256,
            unit=RateUnit(volts=one.volts, phases=one.phases),
        )
        for identity, one in chosen.stations.items()
    }
    central = CentralSystem(
        stations, host=chosen.host, port=chosen.port, tls=tls, stack_level=chosen.stack_level, now=now
    )
    return central, frozenset(device for one in stations.values() for device in one.evses.values())


def _broker(settings: GatewaySettings) -> BrokerAddress:
    chosen = settings.broker
    return BrokerAddress(
        host=chosen.host,
        port=chosen.port,
        fleet=settings.fleet_name,
        client_id="",
        tls=None if chosen.trust is None else ssl.create_default_context(cafile=str(chosen.trust)),
        username=chosen.username or None,
        password=chosen.password or None,
    )
