"""Changes reach a real Mosquitto over TLS, each on its topics, and the broker's rights are the API's (R10.3)."""

import asyncio
import getpass
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.broker_access import admission
from openadr_vtn.adapters.mqtt_notifier import BrokerAddress, MqttNotifier
from openadr_vtn.adapters.notifiers import Notifiers
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.object_changes import event_change, program_change
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.topics import access_list
from openadr_vtn.settings import CertificateSettings, MqttSettings, WebhookSettings
from tests.core.shell.lab import Lab
from tests.vtn.samples import a_party, a_program, a_stored_event

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
CHIEF, VEN_A, VEN_B = "chief", "client-a", "client-b"
QUIET_S = 0.5


@dataclass(slots=True)
class Broker:
    """Mosquitto, with client certificates and our access list; it can be stopped and started again."""

    lab: Lab
    folder: Path
    port: int
    child: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> MqttSettings:
        issuing = self.lab.authority("ecc")
        files = self.lab.write("issuing", issuing.certificate_pem, issuing.key_pem)
        return MqttSettings(
            url=f"mqtts://localhost:{self.port}", trust=(self.lab.trust("ecc"),), authentication="CERTIFICATE",
            client_authority=CertificateSettings(certificate=files.certificate, key=files.key),
        )  # fmt: skip

    async def start(self) -> None:
        assert MOSQUITTO
        chain, trust = self.lab.chain("openadr-ecc-vtn"), self.lab.trust("ecc")
        (self.folder / "acl").write_text(access_list("openadr-vtn", [CHIEF], {VEN_A: "id-a", VEN_B: "id-b"}))
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\ncafile {trust}\ncertfile {chain.certificate}\nkeyfile {chain.key}\n"
            f"require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
            f"acl_file {self.folder / 'acl'}\nuser {getpass.getuser()}\n"
        )
        self.child = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", str(configuration))
        async with asyncio.timeout(20):
            while not await self.answers():  # noqa: ASYNC110  # another process, which tells of nothing
                await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self) -> None:
        if self.child is not None:
            self.child.kill()
            await self.child.wait()
            self.child = None

    def context(self, client_id: str) -> ssl.SSLContext:
        """What the client makes of what ``/notifiers`` tells it."""
        told = admission(self.settings, lambda: datetime.now(UTC))(client_id)
        chain = self.lab.write(f"mqtt-{client_id}", told["clientCert"].encode(), told["clientKey"].encode())
        trust = self.folder / "told-root.pem"
        trust.write_text(told["caCert"])
        return client_context("oadr3", chain, [trust])

    @asynccontextmanager
    async def listening(self, client_id: str, *filters: str) -> AsyncIterator[aiomqtt.Client]:
        async with aiomqtt.Client(
            "localhost", self.port, identifier=f"test-{client_id}", tls_context=self.context(client_id)
        ) as client:
            for one in filters:
                await client.subscribe(one, qos=1)
            yield client

    def notifier(self, store: SqlStore) -> MqttNotifier:
        address = BrokerAddress(
            host="localhost", port=self.port, tls=self.context("openadr-vtn"), client_id="openadr-vtn", timeout_s=3.0
        )
        return MqttNotifier(store=store, address=address, now=lambda: datetime.now(UTC), holder="test")


@pytest.fixture
async def broker(lab: Lab, tmp_path: Path) -> AsyncIterator[Broker]:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    broker = Broker(lab, tmp_path, port)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def store(tmp_path: Path, now: datetime) -> AsyncIterator[SqlStore]:
    """Two vens: one was granted the zone of the program, the other was not."""
    url = f"sqlite:///{tmp_path / 'vtn.db'}"
    await migrate(url)
    store = await open_store(url)
    async with store.unit_of_work() as uow:
        await uow.parties.add(replace(a_party(now, "a"), client_id=VEN_A, targets=("zone-a",)))
        await uow.parties.add(replace(a_party(now, "b"), client_id=VEN_B, targets=("zone-b",)))
        await uow.programs.add(a_program(now))
    yield store
    await store.close()


async def record(store: SqlStore, *changes: ObjectChange) -> None:
    async with store.unit_of_work() as uow:
        await uow.object_changes.record(changes)


async def heard(client: aiomqtt.Client, count: int) -> list[tuple[str, Mapping[str, Any]]]:
    found = []
    async with asyncio.timeout(20):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            found.append((message.topic.value, json.loads(message.payload)))
            if len(found) == count:
                break
    return found


async def hears_nothing(client: aiomqtt.Client) -> bool:
    try:
        async with asyncio.timeout(QUIET_S):
            await anext(aiter(client.messages))
    except TimeoutError:
        return True
    return False


async def unpublished(store: SqlStore) -> int:
    async with store.view() as view:
        return len(await view.object_changes.unpublished(99))


@pytest.mark.openadr3("R5.6", "R10.3", "U1")
async def test_each_hears_what_the_api_would_show_it(broker: Broker, store: SqlStore, now: datetime) -> None:
    program = program_change(Operation.CREATE, a_program(now), now)
    open_to_all = replace(event_change(Operation.UPDATE, a_stored_event(now), now), targets=())
    written = json.dumps({**json.loads(program.document), "targets": ["zone-a", "zone-c"]})
    await record(store, replace(program, targets=("zone-a", "zone-c"), document=written), open_to_all)
    async with (
        broker.listening(CHIEF, "programs/#", "events/#") as chief,
        broker.listening(VEN_A, "programs/vens/id-a/+", "events/vens/id-a/+") as ven_a,
        broker.listening(VEN_B, "programs/vens/id-b/+", "events/vens/id-b/+") as ven_b,
    ):
        notifier = broker.notifier(store)
        notifier.start()
        told = await heard(chief, 6)
        assert sorted(topic for topic, _ in told) == sorted(
            [
                "programs/create", "programs/vens/id-a/create", f"events/programs/{open_to_all.program_id}/update",
                "events/update", "events/vens/id-a/update", "events/vens/id-b/update",
            ]
        )  # fmt: skip
        by_topic = dict(told)
        assert by_topic["programs/create"]["targets"] == ["zone-a", "zone-c"]
        own = dict(await heard(ven_a, 2))
        assert own["programs/vens/id-a/create"]["targets"] == ["zone-a"]
        assert own["programs/vens/id-a/create"]["operation"] == "CREATE"
        assert [topic for topic, _ in await heard(ven_b, 1)] == ["events/vens/id-b/update"]
        assert await hears_nothing(ven_b)
        await notifier.close()
    assert await unpublished(store) == 0


@pytest.mark.openadr3("R10.3", "R10.5")
async def test_a_ven_cannot_listen_to_anothers_topics_nor_speak_on_any(
    broker: Broker, store: SqlStore, now: datetime
) -> None:
    everything = ("#", "events/#", "events/+", "programs/vens/id-a/+", "vens/id-a/+", "+/vens/+/+")
    async with (
        broker.listening(VEN_B, *everything) as ven_b,
        broker.listening(CHIEF, "programs/#") as chief,
    ):
        await ven_b.publish("programs/create", b"forged", qos=1)
        await chief.publish("programs/create", b"forged", qos=1)
        await record(store, program_change(Operation.CREATE, a_program(now), now))
        notifier = broker.notifier(store)
        notifier.start()
        told = await heard(chief, 2)
        assert {said["operation"] for _, said in told} == {"CREATE"}, "what was forged reached nobody"
        assert await hears_nothing(ven_b)
        await notifier.close()


async def test_without_a_certificate_of_ours_nobody_is_let_in(broker: Broker, lab: Lab) -> None:
    nameless = client_context("oadr3", None, [lab.trust("ecc")])

    async def enter() -> None:
        async with aiomqtt.Client("localhost", broker.port, tls_context=nameless, timeout=1):
            pass

    with pytest.raises(aiomqtt.MqttError):
        await enter()


async def test_what_the_broker_has_not_acknowledged_is_published_when_it_is_back(
    broker: Broker, store: SqlStore, now: datetime
) -> None:
    """Scenario R5: the queue grows in the store while the broker is down, and drains in order."""
    await broker.stop()
    notifier = broker.notifier(store)
    notifier.start()
    for operation in (Operation.CREATE, Operation.UPDATE, Operation.DELETE):
        await record(store, program_change(operation, a_program(now), now))
    await asyncio.sleep(0.2)
    assert await unpublished(store) == 3
    await broker.start()
    async with broker.listening(CHIEF, "programs/+") as chief:
        told = await heard(chief, 3)
    assert [topic for topic, _ in told] == ["programs/create", "programs/update", "programs/delete"]
    await notifier.close()


async def test_a_change_is_told_as_soon_as_it_is_committed(broker: Broker, store: SqlStore, now: datetime) -> None:
    notifier = broker.notifier(store)
    notifier.start()
    async with broker.listening(CHIEF, "events/+") as chief:
        async with store.unit_of_work() as uow:
            await uow.events.add(a_stored_event(now))
            await uow.object_changes.record([event_change(Operation.CREATE, a_stored_event(now), now)])
        ((topic, said),) = await heard(chief, 1)
    assert (topic, said["objectType"]) == ("events/create", ObjectKind.EVENT)
    await notifier.close()


async def test_what_settings_say_is_put_together_and_works(broker: Broker, store: SqlStore, now: datetime) -> None:
    settings = broker.settings
    told = admission(settings, lambda: datetime.now(UTC))("openadr-vtn")
    chain = broker.lab.write("publisher", told["clientCert"].encode(), told["clientKey"].encode())
    ours = CertificateSettings(certificate=chain.certificate, key=chain.key)
    settings = settings.model_copy(update={"certificate": ours, "uris": ("mqtts://public.example:8883",)})
    notifiers = Notifiers(
        WebhookSettings(), settings, store, now=lambda: datetime.now(UTC), witness=lambda _notice: None
    )  # fmt: skip
    assert notifiers.broker is not None
    assert (notifiers.broker.publisher, notifiers.broker.uris) == ("openadr-vtn", ("mqtts://public.example:8883",))
    notifiers.start()
    async with broker.listening(CHIEF, "programs/+") as chief:
        await record(store, program_change(Operation.CREATE, a_program(now), now))
        assert [topic for topic, _ in await heard(chief, 1)] == ["programs/create"]
    async with asyncio.timeout(20):
        while await unpublished(store):  # noqa: ASYNC110  # the store tells of no mark
            await asyncio.sleep(0.05)
    await notifiers.close()
