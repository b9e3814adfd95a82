"""EiOpt at the VTN: what a party says of its availability, by schedule or event by event (R200 to R211)."""

from openadr_core.model.availability import OptSchedule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.translate_opts import opt_from_wire
from openadr_vtn.application.handlers import availability
from openadr_vtn.application.ports import Notice
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered


async def create_opt(asked: Asked, message: m.CreateOpt) -> Answer:
    said = opt_from_wire(message, ven_id=asked.party.id)
    detail = f"{said.opt_type} {said.id}: {said.reason}"
    if isinstance(said, OptSchedule):
        await availability.take_schedule(asked.uow, asked.party, said, asked.desk.opt_rules, asked.now)
        notice = Notice(kind="opt schedule received", party_id=asked.party.id, detail=detail)
        return answered(asked, message, notices=(notice,))
    mailbox = await availability.qualify_event(asked.uow, asked.party, asked.mailbox, said, asked.now)
    notice = Notice(kind="event qualified", party_id=asked.party.id, event_id=said.event_id, detail=detail)
    return answered(asked, message, mailbox=mailbox, notices=(notice,))


async def cancel_opt(asked: Asked, message: m.CancelOpt) -> Answer:
    await availability.cancel_opt(asked.uow, asked.party, message.opt_id, asked.now)
    notice = Notice(kind="opt schedule cancelled", party_id=asked.party.id, detail=message.opt_id)
    return answered(asked, message, notices=(notice,))
