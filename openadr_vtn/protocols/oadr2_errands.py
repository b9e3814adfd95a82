"""Errands as a party reads them: a payload for each kind, written when it is sent; and what answers which."""

from collections.abc import Awaitable, Callable
from typing import Any

from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers import errands, registration
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.delivery import Mailbox
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.protocols import oadr2_report_errands
from openadr_vtn.protocols.oadr2_answers import request_id_of
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered

Write = Callable[[Asked, Errand], Awaitable[m.Message | None]]
"""The payload, under the errand's id as its requestID; None if there is nothing left to say, and the errand is done."""


async def _cancel_party_registration(asked: Asked, errand: Errand) -> m.Message | None:
    current = asked.party.registration
    if current is None or current.registration_id != errand.content:
        return None  # it has registered anew meanwhile
    return m.CancelPartyRegistration(request_id=errand.id, registration_id=errand.content, ven_id=asked.party.id)


async def _request_reregistration(asked: Asked, errand: Errand) -> m.Message:
    del errand
    return m.RequestReregistration(ven_id=asked.party.id)


WRITERS: dict[ErrandKind, Write] = {
    ErrandKind.REGISTER_REPORT: oadr2_report_errands.register_report,
    ErrandKind.CREATE_REPORT: oadr2_report_errands.create_report,
    ErrandKind.CANCEL_REPORT: oadr2_report_errands.cancel_report,
    ErrandKind.CANCEL_PARTY_REGISTRATION: _cancel_party_registration,
    ErrandKind.REQUEST_REREGISTRATION: _request_reregistration,
}

ANSWERS: dict[type[Any], ErrandKind] = {
    m.RegisteredReport: ErrandKind.REGISTER_REPORT,
    m.CreatedReport: ErrandKind.CREATE_REPORT,
    m.CanceledReport: ErrandKind.CANCEL_REPORT,
    m.CanceledPartyRegistration: ErrandKind.CANCEL_PARTY_REGISTRATION,
    m.Response: ErrandKind.REQUEST_REREGISTRATION,
}
"""Which errand a logical response answers (8.6)."""


async def answered_errand(asked: Asked, message: m.Message) -> Answer:
    """A logical response: what it answers is owed no more, whatever it says; a refusal is told to the operator."""
    kind = ANSWERS[type(message)]
    errand = await errands.settle(asked.uow, asked.party.id, kind, request_id_of(message))
    if errand is None:
        return answered(asked, message)
    notices = refusals_of(asked, kind, message)
    if kind is ErrandKind.CANCEL_PARTY_REGISTRATION:
        # R407, whatever it says: an operator has ended this registration, and the party knows it now.
        notices += await _ended(asked, errand)
    return answered(asked, message, notices=notices)


async def give_up(asked: Asked, errand: Errand, mailbox: Mailbox) -> tuple[Mailbox | None, tuple[Notice, ...]]:
    """An errand that was run in vain; the mailbox thereafter, None where the party is registered no more."""
    mailbox = await errands.drop(asked.uow, errand, mailbox)
    notices = (Notice(kind="errand given up", party_id=asked.party.id, detail=errand.kind),)
    if errand.kind is ErrandKind.CANCEL_PARTY_REGISTRATION and (ended := await _ended(asked, errand)):
        return None, (*notices, *ended)
    return mailbox, notices


async def _ended(asked: Asked, errand: Errand) -> tuple[Notice, ...]:
    done = await registration.end_registration(asked.uow, asked.party.id, errand.content, now=asked.now)
    return (Notice(kind="party unregistered", party_id=asked.party.id, detail="by our operator"),) if done else ()


def refusals_of(asked: Asked, kind: ErrandKind, message: Any) -> tuple[Notice, ...]:
    """What there is to tell of a logical response that says no."""
    said: m.EiResponse = message.response
    if said.response_code.startswith("2"):
        return ()
    detail = f"{kind}: {said.response_code} {said.response_description or ''}".strip()
    return (Notice(kind="errand refused", party_id=asked.party.id, detail=detail),)
