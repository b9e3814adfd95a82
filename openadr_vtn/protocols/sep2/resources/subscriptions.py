"""Subscription: who asks to be told of changes, held under the subscriber's own device (1.6)."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from openadr_core.errors import Forbidden
from openadr_core.sep2 import subscriptions as messages
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.domain.sep2.subscribing import Subscription, watched
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, HttpRefusal, Query, Reply, created
from openadr_vtn.protocols.sep2.scene import Scene

XML = 0
"""Subscription.encoding; the other is EXI, which is not spoken here."""
LEVELS = frozenset({"+S1", "-S1"})
HELD_MAX = 50_000
"""Of one subscriber: an aggregator watches some lists of each of its devices."""
GuardUri = Callable[[str], None]
"""Forbidden for an address that notifications must not be sent to."""


async def subscriptions(scene: Scene, number: str) -> Reply:
    holder = await _holder(scene, number)
    limit = min(scene.query.limit, 500)
    page = await scene.uow.sep2_subscriptions.held(holder.number, skip=scene.query.start, limit=limit) if limit else []
    message = messages.SubscriptionList(
        href=scene.href(f"/edev/{number}/sub"), poll_rate=await scene.rate("SubscriptionList", holder),
        all=await scene.uow.sep2_subscriptions.count_held(holder.number), results=len(page),
        subscription=tuple(_message(scene, one) for one in page),
    )  # fmt: skip
    return Reply(message=message)


async def subscription(scene: Scene, number: str, which: str) -> Reply:
    return Reply(message=_message(scene, await _one(scene, number, which)))


async def subscribe(scene: Scene, number: str) -> Reply:
    """A new one, or the same one for another while (204 and the address that it has)."""
    holder = await _holder(scene, number)
    wanted = await _wanted(scene, holder, scene.message(messages.Subscription))
    if await scene.uow.sep2_subscriptions.count_held(holder.number) >= HELD_MAX:
        raise HttpRefusal(400, reason=ErrorReason.RESOURCE_LIMIT)
    kept, is_new = await scene.uow.sep2_subscriptions.keep(wanted)
    location = scene.href(f"/edev/{number}/sub/{kept}")
    return created(location) if is_new else Reply(status=204, location=location)


async def change_subscription(scene: Scene, number: str, which: str) -> Reply:
    before = await _one(scene, number, which)
    wanted = await _wanted(scene, await _holder(scene, number), scene.message(messages.Subscription))
    await scene.uow.sep2_subscriptions.replace(replace(wanted, id=before.id))
    return Reply(status=204)


async def unsubscribe(scene: Scene, number: str, which: str) -> Reply:
    await scene.uow.sep2_subscriptions.remove((await _one(scene, number, which)).id)
    return Reply(status=204)


async def _holder(scene: Scene, number: str) -> EndDevice:
    """The subscriber itself: an aggregator asks for all its devices under its own (1.7)."""
    found = await scene.device(number)
    if not scene.is_own(found):
        raise HttpRefusal(404)
    return found


async def _one(scene: Scene, number: str, which: str) -> Subscription:
    holder = await _holder(scene, number)
    found = await scene.uow.sep2_subscriptions.by_id(int(which))
    if found is None or found.holder != holder.number:
        raise HttpRefusal(404)
    return found


async def _wanted(scene: Scene, holder: EndDevice, message: messages.Subscription) -> Subscription:
    """What was asked for, if it is something that we can do."""
    if message.condition is not None:
        raise HttpRefusal(400, reason=ErrorReason.NO_CONDITIONS)
    if message.encoding != XML or message.level not in LEVELS:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    try:
        scene.desk.guard_uri(message.notification_uri)
    except Forbidden:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES) from None
    aggregator = await scene.uow.registry.aggregator(scene.party.id)
    if aggregator is not None and not aggregator.may_be_told_at(urlsplit(message.notification_uri).hostname or ""):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    # A query says how a list is read, and nothing of what is subscribed to: it is taken off.
    path = urlsplit(message.subscribed_resource).path
    local = path.removeprefix(scene.speech.prefix)
    resource = watched(local) if path.startswith(scene.speech.prefix) else None
    if resource is None:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    try:
        await scene.look(replace(scene, query=Query(limit=0)), local)
    except HttpRefusal:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES) from None
    return Subscription(
        id=0, holder=holder.number, party_id=scene.party.id, prefix=scene.speech.prefix, resource=local,
        watched=resource, notification_uri=message.notification_uri, limit=message.limit, level=message.level,
        renewed_at=scene.now,
    )  # fmt: skip


def _message(scene: Scene, one: Subscription) -> messages.Subscription:
    return messages.Subscription(
        href=scene.href(f"/edev/{one.holder}/sub/{one.id}"), subscribed_resource=f"{one.prefix}{one.resource}",
        encoding=XML, level=one.level, limit=one.limit, notification_uri=one.notification_uri,
    )  # fmt: skip
