"""The acceptance scenarios of registration (1.14), our VTN against our VEN, with no socket between them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.model.party import Party
from openadr_ven.domain import indications as i
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory
from openadr_vtn.application.handlers import parties, registration
from openadr_vtn.application.handlers.parties import Preconfiguration
from tests.pair.test_oadr2_pair import Pair, a_pair, enrolled_pair
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import a_peer

OPERATOR = "client:chief"


async def the_party(bench: Bench) -> Party:
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
    return party


def registrations(pair: Pair) -> list[bool]:
    """Whether each was a renewed one."""
    return [one.renewed for one in pair.of(i.Registered) if isinstance(one, i.Registered)]


@pytest.mark.openadr20b("R401", "R402", "R403", "R405", "G2", "G3", "G9", "Q4")
async def test_new(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    party = await the_party(bench)
    assert party.registration is not None
    memory = pair.session.memory
    assert (memory.registration_id, memory.ven_id) == (party.registration.registration_id, party.id)
    assert memory.poll_freq == party.poll_interval
    assert registrations(pair) == [False]
    async with bench.store.view() as view:
        assert await view.errands.of_parties([party.id]) == [], "our reports were told, and acknowledged"


@pytest.mark.openadr20b("R405", "R403", "G5", "Q1")
async def test_re_register_as_the_vtn_asks(bench: Bench) -> None:
    """Here for another poll interval, which is told with it; the ids stay."""
    pair = await enrolled_pair(bench)
    before = pair.session.memory
    await parties.change_poll_interval(
        bench.store, before.ven_id, timedelta(seconds=4), actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now
    )
    await pair.run(25)
    after = pair.session.memory
    assert (after.registration_id, after.ven_id, after.poll_freq) == (
        before.registration_id, before.ven_id, timedelta(seconds=4),
    )  # fmt: skip
    assert registrations(pair) == [False, True]
    async with bench.store.view() as view:
        assert await view.errands.of_parties([before.ven_id]) == []
        assert len(await view.reports.offers(before.ven_id)) == 1


@pytest.mark.openadr20b("R405", "G5")
async def test_re_register_as_the_ven_has_changed(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    before = from_record(Memory, pair.session.record())
    pair.settings = replace(pair.settings, report_only=True)
    pair.start_ven(before)
    await pair.run(5)
    party = await the_party(bench)
    assert party.registration is not None
    assert (party.registration.registration_id, party.registration.report_only) == (before.registration_id, True)
    await bench.write_event()
    await pair.run(15)
    assert pair.of(i.EventReceived) == []


@pytest.mark.openadr20b("R407", "G7")
async def test_cancel_from_the_ven(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    pair.session.unregister()
    await pair.exchange(loses="answer")
    await pair.run(10)
    assert (await the_party(bench)).registration is None
    assert not pair.session.memory.registered
    assert isinstance(pair.indicated[-1], i.RegistrationLost)
    pair.session.register(now=bench.now)
    await pair.run(5)
    assert (await the_party(bench)).registration is not None


@pytest.mark.openadr20b("R401", "R407", "G7", "G8", "Q1")
@pytest.mark.parametrize("loses", ["", "request", "answer"])
async def test_cancel_from_the_vtn(bench: Bench, loses: str) -> None:
    """The VEN confirms, erases, and comes back after its interval; whatever is lost on the way."""
    pair = await enrolled_pair(bench)
    party = await the_party(bench)
    await registration.cancel_registration(
        bench.store, party.id, actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now
    )
    for _ in range(60):
        if not pair.session.memory.registered:
            break
        await pair.exchange()
        bench.pass_time(0.5)
    if loses:
        await pair.exchange(loses=loses)
    await pair.run(3)
    async with bench.store.view() as view:
        assert [entry.detail for entry in await view.audit.of_subject(party.id, "end registration")]
    await pair.run(30)
    assert registrations(pair) == [False, False]
    again = (await the_party(bench)).registration
    assert again is not None
    assert pair.session.memory.registration_id == again.registration_id


@pytest.mark.openadr20b("R406", "G6")
async def test_a_forced_new_registration(bench: Bench) -> None:
    """The VEN has lost its memory: it names no ids, and both begin anew under the same certificate."""
    pair = await enrolled_pair(bench)
    event = await bench.write_event()
    await pair.run(11)
    pair.start_ven()
    pair.indicated.clear()
    await pair.run(12)
    party = await the_party(bench)
    assert party.registration is not None
    assert pair.session.memory.registration_id == party.registration.registration_id
    assert [one.event.id for one in pair.of(i.EventReceived) if isinstance(one, i.EventReceived)] == [event.id]
    assert pair.of(i.ReportRequested)


@pytest.mark.openadr20b("R402", "R405", "G2", "G4", "G13")
@pytest.mark.parametrize("on_paper", [False, True], ids=["registers itself", "registered on paper"])
async def test_a_preconfigured_ven_id(bench: Bench, *, on_paper: bool) -> None:
    registration_id = "paper-7" if on_paper else None
    known = Preconfiguration(
        peer=a_peer(), name="acme", targets=("zone-a",), poll_interval=timedelta(seconds=2), party_id="ACME_1",
        registration_id=registration_id,
    )  # fmt: skip
    await parties.preconfigure_party(bench.store, known, actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now)
    event = await bench.write_event()
    pair = a_pair(bench)
    pair.settings = replace(pair.settings, ven_id="ACME_1", registration_id=registration_id or "", ven_name="acme")
    pair.start_ven()
    await pair.run(12)
    assert pair.session.memory.ven_id == "ACME_1"
    assert len(pair.of(i.Registered)) == (not on_paper)
    assert [one.event.id for one in pair.of(i.EventReceived) if isinstance(one, i.EventReceived)] == [event.id]
    assert not pair.of(i.VtnRefused, i.EventRefused, i.RegistrationLost)


@pytest.mark.openadr20b("R400", "R512", "R517", "E7", "G10")
async def test_a_ven_id_of_inverted_case_is_refused_until_it_is_right(bench: Bench) -> None:
    known = Preconfiguration(
        peer=a_peer(), name="acme", targets=(), poll_interval=timedelta(seconds=2), party_id="ACME_1"
    )
    await parties.preconfigure_party(bench.store, known, actor=OPERATOR, new_id=bench.vtn.desk.new_id, now=bench.now)
    pair = a_pair(bench)
    pair.settings = replace(pair.settings, ven_id="acme_1", ven_name="acme")
    pair.start_ven()
    await pair.run(20)
    assert not pair.of(i.Registered)
    reasons = [one.reason for one in pair.of(i.VtnUnreachable) if isinstance(one, i.VtnUnreachable)]
    assert any("452" in reason for reason in reasons), "and its operator reads why"
    assert pair.session.next_wakeup() is not None, "it goes on trying"
