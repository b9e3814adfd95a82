"""What an operation on an object leaves in the outbox of notifications."""

from collections.abc import Iterable
from datetime import datetime

from openadr_core.model.party import Party
from openadr_core.model.target import audience_of
from openadr_core.oadr3.encode import client_id_of, object_text, resource_text, ven_text
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import without_tokens
from openadr_vtn.application.oadr3_ports import StoredReport, StoredResource
from openadr_vtn.application.ports import StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Subscription


async def note_program(uow: UnitOfWork, operation: Operation, stored: StoredProgram, now: datetime) -> None:
    await uow.object_changes.record([program_change(operation, stored, now)])


async def note_events(uow: UnitOfWork, operation: Operation, stored: Iterable[StoredEvent], now: datetime) -> None:
    await uow.object_changes.record([event_change(operation, one, now) for one in stored])


async def note_ven(uow: UnitOfWork, operation: Operation, party: Party, now: datetime) -> None:
    await uow.object_changes.record([ven_change(operation, party, now)])


def ven_change(operation: Operation, party: Party, now: datetime) -> ObjectChange:
    return ObjectChange(
        kind=ObjectKind.VEN,
        object_id=party.id,
        operation=operation,
        document=ven_text(party),
        at=now,
        client_id=client_id_of(party),
        targets=party.targets,
    )


async def note_resources(
    uow: UnitOfWork, operation: Operation, stored: Iterable[StoredResource], party: Party, now: datetime
) -> None:
    """Of one party."""
    await uow.object_changes.record([resource_change(operation, one, party, now) for one in stored])


def resource_change(operation: Operation, stored: StoredResource, party: Party, now: datetime) -> ObjectChange:
    return ObjectChange(
        kind=ObjectKind.RESOURCE,
        object_id=stored.id,
        operation=operation,
        document=stored_resource_text(stored, party),
        at=now,
        client_id=client_id_of(party),
        targets=stored.targets,
    )


async def note_report(
    uow: UnitOfWork, operation: Operation, stored: StoredReport, program_id: str, now: datetime
) -> None:
    await uow.object_changes.record([report_change(operation, stored, program_id, now)])


def report_change(operation: Operation, stored: StoredReport, program_id: str, now: datetime) -> ObjectChange:
    return ObjectChange(
        kind=ObjectKind.REPORT,
        object_id=stored.id,
        operation=operation,
        document=stored_report_text(stored),
        at=now,
        program_id=program_id,
        client_id=stored.client_id,
    )


def stored_resource_text(stored: StoredResource, party: Party) -> str:
    return resource_text(
        stored.id, stored.created_at, stored.modified_at, stored.document,
        name=stored.name, targets=stored.targets, party=party,
    )  # fmt: skip


def stored_report_text(stored: StoredReport) -> str:
    return object_text(
        ObjectKind.REPORT, stored.id, stored.created_at, stored.modified_at, stored.document,
        members={"clientID": stored.client_id},
    )  # fmt: skip


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


def subscription_change(operation: Operation, subscription: Subscription, now: datetime) -> ObjectChange:
    """Whoever hears of it hears of no token."""
    return ObjectChange(
        kind=ObjectKind.SUBSCRIPTION,
        object_id=subscription.id,
        operation=operation,
        document=subscription_text(subscription, secrets_too=False),
        at=now,
        program_id=subscription.program_id or "",
        client_id=subscription.client_id,
    )


def subscription_text(subscription: Subscription, *, secrets_too: bool) -> str:
    """The 3.1 object; its tokens are for its own client."""
    document = subscription.document if secrets_too else without_tokens(subscription.document)
    return object_text(
        ObjectKind.SUBSCRIPTION, subscription.id, subscription.created_at, subscription.modified_at, document,
        members={"clientID": subscription.client_id},
    )  # fmt: skip
