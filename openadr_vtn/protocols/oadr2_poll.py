"""OadrPoll at the VTN: one operation each, of all that the party is owed."""

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import delivery
from openadr_vtn.domain.delivery import Errand
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered
from openadr_vtn.protocols.oadr2_ei_event import told_events


async def poll(asked: Asked, message: m.Poll) -> Answer:
    told, mailbox = await delivery.poll(asked.uow, asked.party.id, asked.mailbox, asked.now)
    if told is None:
        return answered(asked, message, mailbox=mailbox)
    if isinstance(told, Errand):
        # The only errand there is: our own reports, of which there are none (R301, R305).
        own = m.RegisterReport(request_id=asked.desk.new_id(), ven_id=asked.party.id)
        return Answer(body=encode(own), mailbox=mailbox)
    return told_events(asked, told, mailbox, request_id="")
