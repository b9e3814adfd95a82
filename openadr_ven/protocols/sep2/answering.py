"""Which Responses a device owes to a control, and when (IEEE 2030.5 Table 27): each once, in order."""

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from openadr_core.model.opt import Opt, OptType
from openadr_core.sep2.names import Status
from openadr_core.sep2.responses import DERControlResponse, DrResponse
from openadr_ven.protocols.sep2.calls import Call, Script
from openadr_ven.protocols.sep2.memory import KnownControl, Reply
from openadr_ven.protocols.sep2.schedule import Span


class Said(IntEnum):
    """Response.status."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    OPTED_OUT = 4
    OPTED_IN = 5
    CANCELLED = 6
    SUPERSEDED = 7
    COMPLETED_AFTER_OPT_OUT = 8
    COMPLETED_AFTER_OPT_IN = 9
    NO_PARTICIPATION = 10
    OTHER_PROGRAM = 14
    NOT_APPLICABLE = 252
    INVALID = 253
    TOO_LATE = 254


FINAL = frozenset({
    Said.COMPLETED, Said.CANCELLED, Said.SUPERSEDED, Said.COMPLETED_AFTER_OPT_OUT, Said.COMPLETED_AFTER_OPT_IN,
    Said.NO_PARTICIPATION, Said.OTHER_PROGRAM, Said.NOT_APPLICABLE, Said.INVALID, Said.TOO_LATE,
})  # fmt: skip
"""After one of these nothing more is said."""
INVALID_DATA = "454"
"""Opt.code of what no device will be set to."""
WANTED = 0b11
"""Bits of responseRequired: that it came, and what became of it. Interpretation: who asks for either gets both."""


def replies_of(known: KnownControl, fresh: Sequence[int], *, now: int) -> tuple[KnownControl, tuple[Reply, ...]]:
    """The control with these statuses said to it, and what of it the server wants to hear."""
    wanted = bool(known.reply_to) and bool(known.response_required & WANTED)
    replies = tuple(
        Reply(
            reply_to=known.reply_to,
            subject=known.mrid,
            device=known.device,
            status=status,
            at=now,
            is_load=known.is_load,
        )
        for status in fresh
        if wanted
    )
    return replace(known, said=(*known.said, *fresh)), replies


def owed(known: KnownControl, spans: Sequence[Span], opts: Sequence[Opt | None], *, now: int) -> list[int]:
    """What is to be said now and has not been.

    ``spans`` are the times at which any of its modes rules; ``opts`` the agent's answers to what came of it.
    """
    if known.said and known.said[-1] in FINAL:
        return []
    fresh: list[int] = [] if known.said else [Said.RECEIVED]
    if not known.said and known.first_seen >= known.planned_end:
        return [*fresh, Said.TOO_LATE]
    if not known.modes:
        return [*fresh, Said.INVALID if known.invalid else Said.NOT_APPLICABLE]
    codes = [opt.code for opt in opts if opt is not None and opt.code != "200"]
    if opts and len(codes) == len(opts):
        # Understood, and nothing behind us that could do it, or do it so.
        return [*fresh, Said.INVALID if INVALID_DATA in codes else Said.NOT_APPLICABLE]
    fresh += _chosen(known, opts, fresh)
    is_out = _is_out([*known.said, *fresh])
    begins_at = spans[0].begins if spans else None
    if not is_out and begins_at is not None and begins_at <= now and Said.STARTED not in known.said and _acts(opts):
        fresh.append(Said.STARTED)
    final = _final(known, spans, [*known.said, *fresh], now)
    return fresh if final is None else [*fresh, final]


def next_moment(known: KnownControl, spans: Sequence[Span], now: int) -> int | None:
    """When something may next become due by the time alone."""
    if known.said and known.said[-1] in FINAL:
        return None
    edges = [known.begins, known.ends, *(edge for span in spans for edge in (span.begins, span.ends))]
    return min((edge for edge in edges if edge > now), default=None)


def _acts(opts: Sequence[Opt | None]) -> bool:
    """Whether somebody has decided to follow; a control that asks for what is normal anyway has nobody to ask."""
    return not opts or any(opt is not None and opt.opt_type is OptType.IN for opt in opts)


def _chosen(known: KnownControl, opts: Sequence[Opt | None], fresh: Sequence[int]) -> list[int]:
    """That we opt out, or in again."""
    was_out = _is_out([*known.said, *fresh])
    if opts and all(opt is not None and opt.opt_type is OptType.OUT for opt in opts):
        return [] if was_out else [Said.OPTED_OUT]
    if was_out and any(opt is not None and opt.opt_type is OptType.IN for opt in opts):
        return [Said.OPTED_IN]
    return []


def _is_out(said: Sequence[int]) -> bool:
    words = [one for one in said if one in {Said.OPTED_OUT, Said.OPTED_IN}]
    return bool(words) and words[-1] == Said.OPTED_OUT


def _final(known: KnownControl, spans: Sequence[Span], said: Sequence[int], now: int) -> int | None:
    """How it has ended; None while it has not."""
    if known.is_cancelled:
        # One that lets go at random is not over before it has; one that had not begun is over at once.
        if known.stopped_at is not None and now < known.stopped_at:
            return None
        return Said.OTHER_PROGRAM if known.left_program else Said.CANCELLED
    last = spans[-1].ends if spans else None
    is_cut = known.status is Status.SUPERSEDED or last is None or last < known.planned_end
    if is_cut and (now >= known.begins if last is None else now >= last):
        return Said.SUPERSEDED
    if now < known.planned_end:
        return None
    if _is_out(said):
        return Said.COMPLETED_AFTER_OPT_OUT if Said.STARTED in said else Said.NO_PARTICIPATION
    return Said.COMPLETED_AFTER_OPT_IN if Said.OPTED_IN in said else Said.COMPLETED


def post_reply(reply: Reply) -> Script[str]:
    kind = DrResponse if reply.is_load else DERControlResponse
    response = kind(
        created_date_time=reply.at, end_device_lfdi=reply.device, status=reply.status, subject=reply.subject
    )
    location: str = yield Call(method="POST", href=reply.reply_to, message=response)
    return location
