"""OadrPoll at the VTN: one operation each, of all that the party is owed."""

from dataclasses import replace

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import delivery, errands
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.errand import Errand
from openadr_vtn.protocols.oadr2_answers import NOT_REGISTERED
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered
from openadr_vtn.protocols.oadr2_ei_event import told_events
from openadr_vtn.protocols.oadr2_errands import WRITERS, give_up


async def poll(asked: Asked, message: m.Poll) -> Answer:
    """Q1: one operation; oadrResponse where nothing is owed, or it was told just now."""
    mailbox, notices = asked.mailbox, list[Notice]()
    while True:
        told, mailbox = await delivery.poll(asked.uow, asked.party.id, mailbox, asked.now)
        if not isinstance(told, Errand):
            break
        if told.is_spent:
            left, given_up = await give_up(asked, told, mailbox)
            notices += given_up
            if left is None:
                return answered(asked, message, NOT_REGISTERED, notices=tuple(notices))
            mailbox = left
        elif (payload := await WRITERS[told.kind](asked, told)) is not None:
            mailbox = await errands.run(asked.uow, told, mailbox, asked.now)
            return Answer(body=encode(payload), mailbox=mailbox, errand_id=told.id, notices=tuple(notices))
        else:
            mailbox = await errands.drop(asked.uow, told, mailbox)
    if told is None:
        return answered(asked, message, mailbox=mailbox, notices=tuple(notices))
    answer = told_events(asked, told, mailbox, request_id="")
    return replace(answer, notices=(*notices, *answer.notices))
