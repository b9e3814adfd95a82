"""Quantities: a value and a power of ten."""

from dataclasses import dataclass

from openadr_core.sep2.scalars import Int16, Int32, Int48, PowerOfTenMultiplierType, UInt16, UInt48, UomType


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePower:
    """Watts."""

    multiplier: PowerOfTenMultiplierType
    value: Int16


@dataclass(frozen=True, slots=True, kw_only=True)
class ApparentPower:
    """Volt-amperes."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivePower:
    """Vars."""

    multiplier: PowerOfTenMultiplierType
    value: Int16


@dataclass(frozen=True, slots=True, kw_only=True)
class RealEnergy:
    """Watt-hours."""

    multiplier: PowerOfTenMultiplierType
    value: UInt48


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRealEnergy:
    """Watt-hours."""

    multiplier: PowerOfTenMultiplierType
    value: Int48


@dataclass(frozen=True, slots=True, kw_only=True)
class WattHour:
    """Watt-hours."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class AmpereHour:
    """Ampere-hours."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRMS:
    """Amperes."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageRMS:
    """Volts."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactor:
    """Displacement power factor."""

    displacement: UInt16
    multiplier: PowerOfTenMultiplierType


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSusceptance:
    """Siemens."""

    multiplier: PowerOfTenMultiplierType
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitValueType:
    """A value in a unit of its own."""

    multiplier: PowerOfTenMultiplierType
    unit: UomType
    value: Int32
