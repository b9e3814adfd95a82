"""What the fleet may draw and feed in at a moment, and what that makes of what is asked of it (OpenADR 3.1 UG 8.10).

A limit is a bound, never a target: it takes back what other events ask beyond it, and asks for relief itself only
as far as the fleet would break it. The limit that goes before the others rules (R7.1); where none does, the
subscription does, with what was granted beyond it. Without either there is no bound.

Interpretation: a limit and a subscription are those of one program, and of the devices that its event is for; of
several programs each binds.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.timeline import Segment, precedence, segments
from openadr_ven.application.asking import Ask, RowsOf, meet
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opt_policy import LIMITS
from openadr_ven.fleet.columns import Mask

EASE = 0.95
"""A limit lets go of the fleet where, without it, this share of it would be drawn at most."""

_IMPORTS = (SignalKind.IMPORT_LIMIT, SignalKind.IMPORT_SUBSCRIPTION, SignalKind.IMPORT_RESERVATION)
_EXPORTS = (SignalKind.EXPORT_LIMIT, SignalKind.EXPORT_SUBSCRIPTION, SignalKind.EXPORT_RESERVATION)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cap:
    """A bound that rules now, and who said it."""

    ask: Ask
    """The limit's, or the subscription's where no limit rules."""
    bound_w: float
    """The most that its devices may draw together, or feed in."""
    imports: bool

    @property
    def rows(self) -> Mask | None:
        return self.ask.rows

    def need_w(self, usual_w: float) -> float:
        """The relief that it needs where its devices would draw this: negative for extra load, 0 if they may."""
        return max(usual_w - self.bound_w, 0.0) if self.imports else min(usual_w + self.bound_w, 0.0)


def caps_at(
    held: Iterable[HeldEvent],
    now: datetime,
    *,
    rows_of: RowsOf = lambda _event, _signal: None,
    act_on_tests: bool = False,
    void_before: datetime | None = None,
    cut_off: bool = False,
) -> tuple[Cap, ...]:
    """The bounds that rule now.

    Limits of events that were last read before ``void_before``, when the grid came back after an outage, say
    nothing. Interpretation: while the VTN is out of reach (``cut_off``), a limit that allows more than the
    subscription is not kept to, and one that allows less is, as long as it was told to last.
    """
    ruling: defaultdict[tuple[str, SignalKind], list[Ask]] = defaultdict(list)
    for one in held:
        event = one.as_acted_on(now)
        if event is None or (event.test and not act_on_tests):
            continue
        for segment in segments(event, delay=one.delay, now=now):
            if segment.signal.kind in LIMITS and segment.rules_at(now) and not _is_void(segment, event, void_before):
                ask = Ask(held=one, segment=segment, rows=rows_of(event, segment.signal))
                ruling[event.market_context, segment.signal.kind].append(ask)
    contexts = dict.fromkeys(context for context, _ in ruling)
    return tuple(
        cap
        for context in contexts
        for kinds in (_IMPORTS, _EXPORTS)
        for cap in _of_one([_first(ruling[context, kind]) for kind in kinds], cut_off=cut_off, kinds=kinds)
    )


def _is_void(segment: Segment, event: DrEvent, void_before: datetime | None) -> bool:
    is_limit = segment.signal.kind in {SignalKind.IMPORT_LIMIT, SignalKind.EXPORT_LIMIT}
    return is_limit and void_before is not None and event.modified_at < void_before


def _first(asks: Sequence[Ask]) -> Ask | None:
    return min(asks, key=lambda ask: precedence(ask.segment.event), default=None)


def _of_one(found: Sequence[Ask | None], *, cut_off: bool, kinds: Sequence[SignalKind]) -> Iterator[Cap]:
    limit, subscription, reservation = found
    imports = kinds is _IMPORTS
    usual = None
    if subscription is not None:
        granted_w = 0.0 if reservation is None else reservation.segment.value
        usual = Cap(ask=subscription, bound_w=subscription.segment.value + granted_w, imports=imports)
    cap = None if limit is None else Cap(ask=limit, bound_w=limit.segment.value, imports=imports)
    if cap is None or (cut_off and usual is not None and usual.bound_w < cap.bound_w):
        cap = usual
    if cap is not None:
        yield cap


def binding(
    caps: Iterable[Cap], now: datetime, *, usual_w: Callable[[Cap], float], engaged_by: str | None
) -> tuple[Ask, ...]:
    """The bounds that devices must be told something for, as asks.

    ``usual_w`` is what the cap's devices would draw without commands; ``engaged_by`` is the event that the fleet is
    under. What is usual is measured from when a bound first binds, not from when it began to rule.
    """
    found = []
    for cap in caps:
        ease = EASE if cap.ask.held.event.id == engaged_by else 1.0
        if replace(cap, bound_w=cap.bound_w * ease).need_w(usual_w(cap)):
            found.append(replace(cap.ask, segment=replace(cap.ask.segment, starts_at=now)))
    return tuple(found)


def within(
    asks: Sequence[Ask],
    wants: Sequence[float],
    caps: Sequence[Cap],
    *,
    usual_w: Callable[[Ask], float],
    at_nodes: Collection[Cap] = (),
) -> tuple[float, ...]:
    """What each ask gets of what it wants, so that no bound is broken; asks of bounds want what is missing still.

    ``wants`` are those of the asks that are no bounds, which come first. Interpretation: relief of devices that a
    bound is not for does not count towards it, and under a bound what pulls the other way than the first ask gets
    nothing.
    """
    if not caps:
        return tuple(wants)
    given = _one_way(wants)
    missing: dict[tuple[str, int, str, int], float] = {}
    for cap in caps:
        if cap in at_nodes:
            missing[cap.ask.key] = cap.need_w(usual_w(cap.ask))
            continue
        load_w, mine = usual_w(cap.ask), [place for place in range(len(given)) if meet(asks[place], cap.ask)]
        if cap.imports:
            need_w = load_w - cap.bound_w
            total_w = sum(given[place] for place in mine if given[place] < 0.0 or _is_inside(asks[place], cap))
            missing_w = _take_back(given, mine, -1.0, need_w - total_w)
        else:
            room_w = load_w + cap.bound_w
            total_w = sum(given[place] for place in mine if given[place] > 0.0 or _is_inside(asks[place], cap))
            missing_w = -_take_back(given, mine, 1.0, total_w - room_w)
        missing[cap.ask.key] = missing_w
    of_bounds = [missing.get(ask.key, 0.0) for ask in asks[len(given) :]]
    if any(of_bounds):
        # A bound goes before what anybody asks for.
        way = 1.0 if next(one for one in of_bounds if one) > 0.0 else -1.0
        given, of_bounds = ([max(way * one, 0.0) * way for one in some] for some in (given, of_bounds))
    return (*given, *of_bounds)


def _one_way(wants: Sequence[float]) -> list[float]:
    way = -1.0 if next((watts for watts in wants if watts), 0.0) < 0.0 else 1.0
    return [way * max(way * watts, 0.0) for watts in wants]


def _is_inside(ask: Ask, cap: Cap) -> bool:
    return cap.rows is None or (ask.rows is not None and not bool((ask.rows & ~cap.rows).any()))


def _take_back(given: list[float], mine: Sequence[int], way: float, excess_w: float) -> float:
    """Take so much of what pulls this way back, from the last ask on; what is left of the excess."""
    for place in reversed(mine):
        if excess_w <= 0.0:
            break
        taken_w = min(max(way * given[place], 0.0), excess_w)
        given[place] -= way * taken_w
        excess_w -= taken_w
    return max(excess_w, 0.0)
