"""A function of grid support that is set in a way that it has not, cannot be written down."""

import math
from typing import Any

import pytest

from openadr_core.model.grid_support import (
    Curve,
    CurvePoint,
    GridFunction,
    GridSupport,
    PowerFactor,
    Reference,
    VarShare,
    functions_in,
    mask_of,
)

FLAT = Curve(points=(CurvePoint(x=90.0, y=0.0), CurvePoint(x=110.0, y=0.0)), reference=Reference.MAX_VAR)


def curve(*points: tuple[float, float], **others: Any) -> Curve:
    return Curve(points=tuple(CurvePoint(x=x, y=y) for x, y in points), **others)


@pytest.mark.parametrize(
    ("function", "members", "said"),
    [
        (GridFunction.VOLT_VAR, {}, "VOLT_VAR is set by curve"),
        (GridFunction.VOLT_VAR, {"on": True}, "VOLT_VAR is set by curve"),
        (GridFunction.VOLT_VAR, {"curve": FLAT, "on": True}, "and by nothing else"),
        (GridFunction.CONNECT, {"curve": FLAT}, "CONNECT is set by on"),
        (GridFunction.VOLT_VAR, {"curve": curve()}, "1 to 10 points"),
        (GridFunction.VOLT_VAR, {"curve": curve(*((float(x), 0.0) for x in range(11)))}, "1 to 10 points"),
        (GridFunction.VOLT_VAR, {"curve": curve((2.0, 0.0), (2.0, 1.0))}, "grow from point to point"),
        (GridFunction.VOLT_VAR, {"curve": curve((2.0, math.nan))}, "no number"),
        (GridFunction.VOLT_WATT, {"curve": curve((2.0, 1.0), v_ref_autonomous=True)}, "only VOLT_VAR has a reference"),
        (GridFunction.WATT_PF, {"curve": curve((2.0, 0.9))}, "whether vars are absorbed"),
        (
            GridFunction.FIXED_PF_INJECT,
            {"power_factor": PowerFactor(displacement=1.1, absorbs=True)},
            "between 0 and 1",
        ),
        (GridFunction.FIXED_VAR, {"var_share": VarShare(percent=101.0, reference=Reference.MAX_VAR)}, "100 per cent"),
        (GridFunction.TARGET_VAR, {"power_var": math.inf}, "no number"),
    ],
)
def test_what_cannot_be_is_named(function: GridFunction, members: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GridSupport(function=function, **members)


def test_a_set_of_functions_is_a_mask_and_back() -> None:
    chosen = {GridFunction.CONNECT, GridFunction.WATT_VAR}
    assert mask_of(chosen) == 1 << 2 | 1 << 26
    assert functions_in(mask_of(chosen) | 1 << 30) == chosen
