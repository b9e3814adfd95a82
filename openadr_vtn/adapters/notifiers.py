"""Everything that tells the clients of OpenADR 3 what happened, put together from the settings."""

import random
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
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.ports import Store, Witness
from openadr_vtn.application.reads import Reads
from openadr_vtn.domain.notification import RetryRules
from openadr_vtn.settings import MqttSettings, WebhookSettings

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
            carrier=self.callbacks,
            rules=RetryRules(attempts_max=webhooks.attempts_max, longest=timedelta(seconds=webhooks.retry_max_s)),
            now=now,
            holder=uuid4().hex,
            witness=witness,
            dice=random.Random(),  # noqa: S311  # jitter, no secrets
            at_once=webhooks.at_once,
            broker_too=mqtt is not None,
        )

        self.reads = Reads(store, now, self.sender.poke)
        self.broker = (
            None
            if mqtt is None
            else Broker(publisher=mqtt.client_id, uris=mqtt.told_uris, admission=admission(mqtt, now))
        )
        self.publisher = (
            None if mqtt is None else MqttNotifier(store=store, address=_address(mqtt), now=now, holder=uuid4().hex)
        )

    def start(self) -> None:
        self.sender.start()
        if self.publisher is not None:
            self.publisher.start()

    async def close(self) -> None:
        if self.publisher is not None:
            await self.publisher.close()
        await self.sender.close()
        await self._outbound.close()

    async def forget(self) -> None:
        """Drop what happened long ago, and who was told of it."""
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
