"""Demand response and load control."""

from dataclasses import dataclass

from openadr_core.sep2.base import IdentifiedObject, Link, List, ListLink, RandomizableEvent, Resource, SubscribableList
from openadr_core.sep2.quantities import ActivePower
from openadr_core.sep2.scalars import (
    ApplianceLoadReductionType,
    DeviceCategoryType,
    Int16,
    PerCent,
    PrimacyType,
    UInt8,
    UInt16,
    UInt32,
    UnitType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandResponseProgram(IdentifiedObject):
    """A group of devices whose load is controlled."""

    active_end_device_control_list_link: ListLink | None = None
    availability_update_percent_change_threshold: PerCent | None = None
    availability_update_power_change_threshold: ActivePower | None = None
    end_device_control_list_link: ListLink | None = None
    primacy: PrimacyType


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandResponseProgramList(SubscribableList):
    poll_rate: UInt32 | None = None
    demand_response_program: tuple[DemandResponseProgram, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplianceLoadReduction:
    """Which way an appliance shall save."""

    type: ApplianceLoadReductionType


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyCycle:
    """Per cent of the time that a device may run."""

    normal_value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Tenths of a degree Celsius, or per cent."""

    cooling_offset: UInt8 | None = None
    heating_offset: UInt8 | None = None
    load_adjustment_percentage_offset: PerCent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoint:
    """Hundredths of a degree Celsius."""

    cooling_setpoint: Int16 | None = None
    heating_setpoint: Int16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReduction:
    """By how much, in the units of ``type``."""

    type: UnitType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceControl(RandomizableEvent):
    """An event that asks devices to change their load."""

    appliance_load_reduction: ApplianceLoadReduction | None = None
    device_category: DeviceCategoryType
    dr_program_mandatory: bool
    duty_cycle: DutyCycle | None = None
    load_shift_forward: bool
    offset: Offset | None = None
    override_duration: UInt16 | None = None
    set_point: SetPoint | None = None
    target_reduction: TargetReduction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceControlList(SubscribableList):
    end_device_control: tuple[EndDeviceControl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShedAvailability(Resource):
    """What a device could shed now."""

    availability_duration: UInt32 | None = None
    demand_response_program_link: Link | None = None
    sheddable_percent: PerCent | None = None
    sheddable_power: ActivePower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShedAvailabilityList(List):
    poll_rate: UInt32 | None = None
    load_shed_availability: tuple[LoadShedAvailability, ...] = ()
