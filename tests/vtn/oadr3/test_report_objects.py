"""Reports of OpenADR 3.1: round trip, privacy, and what all protocols hear of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Measurand, Quality, Reading
from openadr_core.oadr3.times import moment_text
from openadr_core.units import WATT
from openadr_vtn.application.handlers.observe import event_detail
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.oadr3.table import Object, Table, report_request
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import an_offer

MINUTE = timedelta(minutes=1)


async def _running(table: Table) -> tuple[Object, str, datetime]:
    """A ven, an event that has begun, and when."""
    ven = await table.enrol(table.ven)
    event_id = await table.desk.create_event(await table.desk.create_program())
    starts_at = (await table.desk.event(event_id)).starts_at
    table.desk.clock.advance(300)
    return ven, event_id, starts_at


def _resource(starts_at: datetime, *values: tuple[str, Any], name: str = "AGGREGATED_REPORT") -> Object:
    payloads = [{"type": kind, "values": [value]} for kind, value in values]
    period = {"start": moment_text(starts_at), "duration": "PT1M"}
    return {"resourceName": name, "intervals": [{"id": 0, "intervalPeriod": period, "payloads": payloads}]}


async def _readings(table: Table, ven: Object, measurand: Measurand, source: str = "") -> list[Reading]:
    everything = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    async with table.desk.store.view() as view:
        return await view.reports.series(ven["id"], measurand, *everything, unit=WATT, source=source)


async def test_a_report_comes_back_as_it_was_written(table: Table) -> None:
    _, event_id, starts_at = await _running(table)
    body = report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 1.50))], **{"x-note": 2.0})
    made = await table.ven.create("reports", body)
    assert {name: made[name] for name in body} == body
    assert (made["objectType"], made["clientID"]) == ("REPORT", "ven-1")
    text = (await table.ven.ask("GET", f"reports/{made['id']}")).text
    assert "1.5" in text
    assert '"x-note":2.0' in text.replace(" ", "")
    claimed = await table.ven.create("reports", body | {"clientID": "ven-2", "id": "mine"})
    assert (claimed["clientID"], claimed["id"] == "mine") == ("ven-1", False)


async def test_what_was_measured_is_heard_in_the_words_of_all_protocols(table: Table) -> None:
    ven, event_id, starts_at = await _running(table)
    body = report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 2), ("BASELINE", 5))])
    await table.ven.create("reports", body)
    assert [(one.starts_at, one.duration, one.value) for one in await _readings(table, ven, Measurand.USAGE)] == [
        (starts_at, MINUTE, 2000.0)
    ]
    assert [one.value for one in await _readings(table, ven, Measurand.BASELINE)] == [5000.0]
    async with table.desk.store.view() as view:
        detail = await event_detail(view, event_id, table.desk.clock.now())
    assert [one.delivered_w for one in detail.delivered] == [3000.0], "like a 2.0b party's"
    (row,) = detail.ledger
    assert (row.delivery.reported_at, row.delivery.fetched_at) == (table.desk.clock.now(), None)


async def test_a_report_that_is_replaced_replaces_its_readings(table: Table) -> None:
    ven, event_id, starts_at = await _running(table)
    made = await table.ven.create("reports", report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 2))]))
    table.desk.clock.advance(1)
    body = report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 3), ("DATA_QUALITY", "ESTIMATED"))])
    put = await table.ven.replace(f"reports/{made['id']}", body)
    assert put["modificationDateTime"] > made["modificationDateTime"]
    (reading,) = await _readings(table, ven, Measurand.USAGE)
    assert (reading.value, reading.quality) == (3000.0, Quality.ESTIMATED)
    elsewhere = await table.desk.create_event(await table.desk.create_program("other"))
    await table.ven.replace(f"reports/{made['id']}", body | {"eventID": elsewhere}, expect=409)
    assert await table.ven.remove(f"reports/{made['id']}") == put
    assert await _readings(table, ven, Measurand.USAGE) == [reading], "what was measured was measured"


async def test_resources_are_told_apart(table: Table) -> None:
    ven, event_id, starts_at = await _running(table)
    resources = [_resource(starts_at, ("DEMAND", kw), name=name) for name, kw in (("a", 1), ("b", 2))]
    await table.ven.create("reports", report_request(event_id, resources=resources))
    found = {name: await _readings(table, ven, Measurand.USAGE, name) for name in ("a", "b", "")}
    assert {name: [one.value for one in each] for name, each in found.items()} == {"a": [1000], "b": [2000], "": []}


async def test_what_cannot_have_been_measured_yet_is_kept_in_words_alone(table: Table) -> None:
    ven, event_id, _ = await _running(table)
    ahead = table.desk.clock.now() + timedelta(hours=1)
    made = await table.ven.create("reports", report_request(event_id, resources=[_resource(ahead, ("DEMAND", 9))]))
    assert await table.ven.status(f"reports/{made['id']}") == 200
    assert await _readings(table, ven, Measurand.USAGE) == []


async def test_a_report_needs_an_event_that_the_client_sees(table: Table) -> None:
    await table.enrol(table.ven)
    program_id = await table.desk.create_program()
    hidden = await table.desk.create_event(program_id, targets=["feeder-8"])
    for event_id in ("nowhere", hidden):
        await table.ven.create("reports", report_request(event_id), expect=409)
    for missing in ("eventID", "clientName", "resources"):
        body = report_request(hidden)
        del body[missing]
        await table.ven.create("reports", body, expect=400)
    assert await table.bl.ids("reports") == []


@pytest.mark.openadr3("U4")
async def test_reports_are_their_clients_and_business_logics(table: Table) -> None:
    _, event_id, starts_at = await _running(table)
    await table.enrol(table.other)
    body = report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 1))])
    mine = await table.ven.create("reports", body)
    table.desk.clock.advance(1)
    theirs = await table.other.create("reports", body | {"clientName": "neighbour"})
    assert await table.ven.ids("reports") == [mine["id"]]
    assert await table.ven.ids("reports?clientName=neighbour") == []
    for method in ("GET", "DELETE"):
        assert_problem(await table.ven.ask(method, f"reports/{theirs['id']}"), 404)
    await table.ven.replace(f"reports/{theirs['id']}", body, expect=404)
    assert await table.bl.ids("reports") == [theirs["id"], mine["id"]], "the newest first"
    assert await table.bl.ids(f"reports?eventID={event_id}&clientName=neighbour") == [theirs["id"]]
    program_id = (await table.bl.read(f"events/{event_id}"))["programID"]
    assert await table.bl.ids(f"reports?programID={program_id}&limit=1&skip=1") == [mine["id"]]
    assert await table.bl.ids("reports?programID=nowhere") == []
    await table.bl.remove(f"reports/{theirs['id']}")
    assert await table.bl.ids("reports") == [mine["id"]]


async def test_what_20b_parties_measured_stands_behind(table: Table) -> None:
    await table.desk.add_party("one")
    _, event_id, starts_at = await _running(table)
    made = await table.ven.create("reports", report_request(event_id, resources=[_resource(starts_at, ("DEMAND", 1))]))
    point = an_offer().offer.data_points[0]
    reading = Reading(r_id=point.r_id, starts_at=starts_at, duration=MINUTE, value=4000.0)
    async with table.desk.store.unit_of_work() as uow:
        await uow.reports.add_readings("id-one", [(point, reading)], table.desk.clock.now())
    derived = f"{event_id}--id-one"
    assert await table.bl.ids("reports") == [made["id"], derived]
    assert await table.bl.ids("reports?skip=1") == [derived]
    assert await table.bl.ids("reports?limit=1") == [made["id"]]
    counted = [(await table.bl.ask("GET", f"reports?limit={limit}")).headers.get("X-Total-Count") for limit in (1, 2)]
    assert counted == [None, "2"], "how much 2.0b parties said is counted by reading it"
    assert await table.bl.ids("reports?skip=2") == []
    report = await table.bl.read(f"reports/{derived}")
    assert report["resources"][0]["intervals"][0]["payloads"] == [{"type": "DEMAND", "values": [4.0]}]
    assert await table.ven.ids("reports") == [made["id"]]
    assert_problem(await table.ven.ask("GET", f"reports/{derived}"), 404)


async def test_an_answer_of_a_20b_party_is_an_operating_state(table: Table) -> None:
    await table.desk.add_party("one")
    event_id = await table.desk.create_event(await table.desk.create_program())
    assert await table.bl.read("reports") == []
    for opt_type, state in ((OptType.OUT, "IDLE_OPTED_OUT"), (OptType.IN, "NORMAL")):
        table.desk.clock.advance(1)
        opt = Opt(event_id=event_id, version=0, opt_type=opt_type, at=table.desk.clock.now())
        async with table.desk.store.unit_of_work() as uow:
            await uow.opts.add("id-one", opt)
        (report,) = await table.bl.read(f"reports?eventID={event_id}")
        (interval,) = report["resources"][0]["intervals"]
        assert interval["payloads"] == [{"type": "OPERATING_STATE", "values": [state]}]
        assert interval["intervalPeriod"] == {"start": moment_text(opt.at)}
        assert report["modificationDateTime"] == moment_text(opt.at)


async def test_to_opt_out_by_operating_state_is_an_opt(table: Table) -> None:
    ven, event_id, starts_at = await _running(table)

    async def tell(state: str, name: str = "AGGREGATED_REPORT") -> None:
        table.desk.clock.advance(1)
        body = report_request(event_id, resources=[_resource(starts_at, ("OPERATING_STATE", state), name=name)])
        await table.ven.create("reports", body)

    async def shown() -> tuple[int, int, list[str]]:
        detail = (await table.desk.http.get(f"{ADMIN}/events/{event_id}")).json()
        return detail["opted_in"], detail["opted_out"], [one["type"] for one in detail["answers"]]

    await tell("RUNNING_NORMAL")
    assert await shown() == (0, 0, []), "to be in is what holds where nothing is said"
    await tell("IDLE_OPTED_OUT")
    await tell("IDLE_OPTED_OUT")
    assert await shown() == (0, 1, ["optOut"])
    await tell("RUNNING_CURTAILED")
    assert await shown() == (1, 0, ["optOut", "optIn"])
    await tell("RUNNING_OPTED_OUT", name="battery")
    async with table.desk.store.view() as view:
        (said,) = (await view.availability.qualifications(event_id))[ven["id"]]
        (row,) = await view.deliveries.of_event(event_id)
    assert (said.opt_type, set(said.scope.names), said.reason) == (OptType.OUT, {"battery"}, "RUNNING_OPTED_OUT")
    assert row.answered_at == starts_at.replace(microsecond=0) + timedelta(seconds=301)
    assert await shown() == (1, 0, ["optOut", "optIn"]), "one resource is not the whole"
