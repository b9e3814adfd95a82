"""What devices answer to events."""

from dataclasses import dataclass

from openadr_core.sep2.base import IdentifiedObject, List, ListLink, Resource
from openadr_core.sep2.drlc import ApplianceLoadReduction, DutyCycle, Offset, SetPoint
from openadr_core.sep2.scalars import HexBinary160, MRIDType, TimeType, UInt8, UInt16, UInt32, UnitType


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Resource):
    """What a device says to an event; ``subject`` is the event's mRID."""

    created_date_time: TimeType | None = None
    end_device_lfdi: HexBinary160
    status: UInt8 | None = None
    subject: MRIDType


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlResponse(Response):
    """A response to a DERControl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTargetReduction:
    """By how much the device did reduce."""

    type: UnitType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class DrResponse(Response):
    """A response to an EndDeviceControl, with what was done."""

    appliance_load_reduction: ApplianceLoadReduction | None = None
    applied_target_reduction: AppliedTargetReduction | None = None
    duty_cycle: DutyCycle | None = None
    offset: Offset | None = None
    override_duration: UInt16 | None = None
    set_point: SetPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseList(List):
    response: tuple[Response, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSet(IdentifiedObject):
    """Where responses to a program's events go."""

    response_list_link: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSetList(List):
    poll_rate: UInt32 | None = None
    response_set: tuple[ResponseSet, ...] = ()
