"""What an operation on a program or an event leaves in the outbox of notifications."""

from collections.abc import Iterable
from datetime import datetime

from openadr_core.model.target import audience_of
from openadr_core.oadr3.encode import object_text
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.application.ports import StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.domain.object_change import ObjectChange


async def note_program(uow: UnitOfWork, operation: Operation, stored: StoredProgram, now: datetime) -> None:
    await uow.object_changes.record([program_change(operation, stored, now)])


async def note_events(uow: UnitOfWork, operation: Operation, stored: Iterable[StoredEvent], now: datetime) -> None:
    await uow.object_changes.record([event_change(operation, one, now) for one in stored])


def program_change(operation: Operation, stored: StoredProgram, now: datetime) -> ObjectChange:
    program = stored.program
    return ObjectChange(
        kind=ObjectKind.PROGRAM,
        object_id=program.id,
        operation=operation,
        document=object_text(
            ObjectKind.PROGRAM, program.id, stored.created_at, stored.modified_at, stored.document
        ),
        at=now,
        program_id=program.id,
        targets=program.targets,
    )  # fmt: skip


def event_change(operation: Operation, stored: StoredEvent, now: datetime) -> ObjectChange:
    event = stored.event
    return ObjectChange(
        kind=ObjectKind.EVENT,
        object_id=event.id,
        operation=operation,
        document=object_text(ObjectKind.EVENT, event.id, event.created_at, event.modified_at, stored.document),
        at=now,
        program_id=event.program_id,
        targets=audience_of(event.targets),
    )
