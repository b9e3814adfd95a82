"""Controls, defaults and curves of IEEE 2030.5 groups, as operators write them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from openadr_core.errors import NotFound, RuleBroken, WrongState
from openadr_core.sep2.base import DateTimeInterval, EventStatus
from openadr_core.sep2.controls import DefaultDERControl, DERControl, DERControlBase, DERCurve
from openadr_core.sep2.drlc import EndDeviceControl
from openadr_core.sep2.encode import encode
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.plan import parts_of
from openadr_vtn.application.handlers.sep2_groups import Maker, group_named
from openadr_vtn.application.ports import AuditEntry, Store
from openadr_vtn.application.sep2_ports import ControlKind, StoredControl, StoredCurve
from openadr_vtn.domain.sep2.control_status import Control
from openadr_vtn.domain.sep2.curve_rules import check_curve

ONE_HOUR_S = 3600
REDUCTIONS = ("appliance_load_reduction", "duty_cycle", "offset", "set_point", "target_reduction")
RAMP = "ramp_tms"
"""How a control is gone over to, and nothing that it asks for."""
DEFAULT_LEFT_OUT = ("mRID", "description", "version", "href", "subscribable")
NOT_SAID = EventStatus(current_status=0, date_time=0, potentially_superseded=False)
"""In what is kept: a status is derived when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlWish:
    """A control, as an operator describes it."""

    kind: ControlKind
    members: Mapping[str, Any]
    """DERControl: of DERControlBase. EndDeviceControl: what is its own."""
    starts_at: int
    duration_s: int
    randomize_start_s: int = 0
    randomize_duration_s: int = 0
    response_required: str = "03"
    category: str | None = None
    """DERControl: only devices of these categories, in hex."""
    description: str | None = None


async def create_control(
    store: Store, group_name: str, wish: ControlWish, *, maker: Maker, actor: str, now: datetime
) -> StoredControl:
    """Stored once, for all devices of the group. SchemaViolation names a wrong member; RuleBroken a wrong time."""
    moment = int(now.timestamp())
    _check_times(wish, moment)
    message = _message(wish, maker.mrid(), moment)
    asks = _asks(message)
    if not asks:
        raise RuleBroken("the control asks for nothing")
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        control = Control(
            mrid=message.mrid,
            creation_time=moment,
            start=wish.starts_at,
            duration_s=wish.duration_s,
            asks=asks,
            categories=_bits(message.device_category),
            randomize_start_s=wish.randomize_start_s,
            randomize_duration_s=wish.randomize_duration_s,
        )
        body = encode(message, csipaus=CsipAus.V1_3)
        stored = await uow.controls.add_control(
            StoredControl(id=0, group_id=group.id, kind=wish.kind, control=control, body=body)
        )
        await uow.audit.append(
            AuditEntry(at=now, actor=actor, action="create control", subject=message.mrid, detail=group_name)
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


def _message(wish: ControlWish, mrid: str, moment: int) -> DERControl | EndDeviceControl:
    said: dict[str, Any] = {
        "response_required": wish.response_required,
        "mrid": mrid,
        "description": wish.description,
        "version": 0,
        "creation_time": moment,
        "event_status": NOT_SAID,
        "interval": DateTimeInterval(duration=wish.duration_s, start=wish.starts_at),
        "randomize_start": wish.randomize_start_s or None,
        "randomize_duration": wish.randomize_duration_s or None,
    }
    if wish.kind == "DERControl":
        return DERControl(
            **said, der_control_base=from_json(DERControlBase, wish.members), device_category=wish.category
        )
    own = {part.name: part.field for part in parts_of(EndDeviceControl)[-len(fields(EndDeviceControl)) :]}
    required = {
        "mRID": mrid, "creationTime": moment, "interval": {"duration": wish.duration_s, "start": wish.starts_at},
        "EventStatus": {"currentStatus": 0, "dateTime": 0, "potentiallySuperseded": False},
    }  # fmt: skip
    parsed = from_json(EndDeviceControl, {**required, **wish.members})
    return EndDeviceControl(
        **said, **{field: getattr(parsed, field) for name, field in own.items() if name in wish.members}
    )


def _asks(message: DERControl | EndDeviceControl) -> frozenset[str]:
    if isinstance(message, DERControl):
        base = message.der_control_base
        names = {part.field: part.name for part in parts_of(DERControlBase)}
        return frozenset(name for field, name in names.items() if field != RAMP and getattr(base, field) is not None)
    return frozenset(name for name in REDUCTIONS if getattr(message, name) is not None)


def _bits(category: str | None) -> frozenset[int]:
    number = int(category or "0", 16)
    return frozenset(bit for bit in range(32) if number >> bit & 1)
