"""Table 1 of 2.0b: which signal names go with which types and units, and what we make of them."""

from dataclasses import dataclass

from openadr_core.model.event import SignalKind
from openadr_core.oadr2.messages import PowerAttributes, Unit

POWER = frozenset({"powerReal", "powerApparent", "powerReactive"})
ENERGY = frozenset({"energyReal", "energyApparent", "energyReactive"})
NO_UNIT: frozenset[str] = frozenset()

TABLE: dict[tuple[str, str], frozenset[str]] = {
    ("SIMPLE", "level"): NO_UNIT,
    ("ELECTRICITY_PRICE", "price"): frozenset({"currencyPerKWh"}),
    ("ELECTRICITY_PRICE", "priceRelative"): frozenset({"currencyPerKWh"}),
    ("ELECTRICITY_PRICE", "priceMultiplier"): NO_UNIT,
    ("ENERGY_PRICE", "price"): frozenset({"currencyPerKWh"}),
    ("ENERGY_PRICE", "priceRelative"): frozenset({"currencyPerKWh"}),
    ("ENERGY_PRICE", "priceMultiplier"): NO_UNIT,
    ("DEMAND_CHARGE", "price"): frozenset({"currencyPerKW"}),
    ("DEMAND_CHARGE", "priceRelative"): frozenset({"currencyPerKW"}),
    ("DEMAND_CHARGE", "priceMultiplier"): NO_UNIT,
    ("BID_PRICE", "price"): frozenset({"currency", "currencyPerKW", "currencyPerKWh", "currencyPerThm"}),
    ("BID_LOAD", "setpoint"): POWER,
    ("BID_ENERGY", "setpoint"): ENERGY,
    ("CHARGE_STATE", "setpoint"): ENERGY,
    ("CHARGE_STATE", "delta"): ENERGY,
    ("CHARGE_STATE", "multiplier"): NO_UNIT,
    ("LOAD_DISPATCH", "setpoint"): POWER,
    ("LOAD_DISPATCH", "delta"): POWER,
    ("LOAD_DISPATCH", "multiplier"): NO_UNIT,
    ("LOAD_DISPATCH", "level"): POWER,
    ("LOAD_CONTROL", "x-loadControlCapacity"): NO_UNIT,
    ("LOAD_CONTROL", "x-loadControlLevelOffset"): NO_UNIT,
    ("LOAD_CONTROL", "x-loadControlPercentOffset"): NO_UNIT,
    ("LOAD_CONTROL", "x-loadControlSetpoint"): NO_UNIT,
}
"""Signal name and type to the units they may carry (R104)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSignal:
    """How a kind of signal is said in 2.0b."""

    name: str
    type: str
    unit: Unit | None


KILOWATTS = Unit(
    name="powerReal",
    description="RealPower",
    units="W",
    si_scale_code="k",
    attributes=PowerAttributes(hertz="60", voltage="240", ac=True),
)
"""Interpretation: powerAttributes are mandatory and about the service, not the event: a North American home's."""

BY_KIND: dict[SignalKind, WireSignal] = {
    SignalKind.LEVEL: WireSignal(name="SIMPLE", type="level", unit=None),
    SignalKind.RELIEF: WireSignal(name="LOAD_DISPATCH", type="delta", unit=KILOWATTS),
    SignalKind.NET_POWER: WireSignal(name="LOAD_DISPATCH", type="setpoint", unit=KILOWATTS),
}

BY_WIRE: dict[tuple[str, str], SignalKind] = {(wire.name, wire.type): kind for kind, wire in BY_KIND.items()}

LEVELS = range(4)
"""R9: SIMPLE is 0 normal, 1 moderate, 2 high, 3 special."""
