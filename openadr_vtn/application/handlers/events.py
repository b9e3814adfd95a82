"""Events, as operators write them: each command is one transaction of event, archive, delivery rows and audit."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.errors import Conflict, NotFound
from openadr_core.model.event import DrEvent, EventStatus
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.layout import is_cancelled
from openadr_core.oadr3.messages import EventRequest
from openadr_core.oadr3.names import Operation
from openadr_core.oadr3.placing import starts_now
from openadr_core.oadr3.signals import powers_asked
from openadr_core.oadr3.translate import descriptors_of, event_of
from openadr_vtn.application.handlers.admission import check_admission
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.object_changes import note_events
from openadr_vtn.application.ports import AuditEntry, Store, StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.application.sep2_bridge import call_off, is_news, tell_devices
from openadr_vtn.application.sep2_drafts import NOBODY, Maker
from openadr_vtn.domain.guard_rails import GuardRails, check_guard_rails, check_powers
from openadr_vtn.domain.lifecycle import cancelled, new_event, revised, rewritten

PAGE = 50
NOTE = "note event"
"""The audit trail's word for what people write about an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatKey:
    """What makes a repeated POST one event: the sender's key, and the digest of what it sent under it."""

    key: str
    digest: str


async def create_event(
    store: Store,
    request: EventRequest,
    *,
    actor: str,
    event_id: str,
    rails: GuardRails,
    now: datetime,
    maker: Maker = NOBODY,
    repeat: RepeatKey | None = None,
) -> StoredEvent:
    """The event as it is stored, and owed to every party that it is for.

    InvalidEvent or GuardTripped says why it cannot be; Conflict if its program is not there. A
    repeat is answered with the event that the first one made, and makes none.
    """
    async with store.unit_of_work() as uow:
        if repeat is not None and (known := await _known(uow, actor, repeat)) is not None:
            return known
        event, program = await drafted(uow, request, event_id=event_id, rails=rails, now=now)
        stored = StoredEvent(event=event, document=request.document)
        await uow.events.add(stored)
        await note_events(uow, Operation.CREATE, [stored], now)
        await tell_devices(uow, stored, program, maker=maker, now=now)
        reach = await publish(uow, event, program.program, now)
        await uow.audit.append(_entry(now, actor, "create event", event, reach))
        if repeat is not None:
            await uow.receipts.add(actor, repeat.key, f"{repeat.digest} {event_id}", now)
    return stored


async def drafted(
    uow: UnitOfWork, request: EventRequest, *, event_id: str, rails: GuardRails, now: datetime
) -> tuple[DrEvent, StoredProgram]:
    """The event as it would be stored, once all that may be wrong with it has been looked at."""
    program = await _program(uow, request.program_id)
    event = new_event(_translated(request, program, event_id=event_id, version=0, created_at=now, now=now), now)
    _check_rails(event, request, program, rails)
    await check_admission(uow, event, program.program, now)
    return event, program


async def note_event(store: Store, event_id: str, text: str, *, actor: str, now: datetime) -> AuditEntry:
    """What somebody has to say about an event, kept in the audit trail and shown with it. NotFound if there is none."""
    async with store.unit_of_work() as uow:
        stored = await uow.events.by_id(event_id)
        if stored is None:
            raise NotFound(f"there is no event {event_id}")
        entry = _entry(now, actor, NOTE, stored.event, text)
        await uow.audit.append(entry)
    return entry


async def replace_event(
    store: Store,
    event_id: str,
    request: EventRequest,
    *,
    actor: str,
    rails: GuardRails,
    now: datetime,
    maker: Maker = NOBODY,
) -> StoredEvent:
    """The event at its next version, owed anew; at the one it has, if nothing that parties act on differs.

    Of an event that 2.0b parties were told: WrongState if it is over; InvalidEvent if its past would change, or if
    they cannot be told what it becomes. An event at the beginning of time that lasts no time is called off.
    """
    async with store.unit_of_work() as uow:
        # Nobody is told of it from here on, before it is what it becomes.
        await uow.alone()
        before = await live_event(uow, event_id)
        if request.program_id != before.event.program_id:
            raise Conflict("an event stays in its program: delete it, and write a new one")
        is_told = await _is_told(uow, before.event)
        if is_told and is_cancelled(request.intervals, request.period):
            # User Guide 7.9. Interpretation: 2.0b parties hear a cancel, and to VENs of OpenADR 3 the event is gone.
            called_off = replace(before, document=request.document)
            (stored,) = await cancel_in(uow, [called_off], actor=actor, reason="called off by its times", now=now)
            return stored
        program = await _program(uow, request.program_id)
        # "At once" was settled when the event was first written: to say it again moves nothing.
        said_before = starts_now(decode_event(before.document.encode()))
        at_once = before.event.starts_at if said_before else now
        wanted = _translated(
            request, program, event_id=event_id, version=before.event.version, created_at=before.event.created_at,
            now=at_once,
        )  # fmt: skip
        revise = revised if is_told else rewritten
        event = revise(before.event, wanted, now)
        if event == before.event and is_news(before, request.document, program, maker):
            event = replace(event, version=event.version + 1, modified_at=now)
        if event == before.event:
            return await _reworded(uow, before, request.document, actor=actor, now=now)
        _check_rails(event, request, program, rails)
        await check_admission(uow, event, program.program, now)
        stored = StoredEvent(event=event, document=request.document)
        await uow.events.replace(stored)
        await note_events(uow, Operation.UPDATE, [stored], now)
        await tell_devices(uow, stored, program, maker=maker, now=now)
        reach = await publish(uow, event, program.program, now)
        await uow.audit.append(_entry(now, actor, "replace event", event, reach))
    return stored


async def cancel_events(
    store: Store, event_ids: Iterable[str], *, actor: str, reason: str, now: datetime
) -> list[StoredEvent]:
    """These events, cancelled, all or none; NotFound or WrongState names the one that cannot be."""
    async with store.unit_of_work() as uow:
        before = [await live_event(uow, event_id) for event_id in event_ids]
        return await cancel_in(uow, before, actor=actor, reason=reason, now=now)


async def remove_event(store: Store, event_id: str, *, actor: str, now: datetime) -> StoredEvent:
    """3.1's DELETE: the event, cancelled; one that is over is shown no more. NotFound if there is none."""
    async with store.unit_of_work() as uow:
        before = await live_event(uow, event_id)
        (stored,) = await remove_in(uow, [before], actor=actor, reason="deleted", now=now)
    return stored


async def remove_in(
    uow: UnitOfWork, before: Iterable[StoredEvent], *, actor: str, reason: str, now: datetime
) -> list[StoredEvent]:
    """Remove within a transaction: what can still happen is cancelled, and what has happened stays so."""
    done = []
    for stored in before:
        if stored.event.status_at(now) is EventStatus.COMPLETED:
            await uow.events.remove(stored.event.id, now)
            await uow.fan_outs.end(stored.event.id)
            await uow.audit.append(_entry(now, actor, "remove event", stored.event, reason))
            await note_events(uow, Operation.DELETE, [stored], now)
            done.append(replace(stored, removed_at=now))
        else:
            done += await cancel_in(uow, [stored], actor=actor, reason=reason, now=now)
    return done


async def cancel_in(
    uow: UnitOfWork, before: Iterable[StoredEvent], *, actor: str, reason: str, now: datetime
) -> list[StoredEvent]:
    """Cancel within a transaction, and owe the news."""
    await uow.alone()
    done = []
    for stored in before:
        event = cancelled(stored.event, now)
        after = replace(stored, event=event)
        await uow.events.replace(after)
        await uow.deliveries.owe_cancelled(event.id, event.version, now)
        await call_off(uow, event.id, now)
        await uow.fan_outs.end(event.id)
        await uow.audit.append(_entry(now, actor, "cancel event", event, reason))
        done.append(after)
    await note_events(uow, Operation.DELETE, done, now)
    return done


async def _is_told(uow: UnitOfWork, event: DrEvent) -> bool:
    """Whether anybody who speaks 2.0b was ever owed it."""
    return bool(event.signals) and await uow.deliveries.certified_told(event.id)


def _check_rails(event: DrEvent, request: EventRequest, program: StoredProgram, rails: GuardRails) -> None:
    """What is for OpenADR 3 alone is no less dangerous."""
    check_guard_rails(event, rails)
    descriptors = descriptors_of(decode_program(program.document.encode()), request)
    for payload_type, values_w in powers_asked(request.intervals, descriptors):
        if payload_type not in {signal.id for signal in event.signals}:
            check_powers(payload_type, values_w, rails)


async def _known(uow: UnitOfWork, actor: str, repeat: RepeatKey) -> StoredEvent | None:
    receipt = await uow.receipts.by_key(actor, repeat.key)
    if receipt is None:
        return None
    digest, _, event_id = receipt.partition(" ")
    if digest != repeat.digest:
        raise Conflict("this Idempotency-Key came before, with another body")
    return await uow.events.by_id(event_id)


async def _reworded(uow: UnitOfWork, before: StoredEvent, document: str, *, actor: str, now: datetime) -> StoredEvent:
    """Other words for the same event: kept as they were written, and nothing is owed for them."""
    if document == before.document:
        return before
    stored = StoredEvent(event=replace(before.event, modified_at=now), document=document)
    await uow.events.reword(stored)
    await note_events(uow, Operation.UPDATE, [stored], now)
    await uow.audit.append(_entry(now, actor, "replace event", stored.event, "the same for parties"))
    return stored


async def _program(uow: UnitOfWork, program_id: str) -> StoredProgram:
    program = await uow.programs.by_id(program_id)
    if program is None:
        raise Conflict(f"there is no program {program_id}")
    return program


async def live_event(uow: UnitOfWork, event_id: str) -> StoredEvent:
    """NotFound for one that was cancelled or removed."""
    stored = await uow.events.by_id(event_id)
    if stored is None or stored.event.cancelled_at is not None or stored.removed_at is not None:
        raise NotFound(f"there is no event {event_id}")
    return stored


def _translated(
    request: EventRequest, program: StoredProgram, *, event_id: str, version: int, created_at: datetime, now: datetime
) -> DrEvent:
    return event_of(
        request,
        program.program,
        decode_program(program.document.encode()),
        event_id=event_id,
        version=version,
        created_at=created_at,
        modified_at=now,
        now=now,
    )


def _entry(now: datetime, actor: str, action: str, event: DrEvent, detail: str) -> AuditEntry:
    return AuditEntry(at=now, actor=actor, action=action, subject=event.id, detail=detail)
