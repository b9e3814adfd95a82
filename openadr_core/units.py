"""SI scale codes and units as the protocols spell them, and the units that values have inside."""

from decimal import Decimal

from openadr_core.errors import Unsupported

WATT, VOLT_AMPERE, VAR = "W", "VA", "var"
WATT_HOUR, VOLT_AMPERE_HOUR, VAR_HOUR = "Wh", "VAh", "varh"
THERM = "thm"

ACCUMULATED = frozenset({WATT_HOUR, VOLT_AMPERE_HOUR, VAR_HOUR, THERM})
"""Canonical units of what is summed over an interval."""

SI_EXPONENT: dict[str, int] = {
    "p": -12, "n": -9, "micro": -6, "m": -3, "c": -2, "d": -1, "none": 0, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip
"""OpenADR 2.0b siScaleCode: the power of ten by code."""

SI_SCALE: dict[str, float] = {code: float(f"1e{exponent}") for code, exponent in SI_EXPONENT.items()}
"""The same as factors."""


def from_scale(value: float, code: str) -> float:
    """A value that is written in this scale, in its unit: 5.1 in ``k`` is 5100.0, and not 5099.999…

    Exact for what people write: a number of up to 15 digits comes back by :func:`to_scale`.
    """
    return _shifted(value, _exponent(code))


def to_scale(value: float, code: str) -> float:
    """A value in its unit, as it is written in this scale."""
    return _shifted(value, -_exponent(code))


def _shifted(value: float, exponent: int) -> float:
    return float(Decimal(repr(value)).scaleb(exponent)) if exponent else float(value)


def _exponent(code: str) -> int:
    try:
        return SI_EXPONENT[code]
    except KeyError:
        raise Unsupported(f"siScaleCode {code!r} is not one of {', '.join(SI_EXPONENT)}") from None
