"""A VTN that says no to a poll or to a request for events has not said that the events are over."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.oadr2 import messages as m
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import a_session, deliver, of, opt_in
from tests.ven.protocols.scripted_vtn import VTN_ID, ScriptedVtn, an_event, talk

NO = m.EiResponse(response_code="459", response_description="the message was signed 400 s ago", request_id="q")
REFUSALS: dict[str, m.DistributeEvent | m.Response] = {
    "oadrDistributeEvent": m.DistributeEvent(request_id="q", vtn_id=VTN_ID, response=NO),
    "oadrResponse": m.Response(response=NO),
}


@pytest.mark.openadr20b("R61", "R517")
@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize(
    ("asking", "code"),
    # 452 to a poll says that we must register anew (R500).
    [(m.Poll, "459"), (m.Poll, "469"), (m.RequestEvent, "459"), (m.RequestEvent, "452")],
)
def test_no_event_ends_because_the_vtn_refused(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, asking: type[m.Message], how: str, code: str
) -> None:
    said = replace(NO, response_code=code)
    soon = now + timedelta(seconds=3)
    (received,) = of(i.EventReceived, deliver(registered, vtn, an_event(), now=soon))
    registered.answer(opt_in(now=soon))
    talk(registered, vtn, now=soon)
    # A restart asks for the events again.
    session = a_session(soon, registered.memory)
    vtn.events = (an_event(),)
    if asking is m.Poll:
        talk(session, vtn, now=soon)
    assert not session.indications()
    vtn.script[asking] = lambda: replace(REFUSALS[how], response=said)
    later = now + timedelta(seconds=60)
    talk(session, vtn, now=later)
    found = session.indications()
    (unreachable,) = of(i.VtnUnreachable, found)
    assert f"{code} the message was signed 400 s ago" in unreachable.reason
    assert not of(i.EventCancelled, found)
    assert [known.event.id for known in session.memory.known] == [received.event.id]
    # Refused again, it waits longer, and says once that it is over.
    talk(session, vtn, now=later + timedelta(seconds=60))
    (unreachable,) = of(i.VtnUnreachable, session.indications())
    assert unreachable.failures == 2
    vtn.script.clear()
    talk(session, vtn, now=later + timedelta(seconds=120))
    (reachable,) = of(i.VtnReachable, session.indications())
    assert reachable.failures == 2


def test_the_fleets_operator_reads_why_a_vtn_does_not_register_us(vtn: ScriptedVtn, now: datetime) -> None:
    session = a_session(now)
    vtn.script[m.CreatePartyRegistration] = lambda: m.CreatedPartyRegistration(
        response=NO, vtn_id=VTN_ID, profiles=(m.Profile(profile_name="2.0b", transport_names=("simpleHttp",)),)
    )
    talk(session, vtn, now=now)
    (unreachable,) = of(i.VtnUnreachable, session.indications())
    assert "459 the message was signed 400 s ago" in unreachable.reason
