"""Controls of distributed energy resources, their programs and curves."""

from dataclasses import dataclass

from openadr_core.sep2.base import (
    IdentifiedObject,
    Link,
    List,
    ListLink,
    RandomizableEvent,
    SubscribableIdentifiedObject,
    SubscribableList,
)
from openadr_core.sep2.quantities import ActivePower, ReactivePower
from openadr_core.sep2.scalars import (
    DERCurveType,
    DERUnitRefType,
    DeviceCategoryType,
    Int16,
    Int32,
    PerCent,
    PowerOfTenMultiplierType,
    PrimacyType,
    SignedPerCent,
    TimeType,
    UInt16,
    UInt32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreqDroopType:
    """Droop: dead bands in mHz, slopes in thousandths, response in hundredths of a second."""

    d_bof: UInt32
    d_buf: UInt32
    k_of: UInt16
    k_uf: UInt16
    open_loop_tms: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedVar:
    """Reactive power in hundredths of a per cent of what ``ref_type`` names."""

    ref_type: DERUnitRefType
    value: SignedPerCent


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactorWithExcitation:
    """Displacement by the multiplier; ``excitation`` is true where vars are absorbed."""

    displacement: UInt16
    excitation: bool
    multiplier: PowerOfTenMultiplierType


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlBase:
    """What is asked of a resource: one element for each mode."""

    op_mod_connect: bool | None = None
    op_mod_energize: bool | None = None
    op_mod_fixed_pf_absorb_w: PowerFactorWithExcitation | None = None
    op_mod_fixed_pf_inject_w: PowerFactorWithExcitation | None = None
    op_mod_fixed_var: FixedVar | None = None
    op_mod_fixed_w: SignedPerCent | None = None
    op_mod_freq_droop: FreqDroopType | None = None
    op_mod_freq_watt: Link | None = None
    op_mod_hfrt_may_trip: Link | None = None
    op_mod_hfrt_must_trip: Link | None = None
    op_mod_hvrt_may_trip: Link | None = None
    op_mod_hvrt_momentary_cessation: Link | None = None
    op_mod_hvrt_must_trip: Link | None = None
    op_mod_lfrt_may_trip: Link | None = None
    op_mod_lfrt_must_trip: Link | None = None
    op_mod_lvrt_may_trip: Link | None = None
    op_mod_lvrt_momentary_cessation: Link | None = None
    op_mod_lvrt_must_trip: Link | None = None
    op_mod_max_lim_w: PerCent | None = None
    op_mod_target_var: ReactivePower | None = None
    op_mod_target_w: ActivePower | None = None
    op_mod_volt_var: Link | None = None
    op_mod_volt_watt: Link | None = None
    op_mod_watt_pf: Link | None = None
    op_mod_watt_var: Link | None = None
    ramp_tms: UInt16 | None = None
    op_mod_imp_lim_w: ActivePower | None = None
    op_mod_exp_lim_w: ActivePower | None = None
    op_mod_gen_lim_w: ActivePower | None = None
    op_mod_load_lim_w: ActivePower | None = None
    op_mod_storage_target_w: ActivePower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControl(RandomizableEvent):
    """An event that asks something of resources."""

    der_control_base: DERControlBase
    device_category: DeviceCategoryType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlList(SubscribableList):
    der_control: tuple[DERControl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultDERControl(SubscribableIdentifiedObject):
    """What holds where no control of the program is active."""

    der_control_base: DERControlBase
    set_es_delay: UInt32 | None = None
    set_es_high_freq: UInt16 | None = None
    set_es_high_volt: Int16 | None = None
    set_es_low_freq: UInt16 | None = None
    set_es_low_volt: Int16 | None = None
    set_es_ramp_tms: UInt32 | None = None
    set_es_random_delay: UInt32 | None = None
    set_grad_w: UInt16 | None = None
    set_soft_grad_w: UInt16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERProgram(SubscribableIdentifiedObject):
    """A group of resources and what is asked of them; the lower primacy wins."""

    active_der_control_list_link: ListLink | None = None
    default_der_control_link: Link | None = None
    der_control_list_link: ListLink | None = None
    der_curve_list_link: ListLink | None = None
    primacy: PrimacyType


@dataclass(frozen=True, slots=True, kw_only=True)
class DERProgramList(SubscribableList):
    poll_rate: UInt32 | None = None
    der_program: tuple[DERProgram, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveData:
    """One point of a curve."""

    excitation: bool | None = None
    x_value: Int32
    y_value: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCurve(IdentifiedObject):
    """A curve that modes refer to."""

    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: UInt32 | None = None
    creation_time: TimeType
    curve_data: tuple[CurveData, ...]
    curve_type: DERCurveType
    open_loop_tms: UInt16 | None = None
    ramp_dec_tms: UInt16 | None = None
    ramp_inc_tms: UInt16 | None = None
    ramp_pt1_tms: UInt16 | None = None
    v_ref: PerCent | None = None
    x_multiplier: PowerOfTenMultiplierType
    y_multiplier: PowerOfTenMultiplierType
    y_ref_type: DERUnitRefType


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCurveList(List):
    der_curve: tuple[DERCurve, ...] = ()
