"""What the agent is told of the schedule: an event for each mode of a control, and for each mode of the defaults.

Each event says, as intervals and gaps, when its mode rules, so that dispatch follows what the standard's rules
leave of it, goes back to what was beneath when something above it ends, and does so by itself when the server is
out of reach. All times are deterministic by then: what was random has been drawn.

Interpretation: bounds of different modes all bind; of the modes that set a power a device follows one, that of the
better program. So each mode is a program of its own to dispatch, and the setting modes share one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from openadr_core.model.event import DrEvent, Signal, SignalInterval
from openadr_core.model.target import Target
from openadr_core.model.unit import KILOWATTS
from openadr_ven.domain.indications import EventCancelled, EventChanged, EventReceived, Indication
from openadr_ven.protocols.sep2.meaning import SETPOINT_MODES
from openadr_ven.protocols.sep2.memory import AskedMode, AskedSignal, KnownControl, KnownDefault, Memory, Told
from openadr_ven.protocols.sep2.schedule import Entry, Schedule, Span, schedule, taken, without

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
    return {device: schedule(entries) for device, entries in _entries(memory).items()}


def _entries(memory: Memory) -> Mapping[str, list[Entry]]:
    """Of all that is known, by device."""
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for one in memory.known:
        found[one.device].append(one.entry)
    return found


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


def event_id_of(known: KnownControl, mode: AskedMode, *, own: str) -> str:
    return f"{known.mrid}.{mode.name}{_suffix(known.device, own)}"


def tell(memory: Memory, *, own: str, targets_of: TargetsOf, now: datetime) -> tuple[Memory, list[Indication]]:
    """What has changed of all events since they were last told; ``own`` is our own LFDI."""
    teller = _Teller(memory=memory, own=own, targets_of=targets_of, now=now)
    teller.tell()
    return replace(memory, told=tuple(_unfinished(teller.told.values(), now))), teller.said


@dataclass(slots=True, kw_only=True)
class _Teller:
    memory: Memory
    own: str
    targets_of: TargetsOf
    now: datetime
    told: dict[str, Told] = field(init=False)
    gradients: Mapping[str, float | None] = field(init=False)
    said: list[Indication] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = {one.event.id: one for one in self.memory.told}
        self.gradients = {one.device: one.w_per_s for one in self.memory.gradients}

    @property
    def moment(self) -> int:
        return int(self.now.timestamp()) + self.memory.offset_s

    def tell(self) -> None:
        wanted: dict[str, DrEvent] = {}
        cancelled: dict[str, KnownControl] = {}
        for one, mode, spans in _ruling(self.memory):
            event_id = event_id_of(one, mode, own=self.own)
            if one.is_cancelled:
                cancelled[event_id] = one
            elif spans and spans[-1].ends > self.moment:
                wanted[event_id] = self._of_control(event_id, one, mode, spans)
        entries = _entries(self.memory)
        for default in self.memory.defaults:
            if default.mode.signals:
                event = self._of_default(default, taken(entries.get(default.device, ()), default.mode.name))
                wanted[event.id] = event
        for event in wanted.values():
            self._say(event)
        for told in list(self.told.values()):
            if told.event.id not in wanted and told.event.cancelled_at is None:
                self._let_go(told, cancelled.get(told.event.id))

    def _of_control(self, event_id: str, known: KnownControl, mode: AskedMode, spans: Sequence[Span]) -> DrEvent:
        whole = Span(begins=known.begins, ends=known.planned_end)
        event = self._event(event_id, mode, known.device, whole, spans)
        return replace(
            event, ramp_up=_ramp(known.ramp_s), program_id=known.program, priority=known.primacy,
            comment=known.description,
            created_at=_local(known.created, self.memory.offset_s), not_read=(*known.not_read, *known.invalid),
        )  # fmt: skip

    def _of_default(self, default: KnownDefault, holes: Sequence[Span]) -> DrEvent:
        """From when it was first told, without end, with gaps where an event holds the mode."""
        event_id = f"default.{default.mode.name}{_suffix(default.device, self.own)}"
        told, begins = self.told.get(event_id), self.moment
        if told is not None and told.event.cancelled_at is None:
            begins = min(begins, int(told.event.starts_at.timestamp()) + self.memory.offset_s)
        whole = Span(begins=begins, ends=FOR_EVER_S)
        event = self._event(event_id, default.mode, default.device, whole, without(whole, holes))
        return replace(
            event, ramp_up=_ramp(default.ramp_s), program_id=default.program, comment="DefaultDERControl"
        )  # fmt: skip

    def _event(self, event_id: str, mode: AskedMode, device: str, whole: Span, spans: Sequence[Span]) -> DrEvent:
        offset_s, pieces = self.memory.offset_s, list(_pieces(whole, spans))
        # A bound is one device's alone; what sets a power is shared out, so that nobody is set twice.
        context = "power" if mode.name in SETPOINT_MODES else f"{mode.name}{_suffix(device, self.own)}"
        return DrEvent(
            id=event_id,
            program_id="",
            market_context=f"ieee2030.5:{context}",
            version=0,
            starts_at=_local(whole.begins, offset_s),
            duration=_length(whole),
            signals=tuple(_signal(f"{mode.name}-{place}", one, pieces) for place, one in enumerate(mode.signals)),
            created_at=_local(whole.begins, offset_s),
            modified_at=self.now,
            priority=DEFAULT_PRIORITY,
            gradient_w_per_s=self.gradients.get(device),
            targets=self.targets_of(device),
        )

    def _say(self, event: DrEvent) -> None:
        """Tell it if it is new, or asks for something else from now on."""
        told = self.told.get(event.id)
        if told is None:
            self.told[event.id] = Told(event=event)
            self.said.append(EventReceived(event=event, delay_fraction=0.0))
        elif told.event.cancelled_at is not None or _rest(told.event, self.now) != _rest(event, self.now):
            event = replace(event, version=told.event.version + 1, created_at=told.event.created_at)
            self.told[event.id] = Told(event=event)
            self.said.append(EventChanged(event=event, delay_fraction=0.0))

    def _let_go(self, told: Told, known: KnownControl | None) -> None:
        off = _off(told.event, known, self.memory.offset_s, self.now)
        if off is None:
            return
        self.told[off.id] = replace(told, event=off)
        implied = known is not None and known.gone_at is not None
        fraction = 0.0 if known is None else known.stop_fraction
        self.said.append(EventCancelled(event=off, stop_fraction=fraction, implied=implied))


def _ruling(memory: Memory) -> Iterator[tuple[KnownControl, AskedMode, Sequence[Span]]]:
    found = schedules(memory)
    for one in memory.known:
        for mode in one.modes:
            if mode.signals:
                yield one, mode, found[one.device].get((one.mrid, mode.name), ())


def _suffix(device: str, own: str) -> str:
    """What tells a managed device's events from our own."""
    return "" if device == own else f".{device}"


def _signal(signal_id: str, asked: AskedSignal, pieces: Sequence[Piece]) -> Signal:
    return Signal(
        id=signal_id,
        kind=asked.kind,
        device_classes=asked.device_classes,
        intervals=tuple(
            SignalInterval(duration=_length(piece.span), value=asked.value if piece.asks else 0.0, asks=piece.asks)
            for piece in pieces
        ),
        unit=None if asked.support is not None else KILOWATTS,
        support=asked.support,
    )


def _rest(event: DrEvent, now: datetime) -> object:
    """What is still to come of it: a change in what is past is no news."""
    pieces = []
    for signal in event.signals:
        at: datetime | None = event.starts_at
        for one in signal.intervals:
            end = None if at is None or one.duration is None else at + one.duration
            if one.asks and at is not None and (end is None or end > now):
                pieces.append((signal.kind, signal.device_classes, max(at, now), end, one.value, signal.support))
            at = end
    return event.priority, event.targets, event.ramp_up, event.gradient_w_per_s, pieces


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


def _ramp(ramp_s: float) -> timedelta:
    """As an event has it: inside the active period."""
    return -timedelta(seconds=ramp_s)


def _length(span: Span) -> timedelta | None:
    return None if span.ends >= FOR_EVER_S else timedelta(seconds=span.ends - span.begins)


def _local(moment: int, offset_s: int) -> datetime:
    return datetime.fromtimestamp(moment - offset_s, UTC)


def _unfinished(told: Iterable[Told], now: datetime) -> Iterator[Told]:
    """Without events that are over: their controls are listed no more, so they do not come again."""
    for one in told:
        ends_at = one.event.kept_until()
        if ends_at is None or ends_at > now:
            yield one


def _order(span: Span) -> tuple[int, int]:
    return span.begins, span.ends
