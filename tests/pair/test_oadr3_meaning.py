"""What only OpenADR 3 can say, from the operator's document through our VTN to what our VEN is to do."""

from datetime import timedelta
from typing import Any

import pytest

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.timeline import segments
from openadr_ven.domain import indications as i
from tests.pair.test_oadr3_pair import VenEnd, event_of, table, ven
from tests.vtn.oadr3.table import Table

__all__ = ["table", "ven"]
HOUR = timedelta(hours=1)


def intervals(payload_type: str, *values: list[Any], **periods: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"id": index, "payloads": [{"type": payload_type, "values": one}]}
        | ({"intervalPeriod": periods[f"at_{index}"]} if f"at_{index}" in periods else {})
        for index, one in enumerate(values)
    ]


async def heard(table: Table, ven: VenEnd, **members: Any) -> DrEvent:
    event_id = await event_of(table, **members)
    (received,) = (one for one in await ven.run() if isinstance(one, i.EventReceived))
    assert received.event.id == event_id
    return received.event


@pytest.mark.parametrize(
    ("payload_type", "kind"),
    [
        ("IMPORT_CAPACITY_LIMIT", SignalKind.IMPORT_LIMIT),
        ("EXPORT_CAPACITY_LIMIT", SignalKind.EXPORT_LIMIT),
        ("IMPORT_CAPACITY_SUBSCRIPTION", SignalKind.IMPORT_SUBSCRIPTION),
    ],
)
async def test_a_capacity_comes_as_a_bound(table: Table, ven: VenEnd, payload_type: str, kind: SignalKind) -> None:
    event = await heard(table, ven, intervals=intervals(payload_type, [7.5]))
    assert [(one.signal.kind, one.value) for one in segments(event)] == [(kind, 7500.0)]
    seen = (await table.desk.http.get(f"/admin/v1/events/{event.id}")).json()
    assert seen["not_told_to_2_0b"] == [f"payload type {payload_type} cannot be told to 2.0b parties"]


async def test_an_alert_comes_as_words(table: Table, ven: VenEnd) -> None:
    event = await heard(table, ven, intervals=intervals("ALERT_FLEX_ALERT", ["Save power", "until nine"]))
    assert [(one.kind, one.text) for one in event.alerts] == [("ALERT_FLEX_ALERT", "Save power until nine")]


async def test_a_gap_stays_a_gap(table: Table, ven: VenEnd) -> None:
    now = ven.now.replace(microsecond=0)
    later = {"start": (now + 3 * HOUR).isoformat(), "duration": "PT1H"}
    event = await heard(
        table, ven, intervalPeriod={"start": now.isoformat(), "duration": "PT1H"},
        intervals=intervals("SIMPLE", [1], [2], at_1=later),
    )  # fmt: skip
    ruling = [[one.value for one in segments(event) if one.rules_at(now + hour * HOUR)] for hour in (0, 1, 3, 4)]
    assert ruling == [[1.0], [], [2.0], []]


async def test_called_off_in_place_is_called_off(table: Table, ven: VenEnd) -> None:
    """R7.10: the beginning of time, and no length."""
    program = await table.desk.create_program()
    event = await heard(
        table, ven, program=program, intervals=intervals("IMPORT_CAPACITY_LIMIT", [7.5]),
        reportDescriptors=[{"payloadType": "DEMAND", "aggregate": True}],
    )  # fmt: skip
    document = {
        "programID": program, "intervals": intervals("IMPORT_CAPACITY_LIMIT", [7.5]),
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT0S"},
    }  # fmt: skip
    table.desk.clock.advance(1)
    put = await table.desk.http.put(f"/openadr3/3.1.0/events/{event.id}", json=document)
    assert put.status_code == 200, put.text
    found = await ven.later(10)
    assert [one.event.id for one in found if isinstance(one, i.EventCancelled)] == [event.id]
    assert [one.request_id for one in found if isinstance(one, i.ReportCancelled)] == [f"{event.id}/0"]
