"""Stop: every event that runs or is to come ends now. One person is enough, and one transaction does it."""

from collections.abc import Sequence
from datetime import datetime

from openadr_core.errors import NotFound
from openadr_core.model.event import EventStatus
from openadr_vtn.application.handlers.events import cancel_in
from openadr_vtn.application.ports import AuditEntry, Store, StoredEvent

OPEN = {EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE}


async def stop(
    store: Store, *, actor: str, reason: str, now: datetime, event_ids: Sequence[str] | None = None
) -> list[StoredEvent]:
    """The events that were cancelled: all that are open, or those named; an empty list names none.

    NotFound if a named one is none of ours.
    A named event that is over already is no mistake: pressed twice, Stop does no more than once.
    """
    async with store.unit_of_work() as uow:
        current = await uow.events.current(now)
        if event_ids is not None:
            known = {stored.event.id: stored for stored in await uow.events.by_ids(event_ids)}
            if missing := [event_id for event_id in event_ids if event_id not in known]:
                raise NotFound(f"there is no event {', '.join(missing)}")
            current = [known[event_id] for event_id in dict.fromkeys(event_ids)]
        open_events = [stored for stored in current if stored.event.status_at(now) in OPEN]
        stopped = await cancel_in(uow, open_events, actor=actor, reason=reason, now=now)
        named = " ".join(stored.event.id for stored in stopped)
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="stop", subject=named, detail=reason))
    return stopped
