"""What an OpenADR 3.1 report says, in the words that all protocols share: readings, opts, and the delivery ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.limits import CLOCK_DRIFT_MAX_S
from openadr_core.model.availability import Scope
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.messages import ReportRequest
from openadr_core.oadr3.readings import AGGREGATED, OPTED_OUT, is_of_the_future, measured, operating_states
from openadr_vtn.application.handlers.publication import publish_ahead
from openadr_vtn.application.oadr3_ports import StoredReport
from openadr_vtn.application.ports import StoredEvent, UnitOfWork
from openadr_vtn.domain.delivery import newest

CLOCK_DRIFT_MAX = timedelta(seconds=CLOCK_DRIFT_MAX_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A party tells how something of its stands in an event."""

    report_id: str
    party_id: str
    event_id: str
    version: int
    """Of the event, as the party was told it."""
    state: str
    at: datetime

    @property
    def opt_type(self) -> OptType:
        """Interpretation: 3.1 has no word for an opt. A state of opting out is one; any other takes it back."""
        return OptType.OUT if self.state in OPTED_OUT else OptType.IN


async def hear(
    uow: UnitOfWork, request: ReportRequest, stored: StoredReport, event: StoredEvent, now: datetime
) -> None:
    """Take what the report says; of a client that is no ven, nothing."""
    party_id = stored.party_id
    if party_id is None:
        return
    asked = decode_event(event.document.encode())
    found = [
        one
        for one in measured(request, asked, event_read_at=event.event.starts_at)
        if not is_of_the_future(one, now + CLOCK_DRIFT_MAX)
    ]
    await uow.reports.add_readings(party_id, found, now)
    states = operating_states(request)
    version = event.event.version
    await publish_ahead(uow, party_id, [stored.event_id])
    row = newest(await uow.deliveries.of_parties([party_id], [stored.event_id])).get((stored.event_id, party_id))
    if row is not None:
        version = row.version
        if row.reported_at is None and found:
            await uow.deliveries.mark_reported(party_id, [(row.event_id, version)], now)
        if states:
            await uow.deliveries.mark_answered(party_id, (row.event_id, version), now)
    for name, state in states.items():
        told = _Told(
            report_id=stored.id, party_id=party_id, event_id=stored.event_id, version=version, state=state, at=now
        )
        await (_opt(uow, told) if name == AGGREGATED else _qualify(uow, told, name))


async def _opt(uow: UnitOfWork, told: _Told) -> None:
    before = await uow.opts.newest(told.party_id, told.event_id, told.version)
    if (OptType.IN if before is None else before.opt_type) is not told.opt_type:
        opt = Opt(
            event_id=told.event_id, version=told.version, opt_type=told.opt_type, at=told.at, reason=told.state
        )  # fmt: skip
        await uow.opts.add(told.party_id, opt)


async def _qualify(uow: UnitOfWork, told: _Told, name: str) -> None:
    """The same for one resource: it outranks what the ven says as a whole, as in 2.0b (R206)."""
    scope = Scope(targets=frozenset({Target(kind=TargetKind.RESOURCE, name=name)}))
    said = (await uow.availability.qualifications(told.event_id)).get(told.party_id, [])
    before = [one.opt_type for one in said if one.scope == scope]
    if (before[-1] if before else OptType.IN) is told.opt_type:
        return
    qualification = Qualification(
        id=told.report_id,
        event_id=told.event_id,
        version=told.version,
        opt_type=told.opt_type,
        reason=told.state,
        created_at=told.at,
        scope=scope,
    )
    await uow.availability.qualify(told.party_id, qualification, told.at)
