"""Payload types of events by what they mean: OpenADR 3.1's own, and names for what only 2.0b knows.

3.1 leaves payload types open, so a type for each row of 2.0b's signal table is allowed; docs/operator-events.md
tells them to users. Several signals of one type (each for other device classes) are told apart by a label:
``TYPE/label``.
"""

from openadr_core.model.event import SignalKind

SIMPLE = "SIMPLE"
CHARGE_STATE_SETPOINT = "CHARGE_STATE_SETPOINT"
BASELINE = "BASELINE"
"""Not a signal: what is usual (2.0b eiEventBaseline)."""

SIGNAL_KINDS: dict[str, SignalKind] = {
    SIMPLE: SignalKind.LEVEL,
    "DISPATCH_SETPOINT": SignalKind.NET_POWER,
    "DISPATCH_SETPOINT_RELATIVE": SignalKind.RELIEF,
    "LOAD_DISPATCH_MULTIPLIER": SignalKind.BASELINE_SHARE,
    "LOAD_DISPATCH_LEVEL": SignalKind.DISPATCH_LEVEL,
    "PRICE": SignalKind.ELECTRICITY_PRICE,
    "PRICE_RELATIVE": SignalKind.ELECTRICITY_PRICE_CHANGE,
    "PRICE_MULTIPLIER": SignalKind.ELECTRICITY_PRICE_FACTOR,
    "ENERGY_PRICE": SignalKind.ENERGY_PRICE,
    "ENERGY_PRICE_RELATIVE": SignalKind.ENERGY_PRICE_CHANGE,
    "ENERGY_PRICE_MULTIPLIER": SignalKind.ENERGY_PRICE_FACTOR,
    "DEMAND_CHARGE": SignalKind.DEMAND_CHARGE,
    "DEMAND_CHARGE_RELATIVE": SignalKind.DEMAND_CHARGE_CHANGE,
    "DEMAND_CHARGE_MULTIPLIER": SignalKind.DEMAND_CHARGE_FACTOR,
    "BID_PRICE": SignalKind.BID_PRICE,
    "BID_LOAD": SignalKind.BID_LOAD,
    "BID_ENERGY": SignalKind.BID_ENERGY,
    CHARGE_STATE_SETPOINT: SignalKind.CHARGE,
    "CHARGE_STATE_DELTA": SignalKind.CHARGE_CHANGE,
    "CHARGE_STATE_MULTIPLIER": SignalKind.CHARGE_SHARE,
    "LOAD_CONTROL_CAPACITY": SignalKind.LOAD_CAPACITY,
    "CONTROL_LEVEL_OFFSET": SignalKind.LOAD_LEVEL_OFFSET,
    "LOAD_CONTROL_PERCENT_OFFSET": SignalKind.LOAD_PERCENT_OFFSET,
    "CONTROL_SETPOINT": SignalKind.LOAD_SETPOINT,
}
"""Interpretation: CONTROL_LEVEL_OFFSET_PERCENT is not among them: the standard says both that lower is less load and
that negative is more."""

CAPACITIES: dict[str, SignalKind] = {
    "IMPORT_CAPACITY_LIMIT": SignalKind.IMPORT_LIMIT,
    "EXPORT_CAPACITY_LIMIT": SignalKind.EXPORT_LIMIT,
    "IMPORT_CAPACITY_SUBSCRIPTION": SignalKind.IMPORT_SUBSCRIPTION,
    "EXPORT_CAPACITY_SUBSCRIPTION": SignalKind.EXPORT_SUBSCRIPTION,
    "IMPORT_CAPACITY_RESERVATION": SignalKind.IMPORT_RESERVATION,
    "EXPORT_CAPACITY_RESERVATION": SignalKind.EXPORT_RESERVATION,
}
"""What bounds a site (User Guide 8.10); 2.0b has no word for it."""
PRICE, EXPORT_PRICE = "PRICE", "EXPORT_PRICE"
LOAD_SHAPE = "OLS"
ALERT = "ALERT_"
"""How the types begin that tell people something."""
ALERTS = tuple(
    f"{ALERT}{what}"
    for what in (
        "GRID_EMERGENCY", "BLACK_START", "POSSIBLE_OUTAGE", "FLEX_ALERT", "FIRE", "FREEZING", "WIND", "TSUNAMI",
        "AIR_QUALITY", "OTHER",
    )
)  # fmt: skip
UNITS_OF_OTHERS: dict[str, str | None] = {
    **dict.fromkeys(CAPACITIES, "KW"), "IMPORT_CAPACITY_AVAILABLE": "KW", "EXPORT_CAPACITY_AVAILABLE": "KW",
    "IMPORT_CAPACITY_RESERVATION_FEE": "KW", "EXPORT_CAPACITY_RESERVATION_FEE": "KW",
    "IMPORT_CAPACITY_AVAILABLE_PRICE": "KW", "EXPORT_CAPACITY_AVAILABLE_PRICE": "KW",
    EXPORT_PRICE: "KWH", "PRICE_ALTERNATE": "KWH", LOAD_SHAPE: None, "GHG": "GHG", "DISPATCH_INSTRUCTION": None,
    "CONTROL_LEVEL_OFFSET_PERCENT": "PERCENT", "CTA2045_REBOOT": None, "CTA2045_SET_OVERRIDE_STATUS": None,
}  # fmt: skip
"""3.1's other types that one number says, with their usual units: a price is for one of these."""

LABEL = "/"


def base_type(payload_type: str) -> str:
    """The type without its label."""
    return payload_type.partition(LABEL)[0]
