"""READ, which OpenADR 3.1 lets webhooks ask for: that objects were read is noted while anybody watches for it.

Interpretation: an object was read when it was sent. An answer that nothing has changed (304) sends none, and what a
write is answered with was not asked for.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.application.object_changes import (
    event_change,
    program_change,
    report_change,
    resource_change,
    subscription_change,
    ven_change,
)
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.domain.object_change import ObjectChange


class Reads:
    def __init__(self, store: Store, now: Callable[[], datetime], noted: Callable[[], None]) -> None:
        """``noted`` is called when there is something to be told: no listener of the store hears of reads."""
        self._store = store
        self._now = now
        self._noted = noted
        self._watched: tuple[str, frozenset[ObjectKind]] = ("", frozenset())

    async def are_watched(self) -> bool:
        """Whether anybody asks to hear of them."""
        return bool(await self._watched_now())

    async def note(self, texts: Iterable[str], reader_id: str) -> None:
        """These objects were sent to a client, as JSON texts. Where nobody watches for it, this costs nothing."""
        watched = await self._watched_now()
        if not watched:
            return
        read = [(ObjectKind(one["objectType"]), str(one["id"])) for one in map(json.loads, texts)]
        wanted = [(kind, object_id) for kind, object_id in read if kind in watched]
        if not wanted:
            return
        now = self._now()
        async with self._store.unit_of_work() as uow:
            found = [await _change(uow, kind, object_id, now) for kind, object_id in wanted]
            changes = [replace(change, reader_id=reader_id) for change in found if change is not None]
            await uow.object_changes.record(changes)
        self._noted()

    async def _watched_now(self) -> frozenset[ObjectKind]:
        """What is watched for READ, looked at again when a subscription was written."""
        revision = self._store.revision([ObjectKind.SUBSCRIPTION])
        if revision != self._watched[0]:
            async with self._store.view() as view:
                self._watched = revision, frozenset(await view.subscriptions.watched(Operation.READ))
        return self._watched[1]


async def _change(uow: UnitOfWork, kind: ObjectKind, object_id: str, now: datetime) -> ObjectChange | None:
    """The object as it is, whole; None if it is gone, or is only derived from what 2.0b parties measured."""
    if kind is ObjectKind.PROGRAM:
        program = await uow.programs.by_id(object_id)
        return None if program is None else program_change(Operation.READ, program, now)
    if kind is ObjectKind.EVENT:
        event = await uow.events.by_id(object_id)
        return None if event is None else event_change(Operation.READ, event, now)
    if kind is ObjectKind.SUBSCRIPTION:
        subscription = await uow.subscriptions.by_id(object_id)
        return None if subscription is None else subscription_change(Operation.READ, subscription, now)
    if kind is ObjectKind.REPORT:
        report = await uow.report_objects.by_id(object_id)
        about = None if report is None else await uow.events.by_id(report.event_id)
        if report is None or about is None:
            return None
        return report_change(Operation.READ, report, about.event.program_id, now)
    return await _change_of_ven(uow, kind, object_id, now)


async def _change_of_ven(uow: UnitOfWork, kind: ObjectKind, object_id: str, now: datetime) -> ObjectChange | None:
    if kind is ObjectKind.VEN:
        party = await uow.parties.by_id(object_id)
        return None if party is None else ven_change(Operation.READ, party, now)
    resource = await uow.resources.by_id(object_id)
    owner = None if resource is None else await uow.parties.by_id(resource.party_id)
    return None if resource is None or owner is None else resource_change(Operation.READ, resource, owner, now)
