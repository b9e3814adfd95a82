"""Table 1 of 2.0b in the model's words: how each kind of signal and each measure is said on the wire."""

from openadr_core.errors import Unsupported
from openadr_core.model import unit as model
from openadr_core.model.event import SignalKind
from openadr_core.model.unit import MONEY, POWER, Measure
from openadr_core.oadr2 import messages as m

BY_KIND: dict[SignalKind, tuple[str, str]] = {
    SignalKind.LEVEL: ("SIMPLE", "level"),
    SignalKind.RELIEF: ("LOAD_DISPATCH", "delta"),
    SignalKind.NET_POWER: ("LOAD_DISPATCH", "setpoint"),
    SignalKind.BASELINE_SHARE: ("LOAD_DISPATCH", "multiplier"),
    SignalKind.DISPATCH_LEVEL: ("LOAD_DISPATCH", "level"),
    SignalKind.ELECTRICITY_PRICE: ("ELECTRICITY_PRICE", "price"),
    SignalKind.ELECTRICITY_PRICE_CHANGE: ("ELECTRICITY_PRICE", "priceRelative"),
    SignalKind.ELECTRICITY_PRICE_FACTOR: ("ELECTRICITY_PRICE", "priceMultiplier"),
    SignalKind.ENERGY_PRICE: ("ENERGY_PRICE", "price"),
    SignalKind.ENERGY_PRICE_CHANGE: ("ENERGY_PRICE", "priceRelative"),
    SignalKind.ENERGY_PRICE_FACTOR: ("ENERGY_PRICE", "priceMultiplier"),
    SignalKind.DEMAND_CHARGE: ("DEMAND_CHARGE", "price"),
    SignalKind.DEMAND_CHARGE_CHANGE: ("DEMAND_CHARGE", "priceRelative"),
    SignalKind.DEMAND_CHARGE_FACTOR: ("DEMAND_CHARGE", "priceMultiplier"),
    SignalKind.BID_PRICE: ("BID_PRICE", "price"),
    SignalKind.BID_LOAD: ("BID_LOAD", "setpoint"),
    SignalKind.BID_ENERGY: ("BID_ENERGY", "setpoint"),
    SignalKind.CHARGE: ("CHARGE_STATE", "setpoint"),
    SignalKind.CHARGE_CHANGE: ("CHARGE_STATE", "delta"),
    SignalKind.CHARGE_SHARE: ("CHARGE_STATE", "multiplier"),
    SignalKind.LOAD_CAPACITY: ("LOAD_CONTROL", "x-loadControlCapacity"),
    SignalKind.LOAD_LEVEL_OFFSET: ("LOAD_CONTROL", "x-loadControlLevelOffset"),
    SignalKind.LOAD_PERCENT_OFFSET: ("LOAD_CONTROL", "x-loadControlPercentOffset"),
    SignalKind.LOAD_SETPOINT: ("LOAD_CONTROL", "x-loadControlSetpoint"),
}
"""Signal name and type (R104, R116)."""

BY_WIRE: dict[tuple[str, str], SignalKind] = {names: kind for kind, names in BY_KIND.items()}

_MEASURES: dict[Measure, tuple[str, str, str]] = {
    Measure.REAL_POWER: ("powerReal", "RealPower", "W"),
    Measure.APPARENT_POWER: ("powerApparent", "ApparentPower", "VA"),
    Measure.REACTIVE_POWER: ("powerReactive", "ReactivePower", "VAR"),
    Measure.REAL_ENERGY: ("energyReal", "RealEnergy", "Wh"),
    Measure.APPARENT_ENERGY: ("energyApparent", "ApparentEnergy", "VAh"),
    Measure.REACTIVE_ENERGY: ("energyReactive", "ReactiveEnergy", "VARh"),
    Measure.CURRENCY: ("currency", "currency", ""),
    Measure.CURRENCY_PER_KW: ("currencyPerKW", "currencyPerKW", ""),
    Measure.CURRENCY_PER_KWH: ("currencyPerKWh", "currencyPerKWh", ""),
    # The schema has no description of its own for this one.
    Measure.CURRENCY_PER_THERM: ("currencyPerThm", "currency", ""),
}
"""Element, itemDescription and itemUnits; the units of money are its currency."""

_BY_ELEMENT = {element: measure for measure, (element, _, _) in _MEASURES.items()}


def kind_of(signal: m.Signal) -> SignalKind:
    """Unsupported (460, R109) for what is not in the table."""
    # The lower-case spelling is deprecated, and still a name of the schema.
    name = "SIMPLE" if signal.signal_name == "simple" else signal.signal_name
    kind = BY_WIRE.get((name, signal.signal_type))
    if kind is None:
        raise Unsupported(f"{signal.signal_name} {signal.signal_type} is not in the signal table", clause="R109")
    return kind


def unit_to_wire(unit: model.Unit) -> m.Unit:
    name, description, units = _MEASURES[unit.measure]
    attributes = unit.attributes
    return m.Unit(
        name=name,
        description=description,
        units=units or unit.currency,
        si_scale_code=unit.scale,
        attributes=None
        if attributes is None
        else m.PowerAttributes(hertz=attributes.hertz, voltage=attributes.voltage, ac=attributes.ac),
    )


def unit_from_wire(unit: m.Unit) -> model.Unit:
    """Unsupported (460, R109) for a unit that no signal has."""
    measure = _BY_ELEMENT.get(unit.name)
    if measure is None:
        raise Unsupported(f"no signal is in {unit.name}", clause="R109")
    attributes = unit.attributes
    return model.Unit(
        measure=measure,
        scale=unit.si_scale_code,
        currency=unit.units if measure in MONEY else "",
        attributes=None
        if attributes is None or measure not in POWER
        else model.PowerAttributes(hertz=attributes.hertz, voltage=attributes.voltage, ac=attributes.ac),
    )


KILOWATTS = unit_to_wire(model.KILOWATTS)
