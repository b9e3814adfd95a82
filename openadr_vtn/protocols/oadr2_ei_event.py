"""EiEvent at the VTN: a party asks for its events, and answers them."""

from openadr_core.limits import EVENT_RESPONSES_MAX, LOG_VALUE_MAX_CHARS
from openadr_core.model.opt import Opt, OptType
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers import delivery, opts
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.delivery import Mailbox
from openadr_vtn.protocols.oadr2_answers import Refusal, first
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered


async def request_event(asked: Asked, message: m.RequestEvent) -> Answer:
    told, mailbox = await delivery.request_events(
        asked.uow, asked.party.id, asked.mailbox, message.reply_limit, asked.now
    )
    return told_events(asked, told, mailbox, request_id=message.request_id)


async def created_event(asked: Asked, message: m.CreatedEvent) -> Answer:
    """R35: with an error in eiResponse nothing was answered; without one every answer counts by itself.

    Interpretation: an answer of optIn with a code that refuses the event contradicts itself. It is
    taken for a refusal: nobody counts on what may not come.
    """
    understood = _is_good(message.response.response_code)
    said_to_events = (message.event_responses or ()) if understood else ()
    if len(said_to_events) > EVENT_RESPONSES_MAX:
        too_many = f"more than {EVENT_RESPONSES_MAX} eventResponses in one message"
        return answered(asked, message, Refusal(code=codes.COMPLIANCE_OTHER, description=too_many))
    answers = [
        Opt(
            event_id=said.event_id,
            version=said.modification_number,
            opt_type=OptType(said.opt_type) if _is_good(said.response_code) else OptType.OUT,
            at=asked.now,
            reason=(said.response_description or "")[:LOG_VALUE_MAX_CHARS],
            code=said.response_code,
        )
        for said in said_to_events
    ]
    faults, mailbox = await opts.answer_events(asked.uow, asked.party.id, asked.mailbox, answers, asked.now)
    notices = [
        Notice(kind="event answered", party_id=asked.party.id, event_id=opt.event_id, detail=opt.opt_type.value)
        for opt, fault in zip(answers, faults, strict=True)
        if fault is None
    ]
    if not understood:
        detail = f"{message.response.response_code} {message.response.response_description or ''}".strip()
        notices.append(Notice(kind="events not understood", party_id=asked.party.id, detail=detail))
        await opts.note_complaint(asked.uow, asked.party.id, detail[:LOG_VALUE_MAX_CHARS], asked.now)
    return answered(asked, message, first(faults), mailbox=mailbox, notices=tuple(notices))


def told_events(asked: Asked, told: delivery.Telling, mailbox: Mailbox | None, *, request_id: str | None) -> Answer:
    """R40, R41: eiResponse is there for a poll too, and the payload's own requestID is never empty.

    ``request_id`` is None where nobody asked: what is pushed answers nothing, and has no eiResponse.
    """
    said = None
    if request_id is not None:
        said = m.EiResponse(response_code=codes.OK, response_description=codes.MEANING[codes.OK], request_id=request_id)
    message = m.DistributeEvent(request_id=asked.desk.new_id(), vtn_id=asked.desk.vtn_id, response=said)
    body, left_out = asked.desk.writer.write(message, told.events, party=asked.party, now=asked.now)
    news = tuple(key for key in told.news if key[0] not in left_out)
    notices = tuple(
        Notice(kind="event sent", party_id=asked.party.id, event_id=event_id, detail=f"version {version}")
        for event_id, version in news
    )
    alarms = tuple(
        Notice(kind="event not written", party_id=asked.party.id, event_id=event_id, detail=reason)
        for event_id, reason in left_out.items()
    )
    return Answer(body=body, mailbox=mailbox, news=news, notices=notices + alarms)


def _is_good(code: str) -> bool:
    return code.startswith("2")
