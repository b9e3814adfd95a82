"""What the numbers of a signal are measured in, whatever protocol said them.

Values in the model are in the measure's own unit (W, VA, var, Wh, …, one unit of currency for each
kW, kWh or therm); the scale says how its author writes them, so that a wire gives back what it took.
"""

from dataclasses import dataclass
from enum import StrEnum

from openadr_core.units import VAR, VAR_HOUR, VOLT_AMPERE, VOLT_AMPERE_HOUR, WATT, WATT_HOUR


class Measure(StrEnum):
    """By their canonical units (:mod:`openadr_core.units`), which measured values have too."""

    REAL_POWER = WATT
    APPARENT_POWER = VOLT_AMPERE
    REACTIVE_POWER = VAR
    REAL_ENERGY = WATT_HOUR
    APPARENT_ENERGY = VOLT_AMPERE_HOUR
    REACTIVE_ENERGY = VAR_HOUR
    CURRENCY = "currency"
    CURRENCY_PER_KW = "currency/kW"
    CURRENCY_PER_KWH = "currency/kWh"
    CURRENCY_PER_THERM = "currency/thm"


POWER = frozenset({Measure.REAL_POWER, Measure.APPARENT_POWER, Measure.REACTIVE_POWER})
ENERGY = frozenset({Measure.REAL_ENERGY, Measure.APPARENT_ENERGY, Measure.REACTIVE_ENERGY})
MONEY = frozenset({Measure.CURRENCY, Measure.CURRENCY_PER_KW, Measure.CURRENCY_PER_KWH, Measure.CURRENCY_PER_THERM})


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerAttributes:
    """The service that a power is taken from. Decimals are kept as their text."""

    hertz: str
    voltage: str
    ac: bool


NORTH_AMERICAN_HOME = PowerAttributes(hertz="60", voltage="240", ac=True)
"""Interpretation: 2.0b wants powerAttributes with every power; where nobody says which, these are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    measure: Measure
    scale: str = "none"
    """An SI scale code (``openadr_core.units.SI_EXPONENT``): how its author writes the numbers."""
    currency: str = ""
    """ISO 4217; only where the measure is money."""
    attributes: PowerAttributes | None = None
    """Only where the measure is a power."""


KILOWATTS = Unit(measure=Measure.REAL_POWER, scale="k", attributes=NORTH_AMERICAN_HOME)

CURRENCIES = frozenset({
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYR", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF",
    "CLP", "CNY", "COP", "COU", "CRC", "CUC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EEK", "EGP", "ERN",
    "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GWP", "GYD", "HKD", "HNL", "HRK",
    "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW",
    "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LTL", "LVL", "LYD", "MAD", "MDL", "MGA", "MKD",
    "MMK", "MNT", "MOP", "MRO", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR",
    "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLL", "SOS", "SRD", "STD", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND",
    "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "USS", "UYI", "UYU", "UZS", "VEF", "VND", "VUV",
    "WST", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XDR", "XFU", "XOF", "XPD", "XPF", "XPT", "XTS",
    "XXX", "YER", "ZAR", "ZMK", "ZWL",
})  # fmt: skip
"""ISO 4217, in the edition that OpenADR 2.0b refers to: what its schema takes."""
