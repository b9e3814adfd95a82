"""The simple types of IEEE 2030.5: each a Python type with the bounds that its schema sets."""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``least`` to ``most``."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Hex:
    """Hex digits, an even number of them, for up to so many bytes."""

    bytes_max: int


@dataclass(frozen=True, slots=True)
class Text:
    chars_max: int


UInt8 = Annotated[int, Whole(0, 2**8 - 1)]
UInt16 = Annotated[int, Whole(0, 2**16 - 1)]
UInt32 = Annotated[int, Whole(0, 2**32 - 1)]
UInt40 = Annotated[int, Whole(0, 2**40 - 1)]
UInt48 = Annotated[int, Whole(0, 2**48 - 1)]
Int8 = Annotated[int, Whole(-(2**7), 2**7 - 1)]
Int16 = Annotated[int, Whole(-(2**15), 2**15 - 1)]
Int32 = Annotated[int, Whole(-(2**31), 2**31 - 1)]
Int48 = Annotated[int, Whole(-(2**47), 2**47 - 1)]
Int64 = Annotated[int, Whole(-(2**63), 2**63 - 1)]

HexBinary8 = Annotated[str, Hex(1)]
HexBinary16 = Annotated[str, Hex(2)]
HexBinary32 = Annotated[str, Hex(4)]
HexBinary64 = Annotated[str, Hex(8)]
HexBinary128 = Annotated[str, Hex(16)]
HexBinary160 = Annotated[str, Hex(20)]

String6 = Annotated[str, Text(6)]
String16 = Annotated[str, Text(16)]
String32 = Annotated[str, Text(32)]
String42 = Annotated[str, Text(42)]
String192 = Annotated[str, Text(192)]
Uri = Annotated[str, Text(8000)]
"""Interpretation: the standard sets no length; this is ours, the one that OpenADR 3 has for addresses."""

AccumulationBehaviourType = UInt8
ApplianceLoadReductionType = UInt8
CommodityType = UInt8
ConsumptionBlockType = UInt8
DERControlType = HexBinary32
DERCurveType = UInt8
DERType = UInt8
DERUnitRefType = UInt8
DataQualifierType = UInt8
DeviceCategoryType = HexBinary32
DstRuleType = HexBinary32
FlowDirectionType = UInt8
KindType = UInt8
LocaleType = String42
MRIDType = HexBinary128
OneHourRangeType = Annotated[int, Whole(-3600, 3600)]
"""Seconds."""
PENType = UInt32
PINType = Annotated[int, Whole(0, 999_999)]
PerCent = Annotated[int, Whole(0, 10_000)]
"""Hundredths of a per cent."""
PhaseCode = UInt8
PowerOfTenMultiplierType = Annotated[int, Whole(-9, 9)]
PowerSourceType = UInt8
PrimacyType = UInt8
"""The lower one wins."""
RoleFlagsType = HexBinary16
SFDIType = Annotated[int, Whole(0, 687_194_767_359)]
"""36 bits and a check digit."""
ServiceKind = UInt8
SignedPerCent = Annotated[int, Whole(-10_000, 10_000)]
"""Hundredths of a per cent."""
TOUType = UInt8
TimeOffsetType = Int32
TimeType = Int64
"""Seconds since 1970, UTC."""
UnitType = UInt8
UomType = UInt8
VersionType = UInt16
