"""Curves, droop, vars and power factors between IEEE 2030.5's words and physical units: nothing is lost."""

from dataclasses import replace

import pytest
from hypothesis import given

from openadr_core.errors import RuleBroken
from openadr_core.model.grid_support import CURVED, Droop, GridFunction, GridSupport, PowerFactor, Reference, VarShare
from openadr_core.sep2.controls import (
    CurveData,
    DERControlBase,
    DERCurve,
    FixedVar,
    FreqDroopType,
    PowerFactorWithExcitation,
)
from openadr_core.sep2.json_values import from_json
from openadr_core.sep2.quantities import ReactivePower
from openadr_core.sep2.translate_grid_support import (
    CURVE_TYPES,
    FUNCTIONS,
    curve_members_of,
    field_of,
    members_of,
    support_of,
)
from tests.core.model.support_strategies import supports

VOLT_VAR = DERCurve(
    mrid="0A", creation_time=1, curve_type=11, x_multiplier=-1, y_multiplier=0, y_ref_type=3, open_loop_tms=500,
    autonomous_v_ref_enable=True, autonomous_v_ref_time_constant=30_000, v_ref=10_100, ramp_inc_tms=50,
    curve_data=(CurveData(x_value=920, y_value=44), CurveData(x_value=1_080, y_value=-44)),
)  # fmt: skip


@pytest.mark.ieee2030_5("F6")
def test_a_curve_is_read_in_seconds_hertz_and_per_cent() -> None:
    curve = support_of(GridFunction.VOLT_VAR, None, VOLT_VAR).curve
    assert curve is not None
    assert [(point.x, point.y) for point in curve.points] == [(92.0, 44.0), (108.0, -44.0)]
    assert (curve.reference, curve.open_loop_s, curve.ramp_up_percent_per_s) == (Reference.AVAILABLE_VAR, 5.0, 0.5)
    assert (curve.v_ref_percent, curve.v_ref_autonomous, curve.v_ref_time_constant_s) == (101.0, True, 300.0)


@pytest.mark.ieee2030_5("F4")
def test_modes_that_are_no_curves_are_read_in_their_units() -> None:
    excited = PowerFactorWithExcitation(displacement=95, excitation=True, multiplier=-2)
    pf = support_of(GridFunction.FIXED_PF_INJECT, excited).power_factor
    assert pf == PowerFactor(displacement=0.95, absorbs=True)
    var = support_of(GridFunction.FIXED_VAR, FixedVar(ref_type=2, value=-4_400)).var_share
    assert var == VarShare(percent=-44.0, reference=Reference.MAX_VAR)
    droop = support_of(
        GridFunction.FREQ_DROOP, FreqDroopType(d_bof=36, d_buf=17, k_of=50, k_uf=40, open_loop_tms=500)
    ).droop
    assert droop == Droop(
        over_deadband_hz=0.036, under_deadband_hz=0.017, over_slope=0.05, under_slope=0.04, open_loop_s=5.0
    )
    assert support_of(GridFunction.TARGET_VAR, ReactivePower(multiplier=1, value=-150)).power_var == -1_500.0
    assert support_of(GridFunction.CONNECT, False).on is False


@pytest.mark.ieee2030_5("F6")
def test_what_cannot_be_followed_is_named() -> None:
    with pytest.raises(ValueError, match="there is no curve at its link"):
        support_of(GridFunction.VOLT_VAR, None)
    with pytest.raises(ValueError, match="a curve of type 11"):
        support_of(GridFunction.WATT_VAR, None, VOLT_VAR)
    with pytest.raises(RuleBroken, match="grow from point to point"):
        support_of(GridFunction.VOLT_VAR, None, replace(VOLT_VAR, curve_data=VOLT_VAR.curve_data[::-1]))
    with pytest.raises(ValueError, match="no per cents of refType 4"):
        support_of(GridFunction.FIXED_VAR, FixedVar(ref_type=4, value=0))


@pytest.mark.ieee2030_5("F4", "F6")
@given(supports())
def test_what_is_written_is_read_as_the_same(support: GridSupport) -> None:
    base = from_json(DERControlBase, members_of(support, curve_href="/dc/1"))
    curve = None
    if support.curve is not None:
        members = {"mRID": "0A", "creationTime": 1, **curve_members_of(support.function, support.curve)}
        curve = from_json(DERCurve, members)
    assert support_of(support.function, getattr(base, field_of(support.function)), curve) == support


def test_every_curved_mode_has_its_type_in_the_standards_order() -> None:
    assert sorted(CURVE_TYPES.values()) == list(range(15))
    assert (CURVE_TYPES[GridFunction.FREQ_WATT], CURVE_TYPES[GridFunction.LVRT_MUST_TRIP]) == (0, 10)
    assert (CURVE_TYPES[GridFunction.VOLT_VAR], CURVE_TYPES[GridFunction.WATT_VAR]) == (11, 14)
    assert set(CURVE_TYPES) == CURVED
    assert FUNCTIONS["opModFixedPFAbsorbW"] is GridFunction.FIXED_PF_ABSORB
    assert all(name.startswith("opMod") for name in FUNCTIONS)
