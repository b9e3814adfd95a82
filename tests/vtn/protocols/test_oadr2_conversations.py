"""Registration, events, answers and reports as a VEN lives them, and what is left in the store afterwards."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from openadr_core.limits import DELIVERY_RESEND_MAX_S, EVENT_RESPONSES_MAX, UNANSWERED_SENDS_MAX
from openadr_core.model.event import Signal, SignalInterval, SignalKind
from openadr_core.model.opt import OptType
from openadr_core.model.target import by_name
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.adapters.sql.store import open_store
from openadr_vtn.domain.enrolment import refused
from tests.vtn.protocols.speech import WISH, answer, metadata, polled
from tests.vtn.protocols.vtn_bench import VTN_ID, Bench
from tests.vtn.samples import HOUR

SECOND = timedelta(seconds=1)


# -- registration --------------------------------------------------------------------


@pytest.mark.openadr20b(
    "R404",
    "R403",
    "R301",
    "R305",
    "R309",
    "R40",
    "R41",
    "R500",
    "R508",
    "R303",
    "G1",
    "G3",
    "G9",
    "V14",
    "Q1",
    "E6",
    "E10",
    "T14",
    "R-2",
)
async def test_the_start_that_the_harness_wants(bench: Bench) -> None:
    """1.6: query, create, reports both ways, events, polls; and nothing before its time."""
    ven, party = await bench.add_party(registered=False)
    event = await bench.write_event()
    asked = await ven.ask(m.QueryRegistration(request_id="q0"), m.CreatedPartyRegistration)
    assert (asked.registration_id, asked.ven_id, asked.vtn_id) == (None, None, VTN_ID)
    created = await ven.ask(WISH, m.CreatedPartyRegistration)
    assert (created.response.request_id, created.ven_id, created.requested_poll_freq) == ("q1", party.id, 10 * SECOND)
    assert created.registration_id
    registered = await ven.ask(m.RegisterReport(request_id="q2", ven_id=party.id), m.RegisteredReport)
    assert registered.report_requests == ()
    told = await ven.ask(m.RequestEvent(request_id="q3", ven_id=party.id), m.DistributeEvent)
    assert [one.descriptor.event_id for one in told.events] == [event.id]
    own = await polled(ven)
    assert isinstance(own, m.RegisterReport)
    assert (own.reports, own.ven_id) == ((), party.id)
    said = m.RegisteredReport(response=m.EiResponse(response_code="200", request_id=own.request_id), ven_id=party.id)
    assert (await ven.ask(said, m.Response)).response.request_id == own.request_id
    await ven.say(answer(told))
    idle = await polled(ven)
    assert isinstance(idle, m.Response)
    assert (idle.response.response_code, idle.ven_id) == ("200", party.id)


@pytest.mark.openadr20b("R309", "Q3")
async def test_our_reports_are_told_again_to_a_party_that_does_not_answer_and_not_for_ever(bench: Bench) -> None:
    ven, _ = await bench.add_party(registered=False)
    await ven.say(WISH)
    heard = []
    for _ in range(UNANSWERED_SENDS_MAX + 3):
        heard.append(type(await polled(ven)))
        assert isinstance(await polled(ven), m.Response)
        bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert heard == [m.RegisterReport] * UNANSWERED_SENDS_MAX + [m.Response] * 3


@pytest.mark.openadr20b("R406", "R306", "G6", "T10", "R-1")
async def test_registering_again_gets_the_same_ids_and_erases_what_was_told(bench: Bench) -> None:
    """R406, and T10: a retry whose first answer was lost is answered the same."""
    ven, party = await bench.add_party(registered=False)
    first = await ven.ask(WISH, m.CreatedPartyRegistration)
    await ven.say(metadata())
    second = await ven.ask(WISH, m.CreatedPartyRegistration)
    assert first == second
    async with bench.store.view() as view:
        assert await view.reports.offers(party.id) == []
        assert [entry.action for entry in await view.audit.newest(9)] == ["register party"]


@pytest.mark.openadr20b("R405", "G5")
async def test_a_registration_is_changed_under_its_id_and_keeps_its_reports(bench: Bench) -> None:
    ven, party = await bench.add_party(registered=False)
    first = await ven.ask(WISH, m.CreatedPartyRegistration)
    await ven.say(metadata())
    changed = replace(WISH, registration_id=first.registration_id, ven_id=party.id, report_only=True)
    assert (await ven.ask(changed, m.CreatedPartyRegistration)).registration_id == first.registration_id
    async with bench.store.view() as view:
        assert len(await view.reports.offers(party.id)) == 1
        stored = await view.parties.by_id(party.id)
    assert stored is not None
    assert stored.registration is not None
    assert stored.registration.report_only


@pytest.mark.openadr20b("R400", "R517", "G10")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"registration_id": "wrong"}, "452"),
        ({"profile_name": "2.0a"}, "469"),
        ({"transport_name": "xmpp"}, "469"),
        ({"http_pull_model": False, "transport_address": "http://ven.example"}, "454"),
    ],
)
async def test_a_registration_that_cannot_be_is_refused_in_its_own_payload(
    bench: Bench, change: dict[str, object], code: str
) -> None:
    ven, party = await bench.add_party(registered=False)
    refused = await ven.ask(replace(WISH, **change), m.CreatedPartyRegistration)  # type: ignore[arg-type]
    assert (refused.response.response_code, refused.registration_id, refused.ven_id) == (code, None, None)
    async with bench.store.view() as view:
        assert await view.parties.by_id(party.id) == party


@pytest.mark.openadr20b("R517", "G10")
async def test_a_party_refused_by_another_process_cannot_register(bench: Bench, tmp_path: Path) -> None:
    """This process has its standing in memory, and finds out in the transaction."""
    ven, party = await bench.add_party()
    await polled(ven)
    elsewhere = await open_store(f"sqlite:///{tmp_path / 'vtn.db'}")
    async with elsewhere.unit_of_work() as uow:
        await uow.parties.save(refused(party))
    await elsewhere.close()
    said = await ven.ask(WISH, m.CreatedPartyRegistration)
    assert (said.response.response_code, said.registration_id, said.ven_id) == ("463", None, None)


@pytest.mark.openadr20b("R407", "R400", "R517", "G7", "G10", "T10")
async def test_a_cancelled_registration_is_gone(bench: Bench) -> None:
    ven, party = await bench.add_party()
    assert party.registration is not None
    own = party.registration.registration_id
    cancel = m.CancelPartyRegistration(request_id="q", registration_id="wrong", ven_id=party.id)
    assert (await ven.ask(cancel, m.CanceledPartyRegistration)).response.response_code == "452"
    done = await ven.ask(replace(cancel, registration_id=own), m.CanceledPartyRegistration)
    assert (done.response.response_code, done.registration_id, done.ven_id) == ("200", own, party.id)
    # T10: said again over a new connection, because the answer was lost.
    again = await ven.reconnected().ask(replace(cancel, registration_id=own), m.CanceledPartyRegistration)
    assert again == done
    assert (await ven.ask(cancel, m.CanceledPartyRegistration)).response.response_code == "463"
    async with bench.store.view() as view:
        assert len(await view.audit.of_subject(party.id, "unregister party")) == 1
    refused = await polled(ven)
    assert isinstance(refused, m.Response)
    assert refused.response.response_code == "463"


# -- events --------------------------------------------------------------------------


@pytest.mark.openadr20b("R4", "R16", "R40", "R41", "R63", "R70", "R502", "V1", "V14", "V17", "V18", "V19")
async def test_an_event_is_told_once_answered_and_told_no_more(bench: Bench) -> None:
    ven, party = await bench.add_party()
    assert isinstance(await polled(ven), m.Response)
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert told.response is not None
    assert (told.vtn_id, told.response.response_code, bool(told.request_id)) == (VTN_ID, "200", True)
    (one,) = told.events
    assert (one.descriptor.event_id, one.descriptor.modification_number, one.target.ven_ids) == (
        event.id,
        0,
        (party.id,),
    )
    assert [interval.value for interval in one.signals[0].intervals] == [5000.0, 2500.0]
    assert (await bench.row_of(event)).fetched_at is None
    assert isinstance(await polled(ven), m.Response), "it may still be on its way to answer"
    assert (await bench.row_of(event)).fetched_at == bench.now
    assert (await ven.ask(answer(told), m.Response)).response.response_code == "200"
    bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert isinstance(await polled(ven), m.Response)
    async with bench.store.view() as view:
        assert (await view.opts.latest(event.id))[party.id].opt_type is OptType.IN
    assert (await bench.row_of(event)).answered_at is not None


@pytest.mark.openadr20b("T10", "V17")
async def test_a_lost_answer_loses_no_event(bench: Bench) -> None:
    """F9: the poll's answer never arrived, so its connection is gone; the next one gets it again."""
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    await polled(ven)
    ven = ven.reconnected()
    assert isinstance(await polled(ven), m.Response)
    assert (await bench.row_of(event)).fetched_at is None
    bench.pass_time(2)
    assert isinstance(await polled(ven.reconnected()), m.DistributeEvent)
    assert (await bench.row_of(event)).attempts == 2


@pytest.mark.openadr20b("V10")
async def test_a_restarted_vtn_owes_what_the_old_one_owed(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    bench.restart()
    assert isinstance(await polled(ven.reconnected()), m.Response)
    bench.pass_time(2)
    again = await polled(ven.reconnected())
    assert isinstance(again, m.DistributeEvent)
    assert again.events == told.events


async def test_an_event_that_wants_no_answer_is_told_until_it_was_read(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    event = await bench.write_event(response_required=False)
    assert isinstance(await polled(ven), m.DistributeEvent)
    assert isinstance(await polled(ven), m.Response)
    bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert isinstance(await polled(ven), m.Response)
    row = await bench.row_of(event)
    assert (row.attempts, row.answered_at, row.fetched_at is None) == (1, None, False)


@pytest.mark.openadr20b("R5", "R10", "R20", "R50", "R52", "R115", "R502", "V1", "V2", "V10", "V11", "V16", "V17")
async def test_a_change_and_a_cancel_are_told_with_all_else_and_answered(bench: Bench) -> None:
    """V1, V10, V16, V17: one number more each; the payload is whole; one createdDateTime, renewed."""
    ven, _ = await bench.add_party()
    first, second = await bench.write_event(event_id="a"), await bench.write_event(event_id="b")
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    await ven.say(answer(told))
    bench.pass_time(10)
    await bench.revise_event(first, replace(first, comment="more"))
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    numbers = {one.descriptor.event_id: one.descriptor.modification_number for one in told.events}
    assert numbers == {"a": 1, "b": 0}
    assert {one.descriptor.created_date_time for one in told.events} == {bench.now}
    await ven.say(answer(told))
    await bench.cancel_event(second)
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert {one.descriptor.event_id: one.descriptor.event_status for one in told.events} == {
        "a": "active",
        "b": "cancelled",
    }
    await ven.say(answer(told))
    told = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
    assert [one.descriptor.event_id for one in told.events] == ["a"]


@pytest.mark.openadr20b("R13", "R115", "R502", "R41", "V3", "V15", "V17")
async def test_a_change_of_status_is_no_news_but_is_told_when_asked(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event(starts_at=bench.now + HOUR, ramp_up=HOUR / 2)
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    await ven.say(answer(told))
    seen = [told.events[0].descriptor.event_status]
    for _ in range(2):
        bench.pass_time(HOUR.total_seconds() / 2)
        assert isinstance(await polled(ven), m.Response)
        told = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
        seen.append(told.events[0].descriptor.event_status)
    assert seen == ["far", "near", "active"]
    bench.pass_time(HOUR.total_seconds())
    told = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
    assert told.events == ()
    assert told.response is not None
    assert told.response.request_id == "q"


@pytest.mark.openadr20b("R27", "R15", "R3", "V12", "V13")
async def test_a_reply_limit_takes_from_the_top(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    for number in range(3):
        await bench.write_event(event_id=f"e{number}", priority=3 - number)
    told = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one", reply_limit=2), m.DistributeEvent)
    assert [one.descriptor.event_id for one in told.events] == ["e2", "e1"]
    assert isinstance(await polled(ven), m.DistributeEvent), "what was cut off is still owed"


@pytest.mark.openadr20b("R21", "R48", "V20", "E9")
async def test_an_event_for_others_is_unknown_to_this_party(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    other, _ = await bench.add_party("ven-two")
    await bench.write_event(targets=by_name("ven-two"))
    assert isinstance(await polled(ven), m.Response)
    told = await other.say(m.Poll(ven_id="id-ven-two"))
    assert isinstance(told, m.DistributeEvent)
    assert (await ven.ask(answer(told), m.Response)).response.response_code == "452"
    async with bench.store.view() as view:
        assert await view.opts.history("event-1") == []


@pytest.mark.openadr20b("R25", "R48", "V20")
async def test_answers_are_judged_one_by_one(bench: Bench) -> None:
    """V20: unknown 452, wrong version 450, and what is right counts all the same."""
    ven, party = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    good = answer(told)
    assert good.event_responses is not None
    (one,) = good.event_responses
    strange, future = replace(one, event_id="nothing"), replace(one, modification_number=4)
    mixed = replace(good, event_responses=(one, strange))
    assert (await ven.ask(mixed, m.Response)).response.response_code == "452"
    assert (await ven.ask(replace(good, event_responses=(future,)), m.Response)).response.response_code == "450"
    async with bench.store.view() as view:
        assert [opt.version for _, opt in await view.opts.history(event.id)] == [0]
    revision = await bench.revise_event(event, replace(event, comment="x"))
    late = replace(good, event_responses=(replace(one, opt_type="optOut", response_description="tired"),))
    assert (await ven.ask(late, m.Response)).response.response_code == "450"
    assert (await bench.row_of(revision, 1)).answered_at is None
    async with bench.store.view() as view:
        assert [opt.reason for _, opt in await view.opts.history(event.id)] == ["", "tired"]
        assert (await view.opts.latest(event.id))[party.id].version == 0


@pytest.mark.openadr20b("R16", "R17", "V19", "T10")
async def test_the_same_answer_twice_is_one_and_another_is_kept(bench: Bench) -> None:
    ven, party = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    for opt_type in ("optIn", "optIn", "optOut", "optOut", "optIn"):
        bench.pass_time(1)
        assert (await ven.ask(answer(told, opt_type), m.Response)).response.response_code == "200"
    async with bench.store.view() as view:
        assert [opt.opt_type.value for _, opt in await view.opts.history(event.id)] == ["optIn", "optOut", "optIn"]
        assert (await view.opts.latest(event.id))[party.id].opt_type is OptType.IN


async def test_of_many_answers_in_one_message_the_last_is_kept(bench: Bench) -> None:
    """A party that contradicts itself holds the store for no longer than one that does not."""
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    (yes,), (no,) = answer(told).event_responses or (), answer(told, "optOut").event_responses or ()
    many = replace(answer(told), event_responses=(yes, no) * (EVENT_RESPONSES_MAX // 2))
    assert (await ven.ask(many, m.Response)).response.response_code == "200"
    async with bench.store.view() as view:
        assert [opt.opt_type for _, opt in await view.opts.history(event.id)] == [OptType.OUT]


async def test_more_answers_than_anybody_has_are_459(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    (yes,) = answer(told).event_responses or ()
    many = replace(answer(told), event_responses=(yes,) * (EVENT_RESPONSES_MAX + 1))
    assert (await ven.ask(many, m.Response)).response.response_code == "459"
    assert (await bench.row_of(event)).answered_at is None


@pytest.mark.openadr20b("R25", "V20")
async def test_an_opt_in_with_a_code_that_refuses_is_a_refusal(bench: Bench) -> None:
    ven, party = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    (yes,) = answer(told).event_responses or ()
    refusal = replace(yes, response_code="460", response_description="no such signal")
    said = await ven.ask(replace(answer(told), event_responses=(refusal,)), m.Response)
    assert said.response.response_code == "200"
    async with bench.store.view() as view:
        opt = (await view.opts.latest(event.id))[party.id]
    assert (opt.opt_type, opt.code, opt.reason) == (OptType.OUT, "460", "no such signal")


@pytest.mark.openadr20b("R25", "R35", "V20")
async def test_under_an_error_no_answer_counts(bench: Bench) -> None:
    """R35: the message as a whole was not understood, whatever it says to its events."""
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    said = replace(answer(told), response=m.EiResponse(response_code="452", request_id="r"))
    assert (await ven.ask(said, m.Response)).response.response_code == "200"
    assert (await bench.row_of(event)).answered_at is None


@pytest.mark.openadr20b("R25", "R35", "V20")
@pytest.mark.parametrize("event_responses", [None, ()])
async def test_an_answer_that_is_an_error_answers_nothing(
    bench: Bench, event_responses: tuple[m.EventResponse, ...] | None
) -> None:
    """V20, R35: legal without eventResponses; the events stay owed."""
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    await polled(ven)
    error = m.EiResponse(response_code="452", response_description="vtnID", request_id="r")
    said = m.CreatedEvent(response=error, ven_id="id-ven-one", event_responses=event_responses)
    assert (await ven.ask(said, m.Response)).response.response_code == "200"
    assert (await bench.row_of(event)).answered_at is None
    assert "events not understood" in {notice.kind for notice in bench.notices}


@pytest.mark.openadr20b("R47", "R50", "V4", "V10")
async def test_a_party_approved_late_gets_the_running_event(bench: Bench) -> None:
    event = await bench.write_event(duration=None, signals=open_ended())
    bench.pass_time(60)
    ven, _ = await bench.add_party()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert told.events[0].descriptor.event_id == event.id
    assert told.events[0].active_period.duration == timedelta(0)


def open_ended() -> tuple[Signal, ...]:
    return (Signal(id="s", kind=SignalKind.LEVEL, intervals=(SignalInterval(duration=None, value=1.0),)),)


@pytest.mark.openadr20b("R63", "R70", "V18", "E8")
async def test_one_fragment_serves_all_parties_and_names_each(bench: Bench) -> None:
    parties = [await bench.add_party(name) for name in ("ven-one", "ven-two")]
    await bench.write_event()
    for ven, party in parties:
        told = await ven.say(m.Poll(ven_id=party.id))
        assert isinstance(told, m.DistributeEvent)
        assert told.events[0].target.ven_ids == (party.id,)
    assert len(bench.vtn.desk.writer._fragments) == 1


# -- polls from memory ---------------------------------------------------------------


async def test_an_idle_poll_asks_no_database(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ven, _ = await bench.add_party()
    first = await polled(ven)
    monkeypatch.setattr(bench.vtn, "store", None)
    assert await polled(ven) == first
    assert ven.connection.quiet_answer(b"<other/>", "", bench.now) is None
    assert bench.vtn.polls == 2
    await bench.vtn.directory.write_last_seen()
    async with bench.store.view() as view:
        assert await view.parties.last_seen() == {"id-ven-one": bench.now}


async def test_a_poll_from_memory_ends_with_the_standing_it_was_judged_by(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    body = encode(m.Poll(ven_id="id-ven-one"))
    await polled(ven)
    assert ven.connection.quiet_answer(body, "", bench.now) is not None
    event = await bench.write_event()
    assert ven.connection.quiet_answer(body, "", bench.now) is None
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert ven.connection.quiet_answer(body, "", bench.now) is None
    assert isinstance(await polled(ven), m.Response)
    assert ven.connection.quiet_answer(body, "", bench.now) is not None
    bench.pass_time(2)
    assert ven.connection.quiet_answer(body, "", bench.now) is None, f"{event.id} must be said again"


@pytest.mark.openadr20b("V10")
async def test_an_event_that_cannot_be_written_keeps_no_other_from_the_party(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    bad = await bench.write_event(event_id="event-0", comment="\x07")
    good = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert [one.descriptor.event_id for one in told.events] == [good.id]
    assert ("event not written", bad.id) in {(notice.kind, notice.event_id) for notice in bench.notices}
    await polled(ven)
    assert ((await bench.row_of(bad)).fetched_at, (await bench.row_of(good)).fetched_at) == (None, bench.now)
