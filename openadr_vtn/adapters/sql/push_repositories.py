"""How pushing goes, and which process does it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, or_, select

from openadr_core.model.party import PartyState
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import KEYS_PER_STATEMENT, Repository
from openadr_vtn.domain.pushing import PushState

PARTY = tables.table_of(tables.PartyRow)
REGISTRATION = tables.table_of(tables.RegistrationRow)
PUSH = tables.table_of(tables.PushRow)
DUTY = tables.table_of(tables.DutyRow)


class SqlPushes(Repository):
    async def party_ids(self, among: Collection[str] | None = None) -> list[str]:
        query = (
            select(REGISTRATION.c.party_id)
            .join(PARTY, PARTY.c.id == REGISTRATION.c.party_id)
            .where(REGISTRATION.c.pull.is_(False), PARTY.c.state == PartyState.APPROVED.value)
        )
        if among is not None and len(among) < KEYS_PER_STATEMENT:
            query = query.where(REGISTRATION.c.party_id.in_(list(among)))
        found = [str(row["party_id"]) for row in await self._rows(query)]
        return found if among is None else [party_id for party_id in found if party_id in among]

    async def of_parties(self, party_ids: Collection[str]) -> dict[str, PushState]:
        query = select(PUSH)
        if len(party_ids) < KEYS_PER_STATEMENT:
            query = query.where(PUSH.c.party_id.in_(list(party_ids)))
        return {row["party_id"]: PushState(**row) for row in await self._rows(query) if row["party_id"] in party_ids}

    async def save(self, states: Sequence[PushState]) -> None:
        await self._upsert(PUSH, [asdict(state) for state in states])

    async def forget(self, party_id: str) -> None:
        await self._run(delete(PUSH).where(PUSH.c.party_id == party_id))


class SqlDuties(Repository):
    async def hold(self, name: str, holder: str, *, now: datetime, until: datetime) -> bool:
        insert = self._insert(DUTY)
        may = or_(DUTY.c.holder == holder, DUTY.c.until <= now)
        statement = insert.on_conflict_do_update(
            index_elements=["name"], set_={"holder": holder, "until": until}, where=may
        )
        return bool(await self._run(statement.values(name=name, holder=holder, until=until)))
