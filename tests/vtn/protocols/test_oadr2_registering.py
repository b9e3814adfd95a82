"""EiRegisterParty at the VTN, beyond a VEN's own wish: operators end, ask, preload; impostors are refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.limits import DELIVERY_RESEND_MAX_S, UNANSWERED_SENDS_MAX
from openadr_core.model.party import Party
from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers import parties, registration
from openadr_vtn.application.handlers.parties import Preconfiguration
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.protocols.oadr2_errands import ANSWERS, WRITERS
from tests.vtn.protocols.speech import OK, WISH, answer, metadata, polled
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import HOUR, a_peer

OPERATOR = "client:chief"


async def stored(bench: Bench, party_id: str = "id-ven-one") -> Party:
    async with bench.store.view() as view:
        found = await view.parties.by_id(party_id)
    assert found is not None
    return found


async def cancel(bench: Bench) -> None:
    await registration.cancel_registration(
        bench.store, "ven-one", actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now
    )


async def told_to_leave(ven: Ven) -> m.CancelPartyRegistration:
    told = await polled(ven)
    assert isinstance(told, m.CancelPartyRegistration)
    return told


def confirmed(told: m.CancelPartyRegistration, code: str = "200") -> m.CanceledPartyRegistration:
    said = m.EiResponse(response_code=code, request_id=told.request_id)
    return m.CanceledPartyRegistration(response=said, registration_id=told.registration_id, ven_id="id-ven-one")


async def poll_code(ven: Ven) -> str:
    told = await polled(ven)
    assert isinstance(told, m.Response)
    return told.response.response_code


# -- a registration that an operator ends ----------------------------------------------


@pytest.mark.openadr20b("R407", "G7", "Q1")
@pytest.mark.parametrize("code", ["200", "452"])
async def test_a_cancelled_party_confirms_and_everything_about_it_is_erased(bench: Bench, code: str) -> None:
    """And before any event that waits; a party that knows no such registration has none either way."""
    ven, party = await bench.add_party()
    assert party.registration is not None
    await ven.say(metadata())
    await bench.write_event()
    await cancel(bench)
    told = await told_to_leave(ven)
    assert (told.registration_id, told.ven_id) == (party.registration.registration_id, party.id)
    assert (await stored(bench)).registration is not None, "it could not be told otherwise"
    said = await ven.ask(confirmed(told, code), m.Response)
    assert said.response.response_code == "200"
    assert (await stored(bench)).registration is None
    async with bench.store.view() as view:
        assert await view.reports.offers(party.id) == []
        assert await view.errands.of_parties([party.id]) == []
        (ended,) = await view.audit.of_subject(party.id, "end registration")
    assert ended.detail == party.registration.registration_id
    assert await poll_code(ven) == "463"
    # T10: said again over a new connection, because our answer was lost.
    assert (await ven.reconnected().ask(confirmed(told, code), m.Response)).response.response_code == "200"
    assert [one.kind for one in bench.notices].count("party unregistered") == 1


@pytest.mark.openadr20b("R401", "G8")
async def test_a_cancelled_party_may_register_again(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await cancel(bench)
    await ven.say(confirmed(await told_to_leave(ven)))
    again = await ven.ask(WISH, m.CreatedPartyRegistration)
    assert again.response.response_code == "200"
    assert isinstance(await polled(ven), m.RegisterReport)


@pytest.mark.openadr20b("R407", "Q3")
async def test_a_party_that_does_not_answer_its_cancel_is_ended_without_it(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await cancel(bench)
    for _ in range(UNANSWERED_SENDS_MAX):
        await told_to_leave(ven)
        bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert await poll_code(ven) == "463"
    assert (await stored(bench)).registration is None
    assert {"errand given up", "party unregistered"} <= {one.kind for one in bench.notices}


@pytest.mark.openadr20b("R406")
async def test_a_party_that_registers_anew_meanwhile_stays(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await cancel(bench)
    told = await told_to_leave(ven)
    await ven.say(WISH)
    await ven.say(confirmed(told))
    assert (await stored(bench)).registration is not None


# -- a registration that is asked for again ----------------------------------------------


@pytest.mark.openadr20b("R405", "G5", "Q1")
async def test_a_party_that_is_asked_registers_again_under_its_id(bench: Bench) -> None:
    ven, party = await bench.add_party()
    assert party.registration is not None
    await ven.say(metadata())
    await registration.request_reregistration(
        bench.store, "ven-one", actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now
    )
    assert await polled(ven) == m.RequestReregistration(ven_id=party.id)
    said = await ven.ask(m.Response(response=OK, ven_id=party.id), m.Response)
    assert said.response.response_code == "200"
    own = party.registration.registration_id
    again = await ven.ask(replace(WISH, registration_id=own, ven_id=party.id), m.CreatedPartyRegistration)
    assert (again.registration_id, again.ven_id) == (own, party.id)
    assert await poll_code(ven) == "200"
    async with bench.store.view() as view:
        assert len(await view.reports.offers(party.id)) == 1


@pytest.mark.openadr20b("R403", "G3", "Q4")
async def test_the_poll_interval_is_the_operators(bench: Bench) -> None:
    """A registered party is asked to register again, and is told then; one that does so by itself is not asked."""
    ven, party = await bench.add_party()
    assert party.registration is not None
    for seconds in (30, 60):
        await parties.change_poll_interval(
            bench.store, "ven-one", timedelta(seconds=seconds), actor=OPERATOR, new_id=bench.vtn.desk.new_id,
            now=bench.now,
        )  # fmt: skip
    wish = replace(WISH, registration_id=party.registration.registration_id, ven_id=party.id)
    again = await ven.ask(wish, m.CreatedPartyRegistration)
    assert again.requested_poll_freq == timedelta(seconds=60)
    assert await poll_code(ven) == "200"
    asked = await ven.ask(m.QueryRegistration(request_id="q"), m.CreatedPartyRegistration)
    assert asked.requested_poll_freq == timedelta(seconds=60)


# -- a party that is known before it connects ---------------------------------------------


async def preconfigure(bench: Bench, *, registration_id: str | None = None) -> None:
    known = Preconfiguration(
        peer=a_peer("acme"),
        name="acme",
        targets=("zone-a",),
        poll_interval=timedelta(seconds=10),
        party_id="ACME_1",
        registration_id=registration_id,
    )
    await parties.preconfigure_party(bench.store, known, actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now)


@pytest.mark.openadr20b("R402", "G2", "G13")
async def test_a_preconfigured_party_registers_under_its_own_ven_id_and_no_other(bench: Bench) -> None:
    event = await bench.write_event()
    await preconfigure(bench)
    ven = bench.ven(a_peer("acme"))
    for wrong in ("acme_1", "ACME_2"):
        refused = await ven.ask(replace(WISH, ven_id=wrong), m.CreatedPartyRegistration)
        assert (refused.response.response_code, refused.ven_id) == ("452", None)
    created = await ven.ask(replace(WISH, ven_id="ACME_1"), m.CreatedPartyRegistration)
    assert (created.response.response_code, created.ven_id) == ("200", "ACME_1")
    told = await ven.ask(m.RequestEvent(request_id="q", ven_id="ACME_1"), m.DistributeEvent)
    assert [one.descriptor.event_id for one in told.events] == [event.id]


@pytest.mark.openadr20b("R405", "G13", "R301")
async def test_a_registration_out_of_band_needs_no_word_on_the_wire(bench: Bench) -> None:
    await preconfigure(bench, registration_id="agreed-on-paper")
    ven = bench.ven(a_peer("acme"))
    assert isinstance(await ven.say(m.Poll(ven_id="ACME_1")), m.RegisterReport)
    asked = await ven.ask(m.QueryRegistration(request_id="q"), m.CreatedPartyRegistration)
    assert (asked.registration_id, asked.ven_id) == ("agreed-on-paper", "ACME_1")


# -- a party for reports alone -------------------------------------------------------------


@pytest.mark.openadr20b("R510")
async def test_a_party_for_reports_alone_is_told_of_no_event_and_of_all_once_it_does_more(bench: Bench) -> None:
    """7.2.2; also of none that it was owed before it changed its registration."""
    ven, party = await bench.add_party()
    assert party.registration is not None
    await bench.write_event()
    wish = replace(WISH, registration_id=party.registration.registration_id, ven_id=party.id)
    await ven.say(replace(wish, report_only=True))
    assert await poll_code(ven) == "200"
    event = await bench.write_event(event_id="another")
    assert await poll_code(ven) == "200"
    listed = await ven.ask(m.RequestEvent(request_id="q", ven_id=party.id), m.DistributeEvent)
    assert listed.events == ()
    await ven.say(wish)
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    assert event.id in {one.descriptor.event_id for one in told.events}
    await ven.say(answer(told))
    bench.pass_time(HOUR.total_seconds())


# -- who claims to be another --------------------------------------------------------------


@pytest.mark.openadr20b("R517", "G10", "G11", "S6")
@pytest.mark.parametrize("enrolled", [True, False], ids=["another party", "a stranger"])
@pytest.mark.parametrize("claim", ["venID", "registrationID", "name", "cancel"])
async def test_a_registration_is_not_for_another_certificate_to_take(
    bench: Bench, claim: str, *, enrolled: bool
) -> None:
    """Security T10: refused, nothing changed, an alarm."""
    _, victim = await bench.add_party()
    assert victim.registration is not None
    thief = (await bench.add_party("thief"))[0] if enrolled else bench.ven(a_peer("thief"))
    messages: dict[str, m.Message] = {
        "venID": replace(WISH, ven_id=victim.id),
        "registrationID": replace(WISH, registration_id=victim.registration.registration_id),
        "name": replace(WISH, ven_name=victim.name),
        "cancel": m.CancelPartyRegistration(
            request_id="q", registration_id=victim.registration.registration_id, ven_id="id-thief"
        ),
    }
    said = await thief.say(messages[claim])
    assert isinstance(said, m.CreatedPartyRegistration | m.CanceledPartyRegistration)
    assert (said.response.response_code, said.ven_id) == ("463", None)
    assert await stored(bench) == victim
    (alarm,) = [one for one in bench.notices if one.kind == "identity claimed"]
    assert victim.id in alarm.detail
    assert a_peer("thief").fingerprint_20b in alarm.detail


@pytest.mark.openadr20b("R517", "G10")
async def test_what_a_stranger_calls_itself_locks_nobody_out(bench: Bench) -> None:
    await bench.ven(a_peer("wanted-name")).say(m.Poll(ven_id="x"))
    ven, _ = await bench.add_party()
    said = await ven.ask(replace(WISH, ven_name="wanted-name"), m.CreatedPartyRegistration)
    assert said.response.response_code == "200"
    said = await ven.ask(replace(WISH, ven_name="ven-one"), m.CreatedPartyRegistration)
    assert said.response.response_code == "200"


async def test_errands_of_a_registration_are_of_kinds_that_can_be_written(bench: Bench) -> None:
    """Every kind has a writer, and a payload that answers it."""
    assert set(WRITERS) == set(ErrandKind) == set(ANSWERS.values())
