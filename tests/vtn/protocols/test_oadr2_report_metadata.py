"""What a VEN offers to report: taken whole or not at all, each number with its unit and what it is a number of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.party import Party
from openadr_core.model.report import Control, ControlValue, DataSource, Measurand, Quality, Reading, ResourceStatus
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.signals import KILOWATTS
from openadr_vtn.domain.reporting import TelemetryWish
from tests.vtn.protocols.speech import data, metadata, registered_reports, status_metadata
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import HOUR

SECOND = timedelta(seconds=1)
VEN = "id-ven-one"
Change = Callable[[m.Report], m.Report]


def described(**changes: object) -> Change:
    """The first description of the report, changed."""

    def change(report: m.Report) -> m.Report:
        first, *others = report.descriptions
        return replace(report, descriptions=(replace(first, **changes), *others))  # type: ignore[arg-type]

    return change


def rated(least: timedelta, most: timedelta) -> Change:
    return described(sampling_rate=m.SamplingRate(min_period=least, max_period=most, on_change=False))


def changed(**changes: object) -> Change:
    return lambda report: replace(report, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(
            lambda report: replace(report, descriptions=report.descriptions + report.descriptions), "454",
            marks=pytest.mark.openadr20b("R308", "R-6"), id="a rID twice",
        ),
        pytest.param(
            changed(intervals=(m.ReportInterval(payloads=(m.ReportPayload(r_id="power", value=1.0),)),)), "454",
            marks=pytest.mark.openadr20b("R305", "R-3"), id="data in metadata",
        ),
        pytest.param(changed(duration=None), "454", marks=pytest.mark.openadr20b("R312", "R-3"), id="no duration"),
        pytest.param(changed(duration=-HOUR), "454", marks=pytest.mark.openadr20b("R312"), id="negative duration"),
        pytest.param(described(item_base=None), "454", marks=pytest.mark.openadr20b("R312", "R-3"), id="no unit"),
        pytest.param(
            described(item_base=replace(KILOWATTS, name="pulseCount", description="pulse count", units="count",
                                        pulse_factor=0.0, attributes=None)), "454",
            marks=pytest.mark.openadr20b("R312"), id="worthless pulses",
        ),
        pytest.param(described(sampling_rate=None), "454", marks=pytest.mark.openadr20b("R333", "R-4"), id="no rate"),
        pytest.param(rated(60 * SECOND, SECOND), "454", marks=pytest.mark.openadr20b("R333", "R-4"), id="min over max"),
        pytest.param(rated(-SECOND, SECOND), "454", marks=pytest.mark.openadr20b("R333"), id="negative rate"),
        pytest.param(rated(SECOND, 3 * HOUR), "454", marks=pytest.mark.openadr20b("R333", "R-4"), id="over buffer"),
        pytest.param(
            described(report_type="x-resourceStatus"), "454", marks=pytest.mark.openadr20b("R331"), id="status as usage"
        ),
        pytest.param(
            described(report_subject=m.Target(resource_ids=("house",))), "454",
            marks=pytest.mark.openadr20b("R343", "R-7"), id="a subject that is no class",
        ),
        pytest.param(
            described(report_data_source=m.Target(ven_ids=("id-ven-two",))), "452",
            marks=pytest.mark.openadr20b("R304", "R302", "R-16"), id="another party's data",
        ),
    ],
)  # fmt: skip
async def test_metadata_that_breaks_a_rule_is_refused_and_changes_nothing(
    bench: Bench, change: Change, code: str
) -> None:
    ven, _ = await bench.add_party()
    await registered_reports(ven)
    (report,) = metadata(specifier_id="other").reports
    bad = replace(metadata(), reports=(change(report),))
    refused = await ven.ask(bad, m.RegisteredReport)
    assert (refused.response.response_code, refused.report_requests) == (code, ())
    async with bench.store.view() as view:
        (offered,) = await view.reports.offers(VEN)
        assert offered.offer.specifier_id == "telemetry"
        assert len(await view.reports.open_requests(VEN)) == 1


@pytest.mark.openadr20b("R308", "R-6")
async def test_a_specifier_twice_is_refused(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    twice = replace(metadata(), reports=metadata().reports * 2)
    assert (await ven.ask(twice, m.RegisteredReport)).response.response_code == "454"


@pytest.mark.openadr20b("R46")
async def test_what_says_nothing_wrong_of_what_is_offered_is_not_looked_at(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    (report,) = metadata().reports
    loose = replace(report, report_request_id="r", report_name="TELEMETRY_USAGE", dtstart=bench.now)
    taken = await ven.ask(replace(metadata(), reports=(loose,)), m.RegisteredReport)
    assert (taken.response.response_code, len(taken.report_requests)) == ("200", 1)


@pytest.mark.openadr20b("R302", "R307", "R343", "R-7")
@pytest.mark.parametrize(
    ("source", "subject", "expected"),
    [
        (None, None, ""),
        (m.Target(ven_ids=(VEN,), resource_ids=("house",)), None, ""),
        (m.Target(resource_ids=("a", "b"), group_ids=("g",)), None, "a,b,g"),
        (None, m.Target(end_device_assets=("Storage",)), "Storage"),
        (m.Target(resource_ids=("a",)), m.Target(end_device_assets=("EVSE", "Storage")), "a/EVSE,Storage"),
    ],
)
async def test_what_is_measured_is_told_apart(
    bench: Bench, source: m.Target | None, subject: m.Target | None, expected: str
) -> None:
    """All that a party has is its own; a part of it, by name or by class, must not be taken for the whole."""
    ven, party = await bench.add_party()
    (report,) = metadata().reports
    part = described(report_data_source=source, report_subject=subject, market_context="http://x.example")(report)
    registered = await ven.ask(replace(metadata(), reports=(part,)), m.RegisteredReport)
    start = bench.now
    bench.pass_time(2)
    (request,) = registered.report_requests
    await ven.ask(data(request.report_request_id, start, 7.0), m.UpdatedReport)
    async with bench.store.view() as view:
        (offered,) = await view.reports.offers(party.id)
        found = {
            label: len(await view.reports.series(party.id, Measurand.USAGE, start, start + HOUR, source=label))
            for label in ("", "a,b,g", "Storage", "a/EVSE,Storage")
        }
    assert offered.offer.data_points[0].source.market_context == "http://x.example"
    assert offered.offer.data_points[1].source == DataSource()
    assert [label for label, count in found.items() if count] == [expected]


@pytest.mark.openadr20b("R331", "R342")
@pytest.mark.parametrize(
    ("unit", "canonical", "value"),
    [
        (KILOWATTS, "W", 3000.0),
        (m.Unit(name="powerReal", description="RealPower", units="J/s", si_scale_code="M",
                attributes=KILOWATTS.attributes), "W", 3e6),
        (m.Unit(name="energyReal", description="RealEnergy", units="Wh", si_scale_code="k"), "Wh", 3000.0),
        (m.Unit(name="pulseCount", description="pulse count", units="count", pulse_factor=0.5), "Wh", 1500.0),
        (m.Unit(name="voltage", description="Voltage", units="V", si_scale_code="m"), "V", 0.003),
        (m.Unit(name="temperature", description="temperature", units="celsius"), "celsius", 3.0),
        (m.Unit(name="currencyPerKWh", description="currencyPerKWh", units="USD"), "USD/kWh", 3.0),
        (m.Unit(name="customUnit", description="RealPower", units="W"), "W", 3.0),
        (m.Unit(name="customUnit", description="Noise", units="dB"), "dB", 3.0),
    ],
)  # fmt: skip
async def test_a_number_is_kept_in_its_canonical_unit(bench: Bench, unit: m.Unit, canonical: str, value: float) -> None:
    ven, party = await bench.add_party()
    (report,) = metadata().reports
    registered = await ven.ask(replace(metadata(), reports=(described(item_base=unit)(report),)), m.RegisteredReport)
    start = bench.now
    bench.pass_time(2)
    (request,) = registered.report_requests
    sent = data(request.report_request_id, start, 3.0)
    assert (await ven.ask(sent, m.UpdatedReport)).response.response_code == "200"
    async with bench.store.view() as view:
        series = await view.reports.series(party.id, Measurand.USAGE, start, start + HOUR, unit=canonical)
    assert [one.value for one in series] == [pytest.approx(value)]


async def party_that_is_asked_how_it_stands(bench: Bench) -> tuple[Ven, Party]:
    bench.telemetry = TelemetryWish(status_back=60 * SECOND)
    bench.restart()
    return await bench.add_party()


@pytest.mark.openadr20b("R331", "R334", "R300")
async def test_how_resources_stand_is_asked_for_and_kept(bench: Bench, now: datetime) -> None:
    ven, party = await party_that_is_asked_how_it_stands(bench)
    both = replace(metadata(), reports=(*metadata().reports, status_metadata()))
    registered = await ven.ask(both, m.RegisteredReport)
    of_usage, of_status = registered.report_requests
    assert (of_usage.specifier.report_specifier_id, of_status.specifier.report_specifier_id) == ("telemetry", "stands")
    assert of_status.specifier.report_back_duration == of_status.specifier.granularity == 60 * SECOND
    told = m.ResourceStatus(
        online=True,
        manual_override=True,
        capacity=m.LoadControlValue(current=0.5, minimum=0.0, maximum=1.0, normal=1.0),
        set_point=m.LoadControlValue(current=float("nan")),
    )
    interval = m.ReportInterval(
        dtstart=now,
        payloads=(m.ReportPayload(r_id="fleet", value=told, data_quality="Quality Bad - Comm Failure"),),
    )
    report = replace(
        data(of_status.report_request_id, now, intervals=(interval,)).reports[0], report_specifier_id="stands"
    )
    sent = m.UpdateReport(request_id="q", reports=(report,), ven_id=party.id)
    assert (await ven.ask(sent, m.UpdatedReport)).response.response_code == "200"
    async with bench.store.view() as view:
        (stored,) = await view.reports.latest_statuses(party.id)
        requested = {one.request.specifier_id: one for one in await view.reports.requests(party.id)}["stands"]
    assert (stored.source, stored.status.at, stored.status.quality, stored.status.cause) == (
        "fleet", now, Quality.BAD, "Comm Failure",
    )  # fmt: skip
    assert stored.status.status == ResourceStatus(
        online=True,
        manual_override=True,
        controls={Control.CAPACITY: ControlValue(current=0.5, minimum=0.0, maximum=1.0, normal=1.0)},
    )
    assert (requested.covered_until, requested.quality) == (now, Quality.BAD)


@pytest.mark.openadr20b("R331", "R-16")
async def test_a_number_where_a_status_was_asked_for_is_452(bench: Bench, now: datetime) -> None:
    ven, party = await party_that_is_asked_how_it_stands(bench)
    registered = await ven.ask(replace(metadata(), reports=(status_metadata(),)), m.RegisteredReport)
    (request,) = registered.report_requests
    interval = m.ReportInterval(dtstart=now, payloads=(m.ReportPayload(r_id="fleet", value=1.0),))
    report = replace(
        data(request.report_request_id, now, intervals=(interval,)).reports[0], report_specifier_id="stands"
    )
    sent = await ven.ask(m.UpdateReport(request_id="q", reports=(report,), ven_id=party.id), m.UpdatedReport)
    assert sent.response.response_code == "452"
    async with bench.store.view() as view:
        assert await view.reports.latest_statuses(party.id) == []


@pytest.mark.openadr20b("R318", "R319", "R-20")
async def test_quality_confidence_and_accuracy_are_kept(bench: Bench) -> None:
    ven, party = await bench.add_party()
    request_id = await registered_reports(ven)
    codes = [
        (None, Quality.GOOD, ""),
        ("Quality Good - Local Override", Quality.GOOD, "Local Override"),
        ("No New Value - Previous Value Used", Quality.UNCHANGED, ""),
        ("Quality Limit - Field/High", Quality.LIMITED, "Field/High"),
        ("Quality Uncertain - Sub Normal", Quality.ESTIMATED, "Sub Normal"),
        ("Quality Bad - Sensor Failure", Quality.BAD, "Sensor Failure"),
        ("No Quality - No Value", Quality.MISSING, ""),
        ("x-odd", Quality.ESTIMATED, "x-odd"),
    ]
    start = bench.now
    bench.pass_time(len(codes))
    intervals = tuple(
        m.ReportInterval(
            dtstart=start + number * SECOND,
            duration=SECOND,
            payloads=(
                m.ReportPayload(r_id="power", value=1.0, data_quality=code, confidence=90 + number, accuracy=0.25),
            ),
        )
        for number, (code, _, _) in enumerate(codes)
    )
    sent = await ven.ask(data(request_id, start, intervals=intervals), m.UpdatedReport)
    assert sent.response.response_code == "200"
    async with bench.store.view() as view:
        series = await view.reports.series(party.id, Measurand.USAGE, start, start + HOUR)
    assert series == [
        Reading(
            r_id="power", starts_at=start + number * SECOND, duration=SECOND, value=1000.0, quality=quality,
            cause=cause, confidence=90 + number, accuracy=250.0,
        )
        for number, (_, quality, cause) in enumerate(codes)
    ]  # fmt: skip
