"""Subscriptions of OpenADR 3.1: whoever writes one has shown that it answers at the address that it names."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from openadr_core.errors import Conflict, NotFound
from openadr_core.limits import SUBSCRIPTIONS_MAX
from openadr_core.oadr3.names import Operation
from openadr_core.oadr3.subscriptions import SubscriptionRequest, Watch
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.notice_ports import SubscriptionFilter
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.object_changes import subscription_change
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.subscription import Subscription

VERBS = {Operation.CREATE: "create", Operation.UPDATE: "replace", Operation.DELETE: "remove"}


class Callbacks(Protocol):
    async def prove(self, watches: Sequence[Watch]) -> None:
        """Have each address say a word of ours back (3.1's echo); RuleBroken names one that does not."""


async def create_subscription(
    store: Store,
    request: SubscriptionRequest,
    *,
    viewer: Viewer,
    callbacks: Callbacks,
    subscription_id: str,
    secret: str,
    now: datetime,
) -> Subscription:
    """Conflict if its program is not there, or a VEN has too many; RuleBroken if an address does not answer.

    Nothing is stored then.
    """
    await _refuse_too_many(store, viewer)
    await _before(store, request, viewer, callbacks)
    subscription = Subscription(
        id=subscription_id,
        client_id=viewer.client_id,
        is_business=viewer.is_business,
        client_name=request.client_name,
        watches=request.watches,
        document=request.document,
        secret=secret,
        created_at=now,
        modified_at=now,
        program_id=request.program_id,
        targets=request.targets,
    )
    async with store.unit_of_work() as uow:
        await uow.subscriptions.add(subscription)
        await _noted(uow, Operation.CREATE, subscription, viewer, now)
    return subscription


async def replace_subscription(
    store: Store,
    subscription_id: str,
    request: SubscriptionRequest,
    *,
    viewer: Viewer,
    callbacks: Callbacks,
    now: datetime,
) -> Subscription:
    """It stays its client's, under the secret that it has; what waits for it goes to the new address.

    NotFound if it is not there or is another's. The addresses are asked again, also those that stay.
    """
    await subscription_by_id(store, subscription_id, viewer=viewer)
    await _before(store, request, viewer, callbacks)
    async with store.unit_of_work() as uow:
        before = await _own(uow, subscription_id, viewer)
        after = replace(
            before,
            client_name=request.client_name,
            watches=request.watches,
            document=request.document,
            modified_at=now,
            program_id=request.program_id,
            targets=request.targets,
        )
        await uow.subscriptions.replace(after)
        await _noted(uow, Operation.UPDATE, after, viewer, now)
    return after


async def remove_subscription(store: Store, subscription_id: str, *, viewer: Viewer, now: datetime) -> Subscription:
    """With all that waits for it. NotFound if it is not there or is another's."""
    async with store.unit_of_work() as uow:
        subscription = await _own(uow, subscription_id, viewer)
        await uow.subscriptions.remove(subscription_id)
        await _noted(uow, Operation.DELETE, subscription, viewer, now)
    return subscription


async def subscription_by_id(store: Store, subscription_id: str, *, viewer: Viewer) -> Subscription:
    async with store.view() as view:
        return await _own(view, subscription_id, viewer)


async def subscriptions(store: Store, of: SubscriptionFilter, page: Page, *, viewer: Viewer) -> Listed[Subscription]:
    """Those that the viewer may see."""
    if not viewer.is_business:
        of = replace(of, client_id=viewer.client_id)
    async with store.view() as view:
        return Listed(items=await view.subscriptions.page(of, page), total=await view.subscriptions.count(of))


async def _refuse_too_many(store: Store, viewer: Viewer) -> None:
    """Before anybody is asked for an echo; a few that are written at the same moment may pass together."""
    if viewer.is_business:
        return
    async with store.view() as view:
        if await view.subscriptions.count(SubscriptionFilter(client_id=viewer.client_id)) >= SUBSCRIPTIONS_MAX:
            raise Conflict(f"there are {SUBSCRIPTIONS_MAX} subscriptions of this client already")


async def _before(store: Store, request: SubscriptionRequest, viewer: Viewer, callbacks: Callbacks) -> None:
    """What must hold before one is written; strangers are asked outside of any transaction."""
    if request.program_id is not None:
        async with store.view() as view:
            program = await view.programs.by_id(request.program_id)
        if program is None or not viewer.sight_of_one.sees(program.program.targets):
            raise Conflict(f"there is no program {request.program_id}")
    await callbacks.prove(request.watches)


async def _own(uow: UnitOfWork, subscription_id: str, viewer: Viewer) -> Subscription:
    found = await uow.subscriptions.by_id(subscription_id)
    if found is None or not (viewer.is_business or found.client_id == viewer.client_id):
        raise NotFound(f"there is no subscription {subscription_id}")
    return found


async def _noted(
    uow: UnitOfWork, operation: Operation, subscription: Subscription, viewer: Viewer, now: datetime
) -> None:
    await uow.object_changes.record([subscription_change(operation, subscription, now)])
    action = f"{VERBS[operation]} subscription"
    await uow.audit.append(AuditEntry(at=now, actor=viewer.actor, action=action, subject=subscription.id))
