"""What an event of OpenADR 3 asks of a VEN: each payload type as a signal, as words for people, or why not.

The times are as the User Guide draws them (:mod:`openadr_core.oadr3.layout`): gaps in which nothing is asked,
intervals that repeat, equal parts of an interval with several values, a random start that was drawn once.
docs/openadr3-events.md tells people what becomes of each type.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from openadr_core.errors import InvalidEvent
from openadr_core.limits import EVENT_INTERVALS_MAX, EVENT_SIGNALS_MAX
from openadr_core.model.event import Alert, DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.program import Program
from openadr_core.model.signal_table import RULES, value_fault
from openadr_core.model.target import by_name
from openadr_core.model.unit import KILOWATTS, MONEY, Unit
from openadr_core.oadr3.attributes import RAMP_UP, RECOVERY, START_AFTER, TEST_EVENT, Attributes
from openadr_core.oadr3.layout import Layout, Placed, layout_of, parts
from openadr_core.oadr3.messages import EventRequest, PayloadDescriptor, Point, ProgramRequest, Value
from openadr_core.oadr3.payload_types import (
    ALERT,
    BASELINE,
    CAPACITIES,
    EXPORT_PRICE,
    LOAD_SHAPE,
    PRICE,
    SIGNAL_KINDS,
    base_type,
)
from openadr_core.oadr3.signals import Descriptors, kind_of, numbers_of, sign_of, types_of, unit_of
from openadr_core.oadr3.translate import descriptors_of
from openadr_core.units import from_scale

NOTHING = timedelta()

_CTA_2045 = "no gateway of the fleet speaks CTA-2045"
NOT_FOLLOWED: dict[str, str] = {
    "PRICE_ALTERNATE": "it stands beside PRICE, and the program does not say which of both holds",
    "GHG": "what carbon is worth to owners is not known",
    "CURVE": "no gateway of the fleet takes curves for inverters",
    "DISPATCH_INSTRUCTION": "it is words that only its program knows",
    "CONTROL_LEVEL_OFFSET_PERCENT": "the standard says both that lower is less load and that negative is more",
    "CTA2045_REBOOT": _CTA_2045,
    "CTA2045_SET_OVERRIDE_STATUS": _CTA_2045,
}
"""Why types of the standard move no device."""
OF_BARGAINS = frozenset(
    f"{way}_CAPACITY_{what}"
    for way in ("IMPORT", "EXPORT")
    for what in ("RESERVATION_FEE", "AVAILABLE", "AVAILABLE_PRICE", "AVAILABLE_FEE")
)
"""They say what capacity beyond the subscription is to be had, and for how much: nothing that a device could do, so
that leaving it aside is no refusal. Who bids reads it (``openadr_ven/protocols/oadr3/bids.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What one payload, or a part of it, asks."""

    starts_at: datetime
    ends_at: datetime | None
    value: float


def meaning_of(
    request: EventRequest,
    program: Program,
    program_request: ProgramRequest,
    *,
    event_id: str,
    version: int,
    created_at: datetime,
    modified_at: datetime,
    obtained_at: datetime,
    draw: float,
) -> DrEvent:
    """The event as a VEN acts on it.

    ``obtained_at`` is when it was first read, which is what "now" means in it; ``draw`` is uniform in [-1, 1], drawn
    once for the event. Its random start is in its times already. ``not_read`` names the types that move nothing here.
    RemoteProtocolError names an interval that cannot be placed, InvalidEvent an attribute of ours that is wrong.

    Interpretation: an event that only asks for reports asks nothing of devices, and has no signals.
    """
    attributes = Attributes(request.attributes, error=InvalidEvent)
    layout = layout_of(request, obtained_at=obtained_at, draw=draw)
    starts_at = layout.starts_at or obtained_at
    placed = () if layout.implied else tuple(_first_round(layout))
    signals, not_read = _signals(placed, program, descriptors_of(program_request, request), starts_at)
    return DrEvent(
        id=event_id,
        program_id=program.id,
        market_context=program.market_context,
        version=version,
        starts_at=starts_at,
        duration=None if layout.ends_at is None else layout.ends_at - starts_at,
        signals=signals,
        created_at=created_at,
        modified_at=modified_at,
        priority=request.priority,
        relief_sign=program.relief_sign,
        # Interpretation: an attribute names the part that is meant of those whom the targets name.
        targets=tuple(attributes.targets()) or by_name(*request.targets),
        ramp_up=attributes.length(RAMP_UP, signed=True) or NOTHING,
        recovery=attributes.length(RECOVERY) or NOTHING,
        # Our VTN says START_AFTER beside randomizeStart for 2.0b: whoever drew the one has no need of the other.
        start_after=NOTHING if request.period and request.period.randomize_start else _start_after(attributes),
        test=attributes.flag(TEST_EVENT) or False,
        comment=request.name,
        not_read=not_read,
        lap=layout.lap,
        alerts=tuple(_alerts(placed)),
    )


def _start_after(attributes: Attributes) -> timedelta:
    return attributes.length(START_AFTER) or NOTHING


def _first_round(layout: Layout) -> Iterator[Placed]:
    """The intervals as they are written, without what is cut off, and without what lasts no time."""
    for index in range(len(layout.first)):
        placed = layout.nth(index)
        if placed is not None and placed.length != NOTHING:
            yield placed


def _alerts(placed: Iterable[Placed]) -> Iterator[Alert]:
    for one in placed:
        for payload in one.payloads:
            if payload.type.startswith(ALERT):
                text = " ".join(map(_text, payload.values))
                yield Alert(kind=payload.type, text=text, starts_at=one.starts_at, ends_at=one.ends_at)


def _text(value: Value) -> str:
    return f"({value.x:g}, {value.y:g})" if isinstance(value, Point) else str(value)


def _signals(
    placed: Sequence[Placed], program: Program, descriptors: Descriptors, starts_at: datetime
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    types = [
        name
        for name in types_of(placed)
        if name != BASELINE and not name.startswith(ALERT) and base_type(name) not in OF_BARGAINS
    ]
    signals: list[Signal] = []
    not_read = [f"{name}: more than {EVENT_SIGNALS_MAX} types of payloads" for name in types[EVENT_SIGNALS_MAX:]]
    for name in types[:EVENT_SIGNALS_MAX]:
        reason = NOT_FOLLOWED.get(base_type(name))
        if base_type(name) == EXPORT_PRICE and any(base_type(one) == PRICE for one in types):
            reason = "the fleet is led by what drawing costs, which PRICE says"
        try:
            if reason is not None:
                raise InvalidEvent(reason)
            signals.append(_signal(name, placed, program, descriptors.get(name), starts_at))
        except InvalidEvent as error:
            not_read.append(f"{name}: {error}")
    return tuple(signals), tuple(not_read)


def _signal(
    name: str, placed: Sequence[Placed], program: Program, descriptor: PayloadDescriptor | None, starts_at: datetime
) -> Signal:
    kind = _kind(name, descriptor)
    unit = _unit(name, kind, descriptor)
    scale = unit.scale if unit is not None and RULES[kind].scaled else "none"
    sign = sign_of(name, kind, program)
    pieces = []
    for one in placed:
        if not any(payload.type == name for payload in one.payloads):
            continue
        numbers = numbers_of(one, name)
        if len(numbers) > 1 and not (RULES[kind].measures & MONEY):
            raise InvalidEvent(f"interval {one.index}: needs exactly one number")
        for number, (begins_at, ends_at) in zip(numbers, parts(one, len(numbers)), strict=False):
            value = from_scale(number, scale) * sign
            if fault := value_fault(kind, value):
                raise InvalidEvent(f"interval {one.index}: {fault}")
            pieces.append(_Piece(starts_at=begins_at, ends_at=ends_at, value=value))
    if base_type(name) == LOAD_SHAPE:
        pieces = _as_shares(pieces)
    return Signal(
        id=name,
        kind=kind,
        intervals=tuple(_back_to_back(pieces, starts_at)),
        device_classes=() if descriptor is None else descriptor.device_classes,
        unit=unit,
    )


def _kind(name: str, descriptor: PayloadDescriptor | None) -> SignalKind:
    match base_type(name):
        case base if base in CAPACITIES:
            return CAPACITIES[base]
        case base if base == LOAD_SHAPE:
            return SignalKind.BASELINE_SHARE
        case base if base == EXPORT_PRICE:
            # Interpretation: what is fed in earns as what is drawn costs; the program's usual price is compared with.
            return SignalKind.ELECTRICITY_PRICE
        case base if base not in SIGNAL_KINDS:
            raise InvalidEvent("nothing here knows what it means")
        case _:
            return kind_of(name, descriptor)


def _unit(name: str, kind: SignalKind, descriptor: PayloadDescriptor | None) -> Unit | None:
    if kind in CAPACITIES.values() and (descriptor is None or descriptor.units is None):
        # User Guide 8.10 counts capacities in kilowatts.
        return KILOWATTS
    return unit_of(name, kind, descriptor)


def _as_shares(pieces: list[_Piece]) -> list[_Piece]:
    """A load shape as shares of what is usual: their mean over its time is 1, so that the energy stays what it was.

    Interpretation: the standard gives the shape from 0 to 1 and no energy that it is scaled by.
    """
    lengths = [(one.ends_at - one.starts_at).total_seconds() if one.ends_at else 0.0 for one in pieces]
    area = sum(one.value * length for one, length in zip(pieces, lengths, strict=True))
    if any(one.ends_at is None for one in pieces) or area <= 0.0:
        raise InvalidEvent("a load shape without end, or of nothing but zeros, has no scale")
    factor = sum(lengths) / area
    return [_Piece(starts_at=one.starts_at, ends_at=one.ends_at, value=one.value * factor) for one in pieces]


def _back_to_back(pieces: Sequence[_Piece], starts_at: datetime) -> Iterator[SignalInterval]:
    """The pieces from the event's start on, with the gaps between them; of two at once, the one written later."""
    at: datetime | None = starts_at
    for one in _apart(pieces):
        if at is not None and one.starts_at > at:
            yield SignalInterval(duration=one.starts_at - at, value=0.0, asks=False)
        at = one.ends_at
        yield SignalInterval(duration=None if at is None else at - one.starts_at, value=one.value)


def _apart(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The pieces in the order of time, none of them over another."""
    if all(one.ends_at is not None and one.ends_at <= other.starts_at for one, other in pairwise(pieces)):
        return list(pieces)
    if len(pieces) > EVENT_INTERVALS_MAX:
        raise InvalidEvent(f"more than {EVENT_INTERVALS_MAX} intervals, and some over others")
    edges = sorted({edge for one in pieces for edge in (one.starts_at, one.ends_at) if edge is not None})
    found: list[_Piece] = []
    for index, edge in enumerate(edges):
        until = edges[index + 1] if index + 1 < len(edges) else None
        over = [one for one in pieces if one.starts_at <= edge and (one.ends_at is None or edge < one.ends_at)]
        if over:
            found.append(_Piece(starts_at=edge, ends_at=until, value=over[-1].value))
    return found
