"""What VENs of OpenADR 3 owe in reports, as the operator sees it over the admin API."""

from typing import Any

from openadr_vtn.http.addresses import ADMIN
from tests.vtn.oadr3.table import Table, report_request
from tests.vtn.operator.desk_bench import relief_event


async def owed(table: Table, event_id: str) -> dict[str, list[str]]:
    """By party: how each report stands."""
    answer = await table.desk.http.get(f"{ADMIN}/events/{event_id}/compliance")
    assert answer.status_code == 200, answer.text
    return {one["party"]: [report["standing"] for report in one["reports"]] for one in answer.json()}


def told(*intervals: int, quality: str = "OK") -> list[dict[str, Any]]:
    payloads = [{"type": "DEMAND", "values": [3.5]}, {"type": "DATA_QUALITY", "values": [quality]}]
    return [
        {"resourceName": "AGGREGATED_REPORT", "intervals": [{"id": one, "payloads": payloads} for one in intervals]}
    ]


async def test_reports_are_pending_met_poor_late_and_missing(table: Table) -> None:
    clock = table.desk.clock
    program = await table.desk.create_program()
    await table.enrol(table.ven)
    await table.enrol(table.other)
    start = clock.now()
    event = relief_event(
        program,
        intervalPeriod={"start": start.isoformat(), "duration": "PT5M"},
        intervals=[
            {"id": number, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [5]}]} for number in range(4)
        ],
        reportDescriptors=[{"payloadType": "DEMAND", "frequency": 1, "repeat": -1}],
    )
    event_id = (await table.bl.create("events", event))["id"]
    assert await owed(table, event_id) == {"ven-1": [], "ven-2": []}
    clock.advance(300)
    assert await owed(table, event_id) == {"ven-1": ["pending"], "ven-2": ["pending"]}
    await table.ven.create("reports", report_request(event_id, resources=told(0)))
    clock.advance(300)
    await table.ven.create("reports", report_request(event_id, resources=told(1, quality="BAD")))
    clock.advance(300 + 120)
    await table.ven.create("reports", report_request(event_id, resources=told(2)))
    clock.advance(300)
    assert await owed(table, event_id) == {"ven-1": ["met", "poor", "late", "missing"], "ven-2": ["missing"] * 4}


async def test_who_is_not_asked_owes_nothing(table: Table) -> None:
    program = await table.desk.create_program()
    await table.enrol(table.ven, "north")
    await table.enrol(table.other, "south")
    event = relief_event(program, reportDescriptors=[{"payloadType": "DEMAND", "targets": ["north"]}])
    event_id = (await table.bl.create("events", event))["id"]
    table.desk.clock.advance(600)
    assert await owed(table, event_id) == {"ven-1": ["missing"], "ven-2": []}
    assert (await table.desk.http.get(f"{ADMIN}/events/nothing/compliance")).status_code == 404
