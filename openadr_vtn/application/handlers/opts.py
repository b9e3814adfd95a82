"""What parties answer to events: stored, every time it changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import OutOfSequence, RemoteProtocolError, UnknownReference
from openadr_core.model.opt import Opt
from openadr_core.model.party import Party
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import answered


async def answer_events(
    uow: UnitOfWork, party: Party, opts: Sequence[Opt], now: datetime
) -> list[RemoteProtocolError | None]:
    """Store each answer to a version that was owed to the party; what is wrong with the others, in order.

    2.0b R48: an event that was never the party's is unknown to it, whoever else it was for. An
    answer to a version that has been replaced is kept, and told to be out of sequence.
    """
    return [await _answer(uow, party, opt, now) for opt in opts]


async def _answer(uow: UnitOfWork, party: Party, opt: Opt, now: datetime) -> RemoteProtocolError | None:
    rows = {row.version: row for row in await uow.deliveries.of_party(party.id, [opt.event_id])}
    if not rows:
        return UnknownReference(f"no event {opt.event_id} was sent to this party", clause="R48")
    row = rows.get(opt.version)
    if row is None:
        return OutOfSequence(f"event {opt.event_id} has no such version for this party", clause="R48")
    before = await uow.opts.of_party(party.id, opt.event_id)
    same_version = [said for said in before if said.version == opt.version]
    if not same_version or replace(same_version[-1], at=opt.at) != opt:
        await uow.opts.add(party.id, opt)
    if row.answered_at is None:
        await uow.deliveries.save([answered(row, now)])
    if opt.version < max(rows):
        return OutOfSequence(f"event {opt.event_id} has a newer version", clause="R48")
    return None
