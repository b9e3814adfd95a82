"""What is done for each payload that a VEN may send: message to command, outcome to answer.

Each operation runs in one transaction, for a party that is known, enrolled and, where the payload
needs it, registered. The same message twice has the effect of one, and the same answer.
"""

from typing import Any

from openadr_core.errors import RemoteProtocolError, Unsupported, WrongState
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_vtn.protocols.oadr2_answers import Refusal
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, Operation, acknowledge, answered
from openadr_vtn.protocols.oadr2_ei_event import created_event, request_event
from openadr_vtn.protocols.oadr2_ei_opt import cancel_opt, create_opt
from openadr_vtn.protocols.oadr2_ei_register_party import (
    cancel_party_registration,
    create_party_registration,
    query_registration,
)
from openadr_vtn.protocols.oadr2_ei_report import (
    cancel_report,
    canceled_report,
    create_report,
    created_report,
    register_report,
    update_report,
)
from openadr_vtn.protocols.oadr2_errands import answered_errand
from openadr_vtn.protocols.oadr2_poll import poll


async def operate(asked: Asked, message: m.Message) -> Answer:
    """Do what the message asks; what is wrong with it is told in the answer."""
    try:
        return await OPERATIONS[type(message)](asked, message)
    except (Unsupported, WrongState) as error:
        refusal = Refusal(code=codes.DEPLOYMENT_OTHER, description=str(error))
    except RemoteProtocolError as error:
        refusal = Refusal.of(error)
    return answered(asked, message, refusal)


OPERATIONS: dict[type[Any], Operation] = {
    m.QueryRegistration: query_registration,
    m.CreatePartyRegistration: create_party_registration,
    m.CancelPartyRegistration: cancel_party_registration,
    m.CanceledPartyRegistration: answered_errand,
    m.Response: answered_errand,
    m.Poll: poll,
    m.RequestEvent: request_event,
    m.CreatedEvent: created_event,
    m.RegisterReport: register_report,
    m.RegisteredReport: answered_errand,
    m.CreateReport: create_report,
    m.CreatedReport: created_report,
    m.UpdateReport: update_report,
    m.UpdatedReport: acknowledge,
    m.CancelReport: cancel_report,
    m.CanceledReport: canceled_report,
    m.CreateOpt: create_opt,
    m.CancelOpt: cancel_opt,
}
