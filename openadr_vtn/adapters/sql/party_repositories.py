"""Who the parties are, what they are owed, and what they said."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from openadr_core.model.opt import Opt
from openadr_core.model.party import Party, PartyState
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.object_targets import ObjectRepository, has_one_of
from openadr_vtn.adapters.sql.repository import KEYS_PER_STATEMENT, Repository, grouped
from openadr_vtn.adapters.sql.rows import certificate_rows, opt_of, opt_row, party_of, party_row, registration_row
from openadr_vtn.application.oadr3_ports import Page, VenFilter
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.domain.fan_out import Span

PARTY = tables.table_of(tables.PartyRow)
RESOURCE = tables.table_of(tables.ResourceRow)
SEEN = tables.table_of(tables.LastSeenRow)
CERTIFICATE = tables.table_of(tables.CertificateRow)
DENIED = tables.table_of(tables.DeniedCertificateRow)
REGISTRATION = tables.table_of(tables.RegistrationRow)
EVENT = tables.table_of(tables.EventRow)
DELIVERY = tables.table_of(tables.DeliveryRow)
DELIVERY_FIELDS = tuple(field.name for field in fields(Delivery))
ERRAND = tables.table_of(tables.ErrandRow)
OPT = tables.table_of(tables.OptRow)
NONCE = tables.table_of(tables.NonceRow)


HAS_CERTIFICATE = exists().where(CERTIFICATE.c.party_id == PARTY.c.id)


def within(span: Span, party_id: ColumnElement[str]) -> ColumnElement[bool]:
    later = party_id > span.after
    return later if span.upto is None else later & (party_id <= span.upto)


# Made once: to put such a statement together takes ten times as long as SQLite does to carry it out.
ADD_OPT = insert(OPT)


class SqlParties(ObjectRepository):
    async def add(self, party: Party) -> None:
        await self._run(insert(PARTY).values(party_row(party)))
        await self._add_parts(party)

    async def save(self, party: Party) -> None:
        await self._change(update(PARTY).where(PARTY.c.id == party.id).values(party_row(party)), "such party")
        await self._run(delete(CERTIFICATE).where(CERTIFICATE.c.party_id == party.id))
        await self._run(delete(REGISTRATION).where(REGISTRATION.c.party_id == party.id))
        await self._add_parts(party)

    async def by_certificate(self, sha256: str) -> Party | None:
        owner = select(CERTIFICATE.c.party_id).where(CERTIFICATE.c.sha256 == sha256)
        return await self._party(select(PARTY).where(PARTY.c.id.in_(owner)))

    async def by_certificates(self, sha256s: Collection[str]) -> list[Party]:
        owners = select(CERTIFICATE.c.party_id).where(CERTIFICATE.c.sha256.in_(list(sha256s)))
        return await self._parties(select(PARTY).where(PARTY.c.id.in_(owners)))

    async def by_id(self, party_id: str) -> Party | None:
        return await self._party(select(PARTY).where(PARTY.c.id == party_id))

    async def by_name(self, name: str) -> Party | None:
        return await self._party(select(PARTY).where(PARTY.c.name == name))

    async def by_client(self, client_id: str) -> Party | None:
        return await self._party(select(PARTY).where(PARTY.c.client_id == client_id))

    async def by_registration(self, registration_id: str) -> Party | None:
        holder = select(REGISTRATION.c.party_id).where(REGISTRATION.c.registration_id == registration_id)
        return await self._party(select(PARTY).where(PARTY.c.id.in_(holder)))

    async def by_ids(self, party_ids: Iterable[str]) -> list[Party]:
        return await self._parties(select(PARTY).where(PARTY.c.id.in_(list(party_ids))))

    async def deny(self, sha256: str, reason: str, now: datetime) -> None:
        await self._upsert(DENIED, [{"sha256": sha256, "at": now, "reason": reason}], keep=True)

    async def is_denied(self, sha256: str) -> bool:
        return await self._row(select(DENIED.c.sha256).where(DENIED.c.sha256 == sha256)) is not None

    async def certificates_end(self, before: datetime) -> list[datetime]:
        query = (
            select(CERTIFICATE.c.ends_at)
            .join(PARTY, PARTY.c.id == CERTIFICATE.c.party_id)
            .outerjoin(DENIED, DENIED.c.sha256 == CERTIFICATE.c.sha256)
            .where(
                CERTIFICATE.c.ends_at < before, PARTY.c.state == PartyState.APPROVED.value, DENIED.c.sha256.is_(None)
            )
        )
        return [row["ends_at"] for row in await self._rows(query)]

    async def all(self, state: PartyState | None = None) -> list[Party]:
        query = select(PARTY).order_by(PARTY.c.first_seen_at, PARTY.c.id)
        return await self._parties(query if state is None else query.where(PARTY.c.state == state.value))

    async def certified(self) -> list[Party]:
        return await self._parties(select(PARTY).where(HAS_CERTIFICATE).order_by(PARTY.c.first_seen_at, PARTY.c.id))

    async def within(self, span: Span, *, certified: bool = False) -> list[Party]:
        query = select(PARTY).where(within(span, PARTY.c.id)).order_by(PARTY.c.id)
        return await self._parties(query.where(HAS_CERTIFICATE) if certified else query)

    async def id_after(self, party_id: str, count: int) -> str | None:
        query = select(PARTY.c.id).where(PARTY.c.id > party_id).order_by(PARTY.c.id)
        # One more must be there, or it is the last.
        rows = await self._rows(query.offset(count - 1).limit(2))
        return str(rows[0]["id"]) if len(rows) == 2 else None

    async def certified_exist(self) -> bool:
        return await self._row(select(CERTIFICATE.c.party_id).limit(1)) is not None

    async def count(self, state: PartyState) -> int:
        row = await self._row(select(func.count().label("parties")).where(PARTY.c.state == state.value))
        return 0 if row is None else int(row["parties"])

    async def page(self, of: VenFilter, page: Page) -> list[Party]:
        query = select(PARTY).where(_vens(of)).order_by(PARTY.c.first_seen_at.desc(), PARTY.c.id)
        return await self._parties(query.offset(page.skip).limit(page.limit))

    async def count_vens(self, of: VenFilter) -> int:
        return await self._count(PARTY, _vens(of))

    async def saw(self, seen_at: Mapping[str, datetime]) -> None:
        await self._upsert(SEEN, [{"party_id": party_id, "at": at} for party_id, at in sorted(seen_at.items())])

    async def last_seen(self) -> dict[str, datetime]:
        return {row["party_id"]: row["at"] for row in await self._rows(select(SEEN))}

    async def _add_parts(self, party: Party) -> None:
        if party.certificates:
            await self._run(insert(CERTIFICATE).values(certificate_rows(party)))
        if party.registration is not None:
            await self._run(insert(REGISTRATION).values(registration_row(party.id, party.registration)))
        await self._wrote(ObjectKind.VEN, party.id, party.targets)
        self._concerned.party_ids.add(party.id)

    async def _party(self, query: Select[Any]) -> Party | None:
        parties = await self._parties(self._locked(query))
        return parties[0] if parties else None

    async def _parties(self, query: Select[Any]) -> list[Party]:
        rows = await self._rows(query)
        if not rows:
            return []
        certificate_query = (
            select(CERTIFICATE, DENIED.c.sha256.is_not(None).label("denied"))
            .outerjoin(DENIED, DENIED.c.sha256 == CERTIFICATE.c.sha256)
            .order_by(CERTIFICATE.c.first_seen_at, CERTIFICATE.c.sha256)
        )
        registration_query = select(REGISTRATION)
        if len(rows) < KEYS_PER_STATEMENT:
            ids = [row["id"] for row in rows]
            certificate_query = certificate_query.where(CERTIFICATE.c.party_id.in_(ids))
            registration_query = registration_query.where(REGISTRATION.c.party_id.in_(ids))
        certificates = grouped(await self._rows(certificate_query), "party_id")
        registrations = {row["party_id"]: row for row in await self._rows(registration_query)}
        granted = await self._resource_targets([row["id"] for row in rows if row["client_id"] is not None])
        return [
            party_of(row, certificates.get(row["id"], []), registrations.get(row["id"]), granted.get(row["id"], []))
            for row in rows
        ]

    async def _resource_targets(self, party_ids: list[str]) -> dict[str, list[str]]:
        """By party id; only clients of OpenADR 3 have resources of their own telling."""
        if not party_ids:
            return {}
        query = select(RESOURCE.c.party_id, RESOURCE.c.targets).order_by(RESOURCE.c.created_at, RESOURCE.c.id)
        if len(party_ids) < KEYS_PER_STATEMENT:
            query = query.where(RESOURCE.c.party_id.in_(party_ids))
        found = grouped(await self._rows(query), "party_id")
        return {
            party_id: list(dict.fromkeys(target for row in rows for target in row["targets"]))
            for party_id, rows in found.items()
        }


def _vens(of: VenFilter) -> ColumnElement[bool]:
    told = [(PARTY.c.id, of.party_id), (PARTY.c.name, of.name)]
    return and_(
        PARTY.c.state == PartyState.APPROVED.value,
        *(column == value for column, value in told if value is not None),
        *has_one_of(ObjectKind.VEN, PARTY.c.id, of.wanted),
    )


class SqlErrands(Repository):
    async def add(self, errand: Errand) -> None:
        await self._run(insert(ERRAND).values(asdict(errand)))
        self._concerned.party_ids.add(errand.party_id)

    async def of_parties(self, party_ids: Iterable[str]) -> list[Errand]:
        columns = [column for column in ERRAND.c if column.name != "number"]
        query = select(*columns).where(ERRAND.c.party_id.in_(list(party_ids))).order_by(ERRAND.c.number)
        return [Errand(**{**row, "kind": ErrandKind(row["kind"])}) for row in await self._rows(query)]

    async def mark_sent(self, errand: Errand, now: datetime) -> None:
        new = {"sent_at": now, "attempts": ERRAND.c.attempts + 1}
        await self._run(update(ERRAND).where(ERRAND.c.id == errand.id).values(new))

    async def mark_heard(self, errand: Errand, now: datetime) -> None:
        first = func.coalesce(ERRAND.c.heard_at, now)
        await self._run(update(ERRAND).where(ERRAND.c.id == errand.id).values(heard_at=first))

    async def remove(self, errand: Errand) -> None:
        await self._run(delete(ERRAND).where(ERRAND.c.id == errand.id))
        self._concerned.party_ids.add(errand.party_id)

    async def clear(self, party_id: str) -> None:
        await self._run(delete(ERRAND).where(ERRAND.c.party_id == party_id))
        self._concerned.party_ids.add(party_id)


class SqlNonces(Repository):
    async def claim(self, claims: Mapping[str, datetime]) -> set[str]:
        rows = [{"key": key, "until": until} for key, until in sorted(claims.items())]
        if not rows:
            return set()
        statement = self._insert(NONCE).on_conflict_do_nothing(index_elements=["key"]).returning(NONCE.c.key)
        return set((await self._connection.execute(statement, rows)).scalars())

    async def forget(self, before: datetime) -> None:
        await self._run(delete(NONCE).where(NONCE.c.until < before))


class SqlOpts(Repository):
    async def add(self, party_id: str, opt: Opt) -> None:
        await self._run(ADD_OPT, [opt_row(party_id, opt)])

    async def latest(self, event_id: str) -> dict[str, Opt]:
        return dict(await self.history(event_id))

    async def newest(self, party_id: str, event_id: str, version: int) -> Opt | None:
        theirs = (OPT.c.event_id == event_id) & (OPT.c.party_id == party_id) & (OPT.c.version == version)
        row = await self._row(select(OPT).where(theirs).order_by(OPT.c.id.desc()).limit(1))
        return None if row is None else opt_of(row)

    async def history(self, event_id: str) -> list[tuple[str, Opt]]:
        query = select(OPT).where(OPT.c.event_id == event_id).order_by(OPT.c.version, OPT.c.id)
        return [(row["party_id"], opt_of(row)) for row in await self._rows(query)]
