"""Whether the parties of an event can take it beside what they have: in time, if its program says so, and in size."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from openadr_core.errors import InvalidEvent
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.program import Program
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Delivery, newest
from openadr_vtn.domain.overlap import overlapping
from openadr_vtn.domain.payload_size import bytes_at_most, fits
from openadr_vtn.domain.targeting import is_for


async def check_admission(uow: UnitOfWork, event: DrEvent, program: Program, now: datetime) -> None:
    """InvalidEvent names the party, and the event that is in the way or how much it would be.

    Only parties of 2.0b are looked at: one message brings them all their events, and its program's word on overlap
    is theirs. A ven of OpenADR 3 reads page by page.
    """
    if not event.signals or not await uow.parties.certified_exist():
        return
    current = [stored.event for stored in await uow.events.current(now)]
    others = [one for one in current if one.id != event.id and one.signals]
    sizes = {other.id: bytes_at_most(other) for other in (*others, event)}
    in_the_way = [] if program.overlap_allowed else [other for other in others if _may_collide(event, other)]
    # Nearly always all events together are less than one party may be told, and none is in the way.
    crowd = [] if fits(len(sizes), sum(sizes.values())) else others
    if not crowd and not in_the_way:
        return
    held = await _held(uow, crowd or in_the_way)
    coming = await _coming(uow, crowd or in_the_way)
    for party in await uow.parties.certified():
        if not is_for(event, program, party):
            continue
        rows = held.get(party.id, {})
        has = rows.keys() | {other.id for other, its_program in coming if is_for(other, its_program, party)}
        _check_overlap(event, party, [other for other in in_the_way if other.id in has], rows)
        told = [event, *(other for other in crowd if other.id in has)]
        size = sum(sizes[one.id] for one in told)
        if not fits(len(told), size):
            raise InvalidEvent(
                f"party {party.name} would be told of {len(told)} events in {size:,} bytes at once: too much for "
                "one message; let some end first, or give them fewer intervals"
            )


def _may_collide(event: DrEvent, other: DrEvent) -> bool:
    return other.program_id == event.program_id and overlapping(event, [other], {}) is not None


def _check_overlap(event: DrEvent, party: Party, others: Sequence[DrEvent], rows: Mapping[str, Delivery]) -> None:
    other = overlapping(event, others, {event_id: row.answered_at for event_id, row in rows.items()})
    if other is not None:
        raise InvalidEvent(
            f"party {party.name} has event {other.id} of this program at that time, and the program's events do not "
            "overlap (EVENT_OVERLAP)"
        )


async def _coming(uow: UnitOfWork, events: Sequence[DrEvent]) -> list[tuple[DrEvent, Program]]:
    """Those of them that parties are still to be told of."""
    waiting = {fan_out.event_id for fan_out in await uow.fan_outs.all()}
    found = []
    for event in events:
        program = await uow.programs.by_id(event.program_id) if event.id in waiting else None
        if program is not None and event.cancelled_at is None:
            found.append((event, program.program))
    return found


async def _held(uow: UnitOfWork, events: Sequence[DrEvent]) -> dict[str, dict[str, Delivery]]:
    """By party and event: the newest row, of events that the party has not been rid of."""
    held: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for event in events:
        for (_, party_id), row in newest(await uow.deliveries.of_event(event.id)).items():
            if not (row.withdrawn and row.answered_at):
                held[party_id][event.id] = row
    return held
