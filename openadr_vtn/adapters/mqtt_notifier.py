"""Publishes what happened to an MQTT broker, and keeps it until the broker has acknowledged it (QoS 1).

The store is the outbox, as for webhooks: a change is marked once every message of it was acknowledged, so a
process or a broker that dies in between has it published again. One process does it for all that share the store.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiomqtt
import structlog

from openadr_core.errors import StoreError
from openadr_core.limits import BROKER_RETRY_MAX_S, RETRY_FIRST_S
from openadr_core.model.party import PartyState
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.subscriptions import notification_text
from openadr_core.shell.waking import woken
from openadr_vtn.application.ports import Store
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.topics import Hearing, Telling, tellings

DUTY = "publish"
TERM = timedelta(seconds=15)
"""How long after a process has died another one takes over."""
PUBLISHED_TOGETHER = 20
"""Changes that are marked in one commit; so many may be published twice if the process dies."""
IN_FLIGHT_MAX = 500
"""Messages that wait for the broker's acknowledgement together: of one change, so that no topic is out of order."""
LOOKED_EVERY_S = 5.0
"""Should a commit of another process not have been heard of."""
QOS = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    tls: ssl.SSLContext
    client_id: str
    username: str | None = None
    password: str | None = None
    timeout_s: float = 10.0
    """How long the broker may take to accept a connection, and to acknowledge a message."""


class _Connection(aiomqtt.Client):
    """One connection of ours."""

    def __init__(self, address: BrokerAddress) -> None:
        super().__init__(
            address.host,
            address.port,
            identifier=address.client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=address.tls,
            username=address.username,
            password=address.password,
            timeout=address.timeout_s,
            max_inflight_messages=IN_FLIGHT_MAX,
        )
        self.pending_calls_threshold = 2 * IN_FLIGHT_MAX
        # A connection that is idle when it is lost has no waiter, and asyncio would complain of an exception that
        # nobody saw: the next message finds out.
        self._disconnected.add_done_callback(lambda lost: lost.cancelled() or lost.exception())


class MqttNotifier:
    def __init__(self, *, store: Store, address: BrokerAddress, now: Callable[[], datetime], holder: str) -> None:
        """``holder`` names this process among those that share the store."""
        self._store = store
        self._address = address
        self._now = now
        self._holder = holder
        self._poked = asyncio.Event()
        self._vens: tuple[str, Sequence[Hearing]] = ("", ())
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        """Also seen by a task whose cancellation came together with an answer, and was lost (Python 3.11)."""
        self.published = 0
        """Messages that the broker has acknowledged."""
        self.connected = False
        store.subscribe(lambda _whom: self._poked.set())

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="vtn-mqtt-notify")

    async def close(self) -> None:
        """What was not acknowledged and written down is published again by whoever comes next."""
        self._stopping = True
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        pause_s = RETRY_FIRST_S
        while not self._stopping:
            try:
                async with _Connection(self._address) as broker:
                    self.connected, pause_s = True, RETRY_FIRST_S
                    await self._publish(broker)
            except aiomqtt.MqttError as error:
                log.warning("the broker cannot be reached", detail=str(error), again_in_s=pause_s)
            except StoreError as error:
                log.warning("publishing waits for the store", detail=str(error))
            except Exception:
                # An error of ours must not silence us for good: what is to be published is read anew.
                log.exception("publishing failed")
            finally:
                self.connected = False
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, BROKER_RETRY_MAX_S)

    async def _publish(self, broker: aiomqtt.Client) -> None:
        """For as long as the connection holds."""
        while not self._stopping:
            self._poked.clear()
            while not self._stopping and await self._has_duty() and (changes := await self._unpublished()):
                for change in changes:
                    await self._tell(broker, change)
                async with self._store.unit_of_work() as uow:
                    await uow.object_changes.mark_published([change.number for change in changes], self._now())
            await woken(self._poked, LOOKED_EVERY_S)

    async def _has_duty(self) -> bool:
        now = self._now()
        async with self._store.unit_of_work() as uow:
            return await uow.duties.hold(DUTY, self._holder, now=now, until=now + TERM)

    async def _unpublished(self) -> list[ObjectChange]:
        async with self._store.view() as view:
            return await view.object_changes.unpublished(PUBLISHED_TOGETHER)

    async def _tell(self, broker: aiomqtt.Client, change: ObjectChange) -> None:
        """Every message of a change, side by side: they are on different topics."""
        told = tellings(change, await self._hearings())
        bodies: dict[tuple[str, ...] | None, bytes] = {}

        async def tell(one: Telling) -> None:
            if one.targets not in bodies:
                text = notification_text(change.kind, change.operation, change.document, one.targets)
                bodies[one.targets] = text.encode()
            await broker.publish(one.topic, bodies[one.targets], QOS)

        for first in range(0, len(told), IN_FLIGHT_MAX):
            together = told[first : first + IN_FLIGHT_MAX]
            await asyncio.gather(*(tell(one) for one in together))
            self.published += len(together)

    async def _hearings(self) -> Sequence[Hearing]:
        """The vens, read again when a ven or a resource was written."""
        revision = self._store.revision([ObjectKind.VEN, ObjectKind.RESOURCE])
        if revision != self._vens[0]:
            async with self._store.view() as view:
                parties = await view.parties.all(PartyState.APPROVED)
            self._vens = (
                revision,
                [
                    Hearing(ven_id=party.id, client_id=party.client_id, granted=party.granted)
                    for party in parties
                    if party.client_id is not None
                ],
            )
        return self._vens[1]
