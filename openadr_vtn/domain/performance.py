"""What all parties of an event delivered together, and what was asked of them: the curves an operator watches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.timeline import segments
from openadr_core.model.unit import Measure
from openadr_vtn.domain.reporting import Delivered

SLOTS_MAX = 720
"""More points than that nobody sees on a page."""

Step = tuple[datetime, float]
"""From this moment on, this many watts of relief are asked for."""


def target_steps(event: DrEvent, until: datetime) -> list[Step]:
    """What the event asks for in relief, as steps that end with zero; none if it asks in other words.

    A cancelled event asked for what it did until it was cancelled.
    """
    end = event.cancelled_at
    steps: list[Step] = []
    for segment in segments(replace(event, cancelled_at=None)):
        if not _is_relief_w(segment.signal) or (end is not None and segment.starts_at >= end):
            continue
        steps.append((segment.starts_at, segment.value))
    if not steps:
        return []
    over_at = min(moment for moment in (event.ends_at, end, until) if moment is not None)
    return [*steps, (over_at, 0.0)] if over_at < until else steps


def _is_relief_w(signal: Signal) -> bool:
    return signal.kind is SignalKind.RELIEF and signal.unit is not None and signal.unit.measure is Measure.REAL_POWER


def asked_at(steps: Sequence[Step], now: datetime) -> float | None:
    """What the steps ask for at a moment; None before the first."""
    ruling = [value for moment, value in steps if moment <= now]
    return ruling[-1] if ruling else None


def together(parties: Mapping[str, Iterable[Delivered]], since: datetime) -> list[Delivered]:
    """The sum over parties, slot by slot of the coarsest interval that anybody reports; coarser yet for a long event.

    Finer reports are averaged over their slot. A party that has no reading in a slot adds nothing to it.
    """
    rows = {party_id: list(delivered) for party_id, delivered in parties.items()}
    width = max((row.duration for each in rows.values() for row in each), default=timedelta())
    if width <= timedelta():
        return []
    starts = [row.starts_at for each in rows.values() for row in each]
    width *= max(1, -(-(max(starts) - min(starts)) // (width * SLOTS_MAX)))
    slots: dict[int, list[tuple[float, float]]] = {}
    for each in rows.values():
        of_party: dict[int, list[Delivered]] = {}
        for row in each:
            of_party.setdefault((row.starts_at - since) // width, []).append(row)
        for slot, found in of_party.items():
            metered_w = sum(row.metered_w for row in found) / len(found)
            baseline_w = sum(row.baseline_w for row in found) / len(found)
            slots.setdefault(slot, []).append((metered_w, baseline_w))
    return [
        Delivered(
            starts_at=since + slot * width,
            duration=width,
            metered_w=sum(metered_w for metered_w, _ in sums),
            baseline_w=sum(baseline_w for _, baseline_w in sums),
        )
        for slot, sums in sorted(slots.items())
    ]
