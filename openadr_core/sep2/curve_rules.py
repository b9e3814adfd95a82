"""What a DERCurve must be like, beyond its schema, and which modes refer to one (IEEE 2030.5, DERCurve)."""

from collections.abc import Mapping
from itertools import pairwise

from openadr_core.errors import RuleBroken
from openadr_core.sep2.base import Link
from openadr_core.sep2.controls import DERControlBase, DERCurve
from openadr_core.sep2.names import CURVES
from openadr_core.sep2.plan import parts_of

VOLT_VAR = 11
WATT_PF = 13
CURVE_TYPES = range(15)
POINTS_MOST = 10
NO_REFERENCE = 0
Y_REFERENCES = {
    0: {1, 5, 6, 7}, 11: {2, 3}, 12: {1, 5, 6, 7}, 13: {0}, 14: {2, 3},
}  # fmt: skip
"""By curve type: in what the y values may be. The others, ride-through, are in per cent of the voltage, or in hertz."""


def check_curve(curve: DERCurve) -> None:
    """RuleBroken names what is wrong."""
    if curve.curve_type not in CURVE_TYPES:
        raise RuleBroken(f"there is no curve type {curve.curve_type}")
    if not 1 <= len(curve.curve_data) <= POINTS_MOST:
        raise RuleBroken(f"a curve has 1 to {POINTS_MOST} points")
    xs = [point.x_value for point in curve.curve_data]
    if any(later <= earlier for earlier, later in pairwise(xs)):
        raise RuleBroken("the x values of a curve grow from point to point")
    if any((point.excitation is not None) != (curve.curve_type == WATT_PF) for point in curve.curve_data):
        raise RuleBroken("points say their excitation in a Watt-PowerFactor curve, and in no other")
    if curve.autonomous_v_ref_enable is not None and curve.curve_type != VOLT_VAR:
        raise RuleBroken("only a Volt-Var curve follows the voltage by itself (autonomousVRefEnable)")
    allowed = Y_REFERENCES.get(curve.curve_type)
    if allowed is not None and curve.y_ref_type not in allowed:
        raise RuleBroken(f"a curve of type {curve.curve_type} has no y values in yRefType {curve.y_ref_type}")


def links_of(base: DERControlBase) -> Mapping[str, str]:
    """The addresses of the curves that it refers to, by mode."""
    said = ((part.name, getattr(base, part.field)) for part in parts_of(DERControlBase) if part.name in CURVES)
    return {mode: link.href for mode, link in said if isinstance(link, Link)}


def check_link(mode: str, curve: DERCurve) -> None:
    """RuleBroken if the mode wants a curve of another type."""
    if curve.curve_type != CURVES[mode]:
        raise RuleBroken(f"{mode}: wants a curve of type {CURVES[mode]}, and this is one of type {curve.curve_type}")
