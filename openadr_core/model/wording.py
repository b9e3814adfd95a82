"""What an event asks for, in a few words for people: ``relief 5,000 kW``, ``electricity price 3.14 USD/kWh``."""

from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.grid_support import GridSupport
from openadr_core.model.unit import Measure
from openadr_core.units import to_scale

_PER = {Measure.CURRENCY_PER_KW: "/kW", Measure.CURRENCY_PER_KWH: "/kWh", Measure.CURRENCY_PER_THERM: "/thm"}


def asked_text(event: DrEvent) -> str:
    """Each signal with its values from the first to the last; what is the same throughout is said once.

    Then the words of its alerts. Empty for an event that asks nothing.
    """
    alerts = dict.fromkeys(
        f"{alert.kind.removeprefix('ALERT_').replace('_', ' ').lower()}: {alert.text}" for alert in event.alerts
    )
    return ", ".join((*map(_signal_text, event.signals), *alerts))


def _signal_text(signal: Signal) -> str:
    if signal.support is not None:
        return support_text(signal.support)
    values = [interval.value for interval in signal.intervals if interval.asks] or [0.0]
    ends = [min(values), max(values)] if min(values) < max(values) else values[:1]
    scale = _scale(signal)
    numbers = " to ".join(_number(to_scale(value, scale)) for value in ends)
    classes = f" ({', '.join(signal.device_classes)})" if signal.device_classes else ""
    return f"{signal.kind.replace('_', ' ')} {numbers}{_unit(signal)}{classes}"


def support_text(support: GridSupport) -> str:
    """``volt var (92, 44) (108, -44)``; ``connect off``."""
    name = support.function.name.replace("_", " ").lower()
    if support.curve is not None:
        return " ".join((name, *(f"({_number(point.x)}, {_number(point.y)})" for point in support.curve.points)))
    if support.on is not None:
        return f"{name} {'on' if support.on else 'off'}"
    if support.power_factor is not None:
        way = "absorbing" if support.power_factor.absorbs else "injecting"
        return f"{name} {_number(support.power_factor.displacement)} {way} vars"
    if support.var_share is not None:
        return f"{name} {_number(support.var_share.percent)} % of {support.var_share.reference.replace('_', ' ')}"
    if support.droop is not None:
        return f"{name} {_number(support.droop.over_slope)} over, {_number(support.droop.under_slope)} under"
    return f"{name} {_number(support.power_var or 0.0)} var"


def _scale(signal: Signal) -> str:
    """Powers and energies of dispatch in thousands, as the trade speaks of them; others as they are."""
    if signal.unit is None or signal.unit.currency or signal.kind is SignalKind.DISPATCH_LEVEL:
        return "none"
    return "k"


def _unit(signal: Signal) -> str:
    if signal.unit is None or signal.kind is SignalKind.DISPATCH_LEVEL:
        return ""
    if signal.unit.currency:
        return f" {signal.unit.currency}{_PER.get(signal.unit.measure, '')}"
    return f" k{signal.unit.measure}"


def _number(value: float) -> str:
    """Without what nobody reads: ``5,000``, ``0.031``."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text if text not in {"-0", "0"} or not value else f"{value:.3g}"
