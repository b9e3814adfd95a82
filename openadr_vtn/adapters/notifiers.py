"""Everything that tells clients what happened, put together from the settings."""

import random
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import structlog

from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import Chain, client_context
from openadr_vtn.adapters.broker_access import admission
from openadr_vtn.adapters.callbacks import Webhooks
from openadr_vtn.adapters.mqtt_notifier import BrokerAddress, MqttNotifier
from openadr_vtn.adapters.sep2_notifier import Sep2Notifier
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.ports import Store, Witness
from openadr_vtn.application.reads import Reads
from openadr_vtn.application.spreading import WebhookOutbox
from openadr_vtn.domain.notification import RetryRules
from openadr_vtn.protocols.sep2 import Sep2Server
from openadr_vtn.settings import MqttSettings, Sep2NotificationSettings, WebhookSettings

MQTTS_PORT = 8883

log = structlog.get_logger(__name__)


class Notifiers:
    """ConfigError names a file that cannot be used."""

    def __init__(
        self,
        webhooks: WebhookSettings,
        mqtt: MqttSettings | None,
        store: Store,
        *,
        now: Callable[[], datetime],
        witness: Witness,
    ) -> None:
        self._store = store
        self._now = now
        self._keep = timedelta(days=webhooks.keep_days)
        self._outbound = Outbound(
            rules=OutboundRules(networks=webhooks.networks, ports=frozenset(webhooks.ports)),
            context=client_context("oadr3", None, webhooks.trust, public=True),
            timeout_s=webhooks.timeout_s,
            connections_max=webhooks.at_once,
        )
        self.callbacks = Webhooks(self._outbound)
        self.sender = WebhookSender(
            store=store,
            outbox=WebhookOutbox(store, broker_too=mqtt is not None),
            carrier=self.callbacks,
            rules=RetryRules(attempts_max=webhooks.attempts_max, longest=timedelta(seconds=webhooks.retry_max_s)),
            now=now,
            holder=uuid4().hex,
            witness=witness,
            dice=random.Random(),  # noqa: S311  # jitter, no secrets
            at_once=webhooks.at_once,
        )

        self.reads = Reads(store, now, self.sender.poke)
        self.broker = (
            None
            if mqtt is None
            else Broker(publisher=mqtt.client_id, uris=mqtt.told_uris, admission=admission(mqtt, now))
        )
        self._witness = witness
        self._sep2: Sep2Notifier | None = None
        self.publisher = (
            None if mqtt is None else MqttNotifier(store=store, address=_address(mqtt), now=now, holder=uuid4().hex)
        )

    @property
    def in_flight(self) -> int:
        return self.sender.in_flight + (0 if self._sep2 is None else self._sep2.sender.in_flight)

    def tell_sep2(self, settings: Sep2NotificationSettings, server: Sep2Server, context: ssl.SSLContext | None) -> None:
        """Tell subscribers of IEEE 2030.5 too; ``context`` shows our own certificate."""
        if context is not None:
            self._sep2 = Sep2Notifier(settings, self._store, server, context, now=self._now, witness=self._witness)

    def start(self) -> None:
        self.sender.start()
        if self.publisher is not None:
            self.publisher.start()
        if self._sep2 is not None:
            self._sep2.start()

    async def close(self) -> None:
        if self._sep2 is not None:
            await self._sep2.close()
        if self.publisher is not None:
            await self.publisher.close()
        await self.sender.close()
        await self._outbound.close()

    async def forget(self) -> None:
        """Drop what happened long ago, and who was told of it."""
        if self._sep2 is not None:
            await self._sep2.forget()
        async with self._store.unit_of_work() as uow:
            forgotten = await uow.object_changes.forget(self._now() - self._keep)
        if forgotten:
            log.info("changes forgotten", changes=forgotten)


def _address(mqtt: MqttSettings) -> BrokerAddress:
    parts, ours = urlsplit(mqtt.url), mqtt.certificate
    chain = None if ours is None else Chain(certificate=ours.certificate, key=ours.key)
    return BrokerAddress(
        host=parts.hostname or "",
        port=parts.port or MQTTS_PORT,
        tls=client_context("oadr3", chain, mqtt.trust, public=True),
        client_id=mqtt.client_id,
        username=mqtt.username,
        password=mqtt.password,
    )
