"""What parties can report, were asked for and reported comes back, on both databases, and goes when it is too old."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select

from openadr_core.model.report import (
    DataSource,
    Measurand,
    Quality,
    Reading,
    ReportOffer,
    ReportRequest,
)
from openadr_core.units import WATT_HOUR
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import MIGRATIONS
from openadr_vtn.adapters.sql.report_repositories import REQUEST
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.said_ports import StoredReading, StoredStatus
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport, late_at, late_by
from tests.vtn.samples import HOUR, STATUS_POINT, a_party, a_status, an_offer

SECOND = timedelta(seconds=1)
VEN = "id-ven-one"
METER_2 = DataSource(names=("meter-2",), device_classes=("Storage",), market_context="http://utility.example/p")


def a_request(now: datetime, request_id: str = "r1", **changes: object) -> RequestedReport:
    requested = RequestedReport(
        request=ReportRequest(
            id=request_id,
            specifier_id="telemetry",
            r_ids=("power", "baseline"),
            granularity=5 * SECOND,
            report_back=5 * SECOND,
            starts_at=now,
            duration=None,
        ),
        asked_at=now,
    )
    return replace(requested, **changes)  # type: ignore[arg-type]


def reading(at: datetime, value: float = 1.0, **changes: object) -> Reading:
    return replace(Reading(r_id="power", starts_at=at, duration=SECOND, value=value), **changes)  # type: ignore[arg-type]


@pytest.mark.openadr20b("R306", "R-1")
async def test_new_offers_replace_old_ones_and_their_requests(stocked: SqlStore, now: datetime) -> None:
    energy = replace(an_offer().offer.data_points[0], r_id="energy", unit=WATT_HOUR, source=METER_2)
    other = ReportOffer(
        specifier_id="other", report_name="x-other", data_points=(STATUS_POINT, energy), buffered=timedelta(0)
    )
    offered = OfferedReport(offer=other, factors={"stands": 1.0, "energy": 500.0})
    async with stocked.unit_of_work() as unit:
        await unit.reports.replace_offers(VEN, [an_offer(), offered])
        await unit.reports.save_requests(VEN, [a_request(now)])
    async with stocked.view() as view:
        assert await view.reports.offers(VEN) == [offered, an_offer()]
        assert await view.reports.requests(VEN) == [a_request(now)]
    empty = OfferedReport(offer=replace(an_offer(specifier_id="empty").offer, data_points=()), factors={})
    async with stocked.unit_of_work() as unit:
        await unit.reports.replace_offers(VEN, [empty, an_offer(specifier_id="new")])
    async with stocked.view() as view:
        assert await view.reports.offers(VEN) == [empty, an_offer(specifier_id="new")]
        assert await view.reports.requests(VEN) == []


async def test_a_request_comes_back_whole_and_is_open_until_it_ends(stocked: SqlStore, now: datetime) -> None:
    full = a_request(
        now - SECOND,
        "r0",
        confirmed_at=now,
        refusal="461 no",
        received_at=now,
        covered_until=now,
        quality=Quality.LIMITED,
        cancel_asked_at=now,
        to_follow=True,
        followed_at=now,
        ended_at=now,
    )
    history = a_request(now, "r2")
    history = replace(history, request=replace(history.request, history=True, duration=HOUR))
    async with stocked.unit_of_work() as unit:
        await unit.reports.save_requests(VEN, [a_request(now), history, full])
        await unit.reports.save_requests(VEN, [a_request(now, confirmed_at=now)])
        await unit.reports.save_requests("id-ven-two", [a_request(now)])
    async with stocked.view() as view:
        mine = [a_request(now, confirmed_at=now), history]
        assert await view.reports.requests(VEN) == [full, *mine]
        assert await view.reports.open_requests(VEN) == mine
        assert await view.reports.all_open_requests() == {VEN: mine, "id-ven-two": [a_request(now)]}
    async with stocked.unit_of_work() as unit:
        await unit.reports.forget_requests(VEN, now)
        assert await unit.reports.requests(VEN) == [full, *mine]
        await unit.reports.forget_requests(VEN, now + SECOND)
        assert await unit.reports.requests(VEN) == mine


async def test_late_reports_are_counted_as_the_domain_says(stocked: SqlStore, now: datetime) -> None:
    """By party, and without reading what is in time."""
    periodic = a_request(now)
    bounded = replace(periodic, request=replace(periodic.request, id="r2", duration=3 * SECOND), received_at=now + HOUR)
    once = replace(a_request(now - HOUR, "r3"), request=replace(periodic.request, id="r3", report_back=0 * SECOND))
    requests = {VEN: [periodic, bounded, a_request(now, "r4", ended_at=now)], "id-ven-two": [once]}
    async with stocked.unit_of_work() as unit:
        for party_id, asked in requests.items():
            await unit.reports.save_requests(party_id, asked)
    found = []
    async with stocked.view() as view:
        for at in (now - 2 * HOUR, now, now + 7 * SECOND, now + 8 * SECOND, now + HOUR):
            late = sum(any(late_by(one, at) > 0 * SECOND for one in asked) for asked in requests.values())
            assert await view.reports.count_late(at) == late
            found.append(late)
    assert found == [0, 1, 1, 2, 2]


@pytest.mark.openadr20b("R346", "R-22")
async def test_a_corrected_reading_replaces_the_earlier_one(stocked: SqlStore, now: datetime) -> None:
    readings = [reading(now + number * SECOND, float(number)) for number in range(1_200)]
    point = an_offer().offer.data_points[0]
    corrected = replace(
        readings[7], value=-1.0, quality=Quality.ESTIMATED, cause="Sub Normal", confidence=80, accuracy=0.5
    )
    async with stocked.unit_of_work() as unit:
        await unit.reports.add_readings(VEN, [(point, one) for one in readings], now)
        await unit.reports.add_readings(VEN, [(point, readings[7]), (point, corrected)], now)
        await unit.reports.add_readings(VEN, [(replace(point, source=METER_2), readings[0])], now)
        await unit.reports.add_readings(VEN, [], now)
    async with stocked.view() as view:
        series = await view.reports.series(VEN, Measurand.USAGE, now, now + 10 * SECOND)
        assert series == [*readings[:7], corrected, *readings[8:10]]
        assert await view.reports.series(VEN, Measurand.BASELINE, now, now + HOUR) == []
        label = METER_2.label
        assert await view.reports.series(VEN, Measurand.USAGE, now, now + HOUR, source=label) == readings[:1]
        assert await view.reports.sources(VEN) == [(Measurand.USAGE, ""), (Measurand.USAGE, label)]


async def test_a_series_has_one_reading_for_each_start(stocked: SqlStore, now: datetime) -> None:
    """History of an hour beside telemetry of a second, and the same meter under two names."""
    point = an_offer().offer.data_points[0]
    fine, coarse = reading(now, 1.0), reading(now, 2.0, r_id="history", duration=HOUR)
    energy = reading(now, 3.0, r_id="energy")
    again = reading(now, 4.0, r_id="other")
    async with stocked.unit_of_work() as unit:
        await unit.reports.add_readings(VEN, [(point, fine)], now)
        await unit.reports.add_readings(VEN, [(point, coarse)], now + SECOND)
        await unit.reports.add_readings(VEN, [(replace(point, unit=WATT_HOUR), energy)], now)
    async with stocked.view() as view:
        assert await view.reports.series(VEN, Measurand.USAGE, now, now + HOUR) == [fine]
        assert await view.reports.series(VEN, Measurand.USAGE, now, now + HOUR, unit=WATT_HOUR) == [energy]
        found = await view.reports.readings(VEN, Measurand.USAGE, "", now, now + HOUR, limit=2)
    assert found == [
        StoredReading(measurand=Measurand.USAGE, unit="W", source="", reading=fine, received_at=now),
        StoredReading(measurand=Measurand.USAGE, unit="W", source="", reading=coarse, received_at=now + SECOND),
    ]
    async with stocked.unit_of_work() as unit:
        await unit.reports.add_readings(VEN, [(point, again)], now + 2 * SECOND)
        assert await unit.reports.series(VEN, Measurand.USAGE, now, now + HOUR) == [again]


async def test_how_resources_stood_is_kept_and_the_newest_of_each_known(stocked: SqlStore, now: datetime) -> None:
    whole = replace(STATUS_POINT, source=DataSource())
    early, late = a_status(now), a_status(now + SECOND, online=False)
    wrong = replace(late, quality=Quality.BAD, cause="Comm Failure", status=replace(late.status, controls={}))
    async with stocked.unit_of_work() as unit:
        await unit.reports.add_statuses(VEN, [(STATUS_POINT, early), (STATUS_POINT, wrong), (whole, early)], now)
        await unit.reports.add_statuses(VEN, [(STATUS_POINT, late)], now + SECOND)
    of_fleet = [
        StoredStatus(source="fleet", status=late, received_at=now + SECOND),
        StoredStatus(source="fleet", status=early, received_at=now),
    ]
    of_all = StoredStatus(source="", status=early, received_at=now)
    async with stocked.view() as view:
        assert await view.reports.statuses(VEN, now, now + HOUR, limit=9) == [of_fleet[0], of_all, of_fleet[1]]
        assert await view.reports.statuses(VEN, now, now + HOUR, limit=1) == of_fleet[:1]
        assert await view.reports.statuses(VEN, now + HOUR, now + 2 * HOUR, limit=9) == []
        assert await view.reports.latest_statuses(VEN) == [of_all, of_fleet[0]]
        assert await view.reports.latest_statuses("id-ven-two") == []


async def test_data_that_is_too_old_goes_and_nobody_elses_with_it(stocked: SqlStore, now: datetime) -> None:
    point, baseline = an_offer().offer.data_points
    pairs = [
        (one, reading(now + n * SECOND)) for n in range(4) for one in (point, baseline, replace(point, source=METER_2))
    ]
    statuses = [(STATUS_POINT, a_status(now + n * SECOND)) for n in range(4)]
    async with stocked.unit_of_work() as unit:
        for party_id in (VEN, "id-ven-two"):
            await unit.reports.add_readings(party_id, pairs, now)
            await unit.reports.add_statuses(party_id, statuses, now)
    async with stocked.unit_of_work() as unit:
        assert await unit.reports.forget_data(VEN, now + 3 * SECOND) == 3 * 3 + 3
        assert await unit.reports.forget_data(VEN, now + 3 * SECOND) == 0
    async with stocked.view() as view:
        assert await view.reports.series(VEN, Measurand.USAGE, now, now + HOUR) == [reading(now + 3 * SECOND)]
        assert len(await view.reports.statuses(VEN, now, now + HOUR, limit=9)) == 1
        assert len(await view.reports.series("id-ven-two", Measurand.BASELINE, now, now + HOUR)) == 4


async def test_requests_of_before_lateness_was_kept_have_it_too(store: SqlStore, url: str, now: datetime) -> None:
    requests = [
        a_request(now, received_at=now + HOUR),
        a_request(now, "r2", ended_at=now),
        replace(a_request(now), request=replace(a_request(now).request, id="r3", report_back=0 * SECOND)),
        replace(a_request(now), request=replace(a_request(now).request, id="r4", duration=3 * SECOND)),
    ]
    async with store.unit_of_work() as unit:
        await unit.parties.add(a_party(now))
        await unit.reports.save_requests(VEN, requests)

    def back_and_forth(connection: Connection) -> None:
        configuration = Config()
        configuration.set_main_option("script_location", str(MIGRATIONS))
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0009")
        command.upgrade(configuration, "head")

    engines = engines_of(url)
    async with engines.writer.begin() as connection:
        await connection.run_sync(back_and_forth)
        kept = await connection.execute(select(REQUEST.c.id, REQUEST.c.late_at))
        assert {row.id: row.late_at for row in kept} == {one.request.id: late_at(one) for one in requests}
    await engines.close()
