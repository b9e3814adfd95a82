"""Controls, defaults and curves of IEEE 2030.5 groups, as operators write them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from openadr_core.errors import Conflict, NotFound, RuleBroken, SchemaViolation, WrongState
from openadr_core.sep2.controls import DefaultDERControl, DERControl, DERControlBase, DERCurve
from openadr_core.sep2.curve_rules import check_curve, check_link, links_of
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.names import CURVES, CsipAus
from openadr_core.xml.parse import parse
from openadr_vtn.application.handlers.sep2_groups import group_named, note
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.application.sep2_drafts import VERSIONS, ControlWish, Maker, drafted
from openadr_vtn.application.sep2_ports import StoredControl, StoredCurve
from openadr_vtn.domain.sep2.curve_addresses import curve_address, number_of
from openadr_vtn.domain.sep2.registry import Group

ONE_HOUR_S = 3600
GIVEN_BY_US = ("mRID", "version", "creationTime", "href", "subscribable")
"""Of defaults and curves: what an operator does not say."""


async def create_control(
    store: Store, group_name: str, wish: ControlWish, *, maker: Maker, actor: str, now: datetime
) -> StoredControl:
    """Stored once, for all devices of the group. SchemaViolation names a wrong member; RuleBroken a wrong time."""
    moment = int(now.timestamp())
    _check_times(wish, moment)
    control = drafted(wish, 0, mrid=maker.mrid(), moment=moment)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        if not control.control.asks.isdisjoint(CURVES):
            await _check_links(uow, group, _base(control))
        stored = await uow.controls.add_control(replace(control, group_id=group.id))
        await uow.audit.append(
            AuditEntry(at=now, actor=actor, action="create control", subject=stored.control.mrid, detail=group_name)
        )
    return stored


async def cancel_control(store: Store, mrid: str, *, randomly: bool, actor: str, now: datetime) -> StoredControl:
    """It stays listed, as cancelled, to its end. NotFound if there is none; WrongState if it is over."""
    moment = int(now.timestamp())
    async with store.unit_of_work() as uow:
        stored = await uow.controls.control(mrid.upper())
        if stored is None:
            raise NotFound(f"there is no control {mrid}")
        if stored.control.latest_end <= moment or stored.control.cancelled_at is not None:
            raise WrongState(f"control {mrid} is over")
        await uow.controls.cancel_control(stored.control.mrid, moment, randomly=randomly)
        await note(uow, actor, "cancel control", mrid.upper(), now)
    return stored


async def save_default(
    store: Store, group_name: str, members: Mapping[str, Any], *, maker: Maker, actor: str, now: datetime
) -> None:
    """What holds where no control of the group does. One that is changed stays the same object: its version grows."""
    _check_ours(members)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        before = _default(await uow.controls.default(group.id))
        said = _identity(before, maker)
        message = from_json(DefaultDERControl, {**said, **members})
        await _check_links(uow, group, message.der_control_base)
        await uow.controls.save_default(group.id, encode(message, csipaus=CsipAus.V1_3))
        await note(uow, actor, "save default", group_name, now)


async def remove_default(store: Store, group_name: str, *, actor: str, now: datetime) -> None:
    """From now on nothing holds where no control of the group does. NotFound if nothing did."""
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        if await uow.controls.default(group.id) is None:
            raise NotFound(f"group {group_name} has no default")
        await uow.controls.save_default(group.id, None)
        await note(uow, actor, "remove default", group_name, now)


async def add_curve(
    store: Store, group_name: str, members: Mapping[str, Any], *, maker: Maker, actor: str, now: datetime
) -> StoredCurve:
    """A curve that controls and the default of the group may refer to, by its address."""
    _check_ours(members)
    curve = from_json(DERCurve, {**_identity(None, maker), "creationTime": int(now.timestamp()), **members})
    check_curve(curve)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        stored = await uow.controls.add_curve(group.id, encode(curve, csipaus=None))
        await note(uow, actor, "add curve", curve.mrid, now)
    return stored


async def change_curve(
    store: Store, group_name: str, number: int, members: Mapping[str, Any], *, maker: Maker, actor: str, now: datetime
) -> StoredCurve:
    """It stays the same object, of the same type: its version grows, and that of a default that refers to it.

    Interpretation: a published control never changes (1.5), and so what it refers to does not: Conflict while one
    that is listed does.
    """
    _check_ours(members)
    async with store.unit_of_work() as uow:
        group, stored, before = await curve_numbered(uow, group_name, number)
        users = await _users(uow, stored, int(now.timestamp()))
        if users.controls:
            raise Conflict(f"curve {number} of {group_name} is what controls refer to: {', '.join(users.controls)}")
        said = {**_identity(before, maker), "creationTime": before.creation_time}
        curve = from_json(DERCurve, {**said, **members})
        check_curve(curve)
        if curve.curve_type != before.curve_type:
            raise RuleBroken(f"curveType: is {before.curve_type}, and a curve of another type is another curve")
        changed = replace(stored, body=encode(curve, csipaus=None))
        await uow.controls.save_curve(changed)
        if users.default is not None:
            grown = replace(users.default, version=_next(users.default.version))
            await uow.controls.save_default(group.id, encode(grown, csipaus=CsipAus.V1_3))
        await note(uow, actor, "change curve", curve.mrid, now)
    return changed


async def remove_curve(store: Store, group_name: str, number: int, *, actor: str, now: datetime) -> StoredCurve:
    """Conflict while a control that is listed, or the group's default, refers to it."""
    async with store.unit_of_work() as uow:
        _, stored, before = await curve_numbered(uow, group_name, number)
        users = await _users(uow, stored, int(now.timestamp()))
        names = [*users.controls, *([] if users.default is None else ["the group's default"])]
        if names:
            raise Conflict(f"curve {number} of {group_name} is in use, by {', '.join(names)}")
        await uow.controls.remove_curve(stored)
        await note(uow, actor, "remove curve", before.mrid, now)
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveUsers:
    """What refers to a curve."""

    controls: tuple[str, ...] = ()
    """mRIDs of those that are listed, whatever became of them."""
    default: DefaultDERControl | None = None
    """The group's, if it does."""


UNUSED = CurveUsers()


async def curve_users(uow: UnitOfWork, group_id: int, moment: int) -> Mapping[str, CurveUsers]:
    """Of the group's curves, by address; those that nothing refers to are left out."""
    found: dict[str, CurveUsers] = {}
    for stored in await uow.controls.controls(group_id, "DERControl", since=moment):
        if not stored.control.asks.isdisjoint(CURVES):
            for href in set(links_of(_base(stored)).values()):
                before = found.get(href, UNUSED)
                found[href] = replace(before, controls=(*before.controls, stored.control.mrid))
    default = _default(await uow.controls.default(group_id))
    if default is not None:
        for href in links_of(default.der_control_base).values():
            found[href] = replace(found.get(href, UNUSED), default=default)
    return found


async def _users(uow: UnitOfWork, curve: StoredCurve, moment: int) -> CurveUsers:
    found = await curve_users(uow, curve.group_id, moment)
    return found.get(curve_address(curve.group_id, curve.id), UNUSED)


async def curve_numbered(uow: UnitOfWork, group_name: str, number: int) -> tuple[Group, StoredCurve, DERCurve]:
    """NotFound if there is none."""
    group = await group_named(uow, group_name)
    stored = await uow.controls.curve(group.id, number)
    if stored is None:
        raise NotFound(f"group {group_name} has no curve {number}")
    return group, stored, read(parse(stored.body))


async def _check_links(uow: UnitOfWork, group: Group, base: DERControlBase) -> None:
    """RuleBroken if it refers to what is no curve of the group, or to one that its mode cannot follow."""
    for mode, href in links_of(base).items():
        stored = await uow.controls.curve(group.id, number_of(href, group.id, mode))
        if stored is None:
            raise RuleBroken(f"{mode}: there is no curve at {href}")
        check_link(mode, read(parse(stored.body)))


def _base(stored: StoredControl) -> DERControlBase:
    message: DERControl = read(parse(stored.body))
    return message.der_control_base


def _default(body: bytes | None) -> DefaultDERControl | None:
    return None if body is None else read(parse(body))


def _identity(before: DefaultDERControl | DERCurve | None, maker: Maker) -> dict[str, Any]:
    """What is said stays the same object, and its version grows with each change (1.4)."""
    if before is None:
        return {"mRID": maker.mrid(), "version": 0}
    return {"mRID": before.mrid, "version": _next(before.version)}


def _next(version: int | None) -> int:
    return ((version or 0) + 1) % VERSIONS


def _check_ours(members: Mapping[str, Any]) -> None:
    for name in GIVEN_BY_US:
        if name in members:
            raise SchemaViolation(f"{name}: is given by the server")


def _check_times(wish: ControlWish, moment: int) -> None:
    if wish.duration_s <= 0:
        raise RuleBroken("a control lasts for at least a second")
    for name, seconds in (("start", wish.randomize_start_s), ("duration", wish.randomize_duration_s)):
        if abs(seconds) > ONE_HOUR_S:
            raise RuleBroken(f"the {name} is randomised by an hour at most")
    if wish.starts_at + wish.duration_s <= moment:
        raise RuleBroken("the control would be over already")
