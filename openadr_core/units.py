"""SI scale codes and units as the protocols spell them, and the units that values have inside."""

from openadr_core.errors import Unsupported

WATT, VOLT_AMPERE, VAR = "W", "VA", "var"
WATT_HOUR, VOLT_AMPERE_HOUR, VAR_HOUR = "Wh", "VAh", "varh"
THERM = "thm"

ACCUMULATED = frozenset({WATT_HOUR, VOLT_AMPERE_HOUR, VAR_HOUR, THERM})
"""Canonical units of what is summed over an interval."""

SI_SCALE: dict[str, float] = {
    "p": 1e-12, "n": 1e-9, "micro": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1,
    "none": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip
"""OpenADR 2.0b siScaleCode: factor by code."""

POWER_UNIT_W: dict[str, float] = {"W": 1.0, "KW": 1e3, "MW": 1e6}
"""OpenADR 3.1 power units, upper case, to watts. Only KW is in the standard's list; the others are accepted."""


def si_factor(code: str) -> float:
    """The factor of an SI scale code of OpenADR 2.0b."""
    try:
        return SI_SCALE[code]
    except KeyError:
        raise Unsupported(f"siScaleCode {code!r} is not one of {', '.join(SI_SCALE)}") from None
