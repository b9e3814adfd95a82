"""What the events ask of the fleet at a moment, in watts of relief.

Interpretation: within a program the fleet follows one signal, since the sum of two would promise the
same device twice: watts outrank levels, which name none, and both outrank prices. Programs are owed each
its own megawatts, so what they ask adds up. Where there is not enough for all, or where they pull in
opposite directions, precedence decides: dispatch before prices, then the lower priority number, the newer
event, the smaller id (2.0b R15; the standards leave the rest open).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from openadr_core.errors import LocalProtocolError
from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.timeline import Segment, precedence, ruling_at, segments
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opt_policy import FOLLOWED, PRICES
from openadr_ven.fleet.columns import Floats

LEVELS = (0.0, 0.25, 0.6, 1.0)
"""Share of the headroom that SIMPLE levels 0 to 3 ask for, where a program says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A signal that the fleet follows now."""

    held: HeldEvent
    segment: Segment

    @property
    def since(self) -> datetime:
        """From when on devices act: the baseline is what they took until then."""
        return max(self.segment.starts_at, self.held.received_at)

    @property
    def key(self) -> tuple[str, int, int]:
        """What it is an ask of: another version or interval asks anew."""
        return self.segment.event.id, self.segment.event.version, self.segment.index


def asks_at(held: Iterable[HeldEvent], now: datetime, *, act_on_tests: bool = False) -> tuple[Ask, ...]:
    """The asks that rule now, at most one of each program, the first in precedence first."""
    acting: dict[str, HeldEvent] = {}
    programs: defaultdict[str, list[DrEvent]] = defaultdict(list)
    for one in held:
        event = one.as_acted_on(now)
        if event is not None and (act_on_tests or not event.test):
            acting[event.id] = one
            programs[event.market_context].append(event)
    delays = {event_id: one.delay for event_id, one in acting.items()}
    ruling = (ruling_at(events, now, delays=delays) for events in programs.values())
    followed = (next((rules[kind] for kind in FOLLOWED if kind in rules), None) for rules in ruling)
    asks = [Ask(held=acting[one.event.id], segment=one) for one in followed if one is not None]
    return tuple(sorted(asks, key=lambda ask: (ask.segment.signal.kind in PRICES, *precedence(ask.segment.event))))


def filled(wanted_w: Sequence[float], total_w: float) -> tuple[float, ...]:
    """A total shared out over what was wanted: the first gets all it wants, and so on while there is some left.

    Wants in the other direction than the first get nothing. What is beyond all wants is the last one's,
    and what is against them is the first one's, so that the shares always add up.
    """
    way = -1.0 if next((watts for watts in wanted_w if watts), 0.0) < 0.0 else 1.0
    shares, left_w = [], way * total_w
    for watts in wanted_w:
        shares.append(min(max(way * watts, 0.0), max(left_w, 0.0)))
        left_w -= shares[-1]
    if shares:
        shares[-1 if left_w > 0.0 else 0] += left_w
    return tuple(way * share for share in shares)


def profile_w(ask: Ask, *, slot_s: float, asked: Callable[[Segment], float]) -> Floats:
    """What the ask's signal wants from its start to its end, by slot: nothing for one that has no end.

    ``asked`` tells the watts of a segment.
    """
    own = [one for one in segments(ask.held.event, delay=ask.held.delay) if one.signal.id == ask.segment.signal.id]
    if not own or own[-1].ends_at is None:
        return np.zeros(0)
    starts_at, ends_at = own[0].starts_at, own[-1].ends_at
    middles = starts_at.timestamp() + slot_s * (0.5 + np.arange(round((ends_at - starts_at).total_seconds() / slot_s)))
    values = np.zeros(middles.size)
    for one in own:
        until_s = np.inf if one.ends_at is None else one.ends_at.timestamp()
        values[(middles >= one.starts_at.timestamp()) & (middles < until_s)] = asked(one)
    return values


def asked_w(
    segment: Segment,
    *,
    baseline_w: float,
    available_w: float,
    levels: Mapping[str, Sequence[float]],
    worth: Callable[[float], float] = lambda _margin: 0.0,
    reference: Mapping[str, float] | None = None,
) -> float:
    """Relief in watts; negative asks to take load. Only for kinds that the fleet follows.

    ``worth`` tells what the fleet gives for a margin over ``reference``, the price that its owners pay
    without an event, by market context.
    """
    match segment.signal.kind:
        case SignalKind.RELIEF:
            return segment.value
        case SignalKind.NET_POWER:
            return baseline_w - segment.value
        case SignalKind.BASELINE_SHARE:
            return (1.0 - segment.value) * baseline_w
        case kind if kind in PRICES:
            return worth(price_margin(segment, (reference or {}).get(segment.event.market_context, 0.0)))
        case SignalKind.LEVEL:
            shares = levels.get(segment.event.market_context, LEVELS)
            return shares[min(int(segment.value), len(shares) - 1)] * available_w
        case kind:
            raise LocalProtocolError(f"the fleet follows no {kind}")


def price_margin(segment: Segment, reference: float) -> float:
    """How much more, or less, than its usual price a kWh is worth now."""
    name = segment.signal.kind.value
    if name.endswith("_change"):
        return segment.value
    return segment.value * reference - reference if name.endswith("_factor") else segment.value - reference
