"""EiOpt from the VEN: told in order until it is answered, in the form that the rules want, and refusals are told."""

from datetime import datetime, timedelta

import pytest

from openadr_core.exchange import Response
from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_ven.domain import indications as i
from openadr_ven.domain.opts import OptOrder
from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import INTERVAL, of
from tests.ven.protocols.scripted_vtn import VEN_ID, ScriptedVtn, talk

HOUR = timedelta(hours=1)


def a_schedule(now: datetime, number: int = 1) -> OptOrder:
    schedule = OptSchedule(
        id=f"o{number}", opt_type=OptType.OUT, reason="emergency", created_at=now,
        spans=(Span(starts_at=now, duration=None), Span(starts_at=now, duration=HOUR)),
        scope=Scope(
            targets=frozenset({Target(kind=TargetKind.RESOURCE, name="r1")}), device_classes=frozenset({"Storage"}),
            market_context="http://example.org/p",
        ),
    )  # fmt: skip
    return OptOrder(number=number, said_at=now, schedule=schedule)


def a_word(now: datetime, number: int) -> OptOrder:
    word = Qualification(
        id=f"o{number}", event_id="event-1", version=2, opt_type=OptType.IN, reason="x-ours", created_at=now
    )
    return OptOrder(number=number, said_at=now, qualification=word)


@pytest.mark.openadr20b("R200", "R202", "R204", "R206", "R207", "R209", "R210", "R501", "O1", "O2", "O3", "O5", "O8")
def test_each_is_told_once_in_order(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    for order in (a_schedule(now), a_word(now, 2), OptOrder(number=3, said_at=now, cancels="o1")):
        registered.opt(order)
    talk(registered, vtn, now=now)
    schedule, word, cancel = [one for one in vtn.heard if isinstance(one, m.CreateOpt | m.CancelOpt)]
    assert isinstance(schedule, m.CreateOpt)
    assert schedule.availability == (
        m.Available(dtstart=now, duration=timedelta(0)), m.Available(dtstart=now, duration=HOUR),
    )  # fmt: skip
    assert (schedule.event_id, schedule.market_context, schedule.ven_id) == (None, "http://example.org/p", VEN_ID)
    assert schedule.target == m.Target(resource_ids=("r1",), ven_ids=(VEN_ID,))
    assert schedule.device_class == m.Target(end_device_assets=("Storage",))
    assert isinstance(word, m.CreateOpt)
    assert (word.event_id, word.modification_number, word.availability, word.market_context) == (
        "event-1",
        2,
        None,
        None,
    )
    assert (word.target, word.device_class) == (m.Target(ven_ids=(VEN_ID,)), None)
    assert isinstance(cancel, m.CancelOpt)
    assert (cancel.opt_id, cancel.ven_id) == ("o1", VEN_ID)
    assert len({one.request_id for one in (schedule, word, cancel)}) == 3
    told = of(i.OptTold, registered.indications())
    assert [(one.number, one.opt_id, one.code) for one in told] == [
        (1, "o1", "200"),
        (2, "o2", "200"),
        (3, "o1", "200"),
    ]


@pytest.mark.openadr20b("T10")
def test_what_is_not_answered_is_told_again_before_what_follows(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.script[m.CreateOpt] = lambda: None
    registered.opt(a_schedule(now))
    registered.opt(a_word(now, 2))
    for _ in range(3):
        talk(registered, vtn, now=now)
        now += 10 * INTERVAL
    assert {one.opt_id for one in vtn.said(m.CreateOpt)} == {"o1"}
    del vtn.script[m.CreateOpt]
    talk(registered, vtn, now=now)
    assert [one.opt_id for one in vtn.said(m.CreateOpt)][-2:] == ["o1", "o2"]


@pytest.mark.openadr20b("R207", "R208")
@pytest.mark.parametrize("status", [200, 404, 406, 501])
def test_what_is_refused_is_told_to_the_operator_and_not_to_the_vtn_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, status: int
) -> None:
    """A VTN without EiOpt answers 404; one whose program takes none, in the payload."""
    refused = m.EiResponse(response_code="451", response_description="not in this program", request_id="")
    answer = m.CreatedOpt(response=refused, opt_id="o1") if status == 200 else Response(status=status)
    vtn.script[m.CreateOpt] = lambda: answer
    registered.opt(a_schedule(now))
    talk(registered, vtn, now=now)
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.CreateOpt)) == 1
    (told,) = of(i.OptTold, registered.indications())
    assert (told.number, told.code) == (1, "451" if status == 200 else str(status))
    assert vtn.said(m.Poll), "nothing else is held up"


@pytest.mark.openadr20b("R406", "R405", "G6")
def test_a_new_registration_begins_with_nothing_to_tell_and_a_renewed_one_goes_on(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """The agent gives again what must be told again: in its order, not after what is newer."""
    vtn.script[m.CreateOpt] = lambda: None
    registered.opt(a_schedule(now))
    vtn.queue.append(m.RequestReregistration(ven_id=VEN_ID))
    talk(registered, vtn, now=now + INTERVAL)
    now += 10 * INTERVAL
    talk(registered, vtn, now=now)
    now += 10 * INTERVAL
    del vtn.script[m.CreateOpt]
    talk(registered, vtn, now=now)
    assert [one.renewed for one in of(i.Registered, registered.indications())] == [True]
    assert vtn.said(m.CreateOpt)
    vtn.heard.clear()
    vtn.script[m.Poll] = lambda: m.Response(response=m.EiResponse(response_code="463"))
    registered.opt(a_schedule(now, 2))
    vtn.script[m.CreateOpt] = lambda: None
    talk(registered, vtn, now=now)
    del vtn.script[m.CreateOpt]
    now += 10 * INTERVAL
    talk(registered, vtn, now=now)
    vtn.script.clear()
    vtn.heard.clear()
    for _ in range(3):
        now += 10 * INTERVAL
        talk(registered, vtn, now=now)
    assert [one.renewed for one in of(i.Registered, registered.indications())][-1:] == [False]
    assert vtn.said(m.CreateOpt) == []
    registered.opt(a_schedule(now, 2))
    talk(registered, vtn, now=now)
    assert [one.opt_id for one in vtn.said(m.CreateOpt)] == ["o2"]


@pytest.mark.openadr20b("G12")
def test_nothing_is_told_before_we_are_registered(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    vtn.script[m.CreatePartyRegistration] = lambda: None
    session.opt(a_schedule(now))
    talk(session, vtn, now=now)
    assert {type(one) for one in vtn.heard} == {m.CreatePartyRegistration}
