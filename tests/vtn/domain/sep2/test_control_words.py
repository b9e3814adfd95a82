"""What a control asks, in words."""

import random
from typing import Any

import pytest

from openadr_core.sep2.base import DateTimeInterval, EventStatus
from openadr_core.sep2.controls import DefaultDERControl, DERControl, DERControlBase, DERCurve
from openadr_core.sep2.drlc import EndDeviceControl
from openadr_core.sep2.json_values import from_json, to_json
from openadr_core.sep2.names import CURVES, CsipAus
from openadr_core.sep2.plan import parts_of
from openadr_vtn.domain.sep2.control_words import control_words, curve_name, plot
from tests.core.sep2.values import made

MRID = "0A" * 16
WHEN: dict[str, Any] = {
    "mrid": MRID, "creation_time": 1, "interval": DateTimeInterval(duration=60, start=1),
    "event_status": EventStatus(current_status=0, date_time=0, potentially_superseded=False),
}  # fmt: skip
SUMMER = {"/derp/1/dc/1": "summer"}


def control(**members: Any) -> DERControl:
    return DERControl(**WHEN, der_control_base=from_json(DERControlBase, members))


@pytest.mark.parametrize(
    ("mode", "value", "text"),
    [
        ("opModExpLimW", 1500, "1.5 kW"),
        ("opModImpLimW", 0, "0 W"),
        ("opModTargetW", -2_500_000, "-2.5 MW"),
        ("opModTargetVar", 999, "999 var"),
        ("opModGenLimW", {"multiplier": -1, "value": 15}, "1.5 W"),
        ("opModConnect", False, "no"),
        ("opModEnergize", True, "yes"),
        ("opModMaxLimW", 6050, "60.5 % of setMaxW"),
        ("opModFixedW", -5000, "-50 % of setMaxChargeRateW"),
        ("opModFixedW", 2500, "25 % of setMaxW"),
        ("opModFixedVar", {"refType": 3, "value": -4400}, "-44 % of statVarAvail"),
        ("opModFixedPFInjectW", {"displacement": 95, "excitation": True, "multiplier": -2}, "0.95, absorbing vars"),
        ("opModFixedPFAbsorbW", {"displacement": 9, "excitation": False, "multiplier": -1}, "0.9, injecting vars"),
        ("opModVoltVar", {"href": "/derp/1/dc/1"}, "summer"),
        ("opModVoltWatt", {"href": "/derp/1/dc/2"}, "/derp/1/dc/2"),
        ("rampTms", 550, "5.5 s"),
        (
            "opModFreqDroop", {"dBOF": 36, "dBUF": 30, "kOF": 50, "kUF": 40, "openLoopTms": 500},
            "from 0.03 Hz below and 0.036 Hz above, slopes 0.04 and 0.05, in 5 s",
        ),
    ],
)  # fmt: skip
def test_a_mode_is_said_with_its_value_and_unit(mode: str, value: Any, text: str) -> None:
    (said,) = control_words(control(**{mode: value}), SUMMER)
    assert (said.mode, said.value, said.text) == (mode, value, text)


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("SetPoint", {"coolingSetpoint": 2600, "heatingSetpoint": 1850}, "cooling 26 °C, heating 18.5 °C"),
        ("Offset", {"coolingOffset": 15}, "cooling 1.5 K"),
        ("Offset", {"loadAdjustmentPercentageOffset": 2050}, "load 20.5 %"),
        ("DutyCycle", {"normalValue": 75}, "75 % of the time"),
        ("TargetReduction", {"type": 1, "value": 4}, "4 kW"),
        ("ApplianceLoadReduction", {"type": 0}, "delay"),
        ("overrideDuration", 600, "600 s"),
    ],
)
def test_so_is_what_loads_are_asked(member: str, value: Any, text: str) -> None:
    times = {"interval": {"duration": 60, "start": 1}, "creationTime": 1, "mRID": MRID}
    status = {"currentStatus": 0, "dateTime": 0, "potentiallySuperseded": False}
    loads = {"deviceCategory": "01", "drProgramMandatory": False, "loadShiftForward": False, "EventStatus": status}
    (said,) = control_words(from_json(EndDeviceControl, {**times, **loads, member: value}), {})
    assert (said.mode, said.value, said.text) == (member, value, text)


def test_a_default_has_settings_besides() -> None:
    settings = {"setGradW": 27, "setESHighFreq": 6100}
    default = from_json(DefaultDERControl, {"mRID": MRID, "DERControlBase": {"opModImpLimW": 1500}, **settings})
    assert [(said.mode, said.text) for said in control_words(default, {})] == [
        ("opModImpLimW", "1.5 kW"), ("setESHighFreq", "61 Hz"), ("setGradW", "0.27 % of setMaxW each s"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [DERControl, DefaultDERControl, EndDeviceControl])
def test_nothing_that_is_asked_is_left_out(kind: type) -> None:
    """Whatever the standard has: each element of its own is said."""
    for seed in range(20):
        message = made(kind, random.Random(seed), fullness=1, csipaus=CsipAus.V1_3)
        said = control_words(message, {})
        held, held_kind = (message, kind) if kind is EndDeviceControl else (message.der_control_base, DERControlBase)
        own = {part.name for part in parts_of(held_kind) if part.name in to_json(held)} & NAMED
        assert own <= {one.mode for one in said}


NAMED = {part.name for part in parts_of(DERControlBase)} | {
    "ApplianceLoadReduction", "DutyCycle", "Offset", "SetPoint", "TargetReduction", "overrideDuration",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(CURVES.values()))
def test_a_curve_has_a_name_and_whole_units(kind: int) -> None:
    points = [{"xvalue": 5950, "yvalue": 1000}, {"xvalue": 6010, "yvalue": 0}]
    said = {"mRID": MRID, "creationTime": 1, "curveType": kind, "xMultiplier": -2, "yMultiplier": 1, "yRefType": 1}
    curve = from_json(DERCurve, {**said, "CurveData": points})
    mode = next(name for name, number in CURVES.items() if number == kind)
    assert curve_name(7, curve) == f"{mode.removeprefix('opMod')} 7"
    drawn = plot(curve)
    assert drawn.points == ((59.5, 10_000.0), (60.1, 0.0))
    assert drawn.x_unit
    assert drawn.y_unit
    assert curve_name(7, from_json(DERCurve, {**said, "CurveData": points, "description": "winter"})) == "winter"
