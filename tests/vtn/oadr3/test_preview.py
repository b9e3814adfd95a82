"""The dry run of an event: whom it would reach, and with how much power; nothing of it stays."""

from datetime import timedelta
from typing import Any

from openadr_core.model.report import DataPoint, Measurand, Reading
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.oadr3.table import Table
from tests.vtn.operator.desk_bench import relief_event

SECOND = timedelta(seconds=1)


async def test_whom_it_would_reach_and_with_what(table: Table) -> None:
    desk, now = table.desk, table.desk.clock.now()
    program = await desk.create_program()
    power = [{"type": "MAX_POWER_EXPORT", "values": [5]}, {"type": "MAX_POWER_CONSUMPTION", "values": [2.5]}]
    await table.enrol(table.ven, "north", attributes=power)
    await table.enrol(table.other, "south")
    await desk.add_party("fleet", targets=("north",))
    answer = await desk.http.post(f"{ADMIN}/parties/fleet/enrolled-power", json={"kw": 1000})
    assert answer.json()["enrolled_kw"] == 1000
    point = DataPoint(r_id="up", measurand=Measurand.UP_REGULATION, min_period=SECOND, max_period=SECOND)
    async with desk.store.unit_of_work() as uow:
        await uow.parties.saw({"id-fleet": now})
        for number, watts in enumerate((1e5, 8e5)):
            reading = Reading(r_id="up", starts_at=now - timedelta(minutes=2 - number), duration=SECOND, value=watts)
            await uow.reports.add_readings("id-fleet", [(point, reading)], now)
    found = (await desk.http.post(f"{ADMIN}/events/preview", json=relief_event(program, targets=["north"]))).json()
    assert [(one["party"], one["offline"], one["enrolled_kw"], one["available_kw"]) for one in found["parties"]] == [
        ("fleet", False, 1000, 800), ("ven-1", True, 7.5, None),
    ]  # fmt: skip
    assert (found["enrolled_kw"], found["available_kw"], found["offline"]) == (1007.5, 800, 1)
    assert await table.bl.read("events") == []


async def test_it_is_refused_as_the_event_would_be(table: Table) -> None:
    program = await table.desk.create_program()
    for wrong in (
        relief_event(program, kw=1e9),
        relief_event(program, attributes=[{"type": "NONSENSE", "values": []}]),
    ):
        refused = await table.desk.http.post(f"{ADMIN}/events/preview", json=wrong)
        written = await table.bl.ask("POST", "events", json=wrong)
        assert refused.status_code == written.status_code == 400
        assert refused.json()["detail"] == written.json()["detail"]
    refused = await table.desk.http.post(f"{ADMIN}/parties/nobody/enrolled-power", json={"kw": -1})
    assert refused.status_code == 400


async def test_what_2_0b_cannot_be_told_is_said(table: Table) -> None:
    program = await table.desk.create_program()
    await table.desk.add_party("fleet")
    curve = relief_event(program, intervals=[{"id": 0, "payloads": [{"type": "CURVE", "values": [{"x": 1, "y": 2}]}]}])
    found = (await table.desk.http.post(f"{ADMIN}/events/preview", json=curve)).json()
    assert found["parties"] == []
    assert found["not_told_to_2_0b"]


def limit_event(program: str, payload: str, kw: float, **members: Any) -> dict[str, Any]:
    return relief_event(
        program,
        payloadDescriptors=[{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": payload, "units": "KW"}],
        intervals=[{"id": 0, "payloads": [{"type": payload, "values": [kw]}]}],
        **members,
    )


async def test_devices_are_counted_and_what_they_are_not_told_is_said(table: Table) -> None:
    desk = table.desk
    program = await desk.create_program()
    await desk.add_party("fleet", registered=False)
    managed = [f"{number:032X}00028547" for number in range(3)]
    for lfdi in managed:
        added = await desk.http.post(f"{ADMIN}/sep2/devices", json={"party": "fleet", "lfdi": lfdi})
        assert added.status_code == 200, added.text

    async def previewed(event: dict[str, Any]) -> dict[str, Any]:
        return dict((await desk.http.post(f"{ADMIN}/events/preview", json=event)).json())

    limit = await previewed(limit_event(program, "EXPORT_CAPACITY_LIMIT", 5))
    (party,) = limit["parties"]
    assert (party["party"], party["speaks"], party["devices"]) == ("fleet", "IEEE 2030.5", 3)
    assert limit["not_told_to_2030_5"] == []
    relief = await previewed(relief_event(program))
    assert relief["parties"] == []
    assert "baseline" in str(relief["not_told_to_2030_5"])
    power = await previewed(limit_event(program, "DISPATCH_SETPOINT", 60))
    assert power["parties"] == []
    assert "fleet: power for all" in str(power["not_told_to_2030_5"])
    named = await previewed(limit_event(program, "DISPATCH_SETPOINT", 60, targets=managed[:1]))
    assert [one["devices"] for one in named["parties"]] == [1]
    event_id = (await table.bl.ask("POST", "events", json=relief_event(program))).json()["id"]
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert (seen["entitled"], len(seen["not_told_to_2030_5"])) == (0, 1)
