"""What an operator's commands do: to the store, to the parties that are owed, to the audit trail."""

import asyncio
import json
from datetime import timedelta

import pytest

from openadr_core.model.event import EventStatus
from openadr_core.model.party import PartyState
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.vtn.operator.desk_bench import DeskBench, relief_event
from tests.vtn.operator.test_operator_access import assert_problem

LONGEST = "P99999W999999DT9999999H999999999M9999999999S"
"""The longest that can be written, some 8,000 years."""


async def test_an_event_is_owed_to_the_parties_that_it_is_for(desk: DeskBench) -> None:
    for name, state in (("one", "approved"), ("two", "approved"), ("three", "pending"), ("four", "refused")):
        await desk.add_party(name, state=PartyState(state))
    program_id = await desk.create_program()
    to_all = await desk.create_event(program_id)
    to_one = await desk.create_event(program_id, targets=["one"])
    assert await desk.owed(to_all) == [("id-one", 0, False), ("id-two", 0, False)]
    assert await desk.owed(to_one) == [("id-one", 0, False)]
    assert (await desk.event(to_one)).signals[0].intervals[0].value == 5e6


async def test_a_program_bounds_whom_its_events_are_for(desk: DeskBench) -> None:
    await desk.add_party("one", targets=("feeder-7",))
    await desk.add_party("two", targets=())
    program_id = await desk.create_program(targets=["feeder-7"])
    event_id = await desk.create_event(program_id)
    assert await desk.owed(event_id) == [("id-one", 0, False)]
    opened = {"programName": "peak", "attributes": [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}]}
    assert (await desk.http.put(f"{OADR3}/programs/{program_id}", json=opened)).status_code == 200
    assert await desk.owed(event_id) == [("id-one", 0, False), ("id-two", 0, False)]


async def test_documents_come_back_as_they_were_written(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    text = json.dumps(relief_event(program_id, kw=1234.5)).replace("1234.5", "1234.50")
    text = text.replace('"PT120S"', '"P9999Y"')[:-1] + ', "x-note": [1.0, 2e3]}'
    made = await desk.http.post(f"{OADR3}/events", content=text, headers={"Content-Type": "application/json"})
    for answer in (made, await desk.http.get(f"{OADR3}/events/{made.json()['id']}")):
        assert "1234.50" in answer.text
        assert '"x-note": [1.0, 2e3]' in answer.text
        assert "P9999Y" in answer.text
        assert answer.json()["objectType"] == "EVENT"
    assert (await desk.event(made.json()["id"])).duration is None


async def test_the_same_post_twice_makes_one_event(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    first, again = [await desk.post_event(program_id, key="k-1") for _ in range(2)]
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert len((await desk.http.get(f"{OADR3}/events")).json()) == 1
    assert_problem(await desk.post_event(program_id, key="k-1", kw=6000), 409)
    other = await desk.post_event(program_id, key="k-2")
    assert other.json()["id"] != first.json()["id"]


async def test_the_same_post_at_once_makes_one_event(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    answers = await asyncio.gather(*(desk.post_event(program_id, key="k-1") for _ in range(5)))
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {
        one["id"] for one in (await desk.http.get(f"{OADR3}/events")).json()
    }
    assert len((await desk.http.get(f"{OADR3}/events")).json()) == 1


async def test_a_change_is_a_new_version_owed_anew(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    started = (await desk.event(event_id)).starts_at
    desk.clock.advance(30)
    longer = relief_event(program_id, intervalPeriod={"start": "0001-01-01T00:00:00Z", "duration": "PT300S"})
    answer = await desk.http.put(f"{OADR3}/events/{event_id}", json=longer)
    assert answer.status_code == 200, answer.text
    event = await desk.event(event_id)
    assert (event.version, event.starts_at, event.duration) == (1, started, timedelta(seconds=300))
    assert await desk.owed(event_id) == [("id-one", 0, False), ("id-one", 1, False)]


async def test_to_say_the_same_again_changes_nothing(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    desk.clock.advance(30)
    answer = await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id))
    assert answer.status_code == 200
    assert (await desk.event(event_id)).version == 0


async def test_a_document_that_asks_the_same_is_kept_and_owed_to_nobody(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    created = desk.clock.now()
    desk.clock.advance(30)
    descriptors = [{"objectType": "REPORT_DESCRIPTOR", "payloadType": "DEMAND"}]
    reworded = relief_event(program_id, reportDescriptors=descriptors) | {"x-note": "drill"}
    put = await desk.http.put(f"{OADR3}/events/{event_id}", json=reworded)
    assert put.status_code == 200, put.text
    for answer in (put, await desk.http.get(f"{OADR3}/events/{event_id}")):
        assert (answer.json()["reportDescriptors"], answer.json()["x-note"]) == (descriptors, "drill")
    event = await desk.event(event_id)
    assert (event.version, event.created_at, event.modified_at) == (0, created, desk.clock.now())
    assert await desk.owed(event_id) == [("id-one", 0, False)]


async def test_what_was_asked_until_now_cannot_change(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    desk.clock.advance(30)
    answer = await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id, kw=1000))
    assert "cannot change" in assert_problem(answer, 400)["detail"]
    desk.clock.advance(100)
    over = await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id))
    assert "ended at" in assert_problem(over, 409)["detail"]


async def test_no_event_begins_in_the_past_for_2_0b(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    now = desk.clock.now().replace(microsecond=0)

    def starting(after_s: int) -> dict[str, str]:
        return {"start": (now + timedelta(seconds=after_s)).isoformat(), "duration": "PT1H"}

    late = await desk.post_event(program_id, intervalPeriod=starting(-62))
    assert await desk.owed(late.json()["id"]) == []
    assert (await desk.post_event(program_id, intervalPeriod=starting(-55))).status_code == 201, "clocks differ"

    pending = await desk.create_event(program_id, intervalPeriod=starting(300))
    moved = relief_event(program_id, intervalPeriod=starting(-120))
    refused = await desk.http.put(f"{OADR3}/events/{pending}", json=moved)
    assert "would start at" in assert_problem(refused, 400)["detail"]
    assert (await desk.event(pending)).version == 0

    at_once = relief_event(program_id, intervalPeriod={"start": "0001-01-01", "duration": "PT1H"})
    assert (await desk.http.put(f"{OADR3}/events/{pending}", json=at_once)).status_code == 200
    desk.clock.advance(600)
    longer = relief_event(program_id, intervalPeriod={"start": "0001-01-01", "duration": "PT2H"})
    answer = await desk.http.put(f"{OADR3}/events/{pending}", json=longer)
    assert answer.status_code == 200, "what runs keeps its own start"
    assert (await desk.event(pending)).starts_at == now


async def test_a_party_that_is_no_longer_meant_is_told_so(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("two")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id, targets=["two"]))
    assert ("id-one", 1, True) in await desk.owed(event_id)
    assert ("id-two", 1, False) in await desk.owed(event_id)


async def test_to_delete_is_to_cancel(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    assert (await desk.http.delete(f"{OADR3}/events/{event_id}")).json()["id"] == event_id
    assert (await desk.event(event_id)).status_at(desk.clock.now()) is EventStatus.CANCELLED
    assert await desk.owed(event_id) == [("id-one", 0, False), ("id-one", 1, False)]
    assert_problem(await desk.http.get(f"{OADR3}/events/{event_id}"), 404)
    assert_problem(await desk.http.delete(f"{OADR3}/events/{event_id}"), 404)
    assert (await desk.http.get(f"{OADR3}/events")).json() == []
    (seen,) = (await desk.http.get(f"{ADMIN}/events")).json()
    assert seen["status"] == "cancelled"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kw": 10_001}, "guard.event_max_kw is 10,000"),
        ({"kw": -10_001}, "guard.event_max_kw is 10,000"),
        (
            {
                "intervals": [
                    {"id": index, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [kw]}]}
                    for index, kw in enumerate((1000, 8000))
                ]
            },
            "interval 1 of DISPATCH_SETPOINT_RELATIVE is 7,000 kW from the one before; guard.step_max_kw is 6,000",
        ),
        (
            {
                "intervals": [
                    {"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [1]}]},
                    {
                        "id": 1,
                        "payloads": [{"type": "DISPATCH_SETPOINT", "values": [9000]}],
                        "intervalPeriod": {"start": "2045-01-01T00:00:00Z"},
                    },
                ]
            },
            "interval 1 of DISPATCH_SETPOINT is 8,999 kW from the one before; guard.step_max_kw is 6,000",
        ),
        ({"priority": -1}, "priority: must be 0 or more"),
    ],
)
async def test_a_slip_is_told_with_its_place_and_stores_nothing(
    desk: DeskBench, changes: dict[str, object], reason: str
) -> None:
    program_id = await desk.create_program()
    answer = await desk.post_event(program_id, **changes)  # type: ignore[arg-type]
    assert reason in assert_problem(answer, 400)["detail"]
    assert (await desk.http.get(f"{OADR3}/events")).json() == []
    assert desk.done == [("create program", program_id)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"intervals": [{"id": 0, "payloads": [{"type": "GHG", "values": [1]}]}]}, "GHG cannot be told"),
        ({"intervalPeriod": {"start": "2020-01-01T00:00:00Z", "duration": "PT1H"}}, "is past"),
        (
            {"intervalPeriod": {"start": "9999-12-31T22:00:00Z", "duration": "PT1H", "randomizeStart": "PT2H"}},
            "after year 9999",
        ),
        (
            {"intervalPeriod": {"start": "9999-12-31T22:00:00Z", "duration": "P9999Y", "randomizeStart": "PT2H"}},
            "after year 9999",
        ),
        (
            {"intervalPeriod": {"start": "0001-01-01", "duration": "PT1H", "randomizeStart": LONGEST}},
            "after year 9999",
        ),
        ({"payloadDescriptors": None}, "has no unit"),
        ({"intervals": [], "reportDescriptors": [{"payloadType": "USAGE"}]}, "has no intervals"),
        ({"intervals": [], "intervalPeriod": {}}, "has no intervals"),
    ],
)
async def test_what_only_openadr_3_can_say_is_kept_and_owed_to_no_party_of_2_0b(
    desk: DeskBench, changes: dict[str, object], reason: str
) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id, **changes)
    assert await desk.owed(event_id) == []
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert seen["asks"] == "OpenADR 3 only"
    assert reason in seen["not_told_to_2_0b"][0]
    put = await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id))
    assert put.status_code == 200, put.text
    assert await desk.owed(event_id) == [("id-one", 1, False)]
    gone = await desk.http.delete(f"{OADR3}/events/{event_id}")
    assert gone.status_code == 200


async def test_an_event_is_called_off_by_its_times_too(desk: DeskBench) -> None:
    """User Guide 7.9: the beginning of time, and no length."""
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    nothing = relief_event(program_id, intervalPeriod={"start": "0001-01-01T00:00:00Z", "duration": "PT0S"})
    answer = await desk.http.put(f"{OADR3}/events/{event_id}", json=nothing)
    assert answer.status_code == 200, answer.text
    assert answer.json()["intervalPeriod"]["duration"] == "PT0S"
    assert (await desk.event(event_id)).status_at(desk.clock.now()) is EventStatus.CANCELLED
    assert await desk.owed(event_id) == [("id-one", 0, False), ("id-one", 1, False)]
    assert_problem(await desk.http.get(f"{OADR3}/events/{event_id}"), 404)


async def test_what_was_told_to_2_0b_stays_what_it_can_be_told(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    ghg = relief_event(program_id, intervals=[{"id": 0, "payloads": [{"type": "GHG", "values": [1]}]}])
    refused = await desk.http.put(f"{OADR3}/events/{event_id}", json=ghg)
    assert "GHG cannot be told" in assert_problem(refused, 400)["detail"]
    assert (await desk.event(event_id)).version == 0


async def test_an_event_of_no_program(desk: DeskBench) -> None:
    assert "no program nowhere" in assert_problem(await desk.post_event("nowhere"), 409)["detail"]


async def test_lists_are_paged_filtered_and_ordered(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    other_id = await desk.create_program("other")
    ids = []
    for priority, targets in ((None, []), (3, ["a"]), (0, ["b"]), (3, ["a", "b"])):
        ids.append(await desk.create_event(program_id, priority=priority, targets=targets))
        desk.clock.advance(1)
    await desk.create_event(other_id)

    async def listed(query: str) -> list[str]:
        answer = await desk.http.get(f"{OADR3}/events?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()]

    by_priority = [ids[2], ids[3], ids[1], ids[0]]
    assert await listed(f"programID={program_id}") == by_priority
    assert await listed(f"programID={program_id}&skip=1&limit=2") == by_priority[1:3]
    assert await listed("limit=0") == []
    assert await listed("targets=a") == [ids[3], ids[1]]
    assert await listed("targets=a&targets=b") == await listed("targets=a,b") == by_priority[:3]
    desk.clock.advance(117)
    assert len(await listed("active=true")) == 3
    assert len(await listed("active=false")) == 2
    for wrong in ("limit=51", "limit=-1", "skip=x", "skip=1e3", "active=yes"):
        assert_problem(await desk.http.get(f"{OADR3}/events?{wrong}"), 400)


async def test_an_operator_sees_what_is_open_before_all_else(desk: DeskBench) -> None:
    """By priority, a running event without one stood behind every other, and beyond the page."""
    program_id = await desk.create_program()
    far = {"start": "2030-01-01T00:00:00Z", "duration": "PT1H"}
    ids = []
    for members in ({"intervalPeriod": far}, {"priority": 0}, {"priority": 1}, {"intervalPeriod": far}):
        ids.append(await desk.create_event(program_id, **members))
        desk.clock.advance(1)
    await desk.http.delete(f"{OADR3}/events/{ids[3]}")
    desk.clock.advance(117)

    async def seen(query: str) -> list[str]:
        return [one["id"] for one in (await desk.http.get(f"{ADMIN}/events?{query}")).json()]

    assert await seen("limit=2") == [ids[2], ids[0]], "the one that runs and the one to come"
    assert await seen("skip=2&limit=2") == [ids[3], ids[1]], "the cancelled and the completed"


async def test_programs_are_named_once(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    again = await desk.http.post(f"{OADR3}/programs", json={"programName": "peak"})
    assert "called peak already" in assert_problem(again, 409)["detail"]
    twin = {"programName": "x", "attributes": [{"type": "MARKET_CONTEXT", "values": ["urn:openadr:program:peak"]}]}
    assert "market context" in assert_problem(await desk.http.post(f"{OADR3}/programs", json=twin), 409)["detail"]
    assert (await desk.http.get(f"{OADR3}/programs/{program_id}")).json()["programName"] == "peak"
    assert [one["id"] for one in (await desk.http.get(f"{OADR3}/programs?targets=x")).json()] == []


async def test_a_program_goes_with_its_events(desk: DeskBench) -> None:
    """The standard is silent: nothing of it is left, those it was asked of are told, and what they did stays known."""
    await desk.add_party("one")
    program_id, other_id = await desk.create_program(), await desk.create_program("other")
    over, live, kept = [await desk.create_event(of_it) for of_it in (program_id, program_id, other_id)]
    desk.clock.advance(30)
    long = relief_event(program_id, intervalPeriod={"start": "0001-01-01", "duration": "PT1H"})
    assert (await desk.http.put(f"{OADR3}/events/{live}", json=long)).status_code == 200
    desk.clock.advance(120)
    assert (await desk.http.delete(f"{OADR3}/programs/{program_id}")).status_code == 200
    assert_problem(await desk.http.delete(f"{OADR3}/programs/{program_id}"), 404)
    for event_id in (over, live):
        assert_problem(await desk.http.get(f"{OADR3}/events/{event_id}"), 404)
    assert [one["id"] for one in (await desk.http.get(f"{OADR3}/events")).json()] == [kept]
    statuses = {one["id"]: one["status"] for one in (await desk.http.get(f"{ADMIN}/events")).json()}
    assert statuses == {over: "completed", live: "cancelled", kept: "completed"}
    assert await desk.owed(over) == [("id-one", 0, False)], "it was over: there is nothing to be told"
    trail = {(one["action"], one["subject"]) for one in (await desk.http.get(f"{ADMIN}/audit")).json()}
    assert {("remove program", program_id), ("remove event", over), ("cancel event", live)} <= trail
    assert await desk.create_program() != program_id, "its name is free"


async def test_an_event_that_is_over_is_deleted_too(desk: DeskBench) -> None:
    event_id = await desk.create_event(await desk.create_program())
    desk.clock.advance(121)
    assert (await desk.http.delete(f"{OADR3}/events/{event_id}")).json()["id"] == event_id
    assert_problem(await desk.http.get(f"{OADR3}/events/{event_id}"), 404)
    assert_problem(await desk.http.delete(f"{OADR3}/events/{event_id}"), 404)
    (seen,) = (await desk.http.get(f"{ADMIN}/events")).json()
    assert seen["status"] == "completed"


async def test_everything_done_is_in_the_audit_trail(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    await desk.http.post(f"{ADMIN}/stop", json={"reason": "drill"})
    trail = [(one["actor"], one["action"], one["subject"]) for one in (await desk.http.get(f"{ADMIN}/audit")).json()]
    assert trail[:4] == [
        ("client:chief", "stop", event_id),
        ("client:chief", "cancel event", event_id),
        ("client:chief", "create event", event_id),
        ("client:chief", "create program", program_id),
    ]
    assert desk.done == [("create program", program_id), ("create event", event_id), ("stop", event_id)]


async def test_stop_ends_what_runs_and_what_is_to_come(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    over = await desk.create_event(program_id)
    desk.clock.advance(121)
    running = await desk.create_event(program_id)
    far = await desk.create_event(program_id, intervalPeriod={"start": "2030-01-01T00:00:00Z", "duration": "PT1H"})
    answer = await desk.http.post(f"{ADMIN}/stop")
    assert set(answer.json()["stopped"]) == {running, far}
    assert (await desk.event(over)).cancelled_at is None
    for event_id in (running, far):
        assert (await desk.event(event_id)).cancelled_at == desk.clock.now()
        assert ("id-one", 1, False) in await desk.owed(event_id)
    assert (await desk.http.post(f"{ADMIN}/stop")).json() == {"stopped": []}


async def test_notes_stand_with_their_event_in_order(desk: DeskBench) -> None:
    event_id = await desk.create_event(await desk.create_program())
    for text in ("first", "second: <b>bold</b>"):
        kept = (await desk.http.post(f"{ADMIN}/events/{event_id}/notes", json={"text": text})).json()
        assert kept["text"] == text
    shown = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert [note["text"] for note in shown["notes"]] == ["first", "second: <b>bold</b>"]
    assert_problem(await desk.http.post(f"{ADMIN}/events/nothing/notes", json={"text": "x"}), 404)
    assert_problem(await desk.http.post(f"{ADMIN}/events/{event_id}/notes", json={}), 400)


async def test_stop_can_name_events(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    one, other = await desk.create_event(program_id), await desk.create_event(program_id)
    assert (await desk.http.post(f"{ADMIN}/stop", json={"events": [one, one]})).json() == {"stopped": [one]}
    assert (await desk.http.post(f"{ADMIN}/stop", json={"events": [one]})).json() == {"stopped": []}
    assert_problem(await desk.http.post(f"{ADMIN}/stop", json={"events": [other, "nothing"]}), 404)
    assert (await desk.event(other)).cancelled_at is None


@pytest.mark.parametrize("slip", [{"event": ["x"]}, {"events": None}, {"events": "x"}])
async def test_a_slip_stops_nothing(desk: DeskBench, slip: dict[str, object]) -> None:
    """A member that is not known was once ignored, and what named one event stopped all."""
    event_id = await desk.create_event(await desk.create_program())
    refused = await desk.http.post(f"{ADMIN}/stop", json=slip)
    assert next(iter(slip)) in assert_problem(refused, 400)["detail"]
    assert (await desk.event(event_id)).cancelled_at is None


async def test_to_name_no_event_is_to_stop_none(desk: DeskBench) -> None:
    event_id = await desk.create_event(await desk.create_program())
    assert (await desk.http.post(f"{ADMIN}/stop", json={"events": []})).json() == {"stopped": []}
    assert (await desk.event(event_id)).cancelled_at is None
    assert (await desk.http.post(f"{ADMIN}/stop", json={})).json() == {"stopped": [event_id]}


async def test_nothing_new_starts_while_the_time_is_in_doubt(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    desk.doubt.set()
    assert "clock was set" in assert_problem(await desk.post_event(program_id), 409)["detail"]
    assert_problem(await desk.http.put(f"{OADR3}/events/{event_id}", json=relief_event(program_id)), 409)
    assert (await desk.http.post(f"{ADMIN}/stop")).json() == {"stopped": [event_id]}
