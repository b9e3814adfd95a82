"""Our 2030.5 client at our server, by one clock: what a utility asks is followed, and answered (1.5, 1.9)."""

from dataclasses import replace
from typing import Any

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.event import SignalKind
from openadr_core.model.opt import OptType
from openadr_core.model.timeline import segments
from openadr_core.sep2.devices import EndDeviceList
from openadr_core.sep2.mrid import pin_of
from openadr_ven.domain import indications as i
from openadr_ven.protocols.sep2 import ManagedDevice, Ratings
from openadr_ven.protocols.sep2.answering import Said
from openadr_vtn.application.handlers import sep2_controls, sep2_groups, sep2_rates
from openadr_vtn.application.sep2_drafts import ControlWish
from tests.pair.sep2.sep2_client import ClientEnd, client_of
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, Sep2Bench, a_lfdi

EXPORT, IMPORT, HOLD = SignalKind.EXPORT_LIMIT, SignalKind.IMPORT_LIMIT, SignalKind.NET_POWER


async def cancel(bench: Sep2Bench, mrid: str, *, randomly: bool = False) -> None:
    await sep2_controls.cancel_control(bench.store, mrid, randomly=randomly, actor=ACTOR, now=bench.now)


async def default(bench: Sep2Bench, group: str, **asks: object) -> None:
    members = {"DERControlBase": asks}
    await sep2_controls.save_default(bench.store, group, members, maker=bench.maker, actor=ACTOR, now=bench.now)


@pytest.mark.ieee2030_5("C1", "M4", "E8")
async def test_it_walks_from_dcap_to_the_controls_and_answers_to_the_end(bench: Sep2Bench, client: ClientEnd) -> None:
    stored = await bench.control("feeder", start=100, lasts=200, opModExpLimW=1500)
    heard = await client.run()
    assert client.asked[:5] == ["GET /dcap", "GET /tm", "GET /edev", "GET /edev/1/fsa", "GET /edev/1/fsa/1/derp"]
    (registered,) = [one for one in heard if isinstance(one, i.Registered)]
    assert (registered.ven_id, registered.registration_id) == (client.peer.lfdi, "/edev/1")
    (received,) = [one for one in heard if isinstance(one, i.EventReceived)]
    assert received.event.id == f"{stored.control.mrid}.opModExpLimW"
    assert received.event.priority == 3
    assert client.asks() == {}
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED]
    await client.until(100)
    assert client.asks() == {EXPORT: 1500.0}
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED]
    await client.until(200)
    assert client.asks() == {}
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


@pytest.mark.ieee2030_5("C4", "L5")
async def test_polls_come_as_often_as_the_server_says_and_change_with_it(bench: Sep2Bench, client: ClientEnd) -> None:
    await client.run()
    client.asked.clear()
    await client.until(600)
    assert client.asked.count("GET /edev/1/fsa/1/derp") == 10
    assert client.asked.count("GET /tm") == 10
    assert "GET /dcap" not in client.asked  # its rate is 900 s
    await sep2_rates.save_rate(bench.store, "DERProgramList", 20, actor=ACTOR, now=bench.now)
    await client.until(60)
    client.asked.clear()
    await client.until(200)
    assert client.asked.count("GET /edev/1/fsa/1/derp") == 10


@pytest.mark.ieee2030_5("E6", "E7", "C10")
async def test_the_lower_primacy_wins_mode_by_mode_and_the_other_resumes(bench: Sep2Bench, client: ClientEnd) -> None:
    long = await bench.control("system", lasts=600, opModExpLimW=5000, opModImpLimW=4000)
    short = await bench.control("feeder", start=120, lasts=120, opModExpLimW=1000)
    await client.run()
    assert client.asks() == {EXPORT: 5000.0, IMPORT: 4000.0}
    await client.until(120)
    assert client.asks() == {EXPORT: 1000.0, IMPORT: 4000.0}
    await client.until(120)
    assert client.asks() == {EXPORT: 5000.0, IMPORT: 4000.0}
    await client.until(400)
    for mrid in (long.control.mrid, short.control.mrid):
        assert await client.responses(mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


@pytest.mark.ieee2030_5("E6", "E8")
async def test_a_later_control_of_the_program_supersedes(bench: Sep2Bench, client: ClientEnd) -> None:
    first = await bench.control("feeder", lasts=600, opModExpLimW=5000)
    await client.run()
    bench.later(1)
    second = await bench.control("feeder", start=99, lasts=100, opModExpLimW=1000)
    await client.until(98)
    assert client.asks() == {EXPORT: 5000.0}
    await client.until(1)
    assert client.asks() == {EXPORT: 1000.0}
    assert await client.responses(first.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.SUPERSEDED]
    await client.until(100)
    assert client.asks() == {}
    assert await client.responses(second.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


@pytest.mark.ieee2030_5("E9", "E10")
async def test_a_default_holds_where_nothing_else_does_also_when_the_server_is_lost(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    await default(bench, "system", opModExpLimW={"multiplier": 0, "value": 2500})
    await bench.control("feeder", start=60, lasts=60, opModExpLimW=0)
    await client.run()
    assert client.asks() == {EXPORT: 2500.0}
    client.is_out_of_reach = True
    heard = await client.until(60)
    assert [type(one) for one in heard if isinstance(one, i.VtnUnreachable)]
    assert client.asks() == {EXPORT: 0.0}
    await client.until(60)
    assert client.asks() == {EXPORT: 2500.0}
    client.is_out_of_reach = False
    heard = await client.until(400)
    assert [type(one) for one in heard if isinstance(one, i.VtnReachable)]


@pytest.mark.ieee2030_5("C11", "E8", "C15")
async def test_what_could_not_be_said_is_said_when_the_server_is_back_also_after_a_restart(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    stored = await bench.control("feeder", start=30, lasts=60)
    await client.run()
    client.is_out_of_reach = True
    await client.until(40)
    client.restart()
    await client.until(80)
    client.is_out_of_reach = False
    await client.until(400)
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


@pytest.mark.ieee2030_5("C15", "E5", "E8")
async def test_a_restart_says_and_draws_nothing_again(bench: Sep2Bench, client: ClientEnd) -> None:
    stored = await bench.control("feeder", start=300, lasts=600, randomize_start_s=-200, randomize_duration_s=300)
    await client.run()
    (known,) = client.session.memory.known
    client.restart()
    assert [type(one) for one in await client.until(60)] == [i.Registered]
    assert client.session.memory.known == (known,)
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED]


@pytest.mark.ieee2030_5("E5")
async def test_start_and_duration_are_randomised_once_and_followed(bench: Sep2Bench, client: ClientEnd) -> None:
    await bench.control("feeder", start=300, lasts=600, randomize_start_s=-200, randomize_duration_s=300)
    (received,) = [one for one in await client.run() if isinstance(one, i.EventReceived)]
    (known,) = client.session.memory.known
    assert 100 <= known.begins - bench.moment <= 300
    assert 600 <= known.planned_end - known.begins <= 900
    assert received.event.starts_at.timestamp() == known.begins
    await client.until(known.begins - bench.moment - 1)
    assert client.asks() == {}
    await client.until(1)
    assert client.asks() == {EXPORT: 5000.0}


@pytest.mark.parametrize("randomly", [False, True])
@pytest.mark.ieee2030_5("E8")
async def test_a_cancelled_control_is_let_go(bench: Sep2Bench, client: ClientEnd, randomly: bool) -> None:
    stored = await bench.control("feeder", lasts=3600, randomize_start_s=-240)
    await client.run()
    await client.until(10)
    assert client.asks() == {EXPORT: 5000.0}
    cancelled_at = bench.moment
    await cancel(bench, stored.control.mrid, randomly=randomly)
    await client.until(60)
    (known,) = client.session.memory.known
    if randomly:
        assert cancelled_at < known.ends <= cancelled_at + 240
        if known.ends > bench.moment:
            assert client.asks() == {EXPORT: 5000.0}
            await client.until(known.ends - bench.moment)
    assert client.asks() == {}
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.CANCELLED]


async def test_one_that_is_cancelled_before_it_begins_never_does(bench: Sep2Bench, client: ClientEnd) -> None:
    stored = await bench.control("feeder", start=200)
    await client.run()
    await cancel(bench, stored.control.mrid)
    await client.until(300)
    assert client.asks() == {}
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.CANCELLED]


async def test_opting_out_is_said_and_what_no_device_can_is_not_applicable(bench: Sep2Bench, client: ClientEnd) -> None:
    client.answer_with = OptType.OUT
    out = await bench.control("feeder", start=30, lasts=60)
    await client.until(100)
    assert await client.responses(out.control.mrid) == [Said.RECEIVED, Said.OPTED_OUT, Said.NO_PARTICIPATION]
    client.code = "469"
    cannot = await bench.control("feeder", start=30, lasts=60)
    vars_only = await bench.control("feeder", start=300, opModFixedVar={"refType": 1, "value": 100})
    await client.until(100)
    assert await client.responses(cannot.control.mrid) == [Said.RECEIVED, Said.NOT_APPLICABLE]
    assert await client.responses(vars_only.control.mrid) == [Said.RECEIVED, Said.NOT_APPLICABLE]


async def test_what_runs_already_has_not_started_before_somebody_has_decided(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    client.answer_with = OptType.OUT
    runs = await bench.control("feeder", lasts=60)
    await client.until(30)
    assert await client.responses(runs.control.mrid) == [Said.RECEIVED, Said.OPTED_OUT]


async def test_a_control_for_other_categories_is_not_answered(bench: Sep2Bench, client: ClientEnd) -> None:
    (device,) = (await bench.client("one").get("/edev?l=1", EndDeviceList)).end_device
    await bench.client("one").ask("PUT", "/edev/1", replace(device, href=None, device_category="020000"))
    theirs = await bench.control("feeder", category="01")
    ours = await bench.control("feeder", category="030000")
    await client.run()
    assert await client.responses(theirs.control.mrid) == []
    assert await client.responses(ours.control.mrid) == [Said.RECEIVED, Said.STARTED]


@pytest.mark.ieee2030_5("C2", "T8")
async def test_another_pin_than_the_one_we_were_told_stops_everything(bench: Sep2Bench, client: ClientEnd) -> None:
    await bench.control("feeder")
    other = client_of(bench, pin=pin_of(22222))
    (refused,) = [one for one in await other.run() if isinstance(one, i.NotEnrolled)]
    assert refused.code == "PIN"
    assert "another PIN" in refused.advice
    assert other.held == {}
    good = client_of(bench, pin=pin_of(11111))
    assert [type(one) for one in await good.run()] == [i.Registered, i.EventReceived, i.ReportRequested]


async def test_who_is_not_there_is_told_whom_to_ask_for_and_tries_again(bench: Sep2Bench) -> None:
    client = client_of(bench)
    (refused,) = [one for one in await client.run() if isinstance(one, i.NotEnrolled)]
    assert client.peer.lfdi in refused.advice
    await bench.device("one", "feeder")
    assert [type(one) for one in await client.until(40)] == [i.Registered, i.ReportRequested]


@pytest.mark.parametrize("address", ["/dcap", "/edev"])
async def test_who_is_not_let_in_is_told_whom_to_ask_for(bench: Sep2Bench, client: ClientEnd, address: str) -> None:
    """Some servers show strangers their DeviceCapability, and some nothing at all."""
    shut = Response(status=403)
    client.change = lambda request, answer: shut if request.path.startswith(address) else answer
    (refused,) = await client.run()
    assert isinstance(refused, i.NotEnrolled)
    assert (refused.code, client.peer.lfdi in refused.advice) == ("403", True)
    client.change = lambda _, answer: answer
    assert [type(one) for one in await client.until(40)] == [i.Registered, i.ReportRequested]


@pytest.mark.ieee2030_5("C6")
async def test_it_registers_itself_where_it_was_told_to(bench: Sep2Bench) -> None:
    client = client_of(bench, registers=True)
    assert [type(one) for one in await client.run()] == [i.Registered, i.ReportRequested]
    assert "POST /edev" in client.asked
    async with bench.store.view() as uow:
        found = await uow.registry.device_by_lfdi(client.peer.lfdi)
    assert found is not None


@pytest.mark.ieee2030_5("C5")
async def test_a_list_of_many_pages_is_read_whole(bench: Sep2Bench, client: ClientEnd) -> None:
    for number in range(60):
        await bench.control("feeder", start=1000 + 20 * number, lasts=10)
    heard = await client.run()
    assert len([one for one in heard if isinstance(one, i.EventReceived)]) == 60
    assert client.asked.count("GET /derp/2/derc") == 2


@pytest.mark.ieee2030_5("C3")
async def test_the_servers_clock_counts_and_not_ours(bench: Sep2Bench, client: ClientEnd) -> None:
    """A server that is an hour ahead: what begins at its noon begins at our eleven."""
    await bench.control("feeder", start=3600 + 100, lasts=600)
    real = bench.server.receive_request

    async def ahead(request: Request) -> Response:
        bench.later(3600)
        answer = await real(request, client.peer, bench.now)
        bench.later(-3600)
        return answer

    for _ in range(50):
        request = client.session.next_request(now=bench.now)
        if request is None:
            break
        client.session.receive_response(await ahead(request), now=bench.now)
        client._heed()
    assert client.session.memory.offset_s == 3600
    (held,) = client.held.values()
    assert held.event.starts_at.timestamp() == bench.moment + 100


async def test_the_modes_mean_what_dispatch_has_words_for(bench: Sep2Bench, client: ClientEnd) -> None:
    await bench.control("feeder", lasts=100, opModTargetW=3000)
    await client.run()
    assert client.asks() == {HOLD: -3000.0}
    await client.until(120)
    await bench.control("feeder", lasts=100, opModFixedW=-5000)
    await client.until(60)
    assert client.asks() == {HOLD: 4000.0}
    await client.until(120)
    await bench.control("feeder", lasts=100, opModMaxLimW=2500)
    await client.until(60)
    assert client.asks() == {EXPORT: 2500.0}
    await client.until(120)
    await bench.control("feeder", lasts=100, opModConnect=False)
    await client.until(60)
    assert client.asks() == {EXPORT: 0.0, IMPORT: 0.0}


@pytest.mark.ieee2030_5("A2", "C10")
async def test_an_aggregator_answers_for_each_device_that_it_manages(bench: Sep2Bench) -> None:
    await bench.device("one")
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    for number in (1, 2):
        await bench.device("one", "feeder", lfdi=a_lfdi(number))
    managed = {a_lfdi(number): ManagedDevice(ratings=Ratings(max_w=1000.0 * number), targets=()) for number in (1, 2)}
    client = client_of(bench, managed=managed)
    stored = await bench.control("feeder", lasts=60, opModMaxLimW=5000)
    heard = await client.until(70)
    events = [one.event for one in heard if isinstance(one, i.EventReceived)]
    assert [one.signals[0].intervals[0].value for one in events] == [500.0, 1000.0]
    assert len({one.id for one in events}) == 2
    assert sorted(await client.responses(stored.control.mrid)) == [1, 1, 2, 2, 3, 3]


async def test_a_list_of_devices_of_many_pages_is_answered_for_device_by_device(bench: Sep2Bench) -> None:
    await bench.device("one")
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    lfdis = [a_lfdi(number) for number in range(60)]
    for place, lfdi in enumerate(lfdis):
        await bench.device("one", "feeder" if place % 2 else "system", lfdi=lfdi)
    client = client_of(bench, managed={lfdi: ManagedDevice(ratings=Ratings(max_w=1e3), targets=()) for lfdi in lfdis})
    whole = await bench.control("system", lasts=600, opModExpLimW=5000)
    half = await bench.control("feeder", lasts=600, opModExpLimW=1000)
    events = [one.event for one in await client.run() if isinstance(one, i.EventReceived)]
    # A device in the feeder never hears the system's: what its better program asks masks it.
    assert len(events) == 60
    assert len({event.market_context for event in events}) == 60
    assert {event.signals[0].intervals[0].value for event in events} == {5000.0, 1000.0}
    assert (
        sorted(await client.responses(whole.control.mrid))
        == [Said.RECEIVED] * 60 + [Said.STARTED] * 30 + [Said.SUPERSEDED] * 30
    )
    assert sorted(await client.responses(half.control.mrid)) == [Said.RECEIVED] * 30 + [Said.STARTED] * 30
    assert client.asked.count("GET /derp/1/derc") == 1
    documents = [one for one in client.asked if one.startswith("PUT") and one.endswith("/dercap")]
    assert len(documents) == 61


async def load_control(bench: Sep2Bench, start: int = 0, **asks: Any) -> str:
    members = {"drProgramMandatory": False, "loadShiftForward": False, **asks}
    wish = ControlWish(kind="EndDeviceControl", members=members, starts_at=bench.moment + start, duration_s=600)
    stored = await sep2_controls.create_control(
        bench.store, "feeder", wish, maker=bench.maker, actor=ACTOR, now=bench.now
    )
    return stored.control.mrid


def loads(client: ClientEnd) -> dict[str, float]:
    """Which share of what they usually draw the loads may draw now, by class."""
    found = {}
    for held in client.held.values():
        event = held.as_acted_on(client.bench.now)
        for segment in () if event is None else segments(event, now=client.bench.now):
            if segment.rules_at(client.bench.now) and segment.signal.kind is SignalKind.BASELINE_SHARE:
                found[segment.signal.device_classes[0]] = segment.value
    return found


async def test_an_end_device_control_is_asked_of_the_loads_that_it_is_for(bench: Sep2Bench, client: ClientEnd) -> None:
    both = await load_control(bench, deviceCategory="09", DutyCycle={"normalValue": 40})
    await client.run()
    assert loads(client) == {"Thermostat": 0.4, "Water_Heater": 0.4}
    bench.later(1)
    one = await load_control(bench, 59, deviceCategory="01", Offset={"loadAdjustmentPercentageOffset": 2500})
    await client.until(60)
    assert loads(client) == {"Thermostat": 0.75, "Water_Heater": 0.4}
    assert await client.responses(both) == [Said.RECEIVED, Said.STARTED]
    await client.until(700)
    assert loads(client) == {}
    assert await client.responses(both) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]
    assert await client.responses(one) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


async def test_what_no_load_of_the_fleet_can_is_not_applicable(bench: Sep2Bench, client: ClientEnd) -> None:
    cooling = await load_control(bench, deviceCategory="01", SetPoint={"coolingSetpoint": 2600})
    cars = await load_control(bench, deviceCategory="010000", DutyCycle={"normalValue": 40})
    await client.run()
    assert loads(client) == {}
    assert await client.responses(cooling) == [Said.RECEIVED, Said.NOT_APPLICABLE]
    assert await client.responses(cars) == [Said.RECEIVED, Said.NOT_APPLICABLE]


@pytest.mark.parametrize(
    "body", [b"", b"<DERProgramList", b'<Time xmlns="urn:ieee:std:2030.5:ns"/>', b"<html><body>busy</body></html>"]
)
async def test_what_cannot_be_read_changes_nothing_and_is_asked_for_again(
    bench: Sep2Bench, client: ClientEnd, body: bytes
) -> None:
    await bench.control("feeder", lasts=3600)
    await client.run()
    client.change = lambda request, answer: (
        replace(answer, body=body) if "/derp" in request.path and request.method == "GET" else answer
    )
    heard = await client.until(300)
    assert 3 <= len([one for one in heard if isinstance(one, i.VtnUnreachable)]) <= 10
    assert client.asks() == {EXPORT: 5000.0}
    client.change = lambda _, answer: answer
    heard = await client.until(400)
    assert [type(one) for one in heard if not isinstance(one, i.VtnUnreachable)] == [i.VtnReachable]
    assert client.asks() == {EXPORT: 5000.0}


@pytest.mark.ieee2030_5("M10")
async def test_it_follows_a_redirect_on_the_server_and_none_to_another(bench: Sep2Bench, client: ClientEnd) -> None:
    moved = Response(status=301, headers={"location": "/csipaus-1.2/dcap"})
    client.change = lambda request, answer: moved if request.path == "/dcap" else answer
    await client.run()
    assert client.asked[:2] == ["GET /dcap", "GET /csipaus-1.2/dcap"]
    elsewhere = Response(status=301, headers={"location": "https://other.example/dcap"})
    client = client_of(bench)
    client.change = lambda _, __: elsewhere
    heard = await client.run()
    assert "leads to another server" in next(one.reason for one in heard if isinstance(one, i.VtnUnreachable))
