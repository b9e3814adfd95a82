"""What parties answer to events: stored, every time it changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import OutOfSequence, RemoteProtocolError, UnknownReference
from openadr_core.model.opt import Opt
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Key, Mailbox, answered


async def answer_events(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, opts: Sequence[Opt], now: datetime
) -> tuple[list[RemoteProtocolError | None], Mailbox]:
    """Store each answer to a version that was owed to the party; what is wrong with the others, in order.

    2.0b R48: an event that was never the party's is unknown to it, whoever else it was for. An
    answer to a version that has been replaced is kept, and told to be out of sequence.
    """
    current = {due.key for due in mailbox.dues}
    faults: list[RemoteProtocolError | None] = []
    for opt in opts:
        was_owed, fault = (True, None) if _key(opt) in current else await _judged(uow, party_id, opt)
        if was_owed:
            await _store(uow, party_id, opt, now)
        faults.append(fault)
    return faults, mailbox.after([_key(opt) for opt in opts], lambda row: answered(row, now))


async def _judged(uow: UnitOfWork, party_id: str, opt: Opt) -> tuple[bool, RemoteProtocolError | None]:
    """Whether the version was ever owed to the party, and what is wrong with answering it now."""
    versions = {row.version for row in await uow.deliveries.of_parties([party_id], [opt.event_id])}
    if not versions:
        return False, UnknownReference(f"no event {opt.event_id} was sent to this party", clause="R48")
    if opt.version not in versions:
        return False, OutOfSequence(f"event {opt.event_id} has no such version for this party", clause="R48")
    if opt.version < max(versions):
        return True, OutOfSequence(f"event {opt.event_id} has a newer version", clause="R48")
    return True, None


async def _store(uow: UnitOfWork, party_id: str, opt: Opt, now: datetime) -> None:
    """A first answer, or one that differs from the last."""
    if not await uow.deliveries.mark_answered(party_id, _key(opt), now):
        said = [one for one in await uow.opts.of_party(party_id, opt.event_id) if one.version == opt.version]
        if said and replace(said[-1], at=opt.at) == opt:
            return
    await uow.opts.add(party_id, opt)


def _key(opt: Opt) -> Key:
    return (opt.event_id, opt.version)
