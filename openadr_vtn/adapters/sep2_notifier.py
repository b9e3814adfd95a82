"""Notifications of IEEE 2030.5 on their way: over mutual TLS, from the outbox to who subscribed."""

import random
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from openadr_core.exchange import Response
from openadr_core.model.party import Party
from openadr_core.shell.outbound import Outbound, OutboundRules, Pin
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.ports import Store, Witness
from openadr_vtn.domain.notification import RetryRules
from openadr_vtn.protocols.sep2.http_rules import MEDIA_TYPE
from openadr_vtn.protocols.sep2.notifying import Sep2Outbox, Sep2Parcel
from openadr_vtn.protocols.sep2.server import Sep2Server
from openadr_vtn.settings import Sep2NotificationSettings

log = structlog.get_logger(__name__)


class Sep2Carrier:
    """To who shows a certificate of the subscriber's, or one of a trusted authority's in the name of the address."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._pins: dict[str, Pin] = {}

    async def carry(self, parcel: Sep2Parcel, _at: datetime) -> Response:
        headers = {"Content-Type": MEDIA_TYPE}
        return await self._outbound.post(parcel.url, parcel.body, headers=headers, pin=self._pin(parcel.party))

    def _pin(self, party: Party) -> Pin:
        """The same one while the certificates are the same: connections are kept by it."""
        pin = self._pins.get(party.id)
        if pin is None or pin.sha256 != party.good_sha256:
            pin = self._pins[party.id] = Pin(party.good_sha256, or_named=True)
        return pin


class Sep2Notifier:
    def __init__(
        self,
        settings: Sep2NotificationSettings,
        store: Store,
        server: Sep2Server,
        context: ssl.SSLContext,
        *,
        now: Callable[[], datetime],
        witness: Witness,
    ) -> None:
        """``context`` shows our own certificate, and leaves it to the pin who may answer."""
        self._store = store
        self._now = now
        self._keep = timedelta(hours=settings.renewed_within_h)
        self._outbound = Outbound(
            rules=rules_of(settings), context=context, timeout_s=settings.timeout_s, connections_max=settings.at_once
        )
        self.sender = WebhookSender(
            store=store,
            outbox=Sep2Outbox(store, server),
            carrier=Sep2Carrier(self._outbound),
            rules=RetryRules(attempts_max=settings.attempts_max, longest=timedelta(seconds=settings.retry_max_s)),
            now=now,
            holder=uuid4().hex,
            witness=witness,
            dice=random.Random(),  # noqa: S311  # jitter, no secrets
            at_once=settings.at_once,
        )

    def start(self) -> None:
        self.sender.start()

    async def close(self) -> None:
        await self.sender.close()
        await self._outbound.close()

    async def forget(self) -> None:
        """Drop subscriptions that nobody has renewed (1.6)."""
        async with self._store.unit_of_work() as uow:
            forgotten = await uow.sep2_subscriptions.forget(int((self._now() - self._keep).timestamp()))
        if forgotten:
            log.info("subscriptions of 2030.5 ran out", subscriptions=forgotten)


def rules_of(settings: Sep2NotificationSettings) -> OutboundRules:
    return OutboundRules(networks=settings.networks, ports=frozenset(settings.ports))
