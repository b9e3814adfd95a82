"""What controls and defaults of IEEE 2030.5 ask, for people: each mode with its value and unit, a curve by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openadr_core.sep2 import quantities
from openadr_core.sep2.base import Link
from openadr_core.sep2.controls import (
    DefaultDERControl,
    DERControl,
    DERCurve,
    FixedVar,
    FreqDroopType,
    PowerFactorWithExcitation,
)
from openadr_core.sep2.drlc import (
    ApplianceLoadReduction,
    DutyCycle,
    EndDeviceControl,
    Offset,
    SetPoint,
    TargetReduction,
)
from openadr_core.sep2.json_values import to_json
from openadr_core.sep2.names import CURVES
from openadr_core.sep2.plan import parts_of
from openadr_core.sep2.power import magnitude

KINDS_OF_CURVES = {number: mode.removeprefix("opMod") for mode, number in CURVES.items()}
OF_WHAT = {
    0: "", 1: "of setMaxW", 2: "of setMaxVar", 3: "of statVarAvail", 4: "of setEffectiveV", 5: "of setMaxChargeRateW",
    6: "of setMaxDischargeRateW", 7: "of statWAvail",
}  # fmt: skip
"""By DERUnitRefType: what a per cent is of."""
VOLTS, TIME, HERTZ, POWER = "% of setVRef", "s", "Hz", "% of setMaxW"
AXES = {
    0: (HERTZ, ""), **dict.fromkeys((1, 2, 6, 7), (TIME, HERTZ)), **dict.fromkeys((3, 4, 5, 8, 9, 10), (TIME, VOLTS)),
    11: (VOLTS, ""), 12: (VOLTS, ""), 13: (POWER, "power factor"), 14: (POWER, ""),
}  # fmt: skip
"""By curve type: units of x and y; y is in per cent of what its yRefType names where none is said here."""
UNITS = {
    0: "kWh", 1: "kW", 2: "W", 3: "m³", 4: "ft³", 5: "US gal", 6: "imp gal", 7: "BTU", 8: "l", 9: "kPa (gauge)",
    10: "kPa (absolute)", 11: "MJ", 12: "",
}  # fmt: skip
"""By UnitType."""
APPLIANCES = {0: "delay", 1: "reduce for a while"}
"""By ApplianceLoadReductionType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that is asked."""

    mode: str
    """As the standard calls it."""
    value: Any
    """As an operator would write it."""
    text: str


def curve_name(number: int, curve: DERCurve) -> str:
    """What its maker called it, or its kind and number."""
    return curve.description or f"{KINDS_OF_CURVES.get(curve.curve_type, 'curve')} {number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A curve in whole units."""

    x_unit: str
    y_unit: str
    points: tuple[tuple[float, float], ...]


def plot(curve: DERCurve) -> Plot:
    """Interpretation: voltages are in per cent of the one that a device is set to (setVRef), as in IEEE 1547."""
    x_unit, y_unit = AXES[curve.curve_type]
    return Plot(
        x_unit=x_unit,
        y_unit=y_unit or f"% {OF_WHAT.get(curve.y_ref_type, '')}".strip(),
        points=tuple(
            (_times_ten_to(point.x_value, curve.x_multiplier), _times_ten_to(point.y_value, curve.y_multiplier))
            for point in curve.curve_data
        ),
    )


def control_words(message: DERControl | EndDeviceControl | DefaultDERControl, curves: Mapping[str, str]) -> list[Said]:
    """All that it asks, in the order of the standard; ``curves`` are names by address."""
    if isinstance(message, EndDeviceControl):
        return _words(message, curves, LOADS)
    base = _words(message.der_control_base, curves, MODES)
    return base if isinstance(message, DERControl) else [*base, *_words(message, curves, SETTINGS)]


def _words(message: object, curves: Mapping[str, str], known: Mapping[str, Callable[[Any], str]]) -> list[Said]:
    values = to_json(message)
    found = []
    for part in parts_of(type(message)):  # type: ignore[arg-type]  # a class is hashable
        value = getattr(message, part.field)
        if value is None or part.name not in known:
            continue
        text = curves.get(value.href, value.href) if isinstance(value, Link) else known[part.name](value)
        found.append(Said(mode=part.name, value=values[part.name], text=text))
    return found


def _times_ten_to(value: int, multiplier: int) -> float:
    """As people write it: 60.1 and not 60.1000000001."""
    return float(f"{value}e{multiplier}")


def _power(unit: str) -> Callable[[Any], str]:
    def text(power: quantities.ActivePower | quantities.ReactivePower) -> str:
        amount = magnitude(power)
        for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
            if abs(amount) >= factor:
                return f"{amount / factor:g} {prefix}{unit}"
        return f"{amount:g} {unit}"

    return text


def _scaled(factor: float, unit: str) -> Callable[[int], str]:
    def text(value: int) -> str:
        return f"{value * factor:g} {unit}".strip()

    return text


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _power_factor(value: PowerFactorWithExcitation) -> str:
    return f"{value.displacement * 10.0**value.multiplier:g}, {'absorbing' if value.excitation else 'injecting'} vars"


def _fixed_var(value: FixedVar) -> str:
    return f"{value.value / 100:g} % {OF_WHAT.get(value.ref_type, '')}".strip()


def _fixed_w(value: int) -> str:
    """Below zero is charging."""
    return f"{value / 100:g} % of {'setMaxChargeRateW' if value < 0 else 'setMaxW'}"


def _droop(value: FreqDroopType) -> str:
    bands = f"from {value.d_buf / 1000:g} Hz below and {value.d_bof / 1000:g} Hz above"
    return f"{bands}, slopes {value.k_uf / 1000:g} and {value.k_of / 1000:g}, in {value.open_loop_tms / 100:g} s"


def _offset(value: Offset) -> str:
    per_cent = value.load_adjustment_percentage_offset
    said = (
        ("cooling", value.cooling_offset, 0.1, "K"), ("heating", value.heating_offset, 0.1, "K"),
        ("load", per_cent, 0.01, "%"),
    )  # fmt: skip
    return ", ".join(f"{name} {amount * factor:g} {unit}" for name, amount, factor, unit in said if amount is not None)


def _set_point(value: SetPoint) -> str:
    said = (("cooling", value.cooling_setpoint), ("heating", value.heating_setpoint))
    return ", ".join(f"{name} {hundredths / 100:g} °C" for name, hundredths in said if hundredths is not None)


def _appliance(value: ApplianceLoadReduction) -> str:
    return APPLIANCES.get(value.type, str(value.type))


def _duty_cycle(value: DutyCycle) -> str:
    return f"{value.normal_value} % of the time"


def _reduction(value: TargetReduction) -> str:
    return f"{value.value} {UNITS.get(value.type, '')}".strip()


MODES: Mapping[str, Callable[[Any], str]] = {
    "opModConnect": _yes, "opModEnergize": _yes, "opModFixedPFAbsorbW": _power_factor,
    "opModFixedPFInjectW": _power_factor, "opModFixedVar": _fixed_var, "opModFixedW": _fixed_w,
    "opModFreqDroop": _droop, "opModMaxLimW": _scaled(0.01, "% of setMaxW"), "opModTargetVar": _power("var"),
    "opModTargetW": _power("W"), "rampTms": _scaled(0.01, "s"), "opModImpLimW": _power("W"),
    "opModExpLimW": _power("W"), "opModGenLimW": _power("W"), "opModLoadLimW": _power("W"),
    "opModStorageTargetW": _power("W"), **dict.fromkeys(CURVES, str),
}  # fmt: skip
"""Of DERControlBase; those that refer to a curve are said by its name."""
SETTINGS: Mapping[str, Callable[[Any], str]] = {
    "setESDelay": _scaled(0.01, "s"), "setESHighFreq": _scaled(0.01, "Hz"),
    "setESHighVolt": _scaled(0.01, "% of setVRef"), "setESLowFreq": _scaled(0.01, "Hz"),
    "setESLowVolt": _scaled(0.01, "% of setVRef"), "setESRampTms": _scaled(0.01, "s"),
    "setESRandomDelay": _scaled(0.01, "s"), "setGradW": _scaled(0.01, "% of setMaxW each s"),
    "setSoftGradW": _scaled(0.01, "% of setMaxW each s"),
}  # fmt: skip
"""What a default says beside its modes."""
LOADS: Mapping[str, Callable[[Any], str]] = {
    "ApplianceLoadReduction": _appliance, "DutyCycle": _duty_cycle, "Offset": _offset,
    "overrideDuration": _scaled(1, "s"), "SetPoint": _set_point, "TargetReduction": _reduction,
}  # fmt: skip
"""Of EndDeviceControl: what is its own."""
