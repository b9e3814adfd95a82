"""What devices of IEEE 2030.5 answer to an event's controls, where 2.0b's and OpenADR 3's answers are: ledger and opts.

The device of a party's own certificate speaks for the party. One that the party manages speaks for itself: what it
opts out of or into is a qualification under its LFDI, which outranks the party's word for it (2.0b R206).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.model.availability import Scope
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import Party
from openadr_core.model.qualification import Qualification
from openadr_core.model.report import Reading
from openadr_core.model.target import Target, TargetKind
from openadr_vtn.application.handlers.publication import publish_ahead
from openadr_vtn.application.handlers.reports import is_inside
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.application.sep2_ports import StoredControl
from openadr_vtn.domain.delivery import newest
from openadr_vtn.domain.sep2.answers import ANSWERS, row_answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A response."""

    lfdi: str
    status: int
    """One of :data:`ANSWERS`."""
    at: datetime
    """When the device said it; not in the future."""


async def hear_response(uow: UnitOfWork, party: Party, control: StoredControl, heard: Heard, now: datetime) -> None:
    """Of a control that an operator wrote as it is, nothing is noted here."""
    event_id = control.event_id
    if event_id is None:
        return
    await publish_ahead(uow, party.id, [event_id])
    rows = await uow.deliveries.of_parties([party.id], [event_id])
    row = row_answered(rows, control.control, control.event_version, heard.status)
    if row is None:
        return
    await uow.deliveries.mark_answered(party.id, (event_id, row.version), now)
    answer = ANSWERS[heard.status]
    if answer.opt_type is None:
        return
    if any(certificate.lfdi == heard.lfdi for certificate in party.certificates):
        opt = Opt(
            event_id=event_id, version=row.version, opt_type=answer.opt_type, at=heard.at, reason=answer.reason,
            code=answer.code,
        )  # fmt: skip
        said_before = await uow.opts.newest(party.id, event_id, row.version)
        if said_before is None or replace(said_before, at=opt.at) != opt:
            await uow.opts.add(party.id, opt)
    elif answer.is_new_mind:
        said = _qualification(control, row.version, heard, answer.opt_type)
        if not await uow.availability.has_qualified(party.id, said.id):
            await uow.availability.qualify(party.id, said, now)


async def hear_readings(uow: UnitOfWork, party_id: str, readings: Sequence[Reading], now: datetime) -> None:
    """The first reading from inside an event is a fact of the delivery ledger."""
    silent = {row.event_id for row in await uow.deliveries.unreported(party_id, now)}
    if not silent:
        return
    events = {stored.event.id: stored.event for stored in await uow.events.by_ids(silent)}
    rows = newest(await uow.deliveries.of_parties([party_id], silent)).values()
    keys = [
        (row.event_id, row.version)
        for row in rows
        if row.reported_at is None and any(is_inside(reading, events[row.event_id]) for reading in readings)
    ]
    await uow.deliveries.mark_reported(party_id, keys, now)


async def hear_reading_of(store: Store, party_id: str, event_ids: Collection[str], now: datetime) -> None:
    """The party has read controls of these events: what it had not read before, it has from now on."""
    async with store.view() as view:
        ahead = {fan_out.event_id for fan_out in await view.fan_outs.all()}.intersection(event_ids)
        rows = newest(await view.deliveries.of_parties([party_id], event_ids)).values()
    if not ahead and all(row.fetched_at is not None for row in rows):
        return

    async def mark(uow: UnitOfWork) -> None:
        await publish_ahead(uow, party_id, ahead)
        there = newest(await uow.deliveries.of_parties([party_id], event_ids)).values()
        keys = [(row.event_id, row.version) for row in there if row.fetched_at is None]
        await uow.deliveries.mark_pushed(party_id, keys, now)

    await store.together(party_id, mark)


def _qualification(control: StoredControl, version: int, heard: Heard, opt_type: OptType) -> Qualification:
    """Under an id by which a response that is sent again is known."""
    return Qualification(
        id=f"{control.control.mrid}-{heard.lfdi}-{heard.status}-{int(heard.at.timestamp())}",
        event_id=control.event_id or "",
        version=version,
        opt_type=opt_type,
        reason=ANSWERS[heard.status].reason,
        created_at=heard.at,
        scope=Scope(targets=frozenset({Target(kind=TargetKind.RESOURCE, name=heard.lfdi)})),
    )
