"""What parties say of their availability: opt schedules, taken by the program's rules, and single events (EiOpt)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import NotAllowed, OutOfSequence, TargetMismatch, UnknownReference, WrongState
from openadr_core.limits import OPT_SCHEDULES_MAX
from openadr_core.model.availability import OptRules, OptSchedule, overlaps, superseded
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import WHOLE_PARTY, TargetKind
from openadr_core.oadr2.market_context import normalised
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.said_ports import StoredSchedule
from openadr_vtn.domain.delivery import Mailbox, fetched


async def take_schedule(uow: UnitOfWork, party: Party, said: OptSchedule, rules: OptRules, now: datetime) -> None:
    """Keep a schedule; ``rules`` hold where the program has none of its own.

    The same one again changes nothing: its answer was lost. Raises what is wrong with it, in the
    words of the protocol.
    """
    rules = await rules_for(uow, said.scope.market_context, rules)
    if said.opt_type not in rules.allowed:
        raise NotAllowed(f"this program takes no {said.opt_type} schedules", clause="R201")
    if not rules.overlap and overlaps(said.spans):
        raise NotAllowed("stretches of one schedule overlap, which this program does not take", clause="R201")
    before = await uow.availability.of_party(party.id)
    if any(replace(one.schedule, cancelled_at=None) == said for one in before):
        return
    await uow.availability.remove(_spare(before, now))
    await uow.availability.add(party.id, said, now)


async def cancel_opt(uow: UnitOfWork, party: Party, opt_id: str, now: datetime) -> None:
    """Cancel every schedule with this optID, also those that others have replaced (2.0b R204)."""
    if await uow.availability.cancel(party.id, opt_id, now):
        return
    if await uow.availability.has_qualified(party.id, opt_id):
        raise NotAllowed("what was said to an event is changed by saying something else", clause="R211")
    raise UnknownReference("there is no such opt", clause="R208")


async def qualify_event(uow: UnitOfWork, party: Party, mailbox: Mailbox, said: Qualification, now: datetime) -> Mailbox:
    """Keep what a party says to an event for some, or all, of what it has; the mailbox thereafter.

    It stays through every later version (2.0b R206), so any version that the party ever had will do.
    """
    rows = await uow.deliveries.of_parties([party.id], [said.event_id])
    if not rows:
        raise UnknownReference("no such event was sent to this party", clause="R208")
    if said.version not in {row.version for row in rows}:
        raise OutOfSequence("the event has no such version for this party", clause="R206")
    found = await uow.events.by_ids([said.event_id])
    if not all(_is_part_of(said, stored.event, party) for stored in found):
        raise TargetMismatch("the event is not for some of these resources", clause="R206")
    before = (await uow.availability.qualifications(said.event_id)).get(party.id, [])
    if said not in before:
        await uow.availability.qualify(party.id, said, now)
    # Whoever says something to an event has it.
    keys = [due.key for due in mailbox.dues if due.event.id == said.event_id and due.delivery.fetched_at is None]
    await uow.deliveries.mark_fetched(party.id, keys, now)
    return mailbox.after(keys, lambda row: fetched(row, now))


async def rules_for(uow: UnitOfWork, market_context: str, otherwise: OptRules) -> OptRules:
    """The rules of the program with this market context, or those that hold for all; TargetMismatch if it is none."""
    if not market_context:
        return otherwise
    for stored in await uow.programs.all():
        if normalised(stored.program.market_context) == market_context:
            return stored.program.opt_rules or otherwise
    raise TargetMismatch("there is no program of this market context", clause="R512")


def _is_part_of(said: Qualification, event: DrEvent, party: Party) -> bool:
    """2.0b R206: whether the event, as the party was told of it, is for all these resources.

    Interpretation: where it is for the party as a whole, every resource is a part of that: which
    there are is the party's to know.
    """
    told = party.share_of(event.targets) or ()
    if not told or any(target.kind in WHOLE_PARTY for target in told):
        return True
    classes = {target.name for target in told if target.kind is TargetKind.DEVICE_CLASS}
    return said.scope.names <= {target.name for target in told} and (
        not classes or said.scope.device_classes <= classes
    )


def _spare(kept: Sequence[StoredSchedule], now: datetime) -> list[StoredSchedule]:
    """What can be forgotten so that one more has room; WrongState if nothing can.

    What another replaces says nothing more; nor does the oldest, once it is over or cancelled: there
    is nothing before it that it would silence.
    """
    if len(kept) < OPT_SCHEDULES_MAX:
        return []
    said = [one.schedule for one in kept]
    silent = [one for index, one in enumerate(kept) if superseded(said, index)]
    for one in kept:
        if one.schedule.cancelled_at is None and not one.schedule.is_over(now):
            break
        silent.append(one)
    if not silent:
        raise WrongState("too many opt schedules of this party are in force")
    return silent
