"""An operator asks a party for reports, ends them, and reads what came (2.0b 8.3 as the operator's desk has it)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from openadr_core.model.report import DataPoint, DataSource, Measurand, Quality, Reading
from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.handlers.report_views import power_series
from openadr_vtn.application.handlers.retention import REQUESTS_KEPT, forget_reports
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import HOUR, STATUS_POINT, a_status, an_offer

PARTY = f"{ADMIN}/parties/one"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


async def stock(desk: DeskBench, **changes: Any) -> None:
    await desk.add_party("one", **changes)
    async with desk.store.unit_of_work() as uow:
        await uow.reports.replace_offers("id-one", [an_offer()])


async def ask(desk: DeskBench, **wish: Any) -> dict[str, Any]:
    answer = await desk.http.post(f"{PARTY}/report-requests", json={"specifier": "telemetry", **wish})
    assert answer.status_code == 200, answer.text
    check(answer.json(), {"$ref": "#/components/schemas/reportRequest"}, "admin")
    made: dict[str, Any] = answer.json()
    return made


async def waiting(desk: DeskBench) -> list[tuple[ErrandKind, str]]:
    async with desk.store.view() as view:
        return [(one.kind, one.content) for one in await view.errands.of_parties(["id-one"])]


async def test_what_a_party_offers_is_listed(desk: DeskBench) -> None:
    await stock(desk)
    (offer,) = (await desk.http.get(f"{PARTY}/report-offers")).json()
    check(offer, {"$ref": "#/components/schemas/reportOffer"}, "admin")
    assert (offer["specifier"], offer["name"], offer["buffered_s"]) == ("telemetry", "TELEMETRY_USAGE", 7200)
    assert [(one["id"], one["measurand"], one["unit"]) for one in offer["points"]] == [
        ("power", "usage", "W"), ("baseline", "baseline", "W"),
    ]  # fmt: skip
    assert_problem(await desk.http.get(f"{ADMIN}/parties/nobody/report-offers"), 404)


@pytest.mark.openadr20b("R-8")
async def test_a_report_is_asked_for_and_cancelled(desk: DeskBench) -> None:
    await stock(desk)
    made = await ask(desk, points=["power"], granularity_s=60, report_back_s=300, duration_s=3600)
    assert (made["state"], made["points"], made["duration_s"]) == ("asked", ["power"], 3600)
    assert await waiting(desk) == [(ErrandKind.CREATE_REPORT, made["id"])]
    (listed,) = (await desk.http.get(f"{PARTY}/report-requests")).json()
    assert listed == made
    cancelled = await desk.http.post(f"{PARTY}/report-requests/{made['id']}/cancel", json={"to_follow": True})
    check(cancelled.json(), {"$ref": "#/components/schemas/reportRequest"}, "admin")
    assert cancelled.json()["state"] == "cancelled", "it was never told, so it need not be told to stop"
    assert desk.done == [("request report", "id-one"), ("cancel report", "id-one")]
    assert_problem(await desk.http.post(f"{PARTY}/report-requests/unknown/cancel", json={}), 404)


@pytest.mark.openadr20b("R-8", "R321")
async def test_several_reports_are_asked_for_in_one_message(desk: DeskBench) -> None:
    await stock(desk)
    wishes = [{"specifier": "telemetry", "points": [point]} for point in ("power", "baseline")]
    answer = await desk.http.post(f"{PARTY}/report-requests/together", json={"requests": wishes})
    check(answer.json(), {"type": "array", "items": {"$ref": "#/components/schemas/reportRequest"}}, "admin")
    power, baseline = answer.json()
    assert (power["points"], baseline["points"]) == (["power"], ["baseline"])
    assert await waiting(desk) == [(ErrandKind.CREATE_REPORT, f"{power['id']} {baseline['id']}")]
    for wrong, said in (
        ([], "requests"),
        ([{**wishes[0], "point": []}], "requests[0].'point'"),
        ([*wishes, {}], "[2]"),
    ):
        refused = await desk.http.post(f"{PARTY}/report-requests/together", json={"requests": wrong})
        assert said in assert_problem(refused, 400)["detail"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"specifier": "other"}, "other"),
        ({"points": ["heat"]}, "heat"),
        ({"granularity_s": 3600, "report_back_s": 3600}, "granularity"),
        ({"granularity_s": -1}, "granularity_s"),
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "9999-01-01T00:00:00Z"}, "starts_at"),
        ({"point": ["power"]}, "'point'"),
    ],
)
async def test_a_request_that_the_party_could_not_meet_is_refused_here(
    desk: DeskBench, wish: dict[str, Any], said: str
) -> None:
    await stock(desk)
    answer = await desk.http.post(f"{PARTY}/report-requests", json={"specifier": "telemetry", **wish})
    assert answer.status_code in {400, 404, 409, 422}, answer.text
    assert said in assert_problem(answer, answer.status_code)["detail"]
    assert await waiting(desk) == []


async def test_of_a_party_that_is_not_registered_nothing_is_asked(desk: DeskBench) -> None:
    await stock(desk, registered=False)
    assert_problem(await desk.http.post(f"{PARTY}/report-requests", json={"specifier": "telemetry"}), 409)
    assert_problem(await desk.http.post(f"{PARTY}/request-metadata"), 409)


@pytest.mark.openadr20b("R-6", "R327")
async def test_metadata_is_asked_for_once_at_a_time(desk: DeskBench) -> None:
    await stock(desk)
    for _ in range(2):
        answer = await desk.http.post(f"{PARTY}/request-metadata")
        assert answer.json() == {"party_id": "id-one", "party": "one"}
    assert await waiting(desk) == [(ErrandKind.CREATE_REPORT, "METADATA")]


async def test_readings_and_statuses_are_read_by_what_and_when(desk: DeskBench) -> None:
    await stock(desk)
    now = desk.clock.now()
    power, baseline = an_offer().offer.data_points
    readings = [
        (point, Reading(r_id=point.r_id, starts_at=now - back * SECOND, duration=SECOND, value=float(back)))
        for back in (7200, 3, 2, 1)
        for point in (power, baseline)
    ]
    lost = Reading(r_id="power", starts_at=now, duration=SECOND, value=0.0, quality=Quality.BAD, cause="Comm Failure")
    async with desk.store.unit_of_work() as uow:
        await uow.reports.add_readings("id-one", [*readings, (power, lost)], now)
        await uow.reports.add_statuses("id-one", [(STATUS_POINT, a_status(now, online=False))], now)

    async def read(**query: str) -> list[dict[str, Any]]:
        answer = await desk.http.get(f"{PARTY}/readings", params=query)
        assert answer.status_code == 200, answer.text
        for one in answer.json():
            check(one, {"$ref": "#/components/schemas/reading"}, "admin")
        found: list[dict[str, Any]] = answer.json()
        return found

    assert len(await read()) == 7
    newest, *_ = await read(measurand="usage")
    assert (newest["quality"], newest["cause"], newest["unit"]) == ("bad", "Comm Failure", "W")
    assert [one["value"] for one in await read(measurand="baseline", limit="2")] == [1.0, 2.0]
    assert await read(source="meter-9") == []
    old = await read(since=moment_text(now - 3 * HOUR), until=moment_text(now - HOUR))
    assert {one["value"] for one in old} == {7200.0}
    for wrong in ("measurand=heat", "since=yesterday", "limit=1001"):
        assert_problem(await desk.http.get(f"{PARTY}/readings?{wrong}"), 400)
    (status,) = (await desk.http.get(f"{PARTY}/statuses")).json()
    check(status, {"$ref": "#/components/schemas/resourceStatus"}, "admin")
    assert (status["source"], status["online"], status["manual_override"]) == ("fleet", False, False)
    assert status["controls"]["capacity"]["current"] == 0.5
    assert (await desk.http.get(f"{PARTY}/statuses?until={moment_text(now)}")).json() == []


async def test_a_client_without_the_scope_only_reads(desk: DeskBench) -> None:
    await stock(desk)
    await desk.add_client("auditor", "read_all")
    await desk.authorise("auditor")
    assert (await desk.http.get(f"{PARTY}/report-requests")).status_code == 200
    assert_problem(await desk.http.post(f"{PARTY}/report-requests", json={"specifier": "telemetry"}), 403)


async def test_what_is_older_than_it_is_kept_is_forgotten(desk: DeskBench) -> None:
    await stock(desk)
    now = desk.clock.now()
    power, _ = an_offer().offer.data_points
    ended = await ask(desk, granularity_s=60, report_back_s=60)
    await desk.http.post(f"{PARTY}/report-requests/{ended['id']}/cancel", json={})
    runs = await ask(desk, granularity_s=60, report_back_s=60)
    ages = (30 * DAY, 9 * DAY, SECOND)
    async with desk.store.unit_of_work() as uow:
        readings = [Reading(r_id="power", starts_at=now - age, duration=SECOND, value=1.0) for age in ages]
        await uow.reports.add_readings("id-one", [(power, one) for one in readings], now)
        await uow.reports.add_statuses("id-one", [(STATUS_POINT, a_status(now - age)) for age in ages], now)

    async def kept() -> tuple[int, int, set[str]]:
        since = moment_text(now - 40 * DAY)
        readings = (await desk.http.get(f"{PARTY}/readings", params={"since": since})).json()
        statuses = (await desk.http.get(f"{PARTY}/statuses", params={"since": since})).json()
        requests = (await desk.http.get(f"{PARTY}/report-requests")).json()
        return len(readings), len(statuses), {one["id"] for one in requests}

    await forget_reports(desk.store, now, keep=10 * DAY)
    assert await kept() == (2, 2, {ended["id"], runs["id"]})
    await forget_reports(desk.store, now + REQUESTS_KEPT + SECOND, keep=10 * DAY)
    assert await kept() == (1, 1, {runs["id"]})


async def test_the_power_of_a_party_is_that_of_the_one_thing_it_names(desk: DeskBench) -> None:
    """Some VENs always report under a resourceID; of several, one may be a part of another."""
    await stock(desk)
    now = desk.clock.now()
    power, _ = an_offer().offer.data_points
    meter, part = (replace(power, source=DataSource(names=(name,))) for name in ("meter", "meter-1"))
    reading = Reading(r_id="power", starts_at=now, duration=SECOND, value=5.0)

    async def told(point: DataPoint) -> list[float | None]:
        async with desk.store.unit_of_work() as uow:
            await uow.reports.add_readings("id-one", [(point, reading)], now)
        async with desk.store.view() as view:
            found = await power_series(view, "id-one", Measurand.USAGE, now, now + HOUR)
        return [one.value for one in found]

    assert await told(meter) == [5.0]
    assert await told(part) == []
    assert await told(power) == [5.0]
