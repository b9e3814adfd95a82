"""Units as OpenADR 3 writes them, and the model's measure and scale of each."""

from openadr_core.model.unit import Measure

UNITS: dict[str, tuple[Measure, str]] = {
    "W": (Measure.REAL_POWER, "none"), "KW": (Measure.REAL_POWER, "k"), "MW": (Measure.REAL_POWER, "M"),
    "VA": (Measure.APPARENT_POWER, "none"), "KVA": (Measure.APPARENT_POWER, "k"),
    "MVA": (Measure.APPARENT_POWER, "M"),
    "VAR": (Measure.REACTIVE_POWER, "none"), "KVAR": (Measure.REACTIVE_POWER, "k"),
    "MVAR": (Measure.REACTIVE_POWER, "M"),
    "WH": (Measure.REAL_ENERGY, "none"), "KWH": (Measure.REAL_ENERGY, "k"), "MWH": (Measure.REAL_ENERGY, "M"),
    "VAH": (Measure.APPARENT_ENERGY, "none"), "KVAH": (Measure.APPARENT_ENERGY, "k"),
    "VARH": (Measure.REACTIVE_ENERGY, "none"), "KVARH": (Measure.REACTIVE_ENERGY, "k"),
}  # fmt: skip
"""Upper case. KW, KVA, KVAR and their hours are the standard's; the others are taken too, as it allows."""

PRICES: dict[str, tuple[Measure, str]] = {
    "": (Measure.CURRENCY, "none"),
    "KW": (Measure.CURRENCY_PER_KW, "none"), "MW": (Measure.CURRENCY_PER_KW, "m"),
    "KWH": (Measure.CURRENCY_PER_KWH, "none"), "MWH": (Measure.CURRENCY_PER_KWH, "m"),
    "THERMS": (Measure.CURRENCY_PER_THERM, "none"),
}  # fmt: skip
"""What a price is for each of. A price for a megawatt-hour is one for a kilowatt-hour, in thousandths."""

PERCENT = "PERCENT"
"""Interpretation: in the standard's list it is a share from -1.0 to 1.0, whatever its prose says."""
