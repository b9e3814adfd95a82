"""Being told of changes by the server itself (Subscription and Notification), with polls going on behind it.

A notification is a hint: it makes us read again what has changed, and nothing in it is acted on. So who could
forge one could make us poll, once a second at most, and no more.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

from openadr_core.errors import OpenAdrError
from openadr_core.exchange import Request, Response
from openadr_core.sep2.devices import EndDevice
from openadr_core.sep2.subscriptions import Notification, Subscription
from openadr_core.xml.parse import parse
from openadr_ven.domain.indications import VtnRefused
from openadr_ven.protocols.sep2.calls import Call, Refusal, Script, Speech

RENEWED_EVERY = timedelta(hours=20)
"""CSIP wants it within a day."""
TRIED_AGAIN_AFTER = timedelta(hours=1)
"""Where the server would not have it, or has ended it."""
NO_ITEMS = 0
"""How much of the resource a notification is to bring: it is read anyway."""
XML, LEVEL = 0, "+S1"
CANCELLED = 1
"""Notification.status; all others say that the resource has changed, moved or gone, which a poll finds out."""


class Subscribing:
    def __init__(self, uri: str) -> None:
        """``uri``: where we are told; empty: nowhere."""
        self._uri = uri
        self._wanted: tuple[str, ...] = ()
        self._next_at: dict[str, datetime] = {}
        """By resource: when it is to be subscribed to again."""
        self._asked = ""
        """The resource that the script under way subscribes to."""

    def want(self, resources: Sequence[str]) -> None:
        """Everything that the last walks found, and that can be subscribed to."""
        self._wanted = tuple(dict.fromkeys(resources)) if self._uri else ()
        self._next_at = {resource: at for resource, at in self._next_at.items() if resource in self._wanted}

    def next_at(self, now: datetime) -> datetime | None:
        """When there is something to subscribe to; None for never."""
        return min((self._next_at.get(resource, now) for resource in self._wanted), default=None)

    def next_script(self, own: EndDevice, now: datetime) -> Script[str] | None:
        due = (resource for resource in self._wanted if self._next_at.get(resource, now) <= now)
        resource = next(due, None)
        if resource is None or own.subscription_list_link is None:
            self._wanted = self._wanted if own.subscription_list_link is not None else ()
            return None
        self._asked = resource
        wish = Subscription(
            subscribed_resource=resource, encoding=XML, level=LEVEL, limit=NO_ITEMS, notification_uri=self._uri
        )
        return _subscribe(own.subscription_list_link.href, wish)

    def finished(self, now: datetime) -> None:
        self._next_at[self._asked] = now + RENEWED_EVERY

    def refused(self, refusal: Refusal, now: datetime) -> VtnRefused:
        self._next_at[self._asked] = now + TRIED_AGAIN_AFTER
        return VtnRefused(what=f"subscription to {self._asked}", code=str(refusal.status), description=str(refusal))

    def heard(self, request: Request, path: str, speech: Speech, now: datetime) -> tuple[Response, str]:
        """The answer to whoever speaks at our address, and the resource that has changed; empty where none has.

        ``path`` is that of our address. It is nobody's business but the server's.
        """
        if not self._uri or not hmac.compare_digest(request.path.encode(), path.encode()):
            return Response(status=HTTPStatus.NOT_FOUND), ""
        if request.method != "POST":
            return Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "POST"}), ""
        try:
            told = speech.understood(parse(request.body))
        except OpenAdrError:
            told = None
        if not isinstance(told, Notification):
            return Response(status=HTTPStatus.BAD_REQUEST), ""
        if told.status == CANCELLED and told.subscribed_resource in self._wanted:
            self._next_at[told.subscribed_resource] = now + TRIED_AGAIN_AFTER
        return Response(status=HTTPStatus.NO_CONTENT), told.subscribed_resource


def _subscribe(href: str, wish: Subscription) -> Script[str]:
    location: str = yield Call(method="POST", href=href, message=wish)
    return location
