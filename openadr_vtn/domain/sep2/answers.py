"""What a device's response to a control is to the event that the control tells of (1.3, Table 27)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openadr_core.model.opt import OptType
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.sep2.control_status import Control

CANCELLED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    opt_type: OptType | None
    """None: it tells that it has heard, and nothing of what it will do."""
    reason: str
    code: str = "200"
    """As 2.0b's responses say it."""
    is_new_mind: bool = True
    """False: what it does is what it had said, or what nobody doubted."""


def _in(reason: str, *, is_new_mind: bool = False) -> Answer:
    return Answer(opt_type=OptType.IN, reason=reason, is_new_mind=is_new_mind)


def _out(reason: str, code: str = "200") -> Answer:
    return Answer(opt_type=OptType.OUT, reason=reason, code=code)


def _heard(reason: str) -> Answer:
    return Answer(opt_type=None, reason=reason)


ANSWERS: Mapping[int, Answer] = {
    1: _heard("received"),
    2: _in("started"),
    3: _in("completed"),
    4: _out("opted out"),
    5: _in("opted in", is_new_mind=True),
    CANCELLED: _heard("cancelled"),
    # Interpretation: who follows another control does not follow this one any more, whoever wanted it so.
    7: _out("superseded"),
    8: _out("completed in part, then opted out"),
    9: _in("completed in part, after opting in", is_new_mind=True),
    10: _out("completed without taking part"),
    11: _heard("acknowledged"),
    12: _heard("cannot be displayed"),
    13: _out("aborted for another server's"),
    14: _out("aborted for another program's"),
    252: _out("a parameter is not supported", "460"),
    253: _out("a parameter is not valid", "454"),
    254: _out("it came too late", "451"),
}


def row_answered(rows: Iterable[Delivery], control: Control, event_version: int, status: int) -> Delivery | None:
    """Which news to the party a response answers; None if it was never told.

    A control that stands, and the word that it was cancelled, are of the newest; what was cancelled is of the version
    that made it.
    """
    known = sorted(rows, key=lambda row: row.version)
    if control.cancelled_at is not None and status != CANCELLED:
        known = [row for row in known if row.event_version <= event_version] or known[:1]
    return known[-1] if known else None
