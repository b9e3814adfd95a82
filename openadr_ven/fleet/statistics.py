"""What is published about homes, their devices and their transformers, as the population draws from it.

Numbers are rounded; each says where it is from. Where nobody publishes one, it says ``assumed``.
"""

from dataclasses import dataclass

from openadr_ven.fleet.columns import DeviceClass

HEADLINE_DEVICES = 9_000_000
HEADLINE_THERMOSTATS = 8_000_000
HEADLINE_THERMOSTAT_W = 9.0e9
HEADLINE_STORAGE_W = 7.8e9
"""The industry's announcement of 2026 (16.8 GW): eight million thermostats, shifted for an hour, and installed storage.

The remaining million devices are split by ``MIX``, assumed.
"""

MIX: dict[DeviceClass, float] = {
    DeviceClass.BATTERY: 0.0889,
    DeviceClass.EV_BIDIRECTIONAL: 0.0033,
    DeviceClass.EV_CHARGER: 0.0067,
    DeviceClass.SOLAR_INVERTER: 0.0056,
    DeviceClass.WATER_HEATER: 0.0066,
}
"""Share of all devices; the rest are thermostats."""
THERMOSTATS_PER_HOME = 1.1
"""Assumed: one home in ten has a second zone."""

BATTERIES: tuple[tuple[float, float, float], ...] = (
    (5_000.0, 13_500.0, 0.30),
    (11_500.0, 13_500.0, 0.45),
    (3_840.0, 5_000.0, 0.10),
    (7_680.0, 10_000.0, 0.10),
    (9_600.0, 19_400.0, 0.05),
)
"""Makers' data sheets: continuous power, usable energy; the shares are assumed."""
BATTERY_EFFICIENCY = 0.95
"""One way; 0.90 there and back, as data sheets have it."""
RESERVES: tuple[tuple[float, float], ...] = ((0.2, 0.7), (0.3, 0.2), (0.5, 0.1))
"""A reserve of a fifth is what Californian storage programmes keep; that some owners keep more is assumed."""

CHARGER_W = 7_200.0
"""Level 2 at 30 A and 240 V: the most common home charger."""
TWO_WAY_W = 9_600.0
"""The two-way home chargers on the market."""
VEHICLES_WH: tuple[tuple[float, float], ...] = ((58e3, 0.2), (66e3, 0.3), (77e3, 0.3), (98e3, 0.1), (131e3, 0.1))
"""Makers' data sheets; the shares are assumed."""
LEAVES_H, LEAVES_SPREAD_H = 7.5, 1.2
"""Local time: the morning peak of departures in the national household travel survey of 2017."""
BEHIND_UTC_H: tuple[tuple[float, float], ...] = ((4.0, 0.45), (5.0, 0.30), (6.0, 0.07), (7.0, 0.18))
"""Where people live in the contiguous United States, in summer time."""

COOLING_W, COOLING_SPREAD = 3_500.0, 0.2
"""A central air conditioner of three tons; lognormal."""
RESISTANCE_C_PER_W, RESISTANCE_SPREAD = 2e-3, 0.2
CAPACITY_WH_PER_C, CAPACITY_SPREAD = 6e3, 0.25
COP = (2.8, 4.0)
GAIN_W = (300.0, 1_200.0)
SETPOINT_C, SETPOINT_SPREAD_C = 23.9, 1.0
"""First-order models of American houses in the load control literature; 23.9 °C is 75 °F."""
COMFORT_C: tuple[tuple[float, float], ...] = ((1.1, 0.3), (2.2, 0.7))
"""Two to four degrees Fahrenheit is what thermostat programmes allow themselves."""

INVERTERS_W: tuple[tuple[float, float], ...] = ((3_800.0, 0.2), (5_000.0, 0.3), (7_600.0, 0.4), (10_000.0, 0.1))
"""Residential systems are five to ten kilowatts in the national tracking reports."""
HEATER_W = 4_500.0
"""The element of a 50-gallon heater."""
TANKS_WH_PER_C: tuple[tuple[float, float], ...] = ((175.0, 0.3), (220.0, 0.5), (290.0, 0.2))
"""Water of 40, 50 and 66 gallons."""

TRANSFORMERS_VA: tuple[tuple[float, float], ...] = (
    (10e3, 0.09), (15e3, 0.30), (25e3, 0.45), (37.5e3, 0.10), (50e3, 0.04), (75e3, 0.02),
)  # fmt: skip
"""Ratings of the 1,275 service transformers of the IEEE 9500-node feeder."""
HOME_VA = 7_500.0
"""Rating for each home, by which homes are hung below a transformer; assumed."""
FEEDER_HOMES, FEEDER_VA = 1_200, 10e6
SUBSTATION_FEEDERS, SUBSTATION_VA = 6, 50e6
"""Typical of North American distribution; assumed."""
GATEWAY_DEVICES = 1_000

CONSENT = 0.97
STORM_HOLD = 0.6
EVENTS_MAX: tuple[tuple[float, float], ...] = ((36.0, 0.5), (60.0, 0.5))
"""Two large storage programmes allow 36 and 60 events in a season; consent and storm settings are assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Names are made up; how soon a command acts is what owners and integrators of such devices report."""

    name: str
    device_class: DeviceClass
    share: float
    """Of its class."""
    latency_s: float


VENDORS: tuple[Vendor, ...] = (
    Vendor(name="Aldebaran", device_class=DeviceClass.BATTERY, share=0.45, latency_s=120.0),
    Vendor(name="Brightwall", device_class=DeviceClass.BATTERY, share=0.30, latency_s=5.0),
    Vendor(name="Cellhaus", device_class=DeviceClass.BATTERY, share=0.25, latency_s=30.0),
    Vendor(name="Fjordvolt", device_class=DeviceClass.EV_BIDIRECTIONAL, share=1.0, latency_s=5.0),
    Vendor(name="Gridleaf", device_class=DeviceClass.EV_CHARGER, share=1.0, latency_s=5.0),
    Vendor(name="Hearthly", device_class=DeviceClass.THERMOSTAT, share=0.55, latency_s=60.0),
    Vendor(name="Isotherm", device_class=DeviceClass.THERMOSTAT, share=0.35, latency_s=300.0),
    Vendor(name="Kelvinor", device_class=DeviceClass.THERMOSTAT, share=0.10, latency_s=10.0),
    Vendor(name="Luxor", device_class=DeviceClass.SOLAR_INVERTER, share=1.0, latency_s=60.0),
    Vendor(name="Junowater", device_class=DeviceClass.WATER_HEATER, share=1.0, latency_s=900.0),
)
