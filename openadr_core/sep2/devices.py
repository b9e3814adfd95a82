"""Devices: who they are, how they are, what they take part in."""

from dataclasses import dataclass

from openadr_core.sep2.base import Link, ListLink, Resource, SubscribableList, SubscribableResource
from openadr_core.sep2.quantities import ActivePower, RealEnergy
from openadr_core.sep2.scalars import (
    DeviceCategoryType,
    DstRuleType,
    HexBinary32,
    HexBinary64,
    HexBinary160,
    Int16,
    LocaleType,
    MRIDType,
    PENType,
    PerCent,
    PINType,
    PowerOfTenMultiplierType,
    PowerSourceType,
    SFDIType,
    String32,
    TimeOffsetType,
    TimeType,
    UInt8,
    UInt16,
    UInt32,
    VersionType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstractDevice(SubscribableResource):
    """What a device says of itself and where the rest of it is."""

    configuration_link: Link | None = None
    der_list_link: ListLink | None = None
    device_category: DeviceCategoryType | None = None
    device_information_link: Link | None = None
    device_status_link: Link | None = None
    file_status_link: Link | None = None
    ip_interface_list_link: ListLink | None = None
    lfdi: HexBinary160 | None = None
    load_shed_availability_list_link: ListLink | None = None
    log_event_list_link: ListLink | None = None
    power_status_link: Link | None = None
    sfdi: SFDIType


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDevice(AbstractDevice):
    """A device as the server knows it."""

    changed_time: TimeType
    enabled: bool | None = None
    flow_reservation_request_list_link: ListLink | None = None
    flow_reservation_response_list_link: ListLink | None = None
    function_set_assignments_list_link: ListLink | None = None
    post_rate: UInt32 | None = None
    registration_link: Link | None = None
    subscription_list_link: ListLink | None = None
    connection_point_link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceList(SubscribableList):
    poll_rate: UInt32 | None = None
    end_device: tuple[EndDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(Resource):
    """When the device was let in, and the PIN that its owner was told."""

    poll_rate: UInt32 | None = None
    date_time_registered: TimeType
    pin: PINType


@dataclass(frozen=True, slots=True, kw_only=True)
class DRLCCapabilities:
    """What it can shed."""

    average_energy: RealEnergy
    max_demand: ActivePower
    options_implemented: HexBinary32


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """In degrees Celsius, by the multiplier."""

    multiplier: PowerOfTenMultiplierType
    subject: UInt8
    value: Int16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus(Resource):
    """How the device is."""

    poll_rate: UInt32 | None = None
    changed_time: TimeType
    on_count: UInt16 | None = None
    op_state: UInt8 | None = None
    op_time: UInt32 | None = None
    temperature: tuple[Temperature, ...] = ()
    time_link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PEVInfo:
    """What a vehicle needs, and by when."""

    charging_power_now: ActivePower
    energy_request_now: RealEnergy
    max_forward_power: ActivePower
    minimum_charging_duration: UInt32
    target_state_of_charge: PerCent
    time_charge_is_needed: TimeType
    time_charging_status_pev: TimeType


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStatus(Resource):
    """What it runs on, and for how long."""

    poll_rate: UInt32 | None = None
    battery_status: UInt8
    changed_time: TimeType
    current_power_source: PowerSourceType
    estimated_charge_remaining: PerCent | None = None
    estimated_time_remaining: UInt32 | None = None
    pev_info: PEVInfo | None = None
    session_time_on_battery: UInt32 | None = None
    total_time_on_battery: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerConfiguration:
    battery_install_time: TimeType | None = None
    low_charge_threshold: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeConfiguration:
    dst_end_rule: DstRuleType
    dst_offset: TimeOffsetType
    dst_start_rule: DstRuleType
    tz_offset: TimeOffsetType


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration(SubscribableResource):
    """How its owner has set it."""

    poll_rate: UInt32 | None = None
    current_locale: LocaleType
    power_configuration: PowerConfiguration | None = None
    price_response_cfg_list_link: ListLink | None = None
    time_configuration: TimeConfiguration | None = None
    user_device_name: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class GPSLocationType:
    lat: String32
    lon: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformation(Resource):
    """What the device is: maker, model, versions."""

    poll_rate: UInt32 | None = None
    drlc_capabilities: DRLCCapabilities | None = None
    functions_implemented: HexBinary64 | None = None
    gps_location: GPSLocationType | None = None
    lfdi: HexBinary160
    mf_date: TimeType
    mf_hw_ver: String32
    mf_id: PENType
    mf_info: String32 | None = None
    mf_model: String32
    mf_ser_num: String32
    primary_power: PowerSourceType
    secondary_power: PowerSourceType
    supported_locale_list_link: ListLink | None = None
    sw_act_time: TimeType
    sw_ver: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(Resource):
    """Something that happened to a device, an alarm or its end."""

    created_date_time: TimeType
    details: String32 | None = None
    extended_data: UInt32 | None = None
    function_set: UInt8
    log_event_code: UInt8
    log_event_id: UInt16
    log_event_pen: PENType
    profile_id: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEventList(SubscribableList):
    poll_rate: UInt32 | None = None
    log_event: tuple[LogEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignmentsBase(Resource):
    """Links to function sets."""

    customer_account_list_link: ListLink | None = None
    demand_response_program_list_link: ListLink | None = None
    der_program_list_link: ListLink | None = None
    file_list_link: ListLink | None = None
    messaging_program_list_link: ListLink | None = None
    prepayment_list_link: ListLink | None = None
    response_set_list_link: ListLink | None = None
    tariff_profile_list_link: ListLink | None = None
    time_link: Link | None = None
    usage_point_list_link: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignments(FunctionSetAssignmentsBase):
    """Which programs a device takes part in."""

    subscribable: UInt8 | None = None
    mrid: MRIDType
    description: String32 | None = None
    version: VersionType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignmentsList(SubscribableList):
    poll_rate: UInt32 | None = None
    function_set_assignments: tuple[FunctionSetAssignments, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPoint(Resource):
    """CSIP-AUS: where the site meets the network, by the number that its meter has (NMI)."""

    connection_point_id: String32
