"""What the events ask of the fleet at a moment, in watts of relief.

Interpretation: when several kinds of signal rule at once, the fleet follows one. A number of watts
outranks a level, since a level names none: relief first, then net power, then level. Their sum would
promise the same device twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from openadr_core.errors import LocalProtocolError
from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.timeline import Segment, ruling_at, segments
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opt_policy import FOLLOWED
from openadr_ven.fleet.columns import Floats

LEVELS = (0.0, 0.25, 0.6, 1.0)
"""Share of the headroom that SIMPLE levels 0 to 3 ask for, where a program says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The signal that the fleet follows now."""

    held: HeldEvent
    segment: Segment

    @property
    def since(self) -> datetime:
        """From when on devices act: the baseline is what they took until then."""
        return max(self.segment.starts_at, self.held.received_at)


def ask_at(held: Iterable[HeldEvent], now: datetime, *, act_on_tests: bool = False) -> Ask | None:
    """The ask that rules now, if any does."""
    acting: dict[str, HeldEvent] = {}
    events: list[DrEvent] = []
    for one in held:
        event = one.as_acted_on(now)
        if event is not None and (act_on_tests or not event.test):
            acting[event.id] = one
            events.append(event)
    ruling = ruling_at(events, now, delays={event_id: one.delay for event_id, one in acting.items()})
    segment = next((ruling[kind] for kind in FOLLOWED if kind in ruling), None)
    return None if segment is None else Ask(held=acting[segment.event.id], segment=segment)


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


def asked_w(segment: Segment, *, baseline_w: float, available_w: float, levels: Mapping[str, Sequence[float]]) -> float:
    """Relief in watts; negative asks to take load. Only for kinds that the fleet follows."""
    match segment.signal.kind:
        case SignalKind.RELIEF:
            return segment.value
        case SignalKind.NET_POWER:
            return baseline_w - segment.value
        case SignalKind.LEVEL:
            shares = levels.get(segment.event.market_context, LEVELS)
            return shares[min(int(segment.value), len(shares) - 1)] * available_w
        case kind:
            raise LocalProtocolError(f"the fleet follows no {kind}")
