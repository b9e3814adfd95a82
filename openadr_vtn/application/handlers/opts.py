"""What parties answer to events: stored, every time it changes."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import OutOfSequence, RemoteProtocolError, UnknownReference
from openadr_core.model.opt import Opt
from openadr_vtn.application.ports import AuditEntry, UnitOfWork
from openadr_vtn.domain.delivery import Key, Mailbox, answered

COMPLAINT = "events not understood"


async def answer_events(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, opts: Sequence[Opt], now: datetime
) -> tuple[list[RemoteProtocolError | None], Mailbox]:
    """Store each answer to a version that was owed to the party; what is wrong with the others, in order.

    2.0b R48: an event that was never the party's is unknown to it, whoever else it was for. An
    answer to a version that has been replaced is kept, and told to be out of sequence.
    Among several answers to one version the last counts, and it alone is stored.
    """
    last = {_key(opt): opt for opt in opts}
    current = {due.key for due in mailbox.dues}
    ever = await _ever_owed(
        uow, party_id, {event_id for event_id, version in last if (event_id, version) not in current}
    )
    for key, opt in last.items():
        if key in current or opt.version in ever.get(opt.event_id, ()):
            await _store(uow, party_id, opt, now)
    faults = [None if _key(opt) in current else _fault(opt, ever.get(opt.event_id, set())) for opt in opts]
    return faults, mailbox.after(last, lambda row: answered(row, now))


async def note_complaint(uow: UnitOfWork, party_id: str, detail: str, now: datetime) -> None:
    """The party could make nothing of what it was told (2.0b R35): said again, it is noted once."""
    before = await uow.audit.of_subject(party_id, COMPLAINT)
    if not before or before[-1].detail != detail:
        entry = AuditEntry(at=now, actor=f"party:{party_id}", action=COMPLAINT, subject=party_id, detail=detail)
        await uow.audit.append(entry)


async def _ever_owed(uow: UnitOfWork, party_id: str, event_ids: Collection[str]) -> dict[str, set[int]]:
    """By event id: the versions that were ever owed to the party."""
    versions: dict[str, set[int]] = {}
    for row in await uow.deliveries.of_parties([party_id], event_ids) if event_ids else ():
        versions.setdefault(row.event_id, set()).add(row.version)
    return versions


def _fault(opt: Opt, versions: Collection[int]) -> RemoteProtocolError | None:
    """What is wrong with answering this version now, of an event of which these were owed."""
    if not versions:
        return UnknownReference(f"no event {opt.event_id} was sent to this party", clause="R48")
    if opt.version not in versions:
        return OutOfSequence(f"event {opt.event_id} has no such version for this party", clause="R48")
    if opt.version < max(versions):
        return OutOfSequence(f"event {opt.event_id} has a newer version", clause="R48")
    return None


async def _store(uow: UnitOfWork, party_id: str, opt: Opt, now: datetime) -> None:
    """A first answer, or one that differs from the last."""
    if not await uow.deliveries.mark_answered(party_id, _key(opt), now):
        said = await uow.opts.newest(party_id, opt.event_id, opt.version)
        if said is not None and replace(said, at=opt.at) == opt:
            return
    await uow.opts.add(party_id, opt)


def _key(opt: Opt) -> Key:
    return (opt.event_id, opt.version)
