"""EiOpt at the VTN: what a party says of its availability."""

from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_vtn.protocols.oadr2_answers import Refusal
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered


async def create_opt(asked: Asked, message: m.CreateOpt) -> Answer:
    return answered(asked, message, Refusal(code=codes.COMPLIANCE_OTHER, description="EiOpt is not done here yet"))


async def cancel_opt(asked: Asked, message: m.CancelOpt) -> Answer:
    return answered(asked, message, Refusal(code=codes.INVALID_ID, description="there is no such opt"))
