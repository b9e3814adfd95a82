"""The closed form of a house against GridLAB-D: two bodies of heat, a fan, a thermostat, somebody else's code."""

import importlib
import importlib.util
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from openadr_ven.fleet.columns import DeviceClass, Floats
from openadr_ven.fleet.thermostat import Answer, answer
from tests.ven.fleet.synthetic import only_class

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gridlabd") is None, reason="an independent house needs gridlabd, which is not installed"
)

HOUSES, EVENT_HOURS, HOT_F, SETPOINT_F, RAISED_F = 120, 2, 95.0, 75.2, 3.6
BTU_H_PER_F_W_PER_C = 0.527528
"""Heat per hour and degree Fahrenheit, in watts per degree Celsius; of a heat capacity, in Wh per degree."""
WEATHER = """$state_name=Nowhere
$city_name=Hot
$lat_deg=33
$lat_min=0
$long_deg=-112
$long_min=0
temperature,humidity,solar_dir,solar_diff,solar_global,wind_speed
#timefmt
7:15:00:00:00,95.0,0.2,0,0,0,0
7:15:12:00:00,95.0,0.2,0,0,0,0
7:17:00:00:00,95.0,0.2,0,0,0,0
"""
MODEL = """clock {{ timezone "UTC0"; starttime '2026-07-15 00:00:00'; stoptime '2026-07-15 14:00:00'; }}
#set minimum_timestep=30
module tape; module climate; module residential {{ implicit_enduses NONE; }}
object csv_reader {{ name reader; filename "{folder}/weather.csv"; }}
object climate {{ name weather; tmyfile "{folder}/weather.csv"; reader reader; }}
schedule cool {{ {schedule} }}
{houses}
object group_recorder {{ file "{folder}/load.csv"; group "class=house"; property hvac_load; interval 60; limit 99999; }}
"""
HOUSE = (
    "object house {{ name h{number}; floor_area {area:.0f}; cooling_system_type ELECTRIC; heating_system_type NONE;"
    " cooling_setpoint cool; heating_setpoint 40; thermostat_deadband 1.0; thermostat_cycle_time 60;"
    " air_temperature {air:.2f}; mass_temperature {air:.2f}; cooling_COP 3.3; }}"
)
STEADY = f"* 0-23 * * * {SETPOINT_F};"
EVENT = f"* 0-9 * * * {SETPOINT_F}; * 10-11 * * * {SETPOINT_F + RAISED_F}; * 12-23 * * * {SETPOINT_F};"
BEGINS_MINUTE = 600


@dataclass(frozen=True, kw_only=True, eq=False)
class Town:
    load_w: Floats
    """By minute and house."""
    houses: list[dict[str, float]]


def simulated(folder: Path, schedule: str) -> Town:
    """Fourteen hours of a hot night: no sun, constant 95 °F, so that nothing but the house answers."""
    folder.mkdir()
    dice = np.random.default_rng(1)
    houses = [
        HOUSE.format(number=number, area=dice.uniform(1_400, 2_600), air=dice.uniform(74.7, 75.7))
        for number in range(HOUSES)
    ]
    (folder / "weather.csv").write_text(WEATHER)
    (folder / "town.glm").write_text(MODEL.format(folder=folder, schedule=schedule, houses="\n".join(houses)))
    with chdir(folder):  # where it leaves what it remembers of the run
        engine = importlib.import_module("gridlabd").GridLabD()
        assert engine.load(str(folder / "town.glm")) == 0
        assert engine.setup_after_load() == 0
        assert engine.run() == 0
        known = [engine.get_object_properties(f"h{number}") for number in range(HOUSES)]
        engine.exit_gld()  # its recorders write out what they hold
    rows = [line for line in (folder / "load.csv").read_text().splitlines() if not line.startswith("#")]
    load_w = 1e3 * np.array([[float(cell) for cell in row.split(",")[1:]] for row in rows])
    return Town(load_w=load_w, houses=known)


def closed_form(town: Town, normal_w: Floats) -> Answer:
    """Our house, with that house's insulation, heat capacity and compressor."""
    conductance = np.array([house["UA"] for house in town.houses]) * BTU_H_PER_F_W_PER_C
    capacity = np.array([house["air_heat_capacity"] + house["mass_heat_capacity"] for house in town.houses])
    rated_w = np.quantile(town.load_w, 0.99, axis=0)
    lift_c = (HOT_F - SETPOINT_F) / 1.8
    fleet = replace(
        only_class(HOUSES, DeviceClass.THERMOSTAT),
        resistance_c_per_w=1.0 / conductance,
        capacity_wh_per_c=capacity * BTU_H_PER_F_W_PER_C,
        import_max_w=rated_w,
        gain_w=np.zeros(HOUSES),
        setpoint_c=np.full(HOUSES, (SETPOINT_F - 32.0) / 1.8),
        comfort_c=np.full(HOUSES, RAISED_F / 1.8),
        # Heat out is heat in, on average: the coefficient of performance follows from what it draws.
        cop=lift_c * conductance / normal_w.mean(axis=0),
    )
    return answer(fleet, np.arange(HOUSES), (HOT_F - 32.0) / 1.8)


def test_an_independent_house_answers_as_the_closed_form_says(tmp_path: Path) -> None:
    steady, raised = simulated(tmp_path / "steady", STEADY), simulated(tmp_path / "raised", EVENT)
    window = slice(BEGINS_MINUTE - 240, BEGINS_MINUTE)
    ours = closed_form(steady, steady.load_w[window])
    slots = 4 * EVENT_HOURS
    after = slice(BEGINS_MINUTE, BEGINS_MINUTE + 15 * slots)
    relief_w = (steady.load_w[after] - raised.load_w[after]).mean(axis=1).reshape(slots, 15).mean(axis=1)
    promised_w = ours.relief_after(EVENT_HOURS * 3600.0, 900.0, slots).mean(axis=0)
    normal_w = float(steady.load_w[window].mean())
    assert normal_w > 1_000.0
    assert relief_w == pytest.approx(promised_w, abs=0.12 * normal_w)
    assert relief_w.mean() == pytest.approx(promised_w.mean(), rel=0.06)
