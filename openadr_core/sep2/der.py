"""Distributed energy resources: what they can, are set to, and do."""

from dataclasses import dataclass

from openadr_core.sep2.base import Link, List, ListLink, Resource, SubscribableResource
from openadr_core.sep2.quantities import (
    ActivePower,
    AmpereHour,
    ApparentPower,
    CurrentRMS,
    PowerFactor,
    ReactivePower,
    ReactiveSusceptance,
    VoltageRMS,
    WattHour,
)
from openadr_core.sep2.scalars import (
    DERControlType,
    DERType,
    HexBinary8,
    HexBinary32,
    Int16,
    PerCent,
    String6,
    TimeType,
    UInt8,
    UInt16,
    UInt32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DER(SubscribableResource):
    """One distributed energy resource of a device."""

    associated_der_program_list_link: ListLink | None = None
    associated_usage_point_link: Link | None = None
    current_der_program_link: Link | None = None
    der_availability_link: Link | None = None
    der_capability_link: Link | None = None
    der_settings_link: Link | None = None
    der_status_link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERList(List):
    poll_rate: UInt32 | None = None
    der: tuple[DER, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCapability(Resource):
    """What the resource was built for (``rtg``: rated)."""

    modes_supported: DERControlType
    rtg_abnormal_category: UInt8 | None = None
    rtg_max_a: CurrentRMS | None = None
    rtg_max_ah: AmpereHour | None = None
    rtg_max_charge_rate_va: ApparentPower | None = None
    rtg_max_charge_rate_w: ActivePower | None = None
    rtg_max_discharge_rate_va: ApparentPower | None = None
    rtg_max_discharge_rate_w: ActivePower | None = None
    rtg_max_v: VoltageRMS | None = None
    rtg_max_va: ApparentPower | None = None
    rtg_max_var: ReactivePower | None = None
    rtg_max_var_neg: ReactivePower | None = None
    rtg_max_w: ActivePower
    rtg_max_wh: WattHour | None = None
    rtg_min_pf_over_excited: PowerFactor | None = None
    rtg_min_pf_under_excited: PowerFactor | None = None
    rtg_min_v: VoltageRMS | None = None
    rtg_normal_category: UInt8 | None = None
    rtg_over_excited_pf: PowerFactor | None = None
    rtg_over_excited_w: ActivePower | None = None
    rtg_reactive_susceptance: ReactiveSusceptance | None = None
    rtg_under_excited_pf: PowerFactor | None = None
    rtg_under_excited_w: ActivePower | None = None
    rtg_v_nom: VoltageRMS | None = None
    type: DERType
    doe_modes_supported: HexBinary8 | None = None
    vpp_modes_supported: HexBinary8 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERSettings(SubscribableResource):
    """What the resource is set to; ``updated_time`` says since when."""

    modes_enabled: DERControlType | None = None
    set_es_delay: UInt32 | None = None
    set_es_high_freq: UInt16 | None = None
    set_es_high_volt: Int16 | None = None
    set_es_low_freq: UInt16 | None = None
    set_es_low_volt: Int16 | None = None
    set_es_ramp_tms: UInt32 | None = None
    set_es_random_delay: UInt32 | None = None
    set_grad_w: UInt16
    set_max_a: CurrentRMS | None = None
    set_max_ah: AmpereHour | None = None
    set_max_charge_rate_va: ApparentPower | None = None
    set_max_charge_rate_w: ActivePower | None = None
    set_max_discharge_rate_va: ApparentPower | None = None
    set_max_discharge_rate_w: ActivePower | None = None
    set_max_v: VoltageRMS | None = None
    set_max_va: ApparentPower | None = None
    set_max_var: ReactivePower | None = None
    set_max_var_neg: ReactivePower | None = None
    set_max_w: ActivePower
    set_max_wh: WattHour | None = None
    set_min_pf_over_excited: PowerFactor | None = None
    set_min_pf_under_excited: PowerFactor | None = None
    set_min_v: VoltageRMS | None = None
    set_soft_grad_w: UInt16 | None = None
    set_v_nom: VoltageRMS | None = None
    set_v_ref: VoltageRMS | None = None
    set_v_ref_ofs: VoltageRMS | None = None
    updated_time: TimeType
    doe_modes_enabled: HexBinary8 | None = None
    vpp_modes_enabled: HexBinary8 | None = None
    set_min_wh: WattHour | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERAvailability(SubscribableResource):
    """What it could do, and for how long."""

    availability_duration: UInt32 | None = None
    max_charge_duration: UInt32 | None = None
    reading_time: TimeType
    reserve_charge_percent: PerCent | None = None
    reserve_percent: PerCent | None = None
    stat_var_avail: ReactivePower | None = None
    stat_w_avail: ActivePower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectStatusType:
    date_time: TimeType
    value: HexBinary8


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterStatusType:
    date_time: TimeType
    value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalControlModeStatusType:
    date_time: TimeType
    value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class ManufacturerStatusType:
    date_time: TimeType
    value: String6


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationalModeStatusType:
    date_time: TimeType
    value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOfChargeStatusType:
    date_time: TimeType
    value: PerCent


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageModeStatusType:
    date_time: TimeType
    value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class DERStatus(SubscribableResource):
    """How the resource stands."""

    alarm_status: HexBinary32 | None = None
    gen_connect_status: ConnectStatusType | None = None
    inverter_status: InverterStatusType | None = None
    local_control_mode_status: LocalControlModeStatusType | None = None
    manufacturer_status: ManufacturerStatusType | None = None
    operational_mode_status: OperationalModeStatusType | None = None
    reading_time: TimeType
    state_of_charge_status: StateOfChargeStatusType | None = None
    storage_mode_status: StorageModeStatusType | None = None
    stor_connect_status: ConnectStatusType | None = None
