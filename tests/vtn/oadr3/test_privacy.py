"""What a VEN sees of programs and events (OpenADR 3.1, object privacy and target hiding)."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from openadr_core.shell.clock import ManualClock
from openadr_vtn.domain.access import READ_TARGETS, READ_VEN_OBJECTS, Role
from tests.vtn.oadr3.table import Table, bl_resource_request, laid_table, resource_request, ven_request
from tests.vtn.operator.desk_bench import relief_event
from tests.vtn.operator.test_operator_access import assert_problem


@pytest.fixture
async def strict_table(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Table]:
    async with laid_table(empty_database, tmp_path / "strict.db", ManualClock(now), strict_targets=True) as table:
        yield table


async def _events(table: Table) -> dict[str, str]:
    """Ids of three events: for all, for feeder-7 and zone-a, for feeder-8."""
    program_id = await table.desk.create_program()
    return {
        name: await table.desk.create_event(program_id, targets=targets)
        for name, targets in (("all", []), ("mine", ["feeder-7", "zone-a"]), ("theirs", ["feeder-8"]))
    }


async def _seen(table: Table, ids: dict[str, str], query: str = "") -> set[str]:
    names = {event_id: name for name, event_id in ids.items()}
    return {names[event_id] for event_id in await table.ven.ids(f"events{query}")}


@pytest.mark.openadr3("R5.3", "C5", "U2")
async def test_lists_hold_what_was_granted_and_what_is_for_all(table: Table) -> None:
    ids = await _events(table)
    assert await _seen(table, ids) == {"all"}, "without a ven there is no grant"
    await table.enrol(table.ven, "feeder-7")
    assert await _seen(table, ids) == {"all", "mine"}
    assert await _seen(table, ids, "?targets=feeder-7") == {"mine"}
    assert await _seen(table, ids, "?targets=feeder-7&targets=feeder-8") == {"mine"}
    assert await _seen(table, ids, "?targets=feeder-7,zone-a") == {"mine"}
    assert await _seen(table, ids, "?targets=zone-a") == set(), "it was not granted that name"
    assert await _seen(table, ids, "?targets=feeder-8") == set()
    assert set(await table.bl.ids("events")) == set(ids.values())


@pytest.mark.openadr3("R5.7")
async def test_by_id_the_same_is_seen_as_in_lists(table: Table) -> None:
    ids = await _events(table)
    await table.enrol(table.ven, "feeder-7")
    assert [await table.ven.status(f"events/{ids[name]}") for name in ("all", "mine")] == [200, 200]
    hidden = assert_problem(await table.ven.ask("GET", f"events/{ids['theirs']}"), 404)
    nothing = assert_problem(await table.ven.ask("GET", "events/nothing"), 404)
    assert hidden["detail"].replace(ids["theirs"], "x") == nothing["detail"].replace("nothing", "x")


async def test_a_grant_to_a_resource_is_one_to_its_ven(table: Table) -> None:
    ids = await _events(table)
    ven = await table.enrol(table.ven)
    body = bl_resource_request(ven["id"], "ven-1", targets=["feeder-7"])
    made = await table.bl.create("resources", body)
    assert await _seen(table, ids) == {"all", "mine"}
    assert await table.desk.owed(ids["mine"]) == [(ven["id"], 0, False)]
    await table.bl.replace(f"resources/{made['id']}", body | {"targets": ["feeder-8"]})
    assert await _seen(table, ids) == {"all", "theirs"}
    assert await table.desk.owed(ids["mine"]) == [(ven["id"], 0, False), (ven["id"], 1, True)]
    await table.ven.remove(f"resources/{made['id']}")
    assert await _seen(table, ids) == {"all"}


async def test_a_ven_cannot_name_itself_into_what_is_not_its(table: Table) -> None:
    """It chooses its own name, and those of its resources: they are no grants."""
    ids = await _events(table)
    await table.ven.create("vens", ven_request("feeder-7"))
    await table.ven.create("resources", resource_request("feeder-7"))
    assert await _seen(table, ids) == {"all"}
    assert await table.desk.owed(ids["mine"]) == []


async def test_an_event_for_a_ven_by_its_id(table: Table) -> None:
    ven = await table.ven.create("vens", ven_request())
    program_id = await table.desk.create_program()
    event_id = await table.desk.create_event(program_id, targets=[ven["id"]])
    assert await table.ven.ids("events") == [event_id]
    assert await table.other.ids("events") == []


@pytest.mark.openadr3("R5.4")
async def test_of_targets_a_ven_is_told_its_own(table: Table) -> None:
    ids = await _events(table)
    await table.enrol(table.ven, "zone-a", "feeder-8")
    assert (await table.ven.read(f"events/{ids['mine']}"))["targets"] == ["zone-a"]
    (one,) = await table.ven.read("events?targets=zone-a")
    assert one["targets"] == ["zone-a"]
    assert (await table.bl.read(f"events/{ids['mine']}"))["targets"] == ["feeder-7", "zone-a"]


async def test_programs_are_as_private_as_events(table: Table) -> None:
    desk = table.desk
    opened, mine, theirs = [
        await desk.create_program(name, targets=targets)
        for name, targets in (("open", []), ("mine", ["feeder-7", "x"]), ("theirs", ["feeder-8"]))
    ]
    await table.enrol(table.ven, "feeder-7")
    assert set(await table.ven.ids("programs")) == {opened, mine}
    assert await table.ven.ids("programs?targets=feeder-7") == [mine]
    assert await table.ven.ids("programs?programName=theirs") == []
    assert (await table.ven.read(f"programs/{mine}"))["targets"] == ["feeder-7"]
    assert_problem(await table.ven.ask("GET", f"programs/{theirs}"), 404)
    event_id = await desk.create_event(theirs)
    assert await table.ven.ids("events") == [event_id], "an event is seen by its own targets"


async def test_what_only_20b_can_say_hides_an_event_too(table: Table) -> None:
    program_id = await table.desk.create_program()
    group = {"attributes": [{"type": "GROUP_ID", "values": ["zone-g"]}]}
    event_id = await table.desk.create_event(program_id, **group)
    ven = await table.enrol(table.ven)
    assert await table.ven.ids("events") == []
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-1", "venName": "ven-1", "targets": ["zone-g"]}
    await table.bl.replace(f"vens/{ven['id']}", body)
    assert await table.ven.ids("events") == [event_id]


@pytest.mark.openadr3("C5")
async def test_strict_lists_want_targets_to_be_named(strict_table: Table) -> None:
    ids = await _events(strict_table)
    await strict_table.enrol(strict_table.ven, "feeder-7")
    assert await _seen(strict_table, ids) == {"all"}
    assert await _seen(strict_table, ids, "?targets=feeder-7") == {"mine"}
    assert await strict_table.ven.status(f"events/{ids['mine']}") == 200


async def test_a_ven_writes_no_programs_and_no_events(table: Table) -> None:
    program_id = await table.desk.create_program()
    event_id = await table.desk.create_event(program_id)
    bodies: dict[str, Any] = {"programs": {"programName": "x"}, "events": relief_event(program_id)}
    for objects, one in (("programs", program_id), ("events", event_id)):
        await table.ven.create(objects, bodies[objects], expect=403)
        await table.ven.replace(f"{objects}/{one}", bodies[objects], expect=403)
        await table.ven.remove(f"{objects}/{one}", expect=403)
    assert await table.bl.ids("events") == [event_id]


async def test_scopes_bound_what_a_ven_reads(table: Table) -> None:
    targets, own = [
        await table.seat(scope, Role.VEN, scope) for scope in (READ_TARGETS, READ_VEN_OBJECTS)
    ]  # fmt: skip
    lists = {path: [await who.status(path) for who in (targets, own)] for path in ("events", "programs", "vens")}
    assert lists == {"events": [200, 403], "programs": [200, 403], "vens": [403, 200]}
    assert [await who.status("reports") for who in (targets, own)] == [403, 200]


async def test_the_ledger_knows_who_was_entitled_and_who_came_to_read(table: Table) -> None:
    ids = await _events(table)
    ven = await table.enrol(table.ven, "feeder-7")
    table.desk.clock.advance(3)
    await table.ven.read("events?targets=feeder-7")
    async with table.desk.store.view() as view:
        (mine,), (every,) = [await view.deliveries.of_event(ids[name]) for name in ("mine", "all")]
        assert await view.deliveries.of_event(ids["theirs"]) == []
    assert (mine.party_id, mine.fetched_at) == (ven["id"], table.desk.clock.now())
    assert mine.notified_at == mine.fetched_at
    assert (every.party_id, every.fetched_at) == (ven["id"], None), "it was not in what it read"
    first = table.desk.clock.now()
    table.desk.clock.advance(3)
    await table.ven.read(f"events/{ids['mine']}")
    await table.ven.read(f"events/{ids['all']}")
    async with table.desk.store.view() as view:
        ((mine,), (every,)) = [await view.deliveries.of_event(ids[name]) for name in ("mine", "all")]
    assert (mine.fetched_at, every.fetched_at) == (first, table.desk.clock.now())
    assert table.desk.heard == {ven["id"]: table.desk.clock.now()}
