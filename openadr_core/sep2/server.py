"""The server and its clock."""

from dataclasses import dataclass

from openadr_core.sep2.base import Link, ListLink, Resource
from openadr_core.sep2.devices import AbstractDevice, FunctionSetAssignmentsBase
from openadr_core.sep2.scalars import TimeOffsetType, TimeType, UInt8, UInt32


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCapability(FunctionSetAssignmentsBase):
    """Where everything is found: the one resource whose address a client is told."""

    poll_rate: UInt32 | None = None
    end_device_list_link: ListLink | None = None
    mirror_usage_point_list_link: ListLink | None = None
    self_device_link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Time(Resource):
    """The server's clock, by which all events are meant. Seconds; ``tz_offset`` is without daylight saving."""

    poll_rate: UInt32 | None = None
    current_time: TimeType
    dst_end_time: TimeType
    dst_offset: TimeOffsetType
    dst_start_time: TimeType
    local_time: TimeType | None = None
    quality: UInt8
    tz_offset: TimeOffsetType


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfDevice(AbstractDevice):
    """The server itself, as a device."""

    poll_rate: UInt32 | None = None
