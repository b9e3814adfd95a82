"""Whether the fleet takes part in an event: decided once per version, stored, and only then told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.unit import Measure
from openadr_core.oadr2.market_context import of_program

PRICES = (
    SignalKind.ELECTRICITY_PRICE, SignalKind.ELECTRICITY_PRICE_CHANGE, SignalKind.ELECTRICITY_PRICE_FACTOR,
    SignalKind.ENERGY_PRICE, SignalKind.ENERGY_PRICE_CHANGE, SignalKind.ENERGY_PRICE_FACTOR,
)  # fmt: skip
"""What a kWh is worth: the fleet gives, or takes, as much as pays for its owners."""
PRICE_CHANGES = frozenset({SignalKind.ELECTRICITY_PRICE_CHANGE, SignalKind.ENERGY_PRICE_CHANGE})
"""They say themselves how far they are from the usual."""
FOLLOWED = (
    SignalKind.RELIEF, SignalKind.NET_POWER, SignalKind.BASELINE_SHARE, SignalKind.LEVEL, *PRICES,
)  # fmt: skip
"""What dispatch can act on; of several in one event, the first that is here."""
LIMITS = frozenset({
    SignalKind.IMPORT_LIMIT, SignalKind.EXPORT_LIMIT, SignalKind.IMPORT_SUBSCRIPTION, SignalKind.EXPORT_SUBSCRIPTION,
    SignalKind.IMPORT_RESERVATION, SignalKind.EXPORT_RESERVATION,
})  # fmt: skip
"""What bounds whatever the others ask."""
BESIDE = LIMITS | {SignalKind.GRID_SUPPORT}
"""What is acted on beside dispatch."""

NO_PRICE = "shown only: reference_price_per_kwh is not set for the program"

EVENT_ID_MAX_BYTES = 255
"""What a gateway's frame has room for (docs/gateway-contract.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptPolicy:
    refuse_breaches: bool
    """Out of what exceeds the safety envelope; else in, as far as the envelope goes."""
    priced: frozenset[str] = frozenset()
    """Market contexts whose usual price of a kWh is known: without it, no price says what it is worth."""


Meets = Callable[[DrEvent, Signal | None], bool]
"""Whether any device is meant by an event, or by one of its signals."""


def is_followed(signal: Signal, *, priced: bool) -> bool:
    """Whether dispatch can act on the signal; ``priced``: the program's usual price of a kWh is known."""
    if signal.kind in PRICES:
        return priced or signal.kind in PRICE_CHANGES
    in_watts = signal.unit is None or signal.unit.measure is Measure.REAL_POWER
    return signal.kind in FOLLOWED and in_watts


def decide(
    policy: OptPolicy,
    event: DrEvent,
    *,
    breaches: Sequence[str],
    now: datetime,
    meets: Meets = lambda _event, _signal: True,
) -> Opt:
    """Our answer, with the reason that an operator reads on both sides."""

    def opt(opt_type: OptType, reason: str = "", code: str = "200") -> Opt:
        return Opt(event_id=event.id, version=event.version, opt_type=opt_type, at=now, reason=reason, code=code)

    refusal = _refusal(event, policy, meets)
    if refusal is not None:
        return opt(OptType.OUT, *refusal)
    if breaches and policy.refuse_breaches:
        return opt(OptType.OUT, f"beyond the safety envelope: {', '.join(breaches)}")
    reserves = [f"within the safety envelope only: {', '.join(breaches)}"] if breaches else []
    if aside := _left_aside(event, policy):
        reserves.append(f"not followed: {', '.join(aside)}")
    return opt(OptType.IN, "; ".join(reserves))


def _refusal(event: DrEvent, policy: OptPolicy, meets: Meets) -> tuple[str, str] | None:
    """Why this fleet cannot take part, whatever its envelope says: the reason, and its code."""
    if len(event.id.encode()) > EVENT_ID_MAX_BYTES:
        return f"an eventID of more than {EVENT_ID_MAX_BYTES} bytes has no place in a command", "454"
    if not meets(event, None):
        return "no target of this event is here", "462"
    if not event.signals:
        # OpenADR 3: one that tells people something, or wants reports alone, asks nothing of devices.
        asks = event.not_read and not event.alerts
        return (f"this fleet cannot act on {'; '.join(event.not_read)}", "460") if asks else None
    # R510: a price is taken also where nothing is known to compare it with; then it is only shown.
    taken = _followed(event, policy) or [signal for signal in event.signals if signal.kind in PRICES]
    if not taken:
        # R109: everything in it is understood, and nothing of it can be acted on.
        return f"this fleet cannot act on {', '.join(_names(event.signals))}", "460"
    if not any(meets(event, signal) for signal in taken):
        # R112: the target is here, and of the classes that the signals are for there is nothing behind it.
        classes = dict.fromkeys(name for signal in taken for name in signal.device_classes)
        return f"no device of this event's target is of the class {', '.join(classes)}", "469"
    return None


def _followed(event: DrEvent, policy: OptPolicy) -> list[Signal]:
    priced = of_program(dict.fromkeys(policy.priced, True), event.market_context) or False
    return [signal for signal in event.signals if signal.kind in BESIDE or is_followed(signal, priced=priced)]


def _left_aside(event: DrEvent, policy: OptPolicy) -> list[str]:
    """What of the event we do not act on. A level beside other signals is there for those who know no other (R106)."""
    followed = _followed(event, policy)
    aside = [signal for signal in event.signals if signal not in followed and signal.kind is not SignalKind.LEVEL]
    prices = _names([signal for signal in aside if signal.kind in PRICES])
    others = _names([signal for signal in aside if signal.kind not in PRICES])
    return [*(f"{name} ({NO_PRICE})" for name in prices), *others, *event.not_read]


def _names(signals: Sequence[Signal]) -> list[str]:
    return list(dict.fromkeys(signal.kind.value.replace("_", " ") for signal in signals))


def peak_relief_w(event: DrEvent) -> float:
    """The event's most demanding interval, as far as its signals say it in watts: negative asks to take load."""
    values = [
        interval.value
        for signal in event.signals
        if signal.kind is SignalKind.RELIEF and is_followed(signal, priced=True)
        for interval in signal.intervals
    ]
    return max(values, key=abs, default=0.0)
