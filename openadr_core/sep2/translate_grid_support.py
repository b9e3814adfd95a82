"""Control modes that a device carries out by itself (curves, droop, vars, power factors), as ``GridSupport`` and back.

Interpretation: a curve's numbers are seconds, hertz and per cent, by their multipliers; a y value in no per cent of
power (ride-through: voltage or frequency) has no reference here, whatever yRefType says.
"""

from collections.abc import Mapping
from typing import Any

from openadr_core.model.grid_support import (
    CURVED,
    POWER_FACTORS,
    SWITCHES,
    Curve,
    CurvePoint,
    Droop,
    GridFunction,
    GridSupport,
    PowerFactor,
    Reference,
    VarShare,
)
from openadr_core.sep2.controls import DERCurve, FixedVar, FreqDroopType, PowerFactorWithExcitation
from openadr_core.sep2.curve_rules import check_curve
from openadr_core.sep2.names import CURVES, wire_name
from openadr_core.sep2.power import magnitude
from openadr_core.sep2.quantities import ReactivePower

HUNDREDTHS, THOUSANDTHS = 100, 1_000
DECIMALS_MOST = 9
Y_REFERENCES: Mapping[int, Reference] = {
    1: Reference.MAX_W, 2: Reference.MAX_VAR, 3: Reference.AVAILABLE_VAR, 5: Reference.MAX_CHARGE_W,
    6: Reference.MAX_DISCHARGE_W, 7: Reference.AVAILABLE_W,
}  # fmt: skip
"""DERUnitRefType. 0 is of nothing, 4 of the voltage."""
NO_REFERENCE, OF_VOLTAGE = 0, 4
_NUMBERS = {reference: number for number, reference in Y_REFERENCES.items()}
_BY_VOLTAGE = frozenset(one for one in CURVED if one.name.startswith(("HVRT", "LVRT")))


def field_of(function: GridFunction) -> str:
    """The field of DERControlBase."""
    return f"op_mod_{function.name.lower()}" + ("_w" if function in POWER_FACTORS else "")


FUNCTIONS: Mapping[str, GridFunction] = {wire_name(field_of(one)): one for one in GridFunction}
"""By element of DERControlBase."""
CURVE_TYPES: Mapping[GridFunction, int] = {FUNCTIONS[mode]: number for mode, number in CURVES.items()}
"""DERCurveType."""


def support_of(function: GridFunction, given: object, curve: DERCurve | None = None) -> GridSupport:
    """What the mode asks; ``curve`` is what its link leads to. ValueError or RuleBroken: it cannot be followed."""
    if function in CURVED:
        if curve is None:
            raise ValueError(f"{function.name}: there is no curve at its link")
        return GridSupport(function=function, curve=_curve_of(function, curve))
    match given:
        case bool():
            return GridSupport(function=function, on=given)
        case FixedVar():
            share = VarShare(percent=given.value / HUNDREDTHS, reference=_reference(given.ref_type))
            return GridSupport(function=function, var_share=share)
        case PowerFactorWithExcitation():
            value = _scaled(given.displacement, given.multiplier)
            return GridSupport(
                function=function, power_factor=PowerFactor(displacement=value, absorbs=given.excitation)
            )
        case FreqDroopType():
            return GridSupport(function=function, droop=_droop_of(given))
        case ReactivePower():
            return GridSupport(function=function, power_var=magnitude(given))
        case _:
            raise ValueError(f"{function.name} is not set by a {type(given).__name__}")


def members_of(support: GridSupport, *, curve_href: str = "") -> dict[str, Any]:
    """The member of DERControlBase that says it (``json_values``); of a curve, the link to where it is."""
    return {wire_name(field_of(support.function)): _member(support, curve_href)}


def _member(support: GridSupport, curve_href: str) -> Any:
    if support.curve is not None:
        return {"href": curve_href}
    if support.var_share is not None:
        share = support.var_share
        return {"refType": _NUMBERS[share.reference], "value": round(share.percent * HUNDREDTHS)}
    if support.power_factor is not None:
        (value,), multiplier = _whole([support.power_factor.displacement])
        return {"displacement": value, "excitation": support.power_factor.absorbs, "multiplier": multiplier}
    if support.droop is not None:
        return _droop_members(support.droop)
    return support.on if support.function in SWITCHES else support.power_var


def curve_members_of(function: GridFunction, curve: Curve) -> dict[str, Any]:
    """A DERCurve as an operator would write it: without a name of its own, and without the time of its making."""
    xs, x_multiplier = _whole([point.x for point in curve.points])
    ys, y_multiplier = _whole([point.y for point in curve.points])
    points = [
        {"xvalue": x, "yvalue": y, **({} if point.absorbs is None else {"excitation": point.absorbs})}
        for x, y, point in zip(xs, ys, curve.points, strict=True)
    ]
    unreferenced = OF_VOLTAGE if function in _BY_VOLTAGE else NO_REFERENCE
    members = {
        "curveType": CURVE_TYPES[function], "CurveData": points, "xMultiplier": x_multiplier,
        "yMultiplier": y_multiplier,
        "yRefType": unreferenced if curve.reference is None else _NUMBERS[curve.reference],
        "autonomousVRefEnable": curve.v_ref_autonomous,
        "autonomousVRefTimeConstant": _hundredths(curve.v_ref_time_constant_s),
        "openLoopTms": _hundredths(curve.open_loop_s),
        "rampDecTms": _hundredths(curve.ramp_down_percent_per_s),
        "rampIncTms": _hundredths(curve.ramp_up_percent_per_s),
        "rampPT1Tms": _hundredths(curve.ramp_pt1_s),
        "vRef": _hundredths(curve.v_ref_percent),
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _curve_of(function: GridFunction, curve: DERCurve) -> Curve:
    check_curve(curve)
    if curve.curve_type != CURVE_TYPES[function]:
        raise ValueError(f"{function.name}: a curve of type {curve.curve_type}")
    return Curve(
        points=tuple(
            CurvePoint(
                x=_scaled(point.x_value, curve.x_multiplier),
                y=_scaled(point.y_value, curve.y_multiplier),
                absorbs=point.excitation,
            )
            for point in curve.curve_data
        ),
        reference=Y_REFERENCES.get(curve.y_ref_type),
        open_loop_s=_parts(curve.open_loop_tms),
        ramp_up_percent_per_s=_parts(curve.ramp_inc_tms),
        ramp_down_percent_per_s=_parts(curve.ramp_dec_tms),
        ramp_pt1_s=_parts(curve.ramp_pt1_tms),
        v_ref_percent=_parts(curve.v_ref),
        v_ref_autonomous=curve.autonomous_v_ref_enable,
        v_ref_time_constant_s=_parts(curve.autonomous_v_ref_time_constant),
    )


def _droop_of(given: FreqDroopType) -> Droop:
    return Droop(
        over_deadband_hz=given.d_bof / THOUSANDTHS,
        under_deadband_hz=given.d_buf / THOUSANDTHS,
        over_slope=given.k_of / THOUSANDTHS,
        under_slope=given.k_uf / THOUSANDTHS,
        open_loop_s=given.open_loop_tms / HUNDREDTHS,
    )


def _droop_members(droop: Droop) -> dict[str, int]:
    return {
        "dBOF": round(droop.over_deadband_hz * THOUSANDTHS), "dBUF": round(droop.under_deadband_hz * THOUSANDTHS),
        "kOF": round(droop.over_slope * THOUSANDTHS), "kUF": round(droop.under_slope * THOUSANDTHS),
        "openLoopTms": round(droop.open_loop_s * HUNDREDTHS),
    }  # fmt: skip


def _reference(number: int) -> Reference:
    if number not in Y_REFERENCES:
        raise ValueError(f"there are no per cents of refType {number}")
    return Y_REFERENCES[number]


def _scaled(value: int, multiplier: int) -> float:
    """To the nearest number that its decimals name: 44 tenths are 4.4, and no more."""
    return value / 10**-multiplier if multiplier < 0 else float(value * 10**multiplier)


def _whole(values: list[float]) -> tuple[list[int], int]:
    """As whole numbers with the largest multiplier, from 0 down, that says them all."""
    for decimals in range(DECIMALS_MOST):
        scaled = [round(value * 10**decimals) for value in values]
        if all(number / 10**decimals == value for number, value in zip(scaled, values, strict=True)):
            return scaled, -decimals
    return [round(value * 10**decimals) for value in values], -decimals


def _parts(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / HUNDREDTHS


def _hundredths(value: float | None) -> int | None:
    return None if value is None else round(value * HUNDREDTHS)
