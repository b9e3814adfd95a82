"""What 2.0b's report types, units and quality codes are in the model's words, and back: for both sides.

Interpretation: 2.0b names a meter's value ``usage``, ``reading``, ``demand``, ``avgUsage`` or ``avgDemand``;
R331 wants ``usage`` in the well-known reports, and peers write the others for the same thing. The unit
tells power from energy.
"""

from math import isfinite

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.report import Measurand, Quality
from openadr_core.oadr2.messages import PowerAttributes, Unit
from openadr_core.units import (
    SI_SCALE,
    THERM,
    VAR,
    VAR_HOUR,
    VOLT_AMPERE,
    VOLT_AMPERE_HOUR,
    WATT,
    WATT_HOUR,
)

# -- report types --------------------------------------------------------------------

RESOURCE_STATUS = "x-resourceStatus"

MEASURANDS: dict[str, Measurand] = {
    "usage": Measurand.USAGE,
    "reading": Measurand.USAGE,
    "demand": Measurand.USAGE,
    "avgUsage": Measurand.USAGE,
    "avgDemand": Measurand.USAGE,
    "deltaUsage": Measurand.DELTA_USAGE,
    "deltaDemand": Measurand.DELTA_USAGE,
    "setPoint": Measurand.SETPOINT,
    "deltaSetPoint": Measurand.DELTA_SETPOINT,
    "baseline": Measurand.BASELINE,
    "deviation": Measurand.DEVIATION,
    "operatingState": Measurand.OPERATING_STATE,
    "upRegulationCapacityAvailable": Measurand.UP_REGULATION,
    "downRegulationCapacityAvailable": Measurand.DOWN_REGULATION,
    "regulationSetpoint": Measurand.REGULATION_SETPOINT,
    "storedEnergy": Measurand.STORED_ENERGY,
    "targetEnergyStorage": Measurand.TARGET_STORED_ENERGY,
    "availableEnergyStorage": Measurand.STORAGE_CAPACITY,
    "price": Measurand.PRICE,
    "level": Measurand.LEVEL,
    "powerFactor": Measurand.POWER_FACTOR,
    "percentUsage": Measurand.USAGE_SHARE,
    "percentDemand": Measurand.USAGE_SHARE,
    RESOURCE_STATUS: Measurand.STATUS,
}
"""By reportType; an ``x-`` type of the party's own is OTHER."""

BY_READING_TYPE = {"Peak": Measurand.PEAK, "Projected": Measurand.FORECAST}
"""Reading types that make something else of a meter's value."""


def measurand_of(report_type: str, reading_type: str) -> Measurand:
    found = MEASURANDS.get(report_type, Measurand.OTHER)
    return BY_READING_TYPE.get(reading_type, found) if found is Measurand.USAGE else found


# -- units ---------------------------------------------------------------------------

_CANONICAL = {
    "powerReal": WATT, "powerApparent": VOLT_AMPERE, "powerReactive": VAR,
    "energyReal": WATT_HOUR, "energyApparent": VOLT_AMPERE_HOUR, "energyReactive": VAR_HOUR,
    "voltage": "V", "current": "A", "frequency": "Hz", "Therm": THERM,
}  # fmt: skip
_PER = {"currency": "", "currencyPerKW": "/kW", "currencyPerKWh": "/kWh", "currencyPerThm": "/thm"}
_BY_CUSTOM_NAME = {"w": WATT, "wh": WATT_HOUR, "va": VOLT_AMPERE, "var": VAR}
PULSE_WH = 1e3
"""pulseFactor is kWh per count."""

_ATTRIBUTES = PowerAttributes(hertz="60", voltage="240", ac=True)
"""Interpretation: mandatory, and about the service: a North American home's."""
_ITEM_BASES = {
    WATT: Unit(name="powerReal", description="RealPower", units="W", attributes=_ATTRIBUTES),
    WATT_HOUR: Unit(name="energyReal", description="RealEnergy", units="Wh"),
}


def unit_of(found: Unit | None) -> tuple[str, float]:
    """The canonical unit, and what a number on the wire is multiplied by to be in it.

    Interpretation: a customUnit that calls itself W is watts; peers write it so. RemoteProtocolError for a
    scale that is none, and for pulses that are worth no energy.
    """
    if found is None:
        return "", 1.0
    if found.name == "pulseCount":
        factor = (found.pulse_factor or 0.0) * PULSE_WH
        if not (isfinite(factor) and factor > 0):
            raise RemoteProtocolError("a pulse must be worth some energy", clause="R312")
        return WATT_HOUR, factor
    scale = SI_SCALE.get(found.si_scale_code)
    if scale is None:
        raise RemoteProtocolError("the siScaleCode is none of the standard's", clause="R312")
    if found.name in _PER:
        return f"{found.units}{_PER[found.name]}", scale
    canonical = _CANONICAL.get(found.name) or _BY_CUSTOM_NAME.get(found.units.strip().lower())
    return canonical or found.units, scale


def item_base_of(unit: str) -> Unit | None:
    """How a canonical unit is written in metadata; None for what is no number."""
    return _ITEM_BASES.get(unit)


# -- quality -------------------------------------------------------------------------

_CODES = {
    Quality.GOOD: "Quality Good - Non Specific",
    Quality.UNCHANGED: "No New Value - Previous Value Used",
    Quality.LIMITED: "Quality Limit - Field/Constant",
    Quality.ESTIMATED: "Quality Uncertain - Non Specific",
    Quality.BAD: "Quality Bad - Non Specific",
    Quality.MISSING: "No Quality - No Value",
}
_GROUPS = (
    ("Quality Good", Quality.GOOD),
    ("No New Value", Quality.UNCHANGED),
    ("Quality Limit", Quality.LIMITED),
    ("Quality Uncertain", Quality.ESTIMATED),
    ("Quality Bad", Quality.BAD),
    ("No Quality", Quality.MISSING),
)
_SAYS_NOTHING = "Non Specific"


def quality_of(code: str | None) -> tuple[Quality, str]:
    """The quality, and its cause where the code tells one.

    No code is good: the element is optional. Interpretation: an ``x-`` code is the party's own doubt.
    """
    if code is None:
        return Quality.GOOD, ""
    group, _, cause = code.partition(" - ")
    found = next((quality for name, quality in _GROUPS if group == name), None)
    if found is None:
        return Quality.ESTIMATED, code
    told = found in {Quality.GOOD, Quality.LIMITED, Quality.ESTIMATED, Quality.BAD} and cause != _SAYS_NOTHING
    return found, cause if told else ""


def quality_code(quality: Quality, cause: str = "") -> str:
    """The code of a quality; ``cause`` is one of the standard's own."""
    code = _CODES[quality]
    return f"{code.partition(' - ')[0]} - {cause}" if cause else code
