"""Errands as a party reads them: a payload for each kind, written when it is sent; and what answers which."""

from collections.abc import Awaitable, Callable
from typing import Any

from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers import errands
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.protocols.oadr2_answers import request_id_of
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered

Write = Callable[[Asked, Errand], Awaitable[m.Message | None]]
"""The payload, under the errand's id as its requestID; None if there is nothing left to say, and the errand is done."""


async def _register_report(asked: Asked, errand: Errand) -> m.Message:
    """R301, R305: the reports that we make, of which there are none."""
    return m.RegisterReport(request_id=errand.id, ven_id=asked.party.id)


WRITERS: dict[ErrandKind, Write] = {
    ErrandKind.REGISTER_REPORT: _register_report,
}

ANSWERS: dict[type[Any], ErrandKind] = {
    m.RegisteredReport: ErrandKind.REGISTER_REPORT,
}
"""Which errand a logical response answers (8.6)."""


async def answered_errand(asked: Asked, message: m.Message) -> Answer:
    """A logical response: what it answers is owed no more, whatever it says; a refusal is told to the operator."""
    kind = ANSWERS[type(message)]
    errand = await errands.settle(asked.uow, asked.party.id, kind, request_id_of(message))
    return answered(asked, message, notices=refusals_of(asked, kind, message) if errand is not None else ())


def refusals_of(asked: Asked, kind: ErrandKind, message: Any) -> tuple[Notice, ...]:
    """What there is to tell of a logical response that says no."""
    said: m.EiResponse = message.response
    if said.response_code.startswith("2"):
        return ()
    detail = f"{kind}: {said.response_code} {said.response_description or ''}".strip()
    return (Notice(kind="errand refused", party_id=asked.party.id, detail=detail),)
