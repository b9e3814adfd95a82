"""What an oadrDistributeEvent means to a VEN: OpenADR 2.0b 1.7, rules 12 to 65, as one pure step."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from openadr_core.errors import OpenAdrError, TargetMismatch
from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.opt import OptType
from openadr_core.model.target import TargetKind
from openadr_core.oadr2.codes import NOT_ALLOWED, code_of
from openadr_core.oadr2.messages import DistributeEvent, Event
from openadr_core.oadr2.translate import event_from_wire
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.indications import (
    EventCancelled,
    EventChanged,
    EventContradicted,
    EventReceived,
    EventRefused,
    Indication,
)
from openadr_ven.protocols.oadr2.memory import Answer, KnownEvent, Memory, PayloadError

CANCELLED = "cancelled"
NO_TIME = timedelta(0)
PAYLOAD_ERRORS_MAX = 16
"""Of a VTN that pushes faster than we can say no."""


@dataclass(slots=True)
class _Taken:
    """The step under way."""

    memory: Memory
    enrolled: Enrolled
    request_id: str
    now: datetime
    dice: random.Random
    indications: list[Indication] = field(default_factory=list)


def take_events(
    memory: Memory, payload: DistributeEvent, *, enrolled: Enrolled, now: datetime, dice: random.Random
) -> tuple[Memory, list[Indication]]:
    """The memory after this payload, and what the agent must know."""
    if memory.vtn_id and payload.vtn_id != memory.vtn_id:
        # R21, R35: the payload is not our VTN's; none of it is taken.
        error = PayloadError(code="452", request_id=payload.request_id)
        wanted = any(event.response_required for event in payload.events) and error not in memory.payload_errors
        errors = (*memory.payload_errors, error)[:PAYLOAD_ERRORS_MAX] if wanted else memory.payload_errors
        return replace(memory, payload_errors=errors), []
    taken = _Taken(memory=memory, enrolled=enrolled, request_id=payload.request_id, now=now, dice=dice)
    for event in payload.events:
        # R19: each event stands for itself; one that is wrong does not spoil the others.
        _take(taken, event)
    _cancel_the_missing(taken, {event.descriptor.event_id for event in payload.events})
    return taken.memory, taken.indications


def _take(taken: _Taken, event: Event) -> None:
    descriptor = event.descriptor
    known = taken.memory.known_event(descriptor.event_id)
    if known is not None and descriptor.modification_number < known.event.version:
        # R58: whatever its status.
        _answer(taken, event, "450", OptType.OUT, "an older version than the one held")
    elif descriptor.event_status == CANCELLED:
        _take_cancelled(taken, event, known)
    elif known is not None and descriptor.modification_number == known.event.version:
        _answer_again(taken, event, known)
    else:
        _take_new(taken, event, known)


def _take_cancelled(taken: _Taken, event: Event, known: KnownEvent | None) -> None:
    # R59, R60: the unknown one is answered like any other, if an answer is wanted, and otherwise ignored.
    if known is not None:
        version = event.descriptor.modification_number
        stopped = replace(known.event, version=version, cancelled_at=taken.now)
        _cancel(taken, stopped, implied=False)
    _answer(taken, event, "200", OptType.IN)


def _answer_again(taken: _Taken, event: Event, known: KnownEvent) -> None:
    _compare(taken, event, known)
    # R57: nothing changes, and the same is said again; undecided is said when it is decided.
    taken.memory = taken.memory.with_known(replace(known, request_id=taken.request_id))
    if known.opt is not None:
        _answer(taken, event, known.opt.code, known.opt.opt_type, known.opt.reason)


def _compare(taken: _Taken, event: Event, known: KnownEvent) -> None:
    """The same version must say the same. Interpretation: R5 obliges the VTN; where it fails, the first word stands."""
    mark = (known.event.id, f"{known.event.version} contradicted")
    if mark in taken.memory.refused:
        return
    try:
        again = _canonical(taken, event)
    except OpenAdrError:
        return  # over since: there is nothing left to compare
    # Times of writing are renewed with each payload (R115).
    if replace(again, created_at=known.event.created_at, modified_at=known.event.modified_at) == known.event:
        return
    taken.memory = replace(taken.memory, refused=(*taken.memory.refused, mark))
    taken.indications.append(EventContradicted(event_id=known.event.id, version=known.event.version))


def _take_new(taken: _Taken, event: Event, known: KnownEvent | None) -> None:
    if not taken.enrolled.takes_part_in(event.descriptor.market_context):
        # R48: a program that we do not take part in.
        _refuse(taken, event, known, code="462", reason="not enrolled in a program of this market context")
        return
    try:
        canonical = _canonical(taken, event)
    except OpenAdrError as error:
        _refuse(taken, event, known, code=code_of(error), reason=str(error))
        return
    if known is not None and (what := _changed_past(known.event, canonical)):
        _refuse_change(taken, event, reason=f"{what} when the version that is held was told, and cannot change")
        return
    fraction = taken.dice.random()
    if known is not None and known.event.start_after == canonical.start_after:
        fraction = known.delay_fraction  # R30: drawn once, kept over modifications
    taken.memory = taken.memory.with_known(
        KnownEvent(event=canonical, request_id=taken.request_id, delay_fraction=fraction)
    )
    kind = EventReceived if known is None else EventChanged
    taken.indications.append(kind(event=canonical, delay_fraction=fraction))


def _canonical(taken: _Taken, event: Event) -> DrEvent:
    """The event in the model's words; of the parties that it names only we are left.

    R22: several criteria are alternatives, so an event that names others alone is none of ours. Which of our devices
    the rest of them mean is for the agent, who knows the fleet.
    """
    sign = taken.enrolled.relief_sign(event.descriptor.market_context)
    canonical = event_from_wire(event, relief_sign=sign, now=taken.now)
    others = [
        target for target in canonical.targets if target.kind is TargetKind.VEN and target.name != taken.memory.ven_id
    ]
    ours = tuple(target for target in canonical.targets if target not in others)
    if others and not ours:
        raise TargetMismatch("the event is for another venID", clause="R22")
    return replace(canonical, targets=ours)


def _refuse(taken: _Taken, event: Event, known: KnownEvent | None, *, code: str, reason: str) -> None:
    _answer(taken, event, code, OptType.OUT, reason)
    if known is not None:
        # It was replaced by something that we cannot follow: to go on with the older version would be wrong.
        _cancel(taken, replace(known.event, cancelled_at=taken.now), implied=True)
    _tell_refused(taken, event, code, reason)


def _refuse_change(taken: _Taken, event: Event, *, reason: str) -> None:
    """Interpretation: a change that is not allowed (451) is none, as one of R58 is none: what is held goes on."""
    _answer(taken, event, NOT_ALLOWED, OptType.OUT, reason)
    _tell_refused(taken, event, NOT_ALLOWED, reason)


def _changed_past(held: DrEvent, new: DrEvent) -> str:
    """What had happened already, and differs; empty if nothing does (R20, 8.7: code 451).

    Interpretation: nothing tells when the VTN changed its mind, and a change may reach us long after it was made. What
    had passed when it wrote the version that we hold was past for certain; of the time since then the VTN is believed.
    An interval that runs may be changed as a whole: that is how VTNs ask for something else from now on.
    """
    told_at = held.modified_at
    if held.starts_at >= told_at:
        return ""
    if new.starts_at != held.starts_at:
        return "the event had begun"
    kinds = {signal.kind for signal in held.signals} & {signal.kind for signal in new.signals}
    over = min(
        (_over(signal, told_at - held.starts_at) for signal in held.signals if signal.kind in kinds), default=NO_TIME
    )
    before, after = (_asked(event, kinds, over) for event in (held, new))
    return "" if before == after else "what its signals asked had passed"


def _over(signal: Signal, elapsed: timedelta) -> timedelta:
    """How much of it has ended by then: whole intervals."""
    over = NO_TIME
    for interval in signal.intervals:
        if interval.duration is None or over + interval.duration > elapsed:
            break
        over += interval.duration
    return over


def _asked(event: DrEvent, kinds: Collection[SignalKind], elapsed: timedelta) -> list[tuple[SignalKind, object]]:
    """By signals of these kinds, whatever their ids."""
    return sorted((signal.kind, signal.asked(elapsed)) for signal in event.signals if signal.kind in kinds)


def _tell_refused(taken: _Taken, event: Event, code: str, reason: str) -> None:
    descriptor = event.descriptor
    mark = (descriptor.event_id, str(descriptor.modification_number))
    if mark in taken.memory.refused:
        return
    taken.memory = replace(taken.memory, refused=(*taken.memory.refused, mark))
    taken.indications.append(
        EventRefused(event_id=descriptor.event_id, version=descriptor.modification_number, code=code, reason=reason)
    )


def _cancel_the_missing(taken: _Taken, listed: set[str]) -> None:
    """R61: what the VTN no longer lists is cancelled, unless it is simply over."""
    for known in taken.memory.known:
        if known.event.id in listed:
            continue
        over_at = known.event.kept_until()
        if over_at is not None and over_at <= taken.now:
            taken.memory = taken.memory.without_known(known.event.id)
        else:
            _cancel(taken, replace(known.event, cancelled_at=taken.now), implied=True)
    taken.memory = replace(taken.memory, refused=tuple(mark for mark in taken.memory.refused if mark[0] in listed))


def _cancel(taken: _Taken, event: DrEvent, *, implied: bool) -> None:
    taken.memory = taken.memory.without_known(event.id)
    taken.indications.append(EventCancelled(event=event, stop_fraction=taken.dice.random(), implied=implied))


def _answer(taken: _Taken, event: Event, code: str, opt_type: OptType, description: str = "") -> None:
    if not event.response_required:
        return  # R12: never means never
    taken.memory = taken.memory.with_answer(
        Answer(
            event_id=event.descriptor.event_id,
            modification_number=event.descriptor.modification_number,
            request_id=taken.request_id,
            code=code,
            opt_type=opt_type.value,
            description=description,
        )
    )
