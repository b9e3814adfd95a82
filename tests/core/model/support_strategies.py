"""Grid support for Hypothesis: any function, set in any way that it can be set."""

from hypothesis import strategies as st

from openadr_core.model.grid_support import (
    CURVED,
    POWER_FACTORS,
    SWITCHES,
    TRIPS,
    Curve,
    CurvePoint,
    Droop,
    GridFunction,
    GridSupport,
    PowerFactor,
    Reference,
    VarShare,
)

hundredths = st.integers(0, 65_535).map(lambda number: number / 100)
shares = st.integers(-10_000, 10_000).map(lambda number: number / 100)
REFERENCES = {
    GridFunction.FREQ_WATT: (Reference.MAX_W, Reference.MAX_CHARGE_W, Reference.MAX_DISCHARGE_W, Reference.AVAILABLE_W),
    GridFunction.VOLT_WATT: (Reference.MAX_W, Reference.MAX_CHARGE_W, Reference.MAX_DISCHARGE_W, Reference.AVAILABLE_W),
    GridFunction.VOLT_VAR: (Reference.MAX_VAR, Reference.AVAILABLE_VAR),
    GridFunction.WATT_VAR: (Reference.MAX_VAR, Reference.AVAILABLE_VAR),
}
"""As IEEE 2030.5 allows them."""


@st.composite
def curves(draw: st.DrawFn, function: GridFunction) -> Curve:
    xs = sorted(draw(st.sets(st.integers(0, 20_000), min_size=1, max_size=10)))
    points = tuple(
        CurvePoint(
            x=x / 100,
            y=draw(shares),
            absorbs=draw(st.booleans()) if function is GridFunction.WATT_PF else None,
        )
        for x in xs
    )
    of_power = function not in TRIPS and function is not GridFunction.WATT_PF
    has_reference_voltage = function is GridFunction.VOLT_VAR
    return Curve(
        points=points,
        reference=draw(st.sampled_from(REFERENCES[function])) if of_power else None,
        open_loop_s=draw(st.none() | hundredths),
        ramp_up_percent_per_s=draw(st.none() | hundredths),
        ramp_down_percent_per_s=draw(st.none() | hundredths),
        ramp_pt1_s=draw(st.none() | hundredths),
        v_ref_percent=draw(st.none() | shares.map(abs)) if has_reference_voltage else None,
        v_ref_autonomous=draw(st.none() | st.booleans()) if has_reference_voltage else None,
        v_ref_time_constant_s=draw(st.none() | hundredths) if has_reference_voltage else None,
    )


@st.composite
def supports(draw: st.DrawFn) -> GridSupport:
    function = draw(st.sampled_from(GridFunction))
    if function in CURVED:
        return GridSupport(function=function, curve=draw(curves(function)))
    if function in SWITCHES:
        return GridSupport(function=function, on=draw(st.booleans()))
    if function in POWER_FACTORS:
        displacement = draw(st.integers(0, 1_000)) / 1_000
        return GridSupport(
            function=function, power_factor=PowerFactor(displacement=displacement, absorbs=draw(st.booleans()))
        )
    if function is GridFunction.FREQ_DROOP:
        thousandths = st.integers(0, 65_535).map(lambda number: number / 1_000)
        over, under, up, down = (draw(thousandths) for _ in range(4))
        droop = Droop(
            over_deadband_hz=over,
            under_deadband_hz=under,
            over_slope=up,
            under_slope=down,
            open_loop_s=draw(hundredths),
        )
        return GridSupport(function=function, droop=droop)
    if function is GridFunction.FIXED_VAR:
        share = VarShare(percent=draw(shares), reference=draw(st.sampled_from(Reference)))
        return GridSupport(function=function, var_share=share)
    return GridSupport(function=function, power_var=float(draw(st.integers(-32_767, 32_767))))
