"""What an operator sees of availability: who is in and out when, by which schedule, and what events were told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.errors import NotFound
from openadr_core.model.availability import OptRules, OptStep, Resource, steps, superseded
from openadr_core.model.opt import Opt
from openadr_core.model.party import Party, PartyState
from openadr_core.model.qualification import Qualification, of_whole_party
from openadr_core.oadr2.market_context import normalised
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.said_ports import StoredSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    party: Party
    stored: StoredSchedule
    status: str
    """``in force``, ``over``, ``replaced`` or ``cancelled``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityView:
    """How a party, or some resource of it, stands from a moment on."""

    party: Party
    steps: tuple[OptStep, ...]
    """Never empty: the first is how it stands at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualificationView:
    party: Party
    said: Qualification


async def schedule_views(uow: UnitOfWork, now: datetime, *, named: str | None = None) -> list[ScheduleView]:
    """Every party's schedules, or one's, the newest first; NotFound if there is no such party."""
    if named is None:
        kept = await uow.availability.all()
        parties = {party.id: party for party in await uow.parties.by_ids(kept)}
    else:
        party = await party_named(uow, named)
        kept, parties = {party.id: await uow.availability.of_party(party.id)}, {party.id: party}
    views = [
        ScheduleView(party=parties[stored.party_id], stored=stored, status=_status(schedules, index, now))
        for schedules in kept.values()
        for index, stored in enumerate(schedules)
        if stored.party_id in parties
    ]
    return sorted(views, key=lambda view: -view.stored.number)


async def availability_views(
    uow: UnitOfWork,
    resource: Resource,
    rules: OptRules,
    *,
    since: datetime,
    until: datetime,
    named: str | None = None,
    program: str | None = None,
) -> list[AvailabilityView]:
    """How each approved party, or the one that is named, stands under a program (its name or id; none: in general).

    ``resource`` is what is asked about behind it. NotFound if there is no such party or program.
    """
    if named is None:
        parties = await uow.parties.all(PartyState.APPROVED)
    else:
        parties = [await party_named(uow, named)]
    if program is not None:
        context, declared = await _program(uow, program)
        rules = declared or rules
        resource = Resource(names=resource.names, device_classes=resource.device_classes, market_context=context)
    kept = await uow.availability.all()
    return [
        AvailabilityView(
            party=party,
            steps=tuple(steps([one.schedule for one in kept.get(party.id, [])], rules, resource, since, until)),
        )
        for party in sorted(parties, key=lambda party: party.name)
    ]


async def qualification_views(uow: UnitOfWork, event_id: str, parties: Sequence[Party]) -> list[QualificationView]:
    """What each of these parties said to an event for some of what it has, in order."""
    said = await uow.availability.qualifications(event_id)
    return [QualificationView(party=party, said=one) for party in parties for one in said.get(party.id, [])]


async def effective_opts(uow: UnitOfWork, event_id: str) -> dict[str, Opt]:
    """By party id: its latest answer to the event, or what it said since for all that it has (2.0b R206)."""
    opts = await uow.opts.latest(event_id)
    for party_id, said in (await uow.availability.qualifications(event_id)).items():
        whole = of_whole_party(said)
        if whole is not None:
            opts[party_id] = Opt(
                event_id=event_id,
                version=whole.version,
                opt_type=whole.opt_type,
                at=whole.created_at,
                reason=whole.reason,
            )
    return opts


async def _program(uow: UnitOfWork, named: str) -> tuple[str, OptRules | None]:
    for stored in await uow.programs.all():
        if named in {stored.program.id, stored.program.name}:
            return normalised(stored.program.market_context), stored.program.opt_rules
    raise NotFound(f"there is no program {named}")


def _status(schedules: Sequence[StoredSchedule], index: int, now: datetime) -> str:
    schedule = schedules[index].schedule
    if schedule.cancelled_at is not None:
        return "cancelled"
    if superseded([one.schedule for one in schedules], index):
        return "replaced"
    return "over" if schedule.is_over(now) else "in force"
