"""Controls, defaults and curves of IEEE 2030.5 groups, as operators write them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from openadr_core.errors import NotFound, RuleBroken, WrongState
from openadr_core.sep2.controls import DefaultDERControl, DERCurve
from openadr_core.sep2.encode import encode
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.names import CsipAus
from openadr_vtn.application.handlers.sep2_groups import group_named
from openadr_vtn.application.ports import AuditEntry, Store
from openadr_vtn.application.sep2_drafts import ControlWish, Maker, drafted
from openadr_vtn.application.sep2_ports import StoredControl, StoredCurve
from openadr_vtn.domain.sep2.curve_rules import check_curve

ONE_HOUR_S = 3600
DEFAULT_LEFT_OUT = ("mRID", "description", "version", "href", "subscribable")


async def create_control(
    store: Store, group_name: str, wish: ControlWish, *, maker: Maker, actor: str, now: datetime
) -> StoredControl:
    """Stored once, for all devices of the group. SchemaViolation names a wrong member; RuleBroken a wrong time."""
    moment = int(now.timestamp())
    _check_times(wish, moment)
    control = drafted(wish, 0, mrid=maker.mrid(), moment=moment)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
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
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="cancel control", subject=mrid.upper()))
    return stored


async def save_default(
    store: Store, group_name: str, members: Mapping[str, Any] | None, *, maker: Maker, actor: str, now: datetime
) -> None:
    """What holds where no control of the group does; None: nothing does."""
    body = None
    if members is not None:
        message = from_json(DefaultDERControl, {"mRID": maker.mrid(), "version": 0, **members})
        body = encode(message, csipaus=CsipAus.V1_3)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        await uow.controls.save_default(group.id, body)
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="save default", subject=group_name))


async def add_curve(
    store: Store, group_name: str, members: Mapping[str, Any], *, maker: Maker, actor: str, now: datetime
) -> StoredCurve:
    """A curve that controls of the group may refer to, by its address; it does not change any more."""
    wanted = {"mRID": maker.mrid(), "creationTime": int(now.timestamp()), **members}
    curve = from_json(DERCurve, wanted)
    check_curve(curve)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        stored = await uow.controls.add_curve(group.id, encode(curve, csipaus=None))
        await uow.audit.append(AuditEntry(at=now, actor=actor, action="add curve", subject=curve.mrid))
    return stored


def _check_times(wish: ControlWish, moment: int) -> None:
    if wish.duration_s <= 0:
        raise RuleBroken("a control lasts for at least a second")
    for name, seconds in (("start", wish.randomize_start_s), ("duration", wish.randomize_duration_s)):
        if abs(seconds) > ONE_HOUR_S:
            raise RuleBroken(f"the {name} is randomised by an hour at most")
    if wish.starts_at + wish.duration_s <= moment:
        raise RuleBroken("the control would be over already")
