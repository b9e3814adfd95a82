"""What parties say of their availability: schedules, and single events for some of what they have."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from openadr_core.model.availability import OptRules, OptSchedule, Precedence, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.application.said_ports import StoredSchedule

SCHEDULE = tables.table_of(tables.OptScheduleRow)
QUALIFICATION = tables.table_of(tables.QualificationRow)

Columns = Mapping[str, Any]


class SqlAvailability(Repository):
    async def add(self, party_id: str, schedule: OptSchedule, received_at: datetime) -> None:
        await self._run(
            insert(SCHEDULE).values(
                party_id=party_id,
                opt_id=schedule.id,
                opt_type=schedule.opt_type.value,
                reason=schedule.reason,
                scope=_scope_json(schedule.scope),
                spans=[_span_json(span) for span in schedule.spans],
                created_at=schedule.created_at,
                received_at=received_at,
                cancelled_at=schedule.cancelled_at,
            )
        )

    async def of_party(self, party_id: str) -> list[StoredSchedule]:
        return await self._stored(select(SCHEDULE).where(SCHEDULE.c.party_id == party_id).order_by(SCHEDULE.c.number))

    async def all(self) -> dict[str, list[StoredSchedule]]:
        found: dict[str, list[StoredSchedule]] = {}
        for stored in await self._stored(select(SCHEDULE).order_by(SCHEDULE.c.number)):
            found.setdefault(stored.party_id, []).append(stored)
        return found

    async def cancel(self, party_id: str, opt_id: str, now: datetime) -> bool:
        theirs = (SCHEDULE.c.party_id == party_id) & (SCHEDULE.c.opt_id == opt_id)
        await self._run(update(SCHEDULE).where(theirs, SCHEDULE.c.cancelled_at.is_(None)).values(cancelled_at=now))
        return await self._row(select(SCHEDULE.c.number).where(theirs).limit(1)) is not None

    async def remove(self, stored: Iterable[StoredSchedule]) -> None:
        numbers = [one.number for one in stored]
        if numbers:
            await self._run(delete(SCHEDULE).where(SCHEDULE.c.number.in_(numbers)))

    async def clear(self, party_id: str) -> None:
        await self._run(delete(SCHEDULE).where(SCHEDULE.c.party_id == party_id))

    async def qualify(self, party_id: str, said: Qualification, received_at: datetime) -> None:
        await self._run(
            insert(QUALIFICATION).values(
                party_id=party_id,
                event_id=said.event_id,
                version=said.version,
                opt_id=said.id,
                opt_type=said.opt_type.value,
                reason=said.reason,
                scope=_scope_json(said.scope),
                created_at=said.created_at,
                received_at=received_at,
            )
        )

    async def qualifications(self, event_id: str) -> dict[str, list[Qualification]]:
        query = select(QUALIFICATION).where(QUALIFICATION.c.event_id == event_id).order_by(QUALIFICATION.c.number)
        found: dict[str, list[Qualification]] = {}
        for row in await self._rows(query):
            found.setdefault(row["party_id"], []).append(_qualification_of(row))
        return found

    async def has_qualified(self, party_id: str, opt_id: str) -> bool:
        theirs = (QUALIFICATION.c.party_id == party_id) & (QUALIFICATION.c.opt_id == opt_id)
        return await self._row(select(QUALIFICATION.c.number).where(theirs).limit(1)) is not None

    async def _stored(self, query: Any) -> list[StoredSchedule]:
        return [
            StoredSchedule(
                number=row["number"],
                party_id=row["party_id"],
                received_at=row["received_at"],
                schedule=OptSchedule(
                    id=row["opt_id"],
                    opt_type=OptType(row["opt_type"]),
                    reason=row["reason"],
                    spans=tuple(_span_of(span) for span in row["spans"]),
                    created_at=row["created_at"],
                    scope=_scope_of(row["scope"]),
                    cancelled_at=row["cancelled_at"],
                ),
            )
            for row in await self._rows(query)
        ]


def rules_json(rules: OptRules) -> dict[str, Any]:
    return {
        "allowed": sorted(rules.allowed),
        "default": rules.default.value,
        "precedence": rules.precedence.value,
        "overlap": rules.overlap,
    }


def rules_of(rules: Mapping[str, Any]) -> OptRules:
    return OptRules(
        allowed=frozenset(OptType(one) for one in rules["allowed"]),
        default=OptType(rules["default"]),
        precedence=Precedence(rules["precedence"]),
        overlap=rules["overlap"],
    )


def _qualification_of(row: Columns) -> Qualification:
    return Qualification(
        id=row["opt_id"],
        event_id=row["event_id"],
        version=row["version"],
        opt_type=OptType(row["opt_type"]),
        reason=row["reason"],
        created_at=row["created_at"],
        scope=_scope_of(row["scope"]),
    )


def _scope_json(scope: Scope) -> dict[str, Any]:
    return {
        "targets": sorted([target.kind.value, target.name] for target in scope.targets),
        "device_classes": sorted(scope.device_classes),
        "market_context": scope.market_context,
    }


def _scope_of(scope: Mapping[str, Any]) -> Scope:
    return Scope(
        targets=frozenset(Target(kind=TargetKind(kind), name=name) for kind, name in scope["targets"]),
        device_classes=frozenset(scope["device_classes"]),
        market_context=scope["market_context"],
    )


def _span_json(span: Span) -> list[Any]:
    return [span.starts_at.isoformat(), None if span.duration is None else span.duration.total_seconds()]


def _span_of(span: list[Any]) -> Span:
    starts_at, duration_s = span
    duration = None if duration_s is None else timedelta(seconds=duration_s)
    return Span(starts_at=datetime.fromisoformat(starts_at), duration=duration)
