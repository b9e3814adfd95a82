"""Meters, and meters that devices mirror to the server."""

from dataclasses import dataclass

from openadr_core.sep2.base import DateTimeInterval, IdentifiedObject, Link, List, ListLink, Resource, SubscribableList
from openadr_core.sep2.quantities import UnitValueType
from openadr_core.sep2.scalars import (
    AccumulationBehaviourType,
    CommodityType,
    ConsumptionBlockType,
    DataQualifierType,
    FlowDirectionType,
    HexBinary16,
    HexBinary160,
    Int48,
    KindType,
    PhaseCode,
    PowerOfTenMultiplierType,
    RoleFlagsType,
    ServiceKind,
    TimeType,
    TOUType,
    UInt8,
    UInt32,
    UInt48,
    UomType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingType(Resource):
    """What readings are: unit, kind, direction, phase, interval."""

    accumulation_behaviour: AccumulationBehaviourType | None = None
    calorific_value: UnitValueType | None = None
    commodity: CommodityType | None = None
    conversion_factor: UnitValueType | None = None
    data_qualifier: DataQualifierType | None = None
    flow_direction: FlowDirectionType | None = None
    interval_length: UInt32 | None = None
    kind: KindType | None = None
    max_number_of_intervals: UInt8 | None = None
    number_of_consumption_blocks: UInt8 | None = None
    number_of_tou_tiers: UInt8 | None = None
    phase: PhaseCode | None = None
    power_of_ten_multiplier: PowerOfTenMultiplierType | None = None
    sub_interval_length: UInt32 | None = None
    supply_limit: UInt48 | None = None
    tiered_consumption_blocks: bool | None = None
    uom: UomType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePointBase(IdentifiedObject):
    role_flags: RoleFlagsType
    service_category_kind: ServiceKind
    status: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePoint(UsagePointBase):
    """A meter as others may read it."""

    device_lfdi: HexBinary160 | None = None
    meter_reading_list_link: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePointList(SubscribableList):
    poll_rate: UInt32 | None = None
    usage_point: tuple[UsagePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingBase(IdentifiedObject):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading(MeterReadingBase):
    rate_component_list_link: ListLink | None = None
    reading_link: Link | None = None
    reading_set_list_link: ListLink | None = None
    reading_type_link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingList(SubscribableList):
    meter_reading: tuple[MeterReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingBase(Resource):
    consumption_block: ConsumptionBlockType | None = None
    quality_flags: HexBinary16 | None = None
    time_period: DateTimeInterval | None = None
    tou_tier: TOUType | None = None
    value: Int48 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(ReadingBase):
    subscribable: UInt8 | None = None
    local_id: HexBinary16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingList(SubscribableList):
    reading: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSetBase(IdentifiedObject):
    time_period: DateTimeInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSet(ReadingSetBase):
    reading_list_link: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSetList(SubscribableList):
    reading_set: tuple[ReadingSet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReadingSet(ReadingSetBase):
    """Readings of one period."""

    reading: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMeterReading(MeterReadingBase):
    """One series of a mirrored meter."""

    last_update_time: TimeType | None = None
    mirror_reading_set: tuple[MirrorReadingSet, ...] = ()
    next_update_time: TimeType | None = None
    reading: Reading | None = None
    reading_type: ReadingType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorUsagePoint(UsagePointBase):
    """A meter that a device mirrors to the server."""

    device_lfdi: HexBinary160
    mirror_meter_reading: tuple[MirrorMeterReading, ...] = ()
    post_rate: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorUsagePointList(List):
    poll_rate: UInt32 | None = None
    mirror_usage_point: tuple[MirrorUsagePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMeterReadingList(List):
    mirror_meter_reading: tuple[MirrorMeterReading, ...] = ()
