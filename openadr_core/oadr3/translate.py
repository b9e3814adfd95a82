"""OpenADR 3.1 programs and events to the canonical model: the one place that knows how 3.1 says things.

``payload_types`` has the types that become signals, ``attributes`` what 3.1 has no member for. Private attributes of
a program (3.1 leaves their names to the parties):

* ``RELIEF_SIGN``: ``POSITIVE`` if a positive DISPATCH_SETPOINT_RELATIVE asks for relief, ``NEGATIVE`` if it
  asks for load. The standard does not say, and utilities differ; without it relative events are refused.
* ``MARKET_CONTEXT``: the URI that names the program to OpenADR 2.0b parties. Without it, the URI is
  ``urn:openadr:program:`` and the program's name, percent-encoded; it stays when the program is renamed.
* ``EVENT_OVERLAP``: ``REFUSED`` if no two of its events may run at once for the same party (2.0b R18 allows it).
* ``SIMPLE_DUTY_CYCLE``: what levels are to loads of IEEE 2030.5 (:mod:`.levels`).
* Rules for opt schedules: :mod:`openadr_core.oadr3.opt_rules`.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from openadr_core.errors import InvalidEvent, RuleBroken
from openadr_core.model.event import DrEvent
from openadr_core.model.program import Program, ReliefSign
from openadr_core.model.target import by_name
from openadr_core.oadr3.attributes import (
    EVENT_ATTRIBUTES,
    EVENT_OVERLAP,
    MARKET_CONTEXT,
    MODIFICATION_REASON,
    NOTIFICATION,
    RAMP_UP,
    RECOVERY,
    RELIEF_SIGN,
    RESPONSE_REQUIRED,
    START_AFTER,
    TEST_EVENT,
    VTN_COMMENT,
    Attributes,
)
from openadr_core.oadr3.levels import duty_cycles_of
from openadr_core.oadr3.messages import EventRequest, ProgramRequest
from openadr_core.oadr3.opt_rules import CHOICES, opt_rules_of
from openadr_core.oadr3.placing import place, randomisation, span
from openadr_core.oadr3.signals import BaselineWords, Descriptors, baseline_of, signals_of

ALWAYS, NEVER = "ALWAYS", "NEVER"
ALLOWED, REFUSED = "ALLOWED", "REFUSED"
NO_TIME = timedelta(0)

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20\x7f-\x9f\ufffe\uffff<>\"{}|\\^`]+", re.ASCII)


def program_of(request: ProgramRequest, program_id: str, *, before: Program | None = None) -> Program:
    """The program that a request writes; ``before`` is what it replaces. RuleBroken names a wrong attribute."""
    attributes = Attributes(request.attributes)
    market_context = attributes.text(MARKET_CONTEXT)
    if market_context is None:
        market_context = before.market_context if before else f"urn:openadr:program:{quote(request.name, safe='')}"
    elif not _URI.fullmatch(market_context):
        raise RuleBroken(f"attribute {MARKET_CONTEXT}: {market_context!r} is not an absolute URI")
    duty_cycles_of(request)
    sign = attributes.chosen(RELIEF_SIGN, ReliefSign.__members__)
    return Program(
        id=program_id,
        name=request.name,
        market_context=market_context,
        relief_sign=None if sign is None else ReliefSign(sign),
        targets=request.targets,
        overlap_allowed=attributes.chosen(EVENT_OVERLAP, (ALLOWED, REFUSED)) != REFUSED,
        opt_rules=opt_rules_of({name: text for name in CHOICES if (text := attributes.text(name)) is not None}),
    )


def event_of(
    request: EventRequest,
    program: Program,
    program_request: ProgramRequest,
    *,
    event_id: str,
    version: int,
    created_at: datetime,
    modified_at: datetime,
    now: datetime,
) -> DrEvent:
    """The event that a request writes; ``now`` is what "at once" means, to the second.

    Every event of OpenADR 3 is one (a VTN judges no content). What cannot be told to parties of other protocols is
    left out, and ``not_read`` says why; without signals the event is for OpenADR 3 alone. InvalidEvent names an
    attribute of ours that is wrong.
    """
    attributes = Attributes(request.attributes, error=InvalidEvent)
    if unknown := attributes.unknown(EVENT_ATTRIBUTES):
        raise InvalidEvent(f"attribute {unknown[0]}: is not known; {', '.join(EVENT_ATTRIBUTES)} are")
    baseline = BaselineWords.of(attributes, request.intervals)
    start_after = attributes.length(START_AFTER)
    starts_at, ends_at = span(request, now)
    event = DrEvent(
        id=event_id,
        program_id=program.id,
        market_context=program.market_context,
        version=version,
        starts_at=starts_at,
        duration=None if ends_at is None else ends_at - starts_at,
        signals=(),
        created_at=created_at,
        modified_at=modified_at,
        priority=request.priority,
        relief_sign=program.relief_sign,
        targets=(*by_name(*request.targets), *attributes.targets()),
        ramp_up=attributes.length(RAMP_UP, signed=True) or NO_TIME,
        recovery=attributes.length(RECOVERY) or NO_TIME,
        notification=attributes.length(NOTIFICATION) or NO_TIME,
        start_after=start_after or NO_TIME,
        response_required=attributes.chosen(RESPONSE_REQUIRED, (ALWAYS, NEVER)) != NEVER,
        test=attributes.flag(TEST_EVENT) or False,
        comment=_first(attributes.text(VTN_COMMENT), request.name),
        modification_reason=attributes.text(MODIFICATION_REASON) or "",
    )
    descriptors = descriptors_of(program_request, request)
    try:
        placed = place(request, now)
        event = replace(event, start_after=_start_after(request, start_after))
    except InvalidEvent as error:
        return replace(event, not_read=(str(error),))
    signals, not_said = signals_of(placed, program, descriptors)
    if not signals:
        return replace(event, not_read=not_said)
    lengths = [one.length for one in placed]
    try:
        usual = baseline_of(placed, starts_at, descriptors, baseline)
    except InvalidEvent as error:
        usual, not_said = None, (*not_said, str(error))
    return replace(
        event,
        duration=None if None in lengths else sum((length for length in lengths if length), NO_TIME),
        signals=signals,
        baseline=usual,
        not_read=not_said,
    )


def descriptors_of(program: ProgramRequest, event: EventRequest) -> Descriptors:
    """Those of the program hold for all its events; an event may have its own."""
    return {one.payload_type: one for one in (*program.payload_descriptors, *event.payload_descriptors)}


def _start_after(request: EventRequest, given: timedelta | None) -> timedelta:
    """The start tolerance: of 3.1's own randomizeStart, or of the attribute, which says the same more exactly."""
    spread = randomisation(request.period)
    if given is None:
        return spread
    if spread and spread != given:
        raise InvalidEvent(f"randomizeStart and the attribute {START_AFTER} say different things")
    return given


def _first(said: str | None, otherwise: str) -> str:
    return otherwise if said is None else said
