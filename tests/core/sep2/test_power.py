"""Powers in sixteen bits, and messages from an operator's JSON."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, SchemaViolation
from openadr_core.sep2.base import Link
from openadr_core.sep2.controls import DefaultDERControl, DERControlBase, DERCurve, FixedVar
from openadr_core.sep2.drlc import EndDeviceControl
from openadr_core.sep2.json_values import from_json, to_json
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.power import active_power, magnitude, reactive_power
from openadr_core.sep2.quantities import ActivePower
from tests.core.sep2.values import made


@pytest.mark.parametrize(
    ("power_w", "value", "multiplier"),
    [(5000, 5000, 0), (32_767, 32_767, 0), (32_768, 3277, 1), (100_000, 10_000, 1), (-100_000, -10_000, 1), (0, 0, 0)],
)
@pytest.mark.ieee2030_5("F15")
def test_the_smallest_multiplier_that_fits(power_w: float, value: int, multiplier: int) -> None:
    assert active_power(power_w) == ActivePower(value=value, multiplier=multiplier)


@given(st.floats(-3e13, 3e13))
def test_what_is_lost_is_less_than_one_step(power: float) -> None:
    written = reactive_power(power)
    assert abs(magnitude(written) - power) <= 0.5 * 10**written.multiplier * 1.0000001
    assert written.multiplier == 0 or abs(power) / 10 ** (written.multiplier - 1) > 32_767


def test_there_is_an_end() -> None:
    with pytest.raises(LocalProtocolError):
        active_power(1e14)


def test_an_operators_json_is_a_message() -> None:
    said = {
        "opModExpLimW": 100_000,
        "opModConnect": True,
        "opModFixedVar": {"refType": 2, "value": -50},
        "opModVoltVar": {"href": "/derp/1/dc/1"},
    }
    assert from_json(DERControlBase, said) == DERControlBase(
        op_mod_exp_lim_w=ActivePower(value=10_000, multiplier=1), op_mod_connect=True,
        op_mod_fixed_var=FixedVar(ref_type=2, value=-50), op_mod_volt_var=Link(href="/derp/1/dc/1"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"opModExpLimW": 1e15}, "^opModExpLimW: "),
        ({"opModExpLimW": "5 kW"}, "^opModExpLimW: is not an object"),
        ({"opModConnect": 1}, "^opModConnect: must be true or false"),
        ({"opModFixedW": 20_000}, "^opModFixedW: must be from -10000 to 10000"),
        ({"opModFixedW": True}, "^opModFixedW: must be a whole number"),
        ({"opModFixedVar": {"value": 1}}, "^opModFixedVar.refType: is missing"),
        ({"opModToast": 1}, "^opModToast: is not known here"),
        ([], "^it: is not an object"),
    ],
)
def test_what_is_wrong_is_named(said: Any, reason: str) -> None:
    with pytest.raises(SchemaViolation, match=reason):
        from_json(DERControlBase, said)


def test_lists_and_hex_are_named_by_their_place() -> None:
    points = [{"xvalue": 1, "yvalue": 2}, {"xvalue": "1", "yvalue": 2}]
    with pytest.raises(SchemaViolation, match=r"^CurveData\[1\].xvalue: must be a whole number"):
        from_json(DERCurve, {"mRID": "00", "creationTime": 1, "CurveData": points})
    with pytest.raises(SchemaViolation, match=r"^mRID: must be up to 16 bytes in hex"):
        from_json(DERCurve, {"mRID": "0"})


@given(st.sampled_from([DefaultDERControl, DERCurve, EndDeviceControl, DERControlBase]), st.integers(0, 2**32))
def test_what_is_written_as_json_is_read_as_the_same(kind: type, seed: int) -> None:
    """But for how a power is scaled, which says the same watts."""
    message = made(kind, random.Random(seed), fullness=0.5, csipaus=CsipAus.V1_3)  # a test's dice
    written = to_json(message)
    again: object = from_json(kind, written)
    assert to_json(again) == written
    assert from_json(kind, to_json(again)) == again


def test_a_power_in_parts_of_watts_keeps_its_parts() -> None:
    base = DERControlBase(op_mod_imp_lim_w=ActivePower(value=15, multiplier=-1), op_mod_connect=False)
    written = {"opModConnect": False, "opModImpLimW": {"multiplier": -1, "value": 15}}
    assert to_json(base) == written
    assert from_json(DERControlBase, written) == base
    assert to_json(base, without=["opModConnect"]) == {"opModImpLimW": written["opModImpLimW"]}
