"""What happens to objects is kept with the write that makes it so, in order, on both databases."""

import json
from datetime import datetime

import pytest

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.handlers.events import cancel_events
from openadr_vtn.application.handlers.programs import remove_program
from openadr_vtn.application.object_changes import event_change, program_change
from tests.vtn.samples import a_program, a_stored_event


async def test_changes_come_back_as_they_were_recorded_and_in_their_order(stocked: SqlStore, now: datetime) -> None:
    program = program_change(Operation.UPDATE, a_program(now), now)
    first, second = (event_change(how, a_stored_event(now), now) for how in (Operation.CREATE, Operation.DELETE))
    async with stocked.unit_of_work() as uow:
        await uow.object_changes.record([first, program, second])
        await uow.object_changes.record([])
    async with stocked.view() as view:
        found = await view.object_changes.of_object(first.object_id)
    assert [(one.kind, one.operation, one.document) for one in found] == [
        (ObjectKind.EVENT, Operation.CREATE, first.document),
        (ObjectKind.EVENT, Operation.DELETE, second.document),
    ]
    assert found[0].number < found[1].number


async def test_what_is_rolled_back_never_happened(stocked: SqlStore, now: datetime) -> None:
    change = program_change(Operation.UPDATE, a_program(now), now)

    async def fail() -> None:
        async with stocked.unit_of_work() as uow:
            await uow.object_changes.record([change])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with stocked.view() as view:
        assert await view.object_changes.of_object(change.object_id) == []


async def test_a_removed_object_is_told_as_it_was_last(stocked: SqlStore, now: datetime) -> None:
    event_id = a_stored_event(now).event.id
    await cancel_events(stocked, [event_id], actor="client:a", reason="", now=now)
    async with stocked.unit_of_work() as uow:
        await uow.programs.add(a_program(now, number=2))
    await remove_program(stocked, "program-2", actor="client:a", now=now)
    async with stocked.view() as view:
        (cancelled,) = await view.object_changes.of_object(event_id)
        (removed,) = await view.object_changes.of_object("program-2")
    assert (cancelled.operation, removed.operation) == (Operation.DELETE, Operation.DELETE)
    assert json.loads(cancelled.document)["id"] == event_id
    assert (removed.program_id, json.loads(removed.document)["objectType"]) == ("program-2", "PROGRAM")
