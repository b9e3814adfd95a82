"""What each kind of signal may be: its measures, and which numbers make sense."""

from dataclasses import dataclass

from openadr_core.model.event import Signal, SignalKind
from openadr_core.model.unit import ENERGY, MONEY, POWER, Measure

NO_UNIT: frozenset[Measure] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRule:
    measures: frozenset[Measure] = NO_UNIT
    """One of these; none where the kind has no unit."""
    least: float = float("-inf")
    most: float = float("inf")
    whole: bool = False
    scaled: bool = True
    """Whether the unit's scale is the numbers': a step has no kilo."""


_PER_KWH = SignalRule(measures=frozenset({Measure.CURRENCY_PER_KWH}))
_PER_KW = SignalRule(measures=frozenset({Measure.CURRENCY_PER_KW}))
_NUMBER = SignalRule()
_SHARE = SignalRule(least=0.0, most=1.0)
_CAPACITY = SignalRule(measures=frozenset({Measure.REAL_POWER}), least=0.0)

RULES: dict[SignalKind, SignalRule] = {
    SignalKind.LEVEL: SignalRule(least=0, most=3, whole=True),
    SignalKind.RELIEF: SignalRule(measures=POWER),
    SignalKind.NET_POWER: SignalRule(measures=POWER),
    SignalKind.BASELINE_SHARE: _NUMBER,
    SignalKind.DISPATCH_LEVEL: SignalRule(measures=POWER, least=-10, most=10, whole=True, scaled=False),
    SignalKind.ELECTRICITY_PRICE: _PER_KWH,
    SignalKind.ELECTRICITY_PRICE_CHANGE: _PER_KWH,
    SignalKind.ELECTRICITY_PRICE_FACTOR: _NUMBER,
    SignalKind.ENERGY_PRICE: _PER_KWH,
    SignalKind.ENERGY_PRICE_CHANGE: _PER_KWH,
    SignalKind.ENERGY_PRICE_FACTOR: _NUMBER,
    SignalKind.DEMAND_CHARGE: _PER_KW,
    SignalKind.DEMAND_CHARGE_CHANGE: _PER_KW,
    SignalKind.DEMAND_CHARGE_FACTOR: _NUMBER,
    SignalKind.BID_PRICE: SignalRule(measures=MONEY),
    SignalKind.BID_LOAD: SignalRule(measures=POWER),
    SignalKind.BID_ENERGY: SignalRule(measures=ENERGY),
    SignalKind.CHARGE: SignalRule(measures=ENERGY),
    SignalKind.CHARGE_CHANGE: SignalRule(measures=ENERGY),
    SignalKind.CHARGE_SHARE: _SHARE,
    SignalKind.LOAD_CAPACITY: _SHARE,
    SignalKind.LOAD_LEVEL_OFFSET: SignalRule(whole=True),
    SignalKind.LOAD_PERCENT_OFFSET: _NUMBER,
    SignalKind.LOAD_SETPOINT: _NUMBER,
    SignalKind.IMPORT_LIMIT: _CAPACITY,
    SignalKind.EXPORT_LIMIT: _CAPACITY,
    SignalKind.IMPORT_SUBSCRIPTION: _CAPACITY,
    SignalKind.EXPORT_SUBSCRIPTION: _CAPACITY,
    SignalKind.IMPORT_RESERVATION: _CAPACITY,
    SignalKind.EXPORT_RESERVATION: _CAPACITY,
    SignalKind.GRID_SUPPORT: _NUMBER,
}
"""OpenADR 2.0b's table of signals (R9, R104), in the model's words, the capacities of OpenADR 3, and 2030.5's own."""


def unit_fault(signal: Signal) -> str:
    """What is wrong with the signal's unit; empty if nothing is."""
    measures = RULES[signal.kind].measures
    if not measures:
        return "" if signal.unit is None else f"{signal.kind} has no unit"
    if signal.unit is None or signal.unit.measure not in measures:
        given = "none" if signal.unit is None else signal.unit.measure
        return f"the unit of {signal.kind} is one of {', '.join(sorted(measures))}, not {given}"
    return ""


def value_fault(kind: SignalKind, value: float) -> str:
    """What is wrong with one of the signal's numbers; empty if nothing is."""
    rule = RULES[kind]
    if not abs(value) < float("inf"):
        return "is not a number"
    if rule.whole and value % 1:
        return f"is {value:g}; it must be a whole number"
    if not rule.least <= value <= rule.most:
        return f"is {value:g}; it must be from {rule.least:g} to {rule.most:g}"
    return ""
