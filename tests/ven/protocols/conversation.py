"""A 2.0b session of ours in a test, and what one wants to know of it."""

import random
from datetime import datetime, timedelta
from typing import TypeVar

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.market_context import normalised
from openadr_ven.application.report_offers import offers_of
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, SessionSettings
from tests.ven.protocols.scripted_vtn import (
    CONTEXT,
    ScriptedVtn,
    distribute,
    read,
    talk,
)

I = TypeVar("I")  # noqa: E741
SECOND = timedelta(seconds=1)
INTERVAL = timedelta(seconds=2)
NO_REQUEST = m.EiResponse(response_code="200")
OFFERS = offers_of(("fleet", "fleet-battery"), timedelta(days=30))
SETTINGS = SessionSettings(
    ven_name="our-ven",
    poll_interval=INTERVAL,
    enrolment_retry=timedelta(seconds=5),
    enrolled=Enrolled(relief_signs={normalised(CONTEXT): ReliefSign.POSITIVE}),
    offers=OFFERS,
)


def a_session(now: datetime, memory: Memory | None = None) -> Oadr2Session:
    return Oadr2Session(settings=SETTINGS, decode=read, dice=random.Random(1), now=now, memory=memory)


def of(kind: type[I], found: list[i.Indication]) -> list[I]:
    return [one for one in found if isinstance(one, kind)]


def opt_in(event_id: str = "event-1", version: int = 0, *, now: datetime) -> Opt:
    return Opt(event_id=event_id, version=version, opt_type=OptType.IN, at=now)


def deliver(
    session: Oadr2Session, vtn: ScriptedVtn, *events: m.Event, now: datetime, request_id: str = "d1"
) -> list[i.Indication]:
    """One poll that brings these events; what the session indicates."""
    vtn.queue.append(distribute(*events, request_id=request_id))
    talk(session, vtn, now=now)
    return session.indications()


def answers(vtn: ScriptedVtn) -> list[m.EventResponse]:
    return [one for message in vtn.said(m.CreatedEvent) for one in message.event_responses or ()]
