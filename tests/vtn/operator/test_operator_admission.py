"""Events that parties could not take beside what they have are refused at the desk, and nothing is stored."""

from typing import Any

import pytest

from openadr_core.limits import EVENT_INTERVALS_MAX
from openadr_core.oadr3.payload_types import SIGNAL_KINDS
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.vtn.operator.desk_bench import DeskBench, relief_event
from tests.vtn.operator.test_operator_access import assert_problem

ALONE = [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}, {"type": "EVENT_OVERLAP", "values": ["REFUSED"]}]


@pytest.mark.openadr20b("R18", "V21")
async def test_a_program_may_refuse_events_that_overlap(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("two")
    alone = await desk.create_program(attributes=ALONE)
    other = await desk.create_program("other")
    first = await desk.create_event(alone, targets=["one"])
    refused = assert_problem(await desk.post_event(alone), 400)
    assert f"party one has event {first} of this program" in refused["detail"]
    assert len((await desk.http.get(f"{OADR3}/events")).json()) == 1
    await desk.create_event(alone, targets=["two"])
    await desk.create_event(other, targets=["one"])
    longer = relief_event(alone, targets=["one"], intervalPeriod={"start": "0001-01-01", "duration": "PT300S"})
    assert (await desk.http.put(f"{OADR3}/events/{first}", json=longer)).status_code == 200, "not in its own way"
    desk.clock.advance(300)
    await desk.create_event(alone, targets=["one"])


def a_large_event(program_id: str) -> dict[str, Any]:
    types = [name for name in SIGNAL_KINDS if name.startswith(("LOAD_CONTROL", "CONTROL_", "SIMPLE", "PRICE_MULT"))]
    payloads = [{"type": name, "values": [1]} for name in types]
    return {
        "programID": program_id,
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT5M"},
        "intervals": [{"id": number, "payloads": payloads} for number in range(EVENT_INTERVALS_MAX)],
    }


async def test_nobody_is_owed_more_than_one_message_holds(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("two")
    program_id = await desk.create_program()
    answer = await desk.http.post(f"{OADR3}/events", json=a_large_event(program_id))
    count = 1
    while answer.status_code == 201:
        count += 1
        answer = await desk.http.post(f"{OADR3}/events", json={**a_large_event(program_id), "targets": ["one"]})
    detail = assert_problem(answer, 400)["detail"]
    assert f"party one would be told of {count} events" in detail
    events = (await desk.http.get(f"{ADMIN}/events")).json()
    assert len(events) == count - 1
    await desk.create_event(program_id, targets=["two"])
