"""What an order is in IEEE 2030.5, by what the device says that it can."""

from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.sep2.der import (
    ConnectStatusType,
    DERCapability,
    DERSettings,
    DERStatus,
    LocalControlModeStatusType,
    StateOfChargeStatusType,
)
from openadr_core.sep2.power import active_power
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order
from openadr_ven.gateways.sep2.words import Facts, asked_of, reading_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TARGET, FIXED, MAX_LIM = 1 << 22, 1 << 0 | 1 << 1, 1 << 20
GEN, LOAD = 1 << 2, 1 << 3
BATTERY, INVERTER, CHARGER = (5_000.0, 5_000.0), (0.0, 5_000.0), (7_000.0, 0.0)


def facts(modes: int, limits: int = 0) -> Facts:
    return Facts(
        capability=DERCapability(
            modes_supported=f"{modes:08X}", rtg_max_w=active_power(5_000), type=83,
            doe_modes_supported=f"{limits:02X}",
        ),
        settings=DERSettings(
            set_grad_w=0, set_max_w=active_power(4_000), set_max_charge_rate_w=active_power(2_000), updated_time=0
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "watts", "rated", "modes", "limits", "asked"),
    [
        (Mode.SETPOINT, -3_000.0, BATTERY, TARGET | FIXED, GEN, {"opModTargetW": 3_000.0}),
        (Mode.SETPOINT, 1_000.0, BATTERY, FIXED, 0, {"opModFixedW": -5_000}),
        (Mode.SETPOINT, -1_000.0, BATTERY, FIXED, 0, {"opModFixedW": 2_500}),
        (Mode.SETPOINT, -1_000.0, BATTERY, MAX_LIM, GEN, Reason.UNSUPPORTED_MODE),
        (Mode.SETPOINT, -999.9, INVERTER, MAX_LIM, GEN, {"opModMaxLimW": 2_499}),
        (Mode.SETPOINT, -4_500.0, INVERTER, MAX_LIM, 0, {"opModMaxLimW": 10_000}),
        (Mode.SETPOINT, -1_000.0, INVERTER, 0, GEN, {"opModGenLimW": 1_000.0}),
        (Mode.SETPOINT, -1_000.0, INVERTER, TARGET, 0, {"opModTargetW": 1_000.0}),
        (Mode.SETPOINT, 3_000.0, CHARGER, TARGET, LOAD, {"opModLoadLimW": 3_000.0}),
        (Mode.SHED, 0.0, CHARGER, TARGET, LOAD, {"opModLoadLimW": 0.0}),
        (Mode.SHED, 0.0, BATTERY, TARGET, 0, {"opModTargetW": 0.0}),
        (Mode.LOAD_UP, 0.0, CHARGER, TARGET, LOAD, {"opModLoadLimW": 7_000.0}),
        (Mode.LOAD_UP, 0.0, CHARGER, TARGET, 0, Reason.UNSUPPORTED_MODE),
    ],
)
def test_it_is_told_in_a_mode_that_it_has(
    mode: Mode, watts: float, rated: tuple[float, float], modes: int, limits: int, asked: object
) -> None:
    order = Order(
        device_id="d", mode=mode, setpoint_w=watts, until=NOW, import_max_w=rated[0], export_max_w=rated[1]
    )  # fmt: skip
    assert asked_of(order, facts(modes, limits)) == asked
    assert asked_of(order, Facts()) is Reason.UNREACHABLE


def test_a_reading_says_how_the_device_is() -> None:
    assert reading_of("d", Facts(), opted_out=False, now=NOW) is None
    status = DERStatus(
        reading_time=0,
        gen_connect_status=ConnectStatusType(date_time=0, value="10"),
        local_control_mode_status=LocalControlModeStatusType(date_time=0, value=0),
        state_of_charge_status=StateOfChargeStatusType(date_time=0, value=4_200),
    )
    told = Facts(status=status, power_w=-5.0, power_at=NOW + timedelta(seconds=9))
    found = reading_of("d", told, opted_out=False, now=NOW)
    assert found is not None
    assert (found.at, found.power_w, found.soc, found.online, found.override) == (NOW, -5.0, 0.42, False, True)
    plain = reading_of("d", Facts(power_w=1.0, power_at=NOW), opted_out=True, now=NOW)
    assert plain is not None
    assert (plain.online, plain.override, plain.soc != plain.soc) == (True, True, True)
