"""What the VTN's list of events means to a VEN (R7, R2.7): new, changed, gone."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.errors import OpenAdrError
from openadr_core.model.event import DrEvent
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.layout import is_cancelled
from openadr_core.oadr3.meaning import meaning_of
from openadr_core.oadr3.messages import EventRequest
from openadr_core.oadr3.translate import program_of
from openadr_core.oadr3.v301 import event_to_3_1, program_to_3_1
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.indications import (
    EventCancelled,
    EventChanged,
    EventReceived,
    EventRefused,
    Indication,
)
from openadr_ven.protocols.oadr3.grants import Grants
from openadr_ven.protocols.oadr3.memory import KnownEvent, Memory, State

NOT_OURS = "462"
"""As 2.0b numbers refusals: the agent and its operator have one set of words for all protocols."""
CANNOT_READ = "460"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An event in the VTN's list."""

    id: str
    program_id: str
    modified: str
    created: str
    document: str
    request: EventRequest


def listed(text: str) -> Listed:
    """MalformedMessage or SchemaViolation if it is no event."""
    members, _ = parse_object(text.encode())
    event = Fields.of(members, "")
    return Listed(
        id=event.required("id", event.identifier),
        program_id=event.required("programID", event.identifier),
        modified=event.required("modificationDateTime", event.text),
        created=event.required("createdDateTime", event.text),
        document=text,
        request=decode_event(text.encode()),
    )


def as_3_1(texts: Iterable[str]) -> list[str]:
    """Events of 3.0.1 as 3.1 writes them; what cannot be read stays as it is, and is refused where it is taken."""
    return [_translated(text, event_to_3_1) for text in texts]


def programs_by_id(texts: Iterable[str], *, is_of_3_0_1: bool) -> Mapping[str, str]:
    """Documents, as 3.1 writes them."""
    found = [_translated(text, program_to_3_1) if is_of_3_0_1 else text for text in texts]
    return {_id_of(text): text for text in found}


def _translated(text: str, translate: Callable[[str], str]) -> str:
    try:
        return translate(text)
    except OpenAdrError:
        return text


@dataclass(slots=True)
class _Taken:
    memory: Memory
    programs: Mapping[str, str]
    enrolled: Enrolled
    now: datetime
    dice: random.Random
    grants: Grants
    indications: list[Indication]


def take_events(
    memory: Memory,
    texts: Iterable[str],
    programs: Mapping[str, str],
    *,
    enrolled: Enrolled,
    now: datetime,
    dice: random.Random,
    grants: Grants,
    regranted: bool = False,
) -> tuple[Memory, list[Indication]]:
    """The memory after a complete reading of the list, and what the agent must know.

    ``programs`` are documents by id. An event that cannot be read does not spoil the others. ``regranted``: the
    grants are others than before, so that events which have not changed may be for other devices.
    """
    taken = _Taken(memory, programs, enrolled, now, dice, grants, [])
    for text in texts:
        try:
            found = listed(text)
        except OpenAdrError as error:
            taken.indications.append(EventRefused(event_id="?", version=0, code=CANNOT_READ, reason=str(error)))
            continue
        known = taken.memory.known_event(found.id)
        if known is None or known.modified != found.modified or (regranted and _is_aimed_anew(taken, found, known)):
            _take(taken, found, known)
    return taken.memory, taken.indications


def has_news_for_targets(memory: Memory, texts: Iterable[str]) -> bool:
    """Whether the list holds an event with targets that we do not know as it is now."""
    for text in texts:
        try:
            found = listed(text)
        except OpenAdrError:
            continue
        known = memory.known_event(found.id)
        if found.request.targets and (known is None or known.modified != found.modified):
            return True
    return False


def gone(memory: Memory, event_id: str, *, now: datetime, dice: random.Random) -> tuple[Memory, list[Indication]]:
    """The VTN has this event no more: it is cancelled, unless it is over (R7.10)."""
    known = memory.known_event(event_id)
    if known is None:
        return memory, []
    return memory.without(event_id), _cancelled(known, now, dice)


def _cancelled(known: KnownEvent, now: datetime, dice: random.Random) -> list[Indication]:
    if known.event is None or known.event.cancelled_at is not None:
        return []
    over_at = known.event.kept_until()
    if over_at is not None and over_at <= now:
        return []
    event = replace(known.event, version=known.version + 1, cancelled_at=now)
    return [EventCancelled(event=event, stop_fraction=dice.random(), implied=True)]


def _take(taken: _Taken, found: Listed, known: KnownEvent | None) -> None:
    kept = KnownEvent(
        id=found.id,
        program_id=found.program_id,
        document=found.document,
        modified=found.modified,
        version=0 if known is None else known.version + 1,
        obtained_at=taken.now if known is None else known.obtained_at,
        delay_fraction=taken.dice.random() if known is None else known.delay_fraction,
    )
    if is_cancelled(found.request.intervals, found.request.period):
        # R7.10: called off in place, and still listed.
        taken.memory = taken.memory.with_known(kept)
        if known is not None:
            taken.indications += _cancelled(known, taken.now, taken.dice)
        return
    try:
        event = _canonical(taken, found, kept)
    except OpenAdrError as error:
        _refuse(taken, kept, known, error)
        return
    taken.memory = taken.memory.with_known(replace(kept, event=event))
    had_it = known is not None and known.event is not None and known.event.cancelled_at is None
    kind = EventChanged if had_it else EventReceived
    taken.indications.append(kind(event=event, delay_fraction=kept.delay_fraction))


def _is_aimed_anew(taken: _Taken, found: Listed, known: KnownEvent) -> bool:
    if known.event is None or not found.request.targets:
        return False
    try:
        return _canonical(taken, found, known).targets != known.event.targets
    except OpenAdrError:
        return False


def _canonical(taken: _Taken, found: Listed, kept: KnownEvent) -> DrEvent:
    document = taken.programs.get(found.program_id)
    if document is None:
        raise NotForUs("its program cannot be read")
    request = decode_program(document.encode())
    program = program_of(request, found.program_id)
    if not taken.enrolled.takes_part_in(program.market_context):
        raise NotForUs(f"the fleet takes part in no program {program.market_context}")
    sign = program.relief_sign or taken.enrolled.relief_sign(program.market_context)
    event = meaning_of(
        found.request, replace(program, relief_sign=sign), request, event_id=found.id, version=kept.version,
        created_at=kept.obtained_at, modified_at=taken.now, obtained_at=kept.obtained_at,
        draw=2.0 * kept.delay_fraction - 1.0,
    )  # fmt: skip
    return replace(event, targets=taken.grants.aimed(event.targets))


class NotForUs(OpenAdrError):
    """An event of a program that the fleet takes no part in."""


def _refuse(taken: _Taken, kept: KnownEvent, known: KnownEvent | None, error: OpenAdrError) -> None:
    taken.memory = taken.memory.with_known(kept)
    if known is not None:
        # It was replaced by something that we cannot follow: to go on with the older version would be wrong.
        taken.indications += _cancelled(known, taken.now, taken.dice)
    code = NOT_OURS if isinstance(error, NotForUs) else CANNOT_READ
    taken.indications.append(EventRefused(event_id=kept.id, version=kept.version, code=code, reason=str(error)))
    taken.memory = taken.memory.with_state(State(event_id=kept.id, opted_out=True))


def missing(memory: Memory, texts: Iterable[str]) -> list[str]:
    """Events that we know and the list does not hold."""
    there = {_id_of(text) for text in texts}
    return [known.id for known in memory.known if known.id not in there]


def _id_of(text: str) -> str:
    """Of whatever the list holds: what cannot be read is there all the same."""
    try:
        return str(parse_object(text.encode())[0].get("id"))
    except OpenAdrError:
        return ""
