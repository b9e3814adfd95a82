"""Groups, devices, controls, mirrors and responses of IEEE 2030.5."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, delete, func, insert, select, update

from openadr_core.errors import Conflict
from openadr_vtn.adapters.sql import sep2_tables, tables
from openadr_vtn.adapters.sql.repository import KEYS_PER_STATEMENT, grouped
from openadr_vtn.adapters.sql.sep2_changes import PROGRAM_LISTS, ChangingRepository
from openadr_vtn.application.sep2_ports import (
    ControlKind,
    StoredControl,
    StoredCurve,
    StoredDocument,
    StoredLogEvent,
    StoredMirror,
    StoredResponse,
)
from openadr_vtn.domain.sep2.control_status import Control
from openadr_vtn.domain.sep2.registry import Aggregator, EndDevice, Group, Tree
from openadr_vtn.domain.sep2.subscribing import DER_DOCUMENTS

GROUP = tables.table_of(sep2_tables.GroupRow)
AGGREGATOR = tables.table_of(sep2_tables.AggregatorRow)
DEVICE = tables.table_of(sep2_tables.DeviceRow)
MEMBER = tables.table_of(sep2_tables.MemberRow)
DOCUMENT = tables.table_of(sep2_tables.DocumentRow)
LOG_EVENT = tables.table_of(sep2_tables.LogEventRow)
CONTROL = tables.table_of(sep2_tables.ControlRow)
DEFAULT = tables.table_of(sep2_tables.DefaultRow)
CURVE = tables.table_of(sep2_tables.CurveRow)
RATE = tables.table_of(sep2_tables.RateRow)
MIRROR = tables.table_of(sep2_tables.MirrorRow)
SERIES = tables.table_of(sep2_tables.SeriesRow)
RESPONSE = tables.table_of(sep2_tables.ResponseRow)

DEVICE_COLUMNS = (
    "party_id", "lfdi", "sfdi", "registered_at", "changed_at", "category", "pin", "post_rate_s", "enabled",
    "rates",
)  # fmt: skip
CONTROL_COLUMNS = (
    "mrid", "creation_time", "start", "duration_s", "randomize_start_s", "randomize_duration_s", "cancelled_at",
    "cancelled_randomly",
)  # fmt: skip
TOLD_COLUMNS = ("event_id", "event_version")
RATED = {
    "EndDeviceList": ("/edev",), "EndDevice": ("/edev", "/edev/#"), "FunctionSetAssignmentsList": ("/edev/#/fsa",),
    "DERProgramList": ("/edev/#/fsa/#/derp",), "DemandResponseProgramList": ("/edev/#/fsa/#/dr",),
}  # fmt: skip
"""What is another resource when a rate is: it has the rate as an attribute."""


IN_ORDER = (DEVICE.c.sfdi, cast(DEVICE.c.number, Text))
"""Of EndDeviceList: by SFDI, then by href, whose other parts are all the same, as text."""


class SqlRegistry(ChangingRepository):
    # -- groups ------------------------------------------------------------------------

    async def groups(self) -> list[Group]:
        return [Group(**row) for row in await self._rows(select(GROUP).order_by(GROUP.c.id))]

    async def add_group(self, group: Group) -> Group:
        self._concerned.everybody = True
        return replace(group, id=await self._added(GROUP, GROUP.c.id, _columns(group, Group, without="id")))

    async def save_group(self, group: Group) -> None:
        self._concerned.everybody = True
        values = _columns(group, Group, without="id")
        await self._change(update(GROUP).where(GROUP.c.id == group.id).values(values), f"group {group.id}")
        await self._tell("/derp/#", group.id)
        await self._programs_changed(await self._below(group.id))

    async def save_group_rates(self, group_id: int, rates: Mapping[str, int]) -> None:
        self._concerned.everybody = True
        await self._change(update(GROUP).where(GROUP.c.id == group_id).values(rates=dict(rates)), f"group {group_id}")
        members = select(MEMBER.c.number).where(MEMBER.c.group_id.in_(await self._below(group_id)))
        await self._tell_kinds({*PROGRAM_LISTS, "/edev/#"}, members)
        await self._tell_parties("/edev", select(DEVICE.c.party_id).where(DEVICE.c.number.in_(members)))

    async def remove_group(self, group_id: int) -> None:
        self._concerned.everybody = True
        await self._programs_changed([group_id])
        await self._group_removed(group_id)
        await self._run(delete(MEMBER).where(MEMBER.c.group_id == group_id))
        await self._change(delete(GROUP).where(GROUP.c.id == group_id), f"group {group_id}")

    # -- aggregators ----------------------------------------------------------------------

    async def aggregators(self) -> list[Aggregator]:
        return [_aggregator(row) for row in await self._rows(select(AGGREGATOR).order_by(AGGREGATOR.c.party_id))]

    async def aggregator(self, party_id: str) -> Aggregator | None:
        row = await self._row(select(AGGREGATOR).where(AGGREGATOR.c.party_id == party_id))
        return None if row is None else _aggregator(row)

    async def save_aggregator(self, aggregator: Aggregator) -> None:
        self._concerned.party_ids.add(aggregator.party_id)
        columns = {"pen": aggregator.pen, "domains": list(aggregator.domains)}
        await self._upsert(AGGREGATOR, [{"party_id": aggregator.party_id, **columns}])

    async def remove_aggregator(self, party_id: str) -> None:
        self._concerned.party_ids.add(party_id)
        statement = delete(AGGREGATOR).where(AGGREGATOR.c.party_id == party_id)
        await self._change(statement, f"aggregator {party_id}")

    # -- devices -----------------------------------------------------------------------

    async def add_device(self, device: EndDevice) -> EndDevice:
        self._concerned.party_ids.add(device.party_id)
        columns = {name: getattr(device, name) for name in DEVICE_COLUMNS}
        added = replace(device, number=await self._added(DEVICE, DEVICE.c.number, columns))
        await self._save_groups(added)
        await self._device_changed(added.number, added.party_id)
        return added

    async def save_device(self, device: EndDevice) -> None:
        before = await self.device(device.number)
        self._concerned.party_ids |= {device.party_id} | (set() if before is None else {before.party_id})
        columns = {name: getattr(device, name) for name in DEVICE_COLUMNS}
        statement = update(DEVICE).where(DEVICE.c.number == device.number).values(columns)
        await self._change(statement, f"device {device.number}")
        await self._run(delete(MEMBER).where(MEMBER.c.number == device.number))
        await self._save_groups(device)
        if before is not None and (before.party_id, before.enabled) != (device.party_id, device.enabled):
            await self._device_removed(device.number, before.party_id)
        await self._device_changed(device.number, device.party_id)
        if before is not None and (before.groups, before.rates) != (device.groups, device.rates):
            for kind in sorted(PROGRAM_LISTS):
                await self._tell(kind, device.number)

    async def remove_device(self, device: EndDevice) -> None:
        self._concerned.party_ids.add(device.party_id)
        await self._device_removed(device.number, device.party_id)
        await self._change(delete(DEVICE).where(DEVICE.c.number == device.number), f"device {device.number}")

    async def device(self, number: int) -> EndDevice | None:
        return await self._device(DEVICE.c.number == number)

    async def device_by_lfdi(self, lfdi: str) -> EndDevice | None:
        return await self._device(DEVICE.c.lfdi == lfdi)

    async def devices_called(self, lfdis: Collection[str]) -> dict[str, EndDevice]:
        found = await self._devices(select(DEVICE).where(DEVICE.c.lfdi.in_(sorted(lfdis))))
        return {device.lfdi: device for device in found}

    async def devices(
        self,
        party_id: str | None = None,
        *,
        changed_after: int = 0,
        enabled: bool = False,
        skip: int = 0,
        limit: int = 500,
    ) -> list[EndDevice]:
        query = select(DEVICE).where(*_chosen(party_id, changed_after, enabled=enabled)).order_by(*IN_ORDER)
        return await self._devices(query.offset(skip).limit(limit))

    async def devices_numbered(self, numbers: Collection[int]) -> dict[int, EndDevice]:
        found = await self._devices(select(DEVICE).where(DEVICE.c.number.in_(sorted(numbers))))
        return {device.number: device for device in found}

    async def count_devices(self, party_id: str | None = None, *, changed_after: int = 0, enabled: bool = False) -> int:
        chosen = _chosen(party_id, changed_after, enabled=enabled)
        query = select(func.count().label("there")).select_from(DEVICE).where(*chosen)
        return int((await self._rows(query))[0]["there"])

    async def lfdis(self, party_id: str) -> Collection[str]:
        rows = await self._rows(select(DEVICE.c.lfdi).where(DEVICE.c.party_id == party_id))
        return {str(row["lfdi"]) for row in rows}

    async def groups_of(self, party_id: str) -> set[int]:
        query = select(MEMBER.c.group_id).join(DEVICE, DEVICE.c.number == MEMBER.c.number).distinct()
        rows = await self._rows(query.where(DEVICE.c.party_id == party_id, DEVICE.c.enabled))
        return {int(row["group_id"]) for row in rows}

    async def members(self, group_id: int) -> set[int]:
        rows = await self._rows(select(MEMBER.c.number).where(MEMBER.c.group_id == group_id))
        return {int(row["number"]) for row in rows}

    async def join(self, group_id: int, *, add: Collection[int], remove: Collection[int]) -> None:
        self._concerned.everybody |= bool(add or remove)
        gone = list(remove)
        for start in range(0, len(gone), KEYS_PER_STATEMENT):
            some = gone[start : start + KEYS_PER_STATEMENT]
            await self._run(delete(MEMBER).where(MEMBER.c.group_id == group_id, MEMBER.c.number.in_(some)))
        await self._upsert(MEMBER, [{"number": number, "group_id": group_id} for number in sorted(add)], keep=True)
        both = sorted({*add, *remove})
        for start in range(0, len(both), KEYS_PER_STATEMENT):
            await self._tell_kinds(PROGRAM_LISTS, both[start : start + KEYS_PER_STATEMENT])

    async def speakers(self) -> set[str]:
        return {str(row["party_id"]) for row in await self._rows(select(DEVICE.c.party_id).distinct())}

    async def listeners(self, event_id: str) -> set[str]:
        telling = (CONTROL.c.event_id == event_id) & CONTROL.c.cancelled_at.is_(None)
        told = select(CONTROL.c.group_id).where(telling)
        query = select(DEVICE.c.party_id).join(MEMBER, MEMBER.c.number == DEVICE.c.number).distinct()
        return {str(row["party_id"]) for row in await self._rows(query.where(MEMBER.c.group_id.in_(told)))}

    # -- what devices say of themselves ------------------------------------------------

    async def document(self, number: int, path: str) -> StoredDocument | None:
        query = select(DOCUMENT.c.body, DOCUMENT.c.changed_at)
        row = await self._row(query.where(DOCUMENT.c.number == number, DOCUMENT.c.path == path))
        return None if row is None else StoredDocument(**row)

    async def document_paths(self, number: int) -> list[str]:
        rows = await self._rows(select(DOCUMENT.c.path).where(DOCUMENT.c.number == number).order_by(DOCUMENT.c.path))
        return [str(row["path"]) for row in rows]

    async def put_document(self, device: EndDevice, path: str, document: StoredDocument) -> bool:
        self._concerned.party_ids.add(device.party_id)
        is_new = await self.document(device.number, path) is None
        columns = {"body": document.body, "changed_at": document.changed_at}
        await self._upsert(DOCUMENT, [{"number": device.number, "path": path, **columns}])
        if path in DER_DOCUMENTS:
            await self._tell(f"/edev/#/{path}", device.number)
        return is_new

    async def add_log_event(self, device: EndDevice, created_at: int, body: bytes, *, keep: int) -> int:
        self._concerned.party_ids.add(device.party_id)
        columns = {"number": device.number, "created_at": created_at, "body": body}
        added = await self._added(LOG_EVENT, LOG_EVENT.c.id, columns)
        newest = select(LOG_EVENT.c.id).where(LOG_EVENT.c.number == device.number).order_by(LOG_EVENT.c.id.desc())
        kept = newest.limit(keep)
        await self._run(delete(LOG_EVENT).where(LOG_EVENT.c.number == device.number, LOG_EVENT.c.id.not_in(kept)))
        return added

    async def log_events(self, number: int) -> list[StoredLogEvent]:
        query = select(LOG_EVENT.c.id, LOG_EVENT.c.created_at, LOG_EVENT.c.body)
        query = query.where(LOG_EVENT.c.number == number).order_by(LOG_EVENT.c.created_at, LOG_EVENT.c.id)
        return [StoredLogEvent(**row) for row in await self._rows(query)]

    async def count_log_events(self, numbers: Collection[int]) -> dict[int, int]:
        query = select(LOG_EVENT.c.number, func.count().label("there")).group_by(LOG_EVENT.c.number)
        rows = await self._rows(query.where(LOG_EVENT.c.number.in_(sorted(numbers))))
        return {int(row["number"]): int(row["there"]) for row in rows}

    # -- rates -------------------------------------------------------------------------

    async def rates(self) -> dict[str, int]:
        return {str(row["name"]): int(row["seconds"]) for row in await self._rows(select(RATE))}

    async def save_rate(self, name: str, seconds: int | None) -> None:
        self._concerned.everybody = True
        if seconds is None:
            await self._run(delete(RATE).where(RATE.c.name == name))
        else:
            await self._upsert(RATE, [{"name": name, "seconds": seconds}])
        await self._tell_kinds(RATED.get(name, ()))

    async def _below(self, group_id: int) -> list[int]:
        """The group and all that lie in it."""
        tree = Tree(await self.groups())
        return sorted(one for one in tree.by_id if any(above.id == group_id for above in tree.line(one)))

    async def _programs_changed(self, group_ids: Collection[int]) -> None:
        """What the devices in these groups read of their programs, which may be others now."""
        members = select(MEMBER.c.number).where(MEMBER.c.group_id.in_(sorted(group_ids)))
        await self._tell_kinds(PROGRAM_LISTS, members)

    async def _device(self, condition: ColumnElement[bool]) -> EndDevice | None:
        query = select(DEVICE, MEMBER.c.group_id).outerjoin(MEMBER, MEMBER.c.number == DEVICE.c.number)
        rows = await self._rows(self._locked(query.where(condition), of=DEVICE))
        groups = frozenset(group_id for row in rows if (group_id := row.pop("group_id")) is not None)
        return EndDevice(**rows[0], groups=groups) if rows else None

    async def _devices(self, query: Select[Any]) -> list[EndDevice]:
        rows = await self._rows(query)
        members = select(MEMBER)
        if len(rows) < KEYS_PER_STATEMENT:
            members = members.where(MEMBER.c.number.in_([row["number"] for row in rows]))
        groups = grouped(await self._rows(members), "number") if rows else {}
        return [
            EndDevice(**row, groups=frozenset(one["group_id"] for one in groups.get(row["number"], ()))) for row in rows
        ]

    async def _save_groups(self, device: EndDevice) -> None:
        if device.groups:
            rows = [{"number": device.number, "group_id": group_id} for group_id in sorted(device.groups)]
            await self._run(insert(MEMBER), rows)


class SqlControls(ChangingRepository):
    async def controls(self, group_id: int, kind: ControlKind, *, since: int) -> list[StoredControl]:
        mine = (CONTROL.c.group_id == group_id) & (CONTROL.c.kind == kind) & (CONTROL.c.latest_end > since)
        return [_control(row) for row in await self._rows(select(CONTROL).where(mine).order_by(CONTROL.c.id))]

    async def control(self, mrid: str) -> StoredControl | None:
        row = await self._row(self._locked(select(CONTROL).where(CONTROL.c.mrid == mrid)))
        return None if row is None else _control(row)

    async def of_event(self, event_id: str) -> list[StoredControl]:
        query = select(CONTROL).where(CONTROL.c.event_id == event_id).order_by(CONTROL.c.id)
        return [_control(row) for row in await self._rows(query)]

    async def ends(self, group_ids: Collection[int]) -> dict[int, int]:
        query = select(CONTROL.c.group_id, func.max(CONTROL.c.latest_end).label("ends")).group_by(CONTROL.c.group_id)
        rows = await self._rows(query.where(CONTROL.c.group_id.in_(list(group_ids))))
        return {int(row["group_id"]): int(row["ends"]) for row in rows}

    async def add_control(self, stored: StoredControl) -> StoredControl:
        added = replace(stored, id=await self._added(CONTROL, CONTROL.c.id, _control_columns(stored)))
        await self._controls_changed(stored.group_id, stored.kind)
        return added

    async def add_controls(self, stored: Sequence[StoredControl]) -> None:
        if stored:
            await self._run(insert(CONTROL), [_control_columns(one) for one in stored])
        for group_id, kind in sorted({(one.group_id, one.kind) for one in stored}):
            await self._controls_changed(group_id, kind)

    async def cancel_control(self, mrid: str, at: int, *, randomly: bool) -> None:
        statement = update(CONTROL).where(CONTROL.c.mrid == mrid, CONTROL.c.cancelled_at.is_(None))
        await self._change(statement.values(cancelled_at=at, cancelled_randomly=randomly), f"control {mrid} to cancel")
        whose = await self._row(select(CONTROL.c.group_id, CONTROL.c.kind).where(CONTROL.c.mrid == mrid))
        if whose is not None:
            await self._controls_changed(whose["group_id"], whose["kind"])

    async def cancel_controls(self, mrids: Collection[str], at: int, *, randomly: bool) -> None:
        lists: set[tuple[int, str]] = set()
        ordered = sorted(mrids)
        for start in range(0, len(ordered), KEYS_PER_STATEMENT):
            these = CONTROL.c.mrid.in_(ordered[start : start + KEYS_PER_STATEMENT]) & CONTROL.c.cancelled_at.is_(None)
            rows = await self._rows(select(CONTROL.c.group_id, CONTROL.c.kind).where(these).distinct())
            lists |= {(row["group_id"], row["kind"]) for row in rows}
            await self._run(update(CONTROL).where(these).values(cancelled_at=at, cancelled_randomly=randomly))
        for group_id, kind in sorted(lists):
            await self._controls_changed(group_id, kind)

    async def forget(self, before: int) -> int:
        ended = CONTROL.c.latest_end < before
        await self._run(delete(RESPONSE).where(RESPONSE.c.subject.in_(select(CONTROL.c.mrid).where(ended))))
        return await self._run(delete(CONTROL).where(ended))

    async def default(self, group_id: int) -> bytes | None:
        row = await self._row(select(DEFAULT.c.body).where(DEFAULT.c.group_id == group_id))
        return None if row is None else bytes(row["body"])

    async def save_default(self, group_id: int, body: bytes | None) -> None:
        self._concerned.groups.add(group_id)
        if body is None:
            await self._run(delete(DEFAULT).where(DEFAULT.c.group_id == group_id))
        else:
            await self._upsert(DEFAULT, [{"group_id": group_id, "body": body}])
        await self._tell("/derp/#/dderc", group_id)

    async def defaults(self) -> dict[int, bytes]:
        return {int(row["group_id"]): bytes(row["body"]) for row in await self._rows(select(DEFAULT))}

    async def curves(self, group_id: int | None = None) -> list[StoredCurve]:
        query = select(CURVE).order_by(CURVE.c.id)
        if group_id is not None:
            query = query.where(CURVE.c.group_id == group_id)
        return [StoredCurve(**row) for row in await self._rows(query)]

    async def curve(self, group_id: int, number: int) -> StoredCurve | None:
        query = select(CURVE).where(CURVE.c.group_id == group_id, CURVE.c.id == number)
        row = await self._row(self._locked(query))
        return None if row is None else StoredCurve(**row)

    async def add_curve(self, group_id: int, body: bytes) -> StoredCurve:
        self._concerned.groups.add(group_id)
        columns = {"group_id": group_id, "body": body}
        return StoredCurve(id=await self._added(CURVE, CURVE.c.id, columns), group_id=group_id, body=body)

    async def save_curve(self, curve: StoredCurve) -> None:
        self._concerned.groups.add(curve.group_id)
        await self._change(update(CURVE).where(CURVE.c.id == curve.id).values(body=curve.body), f"curve {curve.id}")

    async def remove_curve(self, curve: StoredCurve) -> None:
        self._concerned.groups.add(curve.group_id)
        await self._change(delete(CURVE).where(CURVE.c.id == curve.id), f"curve {curve.id}")

    async def _controls_changed(self, group_id: int, kind: str) -> None:
        """Interpretation: programs, which tell how many controls they have, are not told of each of them."""
        self._concerned.groups.add(group_id)
        await self._tell("/derp/#/derc" if kind == "DERControl" else "/dr/#/edc", group_id)


class SqlMirrors(ChangingRepository):
    async def mirrors(self, party_id: str) -> list[StoredMirror]:
        query = select(MIRROR).where(MIRROR.c.party_id == party_id).order_by(MIRROR.c.mrid.desc())
        return [StoredMirror(**row) for row in await self._rows(query)]

    async def count_mirrors(self, party_id: str) -> int:
        query = select(func.count().label("there")).select_from(MIRROR).where(MIRROR.c.party_id == party_id)
        return int((await self._rows(query))[0]["there"])

    async def mirror(self, number: int) -> StoredMirror | None:
        row = await self._row(self._locked(select(MIRROR).where(MIRROR.c.number == number)))
        return None if row is None else StoredMirror(**row)

    async def save_mirror(self, mirror: StoredMirror, series: Collection[str]) -> tuple[StoredMirror, bool]:
        elsewhere = select(SERIES.c.mrid).join(MIRROR, MIRROR.c.number == SERIES.c.mirror)
        theirs = elsewhere.where(SERIES.c.mrid.in_(sorted(series)), MIRROR.c.party_id != mirror.party_id)
        if (taken := await self._row(theirs.limit(1))) is not None:
            raise Conflict(f"{taken['mrid']} is a series of another party's")
        saved, is_new = await self._saved_mirror(mirror)
        await self._run(delete(SERIES).where(SERIES.c.mirror == saved.number))
        if series:
            await self._run(insert(SERIES), [{"mirror": saved.number, "mrid": mrid} for mrid in sorted(series)])
        return saved, is_new

    async def _saved_mirror(self, mirror: StoredMirror) -> tuple[StoredMirror, bool]:
        self._concerned.party_ids.add(mirror.party_id)
        columns = _columns(mirror, StoredMirror, without="number")
        theirs = (MIRROR.c.party_id == mirror.party_id) & (MIRROR.c.mrid == mirror.mrid)
        before = await self._row(select(MIRROR.c.number).where(theirs))
        if before is None:
            return replace(mirror, number=await self._added(MIRROR, MIRROR.c.number, columns)), True
        await self._run(update(MIRROR).where(theirs).values(columns))
        return replace(mirror, number=int(before["number"])), False

    async def remove_mirror(self, number: int) -> None:
        whose = await self._row(select(MIRROR.c.party_id).where(MIRROR.c.number == number))
        self._concerned.party_ids |= set() if whose is None else {whose["party_id"]}
        await self._change(delete(MIRROR).where(MIRROR.c.number == number), f"mirror {number}")

    async def add_response(self, response: StoredResponse) -> int:
        return await self._added(RESPONSE, RESPONSE.c.id, _columns(response, StoredResponse, without="id"))

    async def responses(self, subjects: Collection[str]) -> list[StoredResponse]:
        query = select(RESPONSE).where(RESPONSE.c.subject.in_(list(subjects)))
        rows = await self._rows(query.order_by(RESPONSE.c.created_at.desc(), RESPONSE.c.lfdi, RESPONSE.c.id.desc()))
        return [StoredResponse(**row) for row in rows]


def _chosen(party_id: str | None, changed_after: int, *, enabled: bool) -> Iterable[ColumnElement[bool]]:
    if party_id is not None:
        yield DEVICE.c.party_id == party_id
    if changed_after:
        yield DEVICE.c.changed_at >= changed_after
    if enabled:
        yield DEVICE.c.enabled


def _columns(value: Any, kind: type, *, without: str) -> dict[str, Any]:
    return {name: getattr(value, name) for name in kind.__dataclass_fields__ if name != without}  # type: ignore[attr-defined]


def _aggregator(row: dict[str, Any]) -> Aggregator:
    return Aggregator(party_id=row["party_id"], pen=row["pen"], domains=tuple(row["domains"]))


def _control_columns(stored: StoredControl) -> dict[str, Any]:
    control = stored.control
    return {name: getattr(control, name) for name in CONTROL_COLUMNS} | {
        "group_id": stored.group_id, "kind": stored.kind, "body": stored.body, "latest_end": control.latest_end,
        "asks": sorted(control.asks), "categories": sorted(control.categories),
        **{name: getattr(stored, name) for name in TOLD_COLUMNS},
    }  # fmt: skip


def _control(row: dict[str, Any]) -> StoredControl:
    said = {name: row[name] for name in CONTROL_COLUMNS}
    return StoredControl(
        id=row["id"], group_id=row["group_id"], kind=row["kind"], body=row["body"],
        control=Control(**said, asks=frozenset(row["asks"]), categories=frozenset(row["categories"])),
        **{name: row[name] for name in TOLD_COLUMNS},
    )  # fmt: skip
