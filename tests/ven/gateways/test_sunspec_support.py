"""Grid support on SunSpec devices: each model's own words, its handshake, its timer, and what was there before."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openadr_core.model.grid_support import (
    Curve,
    CurvePoint,
    Droop,
    GridFunction,
    GridSupport,
    PowerFactor,
    Reference,
    VarShare,
    functions_in,
)
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Adjustment
from tests.ven.gateways.sunspec_server import Models, serving
from tests.ven.gateways.test_sunspec import MODERN_METER, SETPOINT, WAIT_S, Running, driven

F, R = GridFunction, Reference
OWN_VOLT_VAR = {"ActPt": 2, "DeptRef": 1, "RspTms": 50, "Pt": [{"V": 950, "Var": 50}, {"V": 1_050, "Var": -50}] * 2}


def curve_model(own: dict[str, Any], *, places: int = 3, enabled: int = 1, **points: Any) -> dict[str, Any]:
    rows = [{**own, "ReadOnly": 1 if place == 0 else 0} for place in range(places)]
    return {
        "Ena": enabled, "AdptCrvReq": 0, "AdptCrvRslt": 1, "NPt": 4, "NCrv": places, "RvrtTms": 0, "RvrtCrv": 0,
        "DeptRef_SF": -1, "Crv": rows, **points,
    }  # fmt: skip


def trips(part_of: dict[str, list[dict[str, int]]], places: int = 3, **points: Any) -> dict[str, Any]:
    parts = {name: {"ActPt": len(own), "Pt": (own * 3)[:3]} for name, own in part_of.items()}
    rows = [{**parts, "ReadOnly": 1 if place == 0 else 0} for place in range(places)]
    return {
        "Ena": 1,
        "AdptCrvReq": 0,
        "AdptCrvRslt": 1,
        "NPt": 3,
        "NCrvSet": places,
        "Tms_SF": -2,
        "Crv": rows,
        **points,
    }


OWN_TRIPS = {
    "MustTrip": [{"V": 500, "Tms": 16}, {"V": 880, "Tms": 200}], "MayTrip": [{"V": 700, "Tms": 16}],
    "MomCess": [{"V": 500, "Tms": 8}],
}  # fmt: skip
CONTROLS = {
    **SETPOINT, "PFWInjEna": 0, "PFWInjEnaRvrt": 1, "PFWInjRvrtTms": 0, "PF_SF": -3, "VarSetEna": 0, "VarSetMod": 0,
    "VarSetPct": 0, "VarSetPct_SF": -1, "VarSet": 0, "VarSet_SF": 0, "VarSetRvrtTms": 0,
    "PFWInj": {"PF": 1_000, "Ext": 0},
}  # fmt: skip
DROOP_ROW = {"DbOf": 36, "DbUf": 36, "KOf": 50, "KUf": 50, "RspTms": 500}
INVERTER: Models = {
    **MODERN_METER,
    704: CONTROLS,
    705: curve_model(OWN_VOLT_VAR, V_SF=-1, RspTms_SF=-1),
    706: curve_model(
        {"ActPt": 1, "DeptRef": 0, "Pt": [{"V": 1_060, "W": 1_000}] * 4}, enabled=0, V_SF=-1, RspTms_SF=-1
    ),
    707: trips(OWN_TRIPS, V_SF=-1),
    711: {
        "Ena": 1, "AdptCtlReq": 0, "AdptCtlRslt": 1, "NCtl": 3, "RvrtTms": 0, "RvrtCtl": 0, "Db_SF": -3, "K_SF": -3,
        "RspTms_SF": -2, "Ctl": [{**DROOP_ROW, "ReadOnly": 1 if place == 0 else 0} for place in range(3)],
    },
    712: curve_model(
        {"ActPt": 1, "DeptRef": 1, "Pt": [{"W": 200, "Var": 0}] * 4}, W_SF=-1, places=2, enabled=0
    ),
}  # fmt: skip


def curve(
    function: GridFunction, *points: tuple[float, float], reference: Reference | None = None, **more: Any
) -> GridSupport:
    placed = tuple(CurvePoint(x=x, y=y) for x, y in points)
    return GridSupport(function=function, curve=Curve(points=placed, reference=reference, **more))


VOLT_VAR = curve(F.VOLT_VAR, (92.0, 44.0), (98.5, 0.0), (108.0, -44.0), reference=R.AVAILABLE_VAR, open_loop_s=4.5)
VOLT_WATT = curve(F.VOLT_WATT, (106.0, 100.0), (110.0, 20.0), reference=R.MAX_W)
WATT_VAR = curve(F.WATT_VAR, (50.0, 0.0), (100.0, -44.0), reference=R.MAX_VAR)
LV_MUST = curve(F.LVRT_MUST_TRIP, (0.16, 45.0), (2.0, 70.0))
LV_MAY = curve(F.LVRT_MAY_TRIP, (0.32, 65.0))
DROOP = GridSupport(
    function=F.FREQ_DROOP,
    droop=Droop(over_deadband_hz=0.017, under_deadband_hz=0.02, over_slope=0.03, under_slope=0.04, open_loop_s=0.5),
)
FACTOR = GridSupport(function=F.FIXED_PF_INJECT, power_factor=PowerFactor(displacement=0.925, absorbs=True))
SHARE = GridSupport(function=F.FIXED_VAR, var_share=VarShare(percent=-30.5, reference=R.MAX_VAR))
TARGET = GridSupport(function=F.TARGET_VAR, power_var=1_500.0)


async def adjust(
    running: Running, support: GridSupport | None, function: GridFunction | None = None, *, lasts_s: float = 60.0,
    held: bool = False,
) -> Reason:  # fmt: skip
    named = function if support is None else support.function
    assert named is not None
    until = datetime.now(UTC) + timedelta(seconds=lasts_s)
    one = Adjustment(device_id="d", function=named, support=support, until=until, held=held)
    (adjusted,) = [each async for each in running.driver.adjust([one])]
    return adjusted.reason


async def active(running: Running, number: int, part: str = "") -> list[tuple[float, float]]:
    """The curve that the device follows, as its model says: of trips by time."""
    row = (await running.device.model(number)).Crv[0]
    place = getattr(row, part) if part else row
    x, y = {705: ("V", "Var"), 706: ("V", "W"), 712: ("W", "Var"), 707: ("Tms", "V")}[number]
    return [(getattr(one, x).cvalue, getattr(one, y).cvalue) for one in place.Pt[: place.ActPt.value]]


async def comes_to(holds: Callable[[], Any]) -> None:
    ends_at = time.monotonic() + WAIT_S
    while not await holds():
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.05)


async def test_what_a_device_knows_follows_from_its_models() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        await running.until(lambda reading: reading.functions != 0)
        assert functions_in(running.readings[-1].functions) == {
            F.VOLT_VAR, F.VOLT_WATT, F.WATT_VAR, F.FREQ_DROOP, F.FIXED_PF_INJECT, F.FIXED_VAR, F.TARGET_VAR,
            F.LVRT_MAY_TRIP, F.LVRT_MUST_TRIP, F.LVRT_MOMENTARY_CESSATION,
        }  # fmt: skip
        assert await adjust(running, curve(F.FREQ_WATT, (60.0, 100.0), reference=R.MAX_W)) is Reason.UNSUPPORTED_MODE


async def test_a_curve_is_adopted_and_the_devices_own_is_back_when_it_is_let_go() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        own = await active(running, 705)
        assert await adjust(running, VOLT_VAR) is Reason.NONE
        assert await active(running, 705) == [(92.0, 44.0), (98.5, 0.0), (108.0, -44.0)]
        model = await device.model(705)
        assert (model.Crv[0].DeptRef.value, model.Crv[0].RspTms.cvalue, model.RvrtCrv.value) == (2, 4.5, 3)
        assert 55 <= model.RvrtTms.value <= 60
        assert await adjust(running, curve(F.VOLT_VAR, (90.0, 10.0), reference=R.MAX_W)) is Reason.NONE
        assert await active(running, 705) == [(90.0, 10.0)]
        assert await adjust(running, None, F.VOLT_VAR) is Reason.NONE
        assert await active(running, 705) == own
        assert (await device.model(705)).Ena.value == 1


async def test_by_its_timer_it_is_back_without_us() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        own = await active(running, 705)
        assert await adjust(running, VOLT_VAR, lasts_s=1.0) is Reason.NONE
        assert await active(running, 705) != own

        async def is_back() -> bool:
            return await active(running, 705) == own

        await comes_to(is_back)
        assert await adjust(running, None, F.VOLT_VAR, held=True) is Reason.NONE
        assert await active(running, 705) == own


async def test_a_function_that_was_off_is_off_again() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        for support, number in ((VOLT_WATT, 706), (WATT_VAR, 712)):
            assert await adjust(running, support) is Reason.NONE
            assert (await device.model(number)).Ena.value == 1
            assert support.curve is not None
            assert await active(running, number) == [(point.x, point.y) for point in support.curve.points]
            assert await adjust(running, None, support.function) is Reason.NONE
            assert (await device.model(number)).Ena.value == 0


async def test_trips_are_told_part_by_part_and_let_go_of_part_by_part() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        own_must, own_may = await active(running, 707, "MustTrip"), await active(running, 707, "MayTrip")
        assert await adjust(running, LV_MUST) is Reason.NONE
        assert await adjust(running, LV_MAY) is Reason.NONE
        assert await active(running, 707, "MustTrip") == [(0.16, 45.0), (2.0, 70.0)]
        assert await active(running, 707, "MayTrip") == [(0.32, 65.0)]
        assert await adjust(running, None, F.LVRT_MUST_TRIP) is Reason.NONE
        assert await active(running, 707, "MustTrip") == own_must
        assert await active(running, 707, "MayTrip") == [(0.32, 65.0)]
        assert await adjust(running, None, F.LVRT_MAY_TRIP) is Reason.NONE
        assert await active(running, 707, "MayTrip") == own_may


async def test_over_a_restart_of_the_gateway_the_devices_own_curve_is_not_lost() -> None:
    async with serving(INVERTER, usual_w=0.0) as device:
        async with driven(device) as running:
            own = await active(running, 707, "MustTrip")
            assert await adjust(running, LV_MUST) is Reason.NONE
        async with driven(device) as running:
            assert await adjust(running, LV_MUST, held=True) is Reason.NONE
            assert await adjust(running, None, F.LVRT_MUST_TRIP) is Reason.NONE
            assert await active(running, 707, "MustTrip") == own


async def test_droop_power_factor_and_vars() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        assert await adjust(running, DROOP) is Reason.NONE
        row = (await device.model(711)).Ctl[0]
        assert [getattr(row, name).cvalue for name in ("DbOf", "DbUf", "KOf", "KUf", "RspTms")] == [
            0.017, 0.02, 0.03, 0.04, 0.5,
        ]  # fmt: skip
        assert await adjust(running, None, F.FREQ_DROOP) is Reason.NONE
        assert (await device.model(711)).Ctl[0].DbOf.cvalue == 0.036
        assert await adjust(running, FACTOR) is Reason.NONE
        controls = await device.model(704)
        assert (controls.PFWInjEna.value, controls.PFWInj.PF.cvalue, controls.PFWInj.Ext.value) == (1, 0.925, 1)
        assert await adjust(running, SHARE) is Reason.NONE
        controls = await device.model(704)
        assert (controls.VarSetEna.value, controls.VarSetMod.value, controls.VarSetPct.cvalue) == (1, 1, -30.5)
        assert await adjust(running, TARGET) is Reason.NONE
        assert await adjust(running, None, F.FIXED_VAR) is Reason.NONE
        controls = await device.model(704)
        assert (controls.VarSetEna.value, controls.VarSetMod.value, controls.VarSet.cvalue) == (1, 4, 1_500.0)
        assert await running.tell(Mode.SETPOINT, -3_000.0) is Reason.NONE, "beside what it gives"
        assert await adjust(running, None, F.TARGET_VAR) is Reason.NONE
        assert (await device.model(704)).VarSetEna.value == 0


@pytest.mark.parametrize(
    "support",
    [
        curve(F.VOLT_VAR, (92.0, 44.0), reference=R.MAX_VAR, open_loop_s=0.37),
        curve(F.VOLT_VAR, (92.0, 44.0), reference=R.MAX_CHARGE_W),
        curve(F.VOLT_VAR, *((90.0 + x, 0.0) for x in range(5)), reference=R.MAX_VAR),
        GridSupport(function=F.FIXED_VAR, var_share=VarShare(percent=1.0, reference=R.AVAILABLE_W)),
    ],
    ids=["between two numbers that it has", "no such reference", "too many points", "no such share"],
)
async def test_what_its_registers_cannot_say_is_refused_and_nothing_is_changed(support: GridSupport) -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        own = await active(running, 705)
        assert await adjust(running, support) is Reason.OUT_OF_RANGE
        assert await active(running, 705) == own


async def test_a_curve_that_the_device_will_not_adopt_is_refused() -> None:
    async with serving(INVERTER, usual_w=0.0) as device, driven(device) as running:
        device.fails_to_adopt = True
        assert await adjust(running, VOLT_VAR) is Reason.OUT_OF_RANGE


async def test_where_there_is_no_place_for_the_devices_own_curve_none_is_told() -> None:
    models = {**MODERN_METER, 705: curve_model(OWN_VOLT_VAR, places=2, V_SF=-1, RspTms_SF=-1)}
    async with serving(models, usual_w=0.0) as device, driven(device) as running:
        own = await active(running, 705)
        assert await adjust(running, VOLT_VAR) is Reason.UNSUPPORTED_MODE
        assert await active(running, 705) == own
