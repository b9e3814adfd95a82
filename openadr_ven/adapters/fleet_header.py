"""The documented header of fleet files: names, units, meaning, and which classes need a value."""

from dataclasses import dataclass

import numpy as np

from openadr_ven.fleet.columns import DeviceClass

SLOTS_MAX = 65_535
BATTERY, THERMOSTAT, WATER = DeviceClass.BATTERY, DeviceClass.THERMOSTAT, DeviceClass.WATER_HEATER
TWO_WAY, ONE_WAY = DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER
DATA_CENTRE = DeviceClass.DATA_CENTRE
EVERY, THERMAL = tuple(DeviceClass), (THERMOSTAT, WATER)
STORING = (BATTERY, TWO_WAY, ONE_WAY, DATA_CENTRE)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a fleet file that holds a number."""

    name: str
    unit: str
    meaning: str
    needed_by: tuple[DeviceClass, ...] = ()
    lowest: float = 0.0
    highest: float = 1e9


TEXT_COLUMNS: dict[str, str] = {
    "device_id": "its name, unique in the fleet",
    "device_class": "one of " + ", ".join(one.name.lower() for one in DeviceClass),
    "vendor": "who made it, or whose cloud it hangs on",
    "gateway": "what it is reached through; one vendor's devices, a few hundred of them",
    "site": "the home or business behind one meter",
    "transformer": "the service transformer above the site",
    "feeder": "the feeder above the transformer",
    "substation": "the substation that the feeder leaves",
}
ASSUMED_TEXT = {"substation": "substation"}
"""What stands for a text column that a file does not have; all others it must have."""
PARENTS = (("site", "transformer"), ("transformer", "feeder"), ("feeder", "substation"))
"""The tree: each child has one parent."""
LIMITED = ("site", "transformer", "feeder", "substation", "vendor")
"""What may have a limit in watts, the same in each of its rows."""
GAIN = "heat from people and appliances; a tank's draw, negative; a data centre's work as it comes in"
NUMBER_COLUMNS: tuple[Column, ...] = (
    Column("slot", "", "its number inside its gateway, from 0", EVERY, 0, SLOTS_MAX - 1),
    Column("site_limit_w", "W", "what the site's meter may feed or draw; empty if not limited", (), 1.0, 1e12),
    Column("transformer_limit_w", "W", "the transformer's rating; empty if unknown", (), 1.0, 1e12),
    Column("feeder_limit_w", "W", "the feeder's rating; empty if unknown", (), 1.0, 1e12),
    Column("substation_limit_w", "W", "the substation's rating; empty if unknown", (), 1.0, 1e12),
    Column(
        "vendor_limit_w", "W", "the most that may be asked of this vendor at once; empty for no quota", (), 1.0, 1e12
    ),
    Column("latency_s", "s", "from a command to its effect; empty for 10", (), 0.0, 86_400.0),
    Column("import_max_w", "W", "the most it draws", (*STORING, *THERMAL)),
    Column("export_max_w", "W", "the most it feeds", (BATTERY, TWO_WAY, DeviceClass.SOLAR_INVERTER)),
    Column("energy_wh", "Wh", "storage when full; a data centre's work that may be put off", STORING, 1.0),
    Column("charge_efficiency", "share", "from meter to cell, or to work done after a restart", STORING, 0.1, 1.0),
    Column("discharge_efficiency", "share", "from cell to meter", (BATTERY, TWO_WAY), 0.1, 1.0),
    Column("reserve", "share", "state of charge that the owner keeps", (BATTERY, TWO_WAY, DATA_CENTRE), 0.0, 1.0),
    Column("departure_s", "s", "second of the day (UTC) of the vehicle's departure", (TWO_WAY, ONE_WAY), 0.0, 86_400.0),
    Column("target_soc", "share", "state of charge wanted at departure", (TWO_WAY, ONE_WAY), 0.0, 1.0),
    Column("resistance_c_per_w", "°C/W", "house or tank to its surroundings", THERMAL, 1e-6, 1e3),
    Column("capacity_wh_per_c", "Wh/°C", "heat that one degree stores", THERMAL, 1e-3),
    Column("cop", "", "heat moved per unit of electricity", THERMAL, 0.1, 20.0),
    Column("gain_w", "W", GAIN, (*THERMAL, DATA_CENTRE), -1e6, 1e9),
    Column("setpoint_c", "°C", "what the thermostat is set to", THERMAL, -50.0, 120.0),
    Column("deadband_c", "°C", "from on to off", THERMAL, 0.01, 50.0),
    Column("comfort_c", "°C", "how far an event may let it drift", THERMAL, 0.0, 50.0),
    Column("ask_per_kwh", "currency/kWh", "what the owner wants for relief", (), -100.0, 1e4),
    Column("consent", "0 or 1", "the owner takes part; empty for yes", (), 0.0, 1.0),
    Column("storm_hold", "0 or 1", "kept full while a storm is forecast; empty for no", (), 0.0, 1.0),
    Column("from_minute", "min", "of the day (UTC) from which it may be used; empty for always", (), 0.0, 1440.0),
    Column("until_minute", "min", "of the day until which it may be used; empty for always", (), 0.0, 1440.0),
    Column("event_max_s", "s", "the longest in one event; empty for no cap", ()),
    Column("season_max_s", "s", "the longest in one season; empty for no cap", ()),
    Column("season_events_max", "", "the most events in one season; empty for no cap", ()),
)
FLEET_COLUMNS: tuple[tuple[str, str, str], ...] = (
    *((name, "text", meaning) for name, meaning in TEXT_COLUMNS.items()),
    *((column.name, column.unit, column.meaning) for column in NUMBER_COLUMNS),
)
"""The header, for people: name, unit, meaning."""

ZERO_WHEN_EMPTY = ("import_max_w", "export_max_w", "ask_per_kwh")
"""A device without it does nothing of the kind; elsewhere an empty cell is no value at all."""

LATENCY_WHEN_EMPTY_S = 10.0
TERMS: dict[str, tuple[type, float]] = {
    "consent": (np.bool_, 1.0),
    "storm_hold": (np.bool_, 0.0),
    "from_minute": (np.uint16, 0.0),
    "until_minute": (np.uint16, 1440.0),
    "event_max_s": (np.float32, np.inf),
    "season_max_s": (np.float32, np.inf),
    "season_events_max": (np.float32, np.inf),
}
"""Owners' terms: the type of each column, and what an empty cell stands for."""
