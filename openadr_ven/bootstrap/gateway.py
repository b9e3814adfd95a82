"""A gateway's composition root: its edge, its link to the broker, and the driver of its devices."""

import asyncio
import random
import signal
import ssl
from collections.abc import Callable
from datetime import datetime

import httpx

from openadr_core.errors import ConfigError
from openadr_core.identity import lfdi_of
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.garbage import keep_what_is_there
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_ven.adapters.fleet_source import open_fleet
from openadr_ven.bootstrap.price_keys import verifying_key
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.cloud.api import Api, Credentials, Pause
from openadr_ven.gateways.cloud.driver import VendorCloud
from openadr_ven.gateways.cloud.mapping import ReadTemplate, RequestTemplate
from openadr_ven.gateways.cloud.pace import Pace
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.gateways.edge.driver import Adjusts, Driver
from openadr_ven.gateways.edge.follower import Follower
from openadr_ven.gateways.edge.link import GatewayLink
from openadr_ven.gateways.edge.prices import PriceEar
from openadr_ven.gateways.edge.run import RunningEdge
from openadr_ven.gateways.mqtt import BrokerAddress
from openadr_ven.gateways.ocpp.central import CentralSystem, StationAccess
from openadr_ven.gateways.ocpp.profiles import RateUnit
from openadr_ven.gateways.sep2.driver import Sep2Devices
from openadr_ven.gateways.settings import (
    CloudSettings,
    GatewaySettings,
    OcppSettings,
    Sep2GatewaySettings,
    SunSpecSettings,
    TopicDeviceSettings,
    TopicsSettings,
)
from openadr_ven.gateways.sunspec import Address, SunSpecDevices
from openadr_ven.gateways.topics import Echo, Publication, Source, TopicDevice, TopicDevices

Now = Callable[[], datetime]


async def run(settings: GatewaySettings, *, stopped: asyncio.Event | None = None) -> None:
    """Until ``stopped``, or until SIGTERM or SIGINT. ConfigError names the setting that is wrong."""
    stop = stopped or asyncio.Event()
    if stopped is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    edge, link = build(settings, SystemClock().now)
    keep_what_is_there()
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
    kept = open_fleet(settings.fleet)
    edge = Edge(kept.fleet, settings.gateway, driver.traits)
    if strangers := devices - edge.device_ids:
        raise ConfigError(f"the fleet has no {min(strangers)!r} behind {settings.gateway}")
    running = RunningEdge(edge, driver, record=settings.record, now=now)
    dice = random.Random()  # noqa: S311  (jitter of retries)
    prices = None
    if settings.broker.price_key is not None:
        follower = Follower(kept.fleet, settings.gateway, fleet_sha256=kept.sha256)
        prices = PriceEar(follower, verifying_key(settings.broker.price_key), fleet_name=settings.fleet_name, now=now)
    return running, GatewayLink(
        _broker(settings), settings.gateway, on_command=running.command, status=running.status, rng=dice, prices=prices,
        on_support=running.support if isinstance(driver, Adjusts) else None,
    )  # fmt: skip


def _driver(settings: GatewaySettings, now: Now) -> tuple[Driver, frozenset[str]]:
    """What speaks to the devices, and which of the fleet's it knows."""
    if settings.ocpp is not None:
        return _ocpp(settings.ocpp, now)
    if settings.cloud is not None:
        return _cloud(settings.cloud, now), frozenset(settings.cloud.devices)
    if settings.sunspec is not None:
        return _sunspec(settings.sunspec, now), frozenset(settings.sunspec.devices)
    if settings.topics is not None:
        return _topics(settings.topics, now), frozenset(settings.topics.devices)
    if settings.sep2 is not None:
        return sep2_driver(settings.sep2, now), frozenset(settings.sep2.devices)
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


def _cloud(chosen: CloudSettings, now: Now, *, pause: Pause = asyncio.sleep) -> Driver:
    token = chosen.token
    credentials = Credentials() if token is None else Credentials(
        token_url=token.url, client_id=token.client_id, secret=token.secret_file.read_text().strip(), scope=token.scope
    )  # fmt: skip
    tls = client_context("oadr3", None, [] if chosen.trust is None else [chosen.trust], public=chosen.trust is None)
    client = httpx.AsyncClient(
        base_url=chosen.url, verify=tls, timeout=chosen.timeout_s, limits=httpx.Limits(max_connections=chosen.in_flight)
    )
    pace = Pace(per_minute=chosen.requests_per_minute, burst=chosen.burst)
    dice = random.Random()  # noqa: S311  (jitter of retries)
    return VendorCloud(
        Api(client, credentials, pace, tries=chosen.tries, now=now, dice=dice, pause=pause),
        devices=chosen.devices,
        orders={
            Mode[mode]: tuple(RequestTemplate(**one.model_dump()) for one in requests)
            for mode, requests in chosen.orders.items()
        },
        read=ReadTemplate(**chosen.read.model_dump()),
        batch_max=chosen.batch_max,
        in_flight=chosen.in_flight,
        pace_s=chosen.pace_s,
        read_every_s=chosen.read_every_s,
        now=now,
        open_client=client,
    )


def _sunspec(chosen: SunSpecSettings, now: Now) -> Driver:
    return SunSpecDevices(
        {name: Address(host=one.host, port=one.port, unit=one.unit) for name, one in chosen.devices.items()},
        read_every_s=chosen.read_every_s,
        timeout_s=chosen.timeout_s,
        now=now,
    )


def sep2_driver(chosen: Sep2GatewaySettings, now: Now) -> Driver:
    from openadr_ven.gateways.sep2.embedded import EmbeddedServer  # noqa: PLC0415  # no other gateway carries the VTN

    return Sep2Devices(
        {name: lfdi_of(bytes.fromhex(one.certificate_sha256)) for name, one in chosen.devices.items()},
        EmbeddedServer(chosen, now),
        poll_rate_s=chosen.poll_rate_s,
        post_rate_s=chosen.post_rate_s,
        answer_wait_s=chosen.answer_wait_s,
        now=now,
    )


def _topics(chosen: TopicsSettings, now: Now) -> Driver:
    return TopicDevices(
        {name: _topic_device(one) for name, one in chosen.devices.items()},
        host=chosen.host,
        port=chosen.port,
        tls=None if chosen.trust is None else ssl.create_default_context(cafile=str(chosen.trust)),
        user=(chosen.username, chosen.password) if chosen.username else None,
        pace_s=chosen.pace_s,
        repeat_s=chosen.repeat_s,
        echo_wait_s=chosen.echo_wait_s,
        reading_lasts_s=chosen.reading_lasts_s,
        now=now,
        dice=random.Random(),  # noqa: S311  (jitter of retries)
    )


def _topic_device(chosen: TopicDeviceSettings) -> TopicDevice:
    names = ("power_w", "soc", "temperature_c", "plugged", "online", "override")
    told = {name: source for name in names if (source := getattr(chosen, name)) is not None}
    return TopicDevice(
        sources={name: Source(**source.model_dump()) for name, source in told.items()},
        alive=chosen.alive,
        orders={
            Mode[mode]: [
                Publication(
                    topic=one.topic, payload=one.payload, when=one.when,
                    echo=None if one.echo is None else Echo(topic=one.echo.topic, value=one.echo.value),
                )
                for one in published
            ]
            for mode, published in chosen.orders.items()
        },
    )  # fmt: skip


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
