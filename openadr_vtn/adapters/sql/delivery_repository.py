"""The delivery ledger: what is owed to whom, and how far it has come."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from openadr_core.model.event import DrEvent
from openadr_core.model.party import PartyState
from openadr_core.model.target import audience_of
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.object_targets import has_one_of
from openadr_vtn.adapters.sql.party_repositories import HAS_CERTIFICATE, PARTY, within
from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.domain.delivery import Delivery, Key
from openadr_vtn.domain.fan_out import EVERYBODY, FanOut, Span

CERTIFICATE = tables.table_of(tables.CertificateRow)
RESOURCE = tables.table_of(tables.ResourceRow)
EVENT = tables.table_of(tables.EventRow)
DELIVERY = tables.table_of(tables.DeliveryRow)
FAN_OUT = tables.table_of(tables.FanOutRow)
DELIVERY_FIELDS = tuple(field.name for field in fields(Delivery))

# Made once: to put such a statement together takes ten times as long as SQLite does to carry it out.
AT = bindparam("at", type_=DELIVERY.c.sent_at.type)
ITS_ROW = (
    (DELIVERY.c.party_id == bindparam("its_party"))
    & (DELIVERY.c.event_id == bindparam("its_event"))
    & (DELIVERY.c.version == bindparam("its_version"))
)
FETCHED = {"fetched_at": func.coalesce(DELIVERY.c.fetched_at, AT)}
SENT = {
    "notified_at": func.coalesce(DELIVERY.c.notified_at, AT),
    "sent_at": AT,
    "attempts": DELIVERY.c.attempts + 1,
}
MARK_SENT = update(DELIVERY).where(ITS_ROW).values(SENT)
MARK_FETCHED = update(DELIVERY).where(ITS_ROW).values(FETCHED)
MARK_PUSHED = update(DELIVERY).where(ITS_ROW).values(SENT | FETCHED)
MARK_TOLD = (
    update(DELIVERY)
    .where(
        DELIVERY.c.party_id == select(PARTY.c.id).where(PARTY.c.client_id == bindparam("its_client")).scalar_subquery(),
        DELIVERY.c.event_id == bindparam("its_event"),
        DELIVERY.c.notified_at.is_(None),
    )
    .values({"notified_at": AT})
)
MARK_REPORTED = update(DELIVERY).where(ITS_ROW).values({"reported_at": func.coalesce(DELIVERY.c.reported_at, AT)})
MARK_ANSWERED = update(DELIVERY).where(ITS_ROW, DELIVERY.c.answered_at.is_(None)).values(FETCHED | {"answered_at": AT})


class SqlDeliveries(Repository):
    async def owe(self, deliveries: Sequence[Delivery]) -> None:
        # asdict would copy every moment: a tenth of the time of telling thousands.
        rows = [{name: getattr(delivery, name) for name in DELIVERY_FIELDS} for delivery in deliveries]
        await self._upsert(DELIVERY, rows, keep=True)
        self._concerned.party_ids.update(delivery.party_id for delivery in deliveries)

    async def owe_vens(self, event: DrEvent, now: datetime, span: Span) -> int:
        news: dict[str, Any] = {
            "event_id": literal(event.id), "version": literal(event.version), "event_version": literal(event.version),
            "party_id": PARTY.c.id, "withdrawn": false(), "attempts": literal(0),
            "entitled_at": literal(now, DELIVERY.c.entitled_at.type),
        }  # fmt: skip
        approved = PARTY.c.state == PartyState.APPROVED.value
        vens = within(span, PARTY.c.id) & approved & ~HAS_CERTIFICATE & _sees(audience_of(event.targets))
        owed = self._insert(DELIVERY).from_select(list(news), select(*news.values()).where(vens))
        return await self._run(owed.on_conflict_do_nothing())

    async def owe_cancelled(self, event_id: str, event_version: int, now: datetime) -> int:
        later = DELIVERY.alias()
        same = (later.c.event_id == DELIVERY.c.event_id) & (later.c.party_id == DELIVERY.c.party_id)
        is_newest = ~exists().where(same & (later.c.version > DELIVERY.c.version))
        held = (DELIVERY.c.event_id == event_id) & DELIVERY.c.withdrawn.is_(False) & is_newest
        number = case((DELIVERY.c.version < event_version, event_version), else_=DELIVERY.c.version + 1)
        news: dict[str, Any] = {
            "event_id": DELIVERY.c.event_id, "version": number, "event_version": literal(event_version),
            "party_id": DELIVERY.c.party_id, "withdrawn": false(), "attempts": literal(0),
            "entitled_at": literal(now, DELIVERY.c.entitled_at.type),
        }  # fmt: skip
        owed = insert(DELIVERY).from_select(list(news), select(*news.values()).where(held))
        parties = await self._changed(owed.returning(DELIVERY.c.party_id))
        self._concerned.party_ids.update(parties)
        return len(parties)

    async def mark_sent(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        await self._mark(MARK_SENT, party_id, keys, now)

    async def mark_fetched(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        await self._mark(MARK_FETCHED, party_id, keys, now)

    async def mark_pushed(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        await self._mark(MARK_PUSHED, party_id, keys, now)

    async def mark_told(self, told: Collection[tuple[str, str]], now: datetime) -> None:
        if told:
            rows = [{"its_client": client_id, "its_event": event_id, "at": now} for client_id, event_id in sorted(told)]
            await self._run(MARK_TOLD, rows)

    async def mark_answered(self, party_id: str, key: Key, now: datetime) -> bool:
        return bool(await self._mark(MARK_ANSWERED, party_id, [key], now))

    async def mark_reported(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        await self._mark(MARK_REPORTED, party_id, keys, now)

    async def _mark(self, mark: Update, party_id: str, keys: Collection[Key], now: datetime) -> int:
        # In order, so that two who mark rows of one party at once never wait for each other.
        rows = [
            {"its_party": party_id, "its_event": event_id, "its_version": version, "at": now}
            for event_id, version in sorted(keys)
        ]
        return await self._run(mark, rows) if rows else 0

    async def of_parties(self, party_ids: Iterable[str], event_ids: Iterable[str]) -> list[Delivery]:
        theirs = DELIVERY.c.party_id.in_(list(party_ids)) & DELIVERY.c.event_id.in_(list(event_ids))
        return await self._deliveries(select(DELIVERY).where(theirs))

    async def of_event(self, event_id: str, span: Span = EVERYBODY) -> list[Delivery]:
        of_it = (DELIVERY.c.event_id == event_id) & within(span, DELIVERY.c.party_id)
        return await self._deliveries(select(DELIVERY).where(of_it))

    async def certified_told(self, event_id: str) -> bool:
        told = exists().where(DELIVERY.c.event_id == event_id, DELIVERY.c.party_id == CERTIFICATE.c.party_id)
        return await self._row(select(CERTIFICATE.c.party_id).where(told).limit(1)) is not None

    async def unreported(self, party_id: str, now: datetime) -> list[Delivery]:
        current = select(EVENT.c.id).where(EVENT.c.over_at.is_(None) | (EVENT.c.over_at > now))
        silent = (DELIVERY.c.party_id == party_id) & DELIVERY.c.reported_at.is_(None)
        return await self._deliveries(select(DELIVERY).where(silent, DELIVERY.c.event_id.in_(current)))

    async def count_unanswered(self, now: datetime) -> int:
        newest = (EVENT.c.id == DELIVERY.c.event_id) & (EVENT.c.version == DELIVERY.c.event_version)
        current = EVENT.c.over_at.is_(None) | (EVENT.c.over_at > now)
        query = select(func.count().label("rows")).select_from(EVENT.join(DELIVERY, newest))
        answers = exists().where(CERTIFICATE.c.party_id == DELIVERY.c.party_id)
        row = await self._row(query.where(current, DELIVERY.c.answered_at.is_(None), answers))
        return 0 if row is None else int(row["rows"])

    async def _deliveries(self, query: Select[Any]) -> list[Delivery]:
        order = (DELIVERY.c.version, DELIVERY.c.entitled_at, DELIVERY.c.event_id, DELIVERY.c.party_id)
        return [Delivery(**row) for row in await self._rows(query.order_by(*order))]


class SqlFanOuts(Repository):
    async def put(self, fan_out: FanOut) -> None:
        await self._upsert(FAN_OUT, [asdict(fan_out)])

    async def end(self, event_id: str) -> None:
        await self._run(delete(FAN_OUT).where(FAN_OUT.c.event_id == event_id))

    async def of_event(self, event_id: str) -> FanOut | None:
        row = await self._row(select(FAN_OUT).where(FAN_OUT.c.event_id == event_id))
        return None if row is None else FanOut(**row)

    async def all(self) -> list[FanOut]:
        return [FanOut(**row) for row in await self._rows(select(FAN_OUT).order_by(FAN_OUT.c.at, FAN_OUT.c.event_id))]


def _sees(targets: Collection[str]) -> ColumnElement[bool]:
    """As :class:`openadr_vtn.domain.visibility.Sight` has it, of what a ven was granted."""
    if not targets:
        return true()
    resources = has_one_of(ObjectKind.RESOURCE, RESOURCE.c.id, frozenset(targets))
    return or_(
        PARTY.c.id.in_(targets),
        *has_one_of(ObjectKind.VEN, PARTY.c.id, frozenset(targets)),
        PARTY.c.id.in_(select(RESOURCE.c.party_id).where(*resources)),
    )
