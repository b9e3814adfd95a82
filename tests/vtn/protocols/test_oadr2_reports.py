"""Reports as a VEN offers, confirms and sends them, and what is left in the store afterwards."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.report import Measurand, Quality, Reading
from openadr_core.oadr2 import messages as m
from tests.vtn.protocols.speech import OK, data, metadata, polled, registered_reports
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import HOUR

SECOND = timedelta(seconds=1)


@pytest.mark.openadr20b(
    "R317",
    "R321",
    "R322",
    "R324",
    "R325",
    "R329",
    "R338",
    "R341",
    "R344",
    "R304",
    "R-8",
    "R-10",
    "R-12",
    "R-13",
    "R-16",
)
async def test_what_a_party_offers_is_asked_for_at_once(bench: Bench) -> None:
    """R344, R317, R321, R324: piggy-backed, periodic, for ever, all rIDs, without unit or reading type."""
    ven, party = await bench.add_party()
    registered = await ven.ask(metadata(), m.RegisteredReport)
    (request,) = registered.report_requests
    specifier = request.specifier
    assert (specifier.granularity, specifier.report_back_duration) == (5 * SECOND, 5 * SECOND)
    assert (specifier.dtstart, specifier.duration) == (bench.now, timedelta(0))
    assert [(one.r_id, one.reading_type, one.item_base) for one in specifier.payloads] == [
        ("power", "x-notApplicable", None),
        ("usual", "x-notApplicable", None),
    ]
    bench.pass_time(60)
    again = await ven.ask(metadata(), m.RegisteredReport)
    assert again == registered
    changed = await ven.ask(metadata(least=10), m.RegisteredReport)
    assert changed.report_requests[0].specifier.granularity == 10 * SECOND
    assert changed.report_requests[0].report_request_id != request.report_request_id
    created = m.CreatedReport(
        response=OK, pending_report_request_ids=(changed.report_requests[0].report_request_id,), ven_id=party.id
    )
    assert (await ven.ask(created, m.Response)).response.response_code == "200"
    stale = replace(created, pending_report_request_ids=(request.report_request_id,))
    assert (await ven.ask(stale, m.Response)).response.response_code == "452"


@pytest.mark.openadr20b("R346", "R-22", "R339", "R-23")
async def test_readings_arrive_in_watts_and_mark_the_event(bench: Bench) -> None:
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    event = await bench.write_event()
    start = bench.now
    bench.pass_time(5)
    for _ in range(2):
        sent = await ven.ask(data(request_id, start, 7000, 4000, 2000), m.UpdatedReport)
        assert (sent.response.response_code, sent.ven_id, sent.cancel_report) == ("200", party.id, None)
    corrected = data(request_id, start + SECOND, 4500, report_id="an id that means nothing")
    assert (await ven.ask(corrected, m.UpdatedReport)).response.response_code == "200"
    async with bench.store.view() as view:
        power = await view.reports.series(party.id, Measurand.USAGE, start, start + HOUR)
        usual = await view.reports.series(party.id, Measurand.BASELINE, start, start + HOUR)
        (requested,) = await view.reports.requests(party.id)
    assert [reading.value for reading in power] == [7e6, 4.5e6, 2e6]
    assert [reading.value for reading in usual] == [7e6] * 3, "and eiReportID, on one of them only, changes nothing"
    assert (requested.received_at, requested.covered_until) == (bench.now, start + 3 * SECOND)
    assert (await bench.row_of(event)).reported_at == bench.now


@pytest.mark.openadr20b("R304", "R-16")
@pytest.mark.parametrize(
    "change",
    [
        {"report_request_id": "unknown"},
        {"report_specifier_id": "unknown"},
    ],
)
async def test_data_that_nobody_asked_for_is_452_and_not_stored(bench: Bench, change: dict[str, object]) -> None:
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    sent = await ven.ask(data(request_id, bench.now, 1, **change), m.UpdatedReport)
    assert sent.response.response_code == "452"
    async with bench.store.view() as view:
        assert await view.reports.series(party.id, Measurand.USAGE, bench.now, bench.now + HOUR) == []


@pytest.mark.openadr20b("R304", "R-16")
async def test_a_strange_rid_does_not_spoil_the_others(bench: Bench) -> None:
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    strange = m.ReportInterval(
        dtstart=bench.now,
        duration=SECOND,
        payloads=(m.ReportPayload(r_id="power", value=1.0), m.ReportPayload(r_id="humidity", value=1.0)),
    )
    sent = await ven.ask(data(request_id, bench.now, intervals=(strange,)), m.UpdatedReport)
    assert sent.response.response_code == "452"
    async with bench.store.view() as view:
        assert len(await view.reports.series(party.id, Measurand.USAGE, bench.now, bench.now + HOUR)) == 1


@pytest.mark.openadr20b("R315", "R342", "R-18", "R-19")
async def test_intervals_are_placed_by_their_own_start_or_by_the_one_before(bench: Bench) -> None:
    """R315, and points in time, which stand for the interval that was asked for."""
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    chained = tuple(
        m.ReportInterval(uid=str(number), duration=2 * SECOND, payloads=(m.ReportPayload(r_id="power", value=number),))
        for number in range(3)
    )
    uncertain = m.ReportPayload(r_id="power", value=9.0, data_quality="Quality Uncertain - Non Specific")
    point = m.ReportInterval(dtstart=bench.now + HOUR, payloads=(uncertain,))
    start = bench.now
    bench.pass_time(HOUR.total_seconds())
    for intervals in (chained, (point,)):
        sent = await ven.ask(data(request_id, start, intervals=intervals), m.UpdatedReport)
        assert sent.response.response_code == "200"
    async with bench.store.view() as view:
        series = await view.reports.series(party.id, Measurand.USAGE, start, start + 2 * HOUR)
    assert series[:3] == [
        Reading(r_id="power", starts_at=start + 2 * number * SECOND, duration=2 * SECOND, value=number * 1e3)
        for number in range(3)
    ]
    assert (series[3].duration, series[3].quality) == (5 * SECOND, Quality.ESTIMATED)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1.7e308, -1.1e9])
async def test_what_is_no_number_is_kept_as_bad(bench: Bench, value: float) -> None:
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    assert (await ven.ask(data(request_id, bench.now, value), m.UpdatedReport)).response.response_code == "200"
    async with bench.store.view() as view:
        (reading,) = await view.reports.series(party.id, Measurand.USAGE, bench.now, bench.now + HOUR)
    assert (reading.value, reading.quality) == (0.0, Quality.BAD)


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
async def test_times_that_no_meter_saw_are_454(bench: Bench, start: str) -> None:
    ven, _ = await bench.add_party()
    request_id = await registered_reports(ven)
    sent = await ven.ask(data(request_id, datetime.fromisoformat(start), 1.0), m.UpdatedReport)
    assert sent.response.response_code == "454"


async def test_a_reading_of_the_future_is_454_and_not_stored(bench: Bench) -> None:
    """A granularity of five seconds and no more: a clock may be ahead, a day of invented readings may not."""
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    sent = await ven.ask(data(request_id, bench.now + 4 * SECOND, 1.0, 2.0), m.UpdatedReport)
    assert sent.response.response_code == "454"
    async with bench.store.view() as view:
        series = await view.reports.series(party.id, Measurand.USAGE, bench.now, bench.now + HOUR)
        (requested,) = await view.reports.requests(party.id)
    assert [reading.value for reading in series] == [1e3]
    assert requested.covered_until == bench.now + 5 * SECOND


async def test_a_name_that_is_too_long_is_454(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    sent = await ven.ask(metadata(specifier_id="x" * 5_000), m.RegisteredReport)
    assert sent.response.response_code == "454"


@pytest.mark.openadr20b("R301", "R304", "R305", "R327", "R-2", "R-9", "R-16")
async def test_asked_for_metadata_we_say_again_that_we_make_no_reports(bench: Bench) -> None:
    ven, party = await bench.add_party()
    specifier = m.ReportSpecifier(
        report_specifier_id="METADATA",
        granularity=timedelta(0),
        report_back_duration=timedelta(0),
        payloads=(m.SpecifierPayload(r_id="0", reading_type="x-notApplicable"),),
    )
    ask = m.CreateReport(
        request_id="q", ven_id=party.id, report_requests=(m.ReportRequest(report_request_id="r", specifier=specifier),)
    )
    assert (await ven.ask(ask, m.CreatedReport)).response.response_code == "200"
    assert isinstance(await polled(ven), m.RegisterReport)
    other = replace(specifier, report_specifier_id="prices")
    ask = replace(ask, report_requests=(m.ReportRequest(report_request_id="r", specifier=other),))
    assert (await ven.ask(ask, m.CreatedReport)).response.response_code == "452"
