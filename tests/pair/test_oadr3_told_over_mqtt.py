"""The VEN of OpenADR 3.1 at a real broker over TLS, entering with what our VTN's ``/notifiers`` hands out."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiomqtt
import pytest

from openadr_core.shell.tls import client_context
from openadr_ven.protocols.oadr3 import BrokerPlace
from openadr_ven.protocols.oadr3.hearing import broker_place
from openadr_ven.transport.broker_ear import BrokerEar
from openadr_vtn.adapters.broker_access import admission
from tests.core.shell.lab import Lab
from tests.vtn.notify.test_mqtt_notifier import MOSQUITTO, VEN_A, VEN_B, Broker, broker

__all__ = ["broker"]
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
MINE, OTHERS = "events/vens/id-a/create", "events/vens/id-b/create"
EVENT = '{"objectType": "EVENT", "operation": "CREATE", "object": {}}'
QUIET_S = 0.3


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


class Hints:
    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._more.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.count < count:
                self._more.clear()
                await self._more.wait()


def place_at(broker: Broker, client_id: str) -> BrokerPlace:
    told = admission(broker.settings, lambda: datetime.now(UTC))(client_id)
    found = broker_place({"URIS": [f"mqtts://localhost:{broker.port}"], "authentication": dict(told)})
    return BrokerPlace(
        host=found.host, port=found.port, ca=found.ca, certificate=found.certificate, key=found.key,
        topics=("events/vens/id-a/+", "vens/id-a/+"),
    )  # fmt: skip


@asynccontextmanager
async def an_ear(lab: Lab, place: BrokerPlace, hints: Hints) -> AsyncIterator[BrokerEar]:
    ear = BrokerEar(
        place=lambda: (place, ""),
        hint=hints,
        context=lambda: client_context("oadr3", None, [lab.trust("ecc")]),
        dice=random.Random(1),
    )
    await ear.start()
    try:
        yield ear
    finally:
        await ear.close()


async def publish(broker: Broker, topic: str, text: str) -> None:
    async with aiomqtt.Client("localhost", broker.port, tls_context=broker.context("openadr-vtn")) as client:
        await client.publish(topic, text, qos=1)


@pytest.mark.openadr3("R10.4")
async def test_it_reads_when_it_has_come_and_whenever_it_is_told(lab: Lab, broker: Broker) -> None:
    hints = Hints()
    async with an_ear(lab, place_at(broker, VEN_A), hints):
        await hints.until(1)  # R10.4: what happened before it listened
        await publish(broker, MINE, EVENT)
        await hints.until(2)
        await publish(broker, MINE, EVENT.replace("objectType", "object_type"))
        await hints.until(3)
        for text in ("nothing", '{"objectType": "REPORT"}', "\x00"):
            await publish(broker, MINE, text)
        await publish(broker, OTHERS, EVENT)
        await asyncio.sleep(QUIET_S)
        assert hints.count == 3


async def test_it_comes_back_to_a_broker_that_was_away_and_reads_first(lab: Lab, broker: Broker) -> None:
    hints = Hints()
    async with an_ear(lab, place_at(broker, VEN_A), hints) as ear:
        await hints.until(1)
        await broker.stop()
        async with asyncio.timeout(20):
            while ear.is_connected:  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0.02)
        await broker.start()
        await hints.until(2)
        await publish(broker, MINE, EVENT)
        await hints.until(3)


async def test_without_the_certificate_that_it_was_given_it_is_not_let_in(lab: Lab, broker: Broker) -> None:
    hints = Hints()
    given = place_at(broker, VEN_B)
    bare = BrokerPlace(host=given.host, port=given.port, ca=given.ca, topics=given.topics)
    async with an_ear(lab, bare, hints) as ear:
        await asyncio.sleep(1.5)
        assert (hints.count, ear.is_connected) == (0, False)
