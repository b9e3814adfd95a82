"""Everything that tells the clients of OpenADR 3 what happened, put together from the settings."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.callbacks import Webhooks
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.ports import Store, Witness
from openadr_vtn.domain.notification import RetryRules
from openadr_vtn.settings import WebhookSettings

log = structlog.get_logger(__name__)


class Notifiers:
    """ConfigError names a file that cannot be used."""

    def __init__(self, webhooks: WebhookSettings, store: Store, now: Callable[[], datetime], witness: Witness) -> None:
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
            broker_too=False,
        )

    def start(self) -> None:
        self.sender.start()

    async def close(self) -> None:
        await self.sender.close()
        await self._outbound.close()

    async def forget(self) -> None:
        """Drop what happened long ago, and who was told of it."""
        async with self._store.unit_of_work() as uow:
            forgotten = await uow.object_changes.forget(self._now() - self._keep)
        if forgotten:
            log.info("changes forgotten", changes=forgotten)
