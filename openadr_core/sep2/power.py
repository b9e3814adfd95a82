"""Watts, vars and watt-hours as IEEE 2030.5 writes them: sixteen bits, and a power of ten."""

from openadr_core.errors import LocalProtocolError
from openadr_core.sep2.quantities import ActivePower, ReactivePower, WattHour

VALUE_MOST = 2**15 - 1
MULTIPLIER_MOST = 9


def active_power(power_w: float) -> ActivePower:
    """With the smallest multiplier that fits, from 0 on: whole watts as long as they are fewer than 32,768."""
    value, multiplier = _scaled(power_w)
    return ActivePower(multiplier=multiplier, value=value)


def reactive_power(power_var: float) -> ReactivePower:
    value, multiplier = _scaled(power_var)
    return ReactivePower(multiplier=multiplier, value=value)


def watt_hours(energy_wh: float) -> WattHour:
    value, multiplier = _scaled(energy_wh)
    return WattHour(multiplier=multiplier, value=value)


def magnitude(power: ActivePower | ReactivePower) -> float:
    """In watts, or vars."""
    return float(power.value) * 10.0**power.multiplier


def _scaled(amount: float) -> tuple[int, int]:
    for multiplier in range(MULTIPLIER_MOST + 1):
        value = round(amount / 10**multiplier)
        if abs(value) <= VALUE_MOST:
            return value, multiplier
    raise LocalProtocolError(f"{amount} is more than sixteen bits and nine powers of ten can say")
