"""What the agent is told of the schedule: an event for each mode of a control, and for each mode of the defaults.

Each event says, as intervals and gaps, when its mode rules, so that dispatch follows what the standard's rules
leave of it, goes back to what was beneath when something above it ends, and does so by itself when the server is
out of reach. All times are deterministic by then: what was random has been drawn.

Interpretation: bounds of different modes all bind; of the modes that set a power a device follows one, that of the
better program. So each mode is a program of its own to dispatch, and the setting modes share one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from openadr_core.model.event import DrEvent, Signal, SignalInterval
from openadr_core.model.target import Target
from openadr_core.model.unit import KILOWATTS
from openadr_ven.domain.indications import EventCancelled, EventChanged, EventReceived, Indication
from openadr_ven.protocols.sep2.meaning import SETPOINT_MODES
from openadr_ven.protocols.sep2.memory import AskedMode, KnownControl, KnownDefault, Memory, Told
from openadr_ven.protocols.sep2.schedule import Schedule, Span, schedule, taken, without

DEFAULT_PRIORITY = 256
"""Behind every primacy."""
FOR_EVER_S = 2**40
"""What lasts so long has no end."""

TargetsOf = Callable[[str], tuple[Target, ...]]
"""What of the fleet is behind a device, by its LFDI; none: all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """When a mode asks for something, in the server's seconds."""

    span: Span
    asks: bool = True


def schedules(memory: Memory) -> Mapping[str, Schedule]:
    """By device."""
    devices = dict.fromkeys(one.device for one in memory.known)
    return {device: schedule(one.entry for one in memory.known if one.device == device) for device in devices}


def spans_of(known: KnownControl, found: Schedule) -> list[Span]:
    """The times at which any of its modes rules, in order, and joined where they touch."""
    spans = sorted((span for mode in known.modes for span in found.get((known.mrid, mode.name), ())), key=_order)
    joined: list[Span] = []
    for span in spans:
        if joined and span.begins <= joined[-1].ends:
            joined[-1] = Span(begins=joined[-1].begins, ends=max(joined[-1].ends, span.ends))
        else:
            joined.append(span)
    return joined


def event_id_of(known: KnownControl, mode: AskedMode, *, managed: bool) -> str:
    return f"{known.mrid}.{mode.name}" + (f".{known.device}" if managed else "")


def tell(
    memory: Memory, *, own: str, targets_of: TargetsOf, now: datetime
) -> tuple[Memory, list[Indication]]:  # fmt: skip
    """What has changed of all events since they were last told; ``own`` is our own LFDI."""
    moment = int(now.timestamp()) + memory.offset_s
    wanted: dict[str, DrEvent] = {}
    cancelled: dict[str, KnownControl] = {}
    for one, mode, spans in _ruling(memory):
        event_id = event_id_of(one, mode, managed=one.device != own)
        if one.is_cancelled:
            cancelled[event_id] = one
        elif spans and spans[-1].ends > moment:
            wanted[event_id] = _event_of(memory, one, mode, spans, event_id=event_id, targets_of=targets_of, now=now)
    for default in memory.defaults:
        if default.mode.signals:
            event = _default_event(memory, default, own=own, targets_of=targets_of, now=now)
            wanted[event.id] = event
    said: list[Indication] = []
    for event in wanted.values():
        memory, fresh = _told(memory, event, now)
        said += fresh
    for told in memory.told:
        if told.event.id not in wanted and told.event.cancelled_at is None:
            known = cancelled.get(told.event.id)
            off = _off(told.event, known, memory.offset_s, now)
            if off is not None:
                memory = memory.with_told(replace(told, event=off))
                implied = known is not None and known.gone_at is not None
                fraction = 0.0 if known is None else known.stop_fraction
                said.append(EventCancelled(event=off, stop_fraction=fraction, implied=implied))
    return _without_history(memory, now), said


def _ruling(memory: Memory) -> Iterator[tuple[KnownControl, AskedMode, Sequence[Span]]]:
    found = schedules(memory)
    for one in memory.known:
        for mode in one.modes:
            if mode.signals:
                yield one, mode, found[one.device].get((one.mrid, mode.name), ())


def _event_of(
    memory: Memory, known: KnownControl, mode: AskedMode, spans: Sequence[Span], *, event_id: str,
    targets_of: TargetsOf, now: datetime,
) -> DrEvent:  # fmt: skip
    whole = Span(begins=known.begins, ends=known.planned_end)
    return _event(
        event_id, mode, list(_pieces(whole, spans)), whole, offset_s=memory.offset_s, now=now,
        program=known.program, priority=known.primacy, created=known.created, comment=known.description,
        targets=targets_of(known.device), not_read=known.not_read,
    )  # fmt: skip


def _default_event(memory: Memory, default: KnownDefault, *, own: str, targets_of: TargetsOf, now: datetime) -> DrEvent:
    """From when it was first told, without end, with gaps where an event holds the mode."""
    event_id = f"default.{default.mode.name}" + ("" if default.device == own else f".{default.device}")
    told = memory.told_of(event_id)
    begins = int(now.timestamp()) + memory.offset_s
    if told is not None and told.event.cancelled_at is None:
        begins = min(begins, int(told.event.starts_at.timestamp()) + memory.offset_s)
    whole = Span(begins=begins, ends=FOR_EVER_S)
    holes = taken((one.entry for one in memory.known if one.device == default.device), default.mode.name)
    return _event(
        event_id, default.mode, list(_pieces(whole, without(whole, holes))), whole, offset_s=memory.offset_s, now=now,
        program=default.program, priority=DEFAULT_PRIORITY, created=begins, comment="DefaultDERControl",
        targets=targets_of(default.device),
    )  # fmt: skip


def _event(
    event_id: str, mode: AskedMode, pieces: Sequence[Piece], whole: Span, *, offset_s: int, now: datetime,
    program: str, priority: int, created: int, comment: str, targets: tuple[Target, ...],
    not_read: tuple[str, ...] = (),
) -> DrEvent:  # fmt: skip
    context = "power" if mode.name in SETPOINT_MODES else mode.name
    signals = tuple(
        Signal(
            id=f"{mode.name}-{number}",
            kind=asked.kind,
            device_classes=asked.device_classes,
            intervals=tuple(
                SignalInterval(duration=_length(piece.span), value=asked.value if piece.asks else 0.0, asks=piece.asks)
                for piece in pieces
            ),
            unit=KILOWATTS,
        )
        for number, asked in enumerate(mode.signals)
    )
    return DrEvent(
        id=event_id,
        program_id=program,
        market_context=f"ieee2030.5:{context}",
        version=0,
        starts_at=_local(whole.begins, offset_s),
        duration=_length(whole),
        signals=signals,
        created_at=_local(created, offset_s),
        modified_at=now,
        priority=priority,
        targets=targets,
        comment=comment,
        not_read=not_read,
    )


def _told(memory: Memory, event: DrEvent, now: datetime) -> tuple[Memory, list[Indication]]:
    """Tell it if it is new, or asks for something else from now on."""
    told = memory.told_of(event.id)
    if told is None:
        return memory.with_told(Told(event=event)), [EventReceived(event=event, delay_fraction=0.0)]
    if told.event.cancelled_at is None and _rest(told.event, now) == _rest(event, now):
        return memory, []
    event = replace(event, version=told.event.version + 1, created_at=told.event.created_at)
    return memory.with_told(Told(event=event)), [EventChanged(event=event, delay_fraction=0.0)]


def _rest(event: DrEvent, now: datetime) -> object:
    """What is still to come of it: a change in what is past is no news."""
    pieces = []
    for signal in event.signals:
        at: datetime | None = event.starts_at
        for one in signal.intervals:
            end = None if at is None or one.duration is None else at + one.duration
            if one.asks and at is not None and (end is None or end > now):
                pieces.append((signal.kind, signal.device_classes, max(at, now), end, one.value))
            at = end
    return event.priority, event.targets, pieces


def _off(event: DrEvent, known: KnownControl | None, offset_s: int, now: datetime) -> DrEvent | None:
    """The event as it is let go; None for one that simply ran out."""
    if event.ends_at is not None and event.ends_at <= now:
        return None
    if known is None or known.ends <= int(now.timestamp()) + offset_s:
        return replace(event, cancelled_at=now)
    # A stop that was drawn: HeldEvent lets go at its part of this.
    stop_at, since = _local(known.ends, offset_s), min(now, _local(known.status_at, offset_s))
    after = (stop_at - since) / known.stop_fraction if known.stop_fraction else timedelta(0)
    return replace(event, cancelled_at=since, start_after=after)


def _pieces(whole: Span, spans: Sequence[Span]) -> Iterator[Piece]:
    """The whole, as spans that ask and the gaps before them."""
    at = whole.begins
    for span in spans:
        if span.begins > at:
            yield Piece(span=Span(begins=at, ends=span.begins), asks=False)
        yield Piece(span=span)
        at = span.ends


def _length(span: Span) -> timedelta | None:
    return None if span.ends >= FOR_EVER_S else timedelta(seconds=span.ends - span.begins)


def _local(moment: int, offset_s: int) -> datetime:
    return datetime.fromtimestamp(moment - offset_s, UTC)


def _without_history(memory: Memory, now: datetime) -> Memory:
    return replace(memory, told=tuple(_unfinished(memory.told, now)))


def _unfinished(told: Iterable[Told], now: datetime) -> Iterator[Told]:
    """Without events that are over: their controls are listed no more, so they do not come again."""
    for one in told:
        ends_at = one.event.kept_until()
        if ends_at is None or ends_at > now:
            yield one


def _order(span: Span) -> tuple[int, int]:
    return span.begins, span.ends
