"""What the events ask of the fleet at a moment, in watts of relief.

Interpretation: within a program a device follows one signal, since the sum of two would promise it
twice: watts outrank levels, which name none, and both outrank prices. Programs are owed each
its own megawatts, so what they ask adds up. Where there is not enough for all, or where they pull in
opposite directions, precedence decides: dispatch before prices, then the lower priority number, the newer
event, the smaller id (2.0b R15; the standards leave the rest open).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from openadr_core.errors import LocalProtocolError
from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.timeline import Segment, precedence, segments
from openadr_core.oadr2.market_context import of_program
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opt_policy import FOLLOWED, PRICES, is_followed
from openadr_ven.fleet.columns import Floats, Mask

LEVELS = (0.0, 0.25, 0.6, 1.0)
"""Share of the headroom that SIMPLE levels 0 to 3 ask for, where a program says nothing else."""


RowsOf = Callable[[DrEvent, Signal], Mask | None]
"""The devices that a signal of an event is for; None for all of the fleet."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """A signal that the fleet, or a part of it, follows now."""

    held: HeldEvent
    segment: Segment
    rows: Mask | None = None
    """The devices that follow it; None for all."""

    @property
    def since(self) -> datetime:
        """From when on devices act: the baseline is what they took until then."""
        return max(self.segment.starts_at, self.held.received_at)

    @property
    def key(self) -> tuple[str, int, str, int]:
        """What it is an ask of: another version or interval asks anew."""
        return self.segment.event.id, self.segment.event.version, self.segment.signal.id, self.segment.index


def asks_at(
    held: Iterable[HeldEvent],
    now: datetime,
    *,
    act_on_tests: bool = False,
    rows_of: RowsOf = lambda _event, _signal: None,
    priced: Callable[[str], bool] = lambda _market_context: True,
) -> tuple[Ask, ...]:
    """The asks that rule now, the first in precedence first. No device follows two of one program."""
    programs: defaultdict[str, list[Ask]] = defaultdict(list)
    for one in held:
        event = one.as_acted_on(now)
        if event is None or (event.test and not act_on_tests):
            continue
        ruling = [
            segment
            for segment in segments(event, delay=one.delay, now=now)
            if segment.rules_at(now) and is_followed(segment.signal, priced=priced(event.market_context))
        ]
        if any(segment.signal.kind is not SignalKind.LEVEL for segment in ruling):
            # R106: a level beside other signals is for those who know no other.
            ruling = [segment for segment in ruling if segment.signal.kind is not SignalKind.LEVEL]
        programs[event.market_context] += [
            Ask(held=one, segment=segment, rows=rows_of(event, segment.signal)) for segment in ruling
        ]
    asks = [ask for of_one in programs.values() for ask in _each_device_once(sorted(of_one, key=_rank))]
    return tuple(sorted(asks, key=lambda ask: (ask.segment.signal.kind in PRICES, *precedence(ask.segment.event))))


def meet(one: Ask, other: Ask) -> bool:
    """Whether any device follows both."""
    if one.rows is None or other.rows is None:
        return True
    return bool((one.rows & other.rows).any())


def _rank(ask: Ask) -> tuple[int, int, float, str]:
    return FOLLOWED.index(ask.segment.signal.kind), *precedence(ask.segment.event)


def _each_device_once(asks: Iterable[Ask]) -> Iterator[Ask]:
    """These asks, each with the devices that no earlier one has; not those for which none are left."""
    taken: Mask | None = None
    for ask in asks:
        rows = ask.rows
        if taken is not None:
            rows = ~taken if rows is None else rows & ~taken
        if rows is None:
            yield ask
            return
        if rows.any():
            taken = rows if taken is None else taken | rows
            yield replace(ask, rows=rows)


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
    """What the ask's signal wants from its start to its end, by slot: nothing for one that has no end, or repeats.

    ``asked`` tells the watts of a segment.
    """
    own = [one for one in segments(ask.held.event, delay=ask.held.delay) if one.signal.id == ask.segment.signal.id]
    if not own or own[-1].ends_at is None or ask.held.event.lap is not None:
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
            return worth(price_margin(segment, of_program(reference or {}, segment.event.market_context) or 0.0))
        case SignalKind.LEVEL:
            shares = of_program(levels, segment.event.market_context) or LEVELS
            return shares[min(int(segment.value), len(shares) - 1)] * available_w
        case kind:
            raise LocalProtocolError(f"the fleet follows no {kind}")


def price_margin(segment: Segment, reference: float) -> float:
    """How much more, or less, than its usual price a kWh is worth now."""
    name = segment.signal.kind.value
    if name.endswith("_change"):
        return segment.value
    return segment.value * reference - reference if name.endswith("_factor") else segment.value - reference
