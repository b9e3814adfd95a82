"""EiRegisterParty at the VTN: a party asks what we can do, registers, changes its registration and ends it."""

from dataclasses import replace

from openadr_core.errors import RemoteProtocolError, UnknownReference, Unsupported, WrongState
from openadr_core.model.party import Party
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import errands, registration
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.enrolment import RegistrationWish
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.protocols.oadr2_answers import NOT_ENROLLED, NOT_REGISTERED, PROFILES, Refusal, answer_to, said_to
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered
from openadr_vtn.protocols.oadr2_reports import whole_seconds


async def query_registration(asked: Asked, message: m.QueryRegistration) -> Answer:
    """R404: ids are told to a registered party alone."""
    return Answer(body=encode(_created(asked, message, asked.party)))


async def create_party_registration(asked: Asked, message: m.CreatePartyRegistration) -> Answer:
    wish = RegistrationWish(
        registration_id=message.registration_id or None,
        profile=message.profile_name,
        transport=message.transport_name,
        # Interpretation: R402 wants the element for simpleHttp; without it, what every VEN can do is meant.
        pull=message.http_pull_model is not False,
        report_only=message.report_only,
        xml_signature=message.xml_signature,
        transport_address=message.transport_address or "",
    )
    try:
        party = await registration.register(asked.uow, asked.party, wish, new_id=asked.desk.new_id, now=asked.now)
    except Unsupported as error:
        refusal = Refusal(code=codes.DEPLOYMENT_OTHER, description=str(error))
    except UnknownReference as error:
        refusal = Refusal(code=codes.INVALID_ID, description=str(error))
    except RemoteProtocolError as error:
        refusal = Refusal.of(error)
    except WrongState:
        # It was shut out after its standing was read.
        refusal = NOT_ENROLLED
    else:
        await errands.forget(asked.uow, party.id, ErrandKind.REQUEST_REREGISTRATION)
        notice = Notice(kind="party registered", party_id=party.id)
        return Answer(body=encode(_created(asked, message, party)), notices=(notice,))
    return Answer(body=encode(answer_to(message, replace(asked.scene, ven_id=None), refusal)))


async def cancel_party_registration(asked: Asked, message: m.CancelPartyRegistration) -> Answer:
    try:
        await registration.unregister(asked.uow, asked.party, message.registration_id, now=asked.now)
    except WrongState:
        return answered(asked, message, NOT_REGISTERED)
    return answered(asked, message, notices=(Notice(kind="party unregistered", party_id=asked.party.id),))


def _created(asked: Asked, message: m.Message, party: Party) -> m.CreatedPartyRegistration:
    current = party.registration
    return m.CreatedPartyRegistration(
        response=said_to(message),
        registration_id=None if current is None else current.registration_id,
        ven_id=None if current is None else party.id,
        vtn_id=asked.desk.vtn_id,
        profiles=PROFILES,
        # R403: always told to a pull VEN; one that is pushed to never polls (R500).
        requested_poll_freq=whole_seconds(party.poll_interval) if current is None or current.pull else None,
    )
