"""Programs, as operators write them."""

from dataclasses import replace
from datetime import datetime

from openadr_core.errors import Conflict, NotFound
from openadr_core.model.program import Program
from openadr_core.oadr3.messages import ProgramRequest
from openadr_core.oadr3.names import Operation
from openadr_core.oadr3.translate import program_of
from openadr_vtn.application.handlers.events import remove_in
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.oadr3_ports import EventFilter, Page
from openadr_vtn.application.object_changes import note_program
from openadr_vtn.application.ports import AuditEntry, Store, StoredProgram, UnitOfWork
from openadr_vtn.application.sep2_audience import gather_anew


async def create_program(
    store: Store, request: ProgramRequest, *, actor: str, program_id: str, now: datetime
) -> StoredProgram:
    """Conflict if another program has its name or its market context."""
    stored = StoredProgram(
        program=program_of(request, program_id), document=request.document, created_at=now, modified_at=now
    )
    async with store.unit_of_work() as uow:
        await _refuse_twins(uow, stored.program)
        await uow.programs.add(stored)
        await note_program(uow, Operation.CREATE, stored, now)
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="create program", subject=program_id))
    return stored


async def replace_program(
    store: Store, program_id: str, request: ProgramRequest, *, actor: str, now: datetime
) -> StoredProgram:
    """Its events stay as they are; whom they are for follows the program's targets."""
    async with store.unit_of_work() as uow:
        before = await uow.programs.by_id(program_id)
        if before is None:
            raise NotFound(f"there is no program {program_id}")
        stored = replace(
            before,
            program=program_of(request, program_id, before=before.program),
            document=request.document,
            modified_at=now,
        )
        await _refuse_twins(uow, stored.program)
        await uow.programs.replace(stored)
        await note_program(uow, Operation.UPDATE, stored, now)
        if stored.program.targets != before.program.targets:
            await gather_anew(uow)
            for current in await uow.events.current(now):
                if current.event.program_id == program_id:
                    await publish(uow, current.event, stored.program, now)
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="replace program", subject=program_id))
    return stored


async def remove_program(store: Store, program_id: str, *, actor: str, now: datetime) -> StoredProgram:
    """The program and its events, which are cancelled with it; what was asked of parties and what they did is kept."""
    async with store.unit_of_work() as uow:
        stored = await uow.programs.by_id(program_id)
        if stored is None:
            raise NotFound(f"there is no program {program_id}")
        of_it = EventFilter(program_id=program_id)
        while page := await uow.events.page(of_it, Page()):
            await remove_in(uow, page, actor=actor, reason=f"program {stored.program.name} removed", now=now)
        await uow.programs.remove(program_id, now)
        await note_program(uow, Operation.DELETE, stored, now)
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="remove program", subject=program_id))
    return stored


async def _refuse_twins(uow: UnitOfWork, program: Program) -> None:
    """Names are for people and market contexts for parties: each names one program."""
    for other in (stored.program for stored in await uow.programs.all()):
        if other.id != program.id and other.name == program.name:
            raise Conflict(f"there is a program called {program.name} already")
        if other.id != program.id and other.market_context == program.market_context:
            raise Conflict(f"program {other.name} has the market context {program.market_context} already")
