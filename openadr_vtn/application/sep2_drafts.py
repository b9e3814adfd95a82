"""A control of IEEE 2030.5 as it is to be stored, made of what somebody wishes for, and whoever gives mRIDs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from openadr_core.errors import RuleBroken
from openadr_core.sep2.base import DateTimeInterval, EventStatus
from openadr_core.sep2.controls import DERControl, DERControlBase
from openadr_core.sep2.drlc import EndDeviceControl
from openadr_core.sep2.encode import encode
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.mrid import PenForm, mrid_of
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.plan import parts_of
from openadr_vtn.application.sep2_ports import ControlKind, StoredControl
from openadr_vtn.domain.sep2.control_status import Control

REDUCTIONS = ("appliance_load_reduction", "duty_cycle", "offset", "set_point", "target_reduction")
RAMP = "ramp_tms"
"""How a control is gone over to, and nothing that it asks for."""
VERSIONS = 2**16
"""Interpretation: after the last that sixteen bits hold comes the first."""
NOT_SAID = EventStatus(current_status=0, date_time=0, potentially_superseded=False)
"""In what is kept: a status is derived when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who makes mRIDs here."""

    pen: int
    pen_form: PenForm
    new_unique: Callable[[], int]
    """96 bits, never the same twice."""

    @property
    def is_served(self) -> bool:
        """Whether anybody could see what is made: nobody's number is 0."""
        return self.pen > 0

    def mrid(self) -> str:
        return mrid_of(self.new_unique(), pen=self.pen, form=self.pen_form)


NOBODY = Maker(pen=0, pen_form=PenForm.DECIMAL, new_unique=int)
"""Where IEEE 2030.5 is not served."""


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
    version: int = 0


def drafted(wish: ControlWish, group_id: int, *, mrid: str, moment: int) -> StoredControl:
    """As it is stored. SchemaViolation names a wrong member; RuleBroken if it asks for nothing."""
    message = _message(wish, mrid, moment)
    asks = _asks(message)
    if not asks:
        raise RuleBroken("the control asks for nothing")
    control = Control(
        mrid=mrid,
        creation_time=moment,
        start=wish.starts_at,
        duration_s=wish.duration_s,
        asks=asks,
        categories=_bits(message.device_category),
        randomize_start_s=wish.randomize_start_s,
        randomize_duration_s=wish.randomize_duration_s,
    )
    body = encode(message, csipaus=CsipAus.V1_3)
    return StoredControl(id=0, group_id=group_id, kind=wish.kind, control=control, body=body)


def _message(wish: ControlWish, mrid: str, moment: int) -> DERControl | EndDeviceControl:
    said: dict[str, Any] = {
        "response_required": wish.response_required,
        "mrid": mrid,
        "description": wish.description,
        "version": wish.version % VERSIONS,
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
