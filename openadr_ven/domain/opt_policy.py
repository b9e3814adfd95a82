"""Whether the fleet takes part in an event: decided once per version, stored, and only then told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.opt import Opt, OptType

PRICES = (
    SignalKind.ELECTRICITY_PRICE, SignalKind.ELECTRICITY_PRICE_CHANGE, SignalKind.ELECTRICITY_PRICE_FACTOR,
    SignalKind.ENERGY_PRICE, SignalKind.ENERGY_PRICE_CHANGE, SignalKind.ENERGY_PRICE_FACTOR,
)  # fmt: skip
"""What a kWh is worth: the fleet gives, or takes, as much as pays for its owners."""
FOLLOWED = (
    SignalKind.RELIEF, SignalKind.NET_POWER, SignalKind.BASELINE_SHARE, SignalKind.LEVEL, *PRICES,
)  # fmt: skip
"""What dispatch can act on; of several in one event, the first that is here."""

EVENT_ID_MAX_BYTES = 255
"""What a gateway's frame has room for (docs/gateway-contract.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptPolicy:
    refuse_breaches: bool
    """Out of what exceeds the safety envelope; else in, as far as the envelope goes."""
    priced: frozenset[str] = frozenset()
    """Market contexts whose usual price of a kWh is known: without it, no price says what it is worth."""


def decide(policy: OptPolicy, event: DrEvent, *, breaches: Sequence[str], now: datetime) -> Opt:
    """Our answer, with the reason that an operator reads on both sides."""

    def opt(opt_type: OptType, reason: str = "", code: str = "200") -> Opt:
        return Opt(event_id=event.id, version=event.version, opt_type=opt_type, at=now, reason=reason, code=code)

    refusal = _refusal(event, policy)
    if refusal is not None:
        return opt(OptType.OUT, *refusal)
    if breaches and policy.refuse_breaches:
        return opt(OptType.OUT, f"beyond the safety envelope: {', '.join(breaches)}")
    if breaches:
        return opt(OptType.IN, f"within the safety envelope only: {', '.join(breaches)}")
    return opt(OptType.IN)


def _refusal(event: DrEvent, policy: OptPolicy) -> tuple[str, str] | None:
    """Why this fleet cannot take part, whatever its envelope says: the reason, and its code."""
    if len(event.id.encode()) > EVENT_ID_MAX_BYTES:
        return f"an eventID of more than {EVENT_ID_MAX_BYTES} bytes has no place in a command", "454"
    if not any(signal.kind in FOLLOWED for signal in event.signals):
        # R109: everything in it is understood, and nothing of it can be acted on.
        kinds = ", ".join(dict.fromkeys(signal.kind.value for signal in event.signals))
        return f"this fleet cannot act on {kinds}", "460"
    followed = {signal.kind for signal in event.signals if signal.kind in FOLLOWED}
    if followed <= set(PRICES) and event.market_context not in policy.priced:
        return "this fleet knows no usual price for the program (reference_price_per_kwh)", "460"
    if any(signal.device_classes for signal in event.signals):
        # R112: to follow the signal with all devices would not be what was asked.
        return "signals for single device classes are not followed here", "469"
    return None


def peak_relief_w(event: DrEvent) -> float:
    """The event's most demanding interval, as far as its signals say it in watts: negative asks to take load."""
    values = [
        interval.value for signal in event.signals if signal.kind is SignalKind.RELIEF for interval in signal.intervals
    ]
    return max(values, key=abs, default=0.0)
