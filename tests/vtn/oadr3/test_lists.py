"""Pages, filters, and answers that a client may keep."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from openadr_core.limits import JSON_BODY_MAX_BYTES
from openadr_vtn.domain.access import Role
from openadr_vtn.http.addresses import OADR3
from tests.vtn.oadr3.table import Client, Table, report_request, resource_request, ven_request
from tests.vtn.operator.desk_bench import relief_event
from tests.vtn.operator.test_operator_access import assert_problem

LISTS = ("programs", "events", "reports", "vens", "resources")


async def _stocked(table: Table) -> dict[str, str]:
    """One object of each kind that the VEN sees; ids by kind."""
    ven = await table.ven.create("vens", ven_request())
    resource = await table.ven.create("resources", resource_request())
    program_id = await table.desk.create_program()
    event_id = await table.desk.create_event(program_id)
    report = await table.ven.create("reports", report_request(event_id))
    return dict(zip(LISTS, (program_id, event_id, report["id"], ven["id"], resource["id"]), strict=True))


async def _again(client: Client, path: str, tag: str) -> int:
    answer = await client.ask("GET", path, headers={"If-None-Match": f'"other", {tag}'})
    assert answer.headers["ETag"] == tag or answer.status_code == 200
    assert answer.status_code == 200 or not answer.content
    return answer.status_code


@pytest.mark.parametrize("objects", LISTS)
@pytest.mark.openadr3("R3.6")
async def test_what_has_not_changed_is_not_sent_again(table: Table, objects: str) -> None:
    ids = await _stocked(table)
    for client in (table.ven, table.bl):
        for path in (objects, f"{objects}?limit=1", f"{objects}/{ids[objects]}"):
            tag = (await client.ask("GET", path)).headers["ETag"]
            assert await _again(client, path, tag) == 304
            assert await _again(client, path, '"another"') == 200


@pytest.mark.parametrize("objects", LISTS)
async def test_what_has_changed_is_sent(table: Table, objects: str) -> None:
    ids = await _stocked(table)
    path = f"{objects}/{ids[objects]}"
    tags = {one: (await table.ven.ask("GET", one)).headers["ETag"] for one in (objects, path)}
    await (table.ven if objects in {"reports", "vens", "resources"} else table.bl).remove(path)
    assert await _again(table.ven, objects, tags[objects]) == 200
    assert_problem(await table.ven.ask("GET", path, headers={"If-None-Match": tags[path]}), 404)


@pytest.mark.parametrize("objects", LISTS)
async def test_what_has_not_changed_is_not_even_read(table: Table, objects: str) -> None:
    ids = await _stocked(table)
    for path in (objects, f"{objects}/{ids[objects]}"):
        tag = (await table.ven.ask("GET", path)).headers["ETag"]
        with statements(table) as run:
            assert await _again(table.ven, path, tag) == 304
        assert [one for one in run if "api_client" not in one] == [], "all that is read is whose token it is"


@pytest.mark.parametrize("objects", ["events", "vens", "resources", "reports"])
async def test_a_page_costs_as_many_queries_as_one_object(table: Table, objects: str) -> None:
    ids = await _stocked(table)

    async def cost(client: Client) -> int:
        await client.read(objects)
        with statements(table) as run:
            await client.read(f"{objects}?limit=49")
        return len(run)

    before = [await cost(client) for client in (table.ven, table.bl)]
    for number in range(5):
        client = await table.seat(f"c{number}", Role.VEN)
        await client.create("vens", ven_request(f"v{number}"))
        for name in ("battery", "pump"):
            await client.create("resources", resource_request(name))
        await client.create("reports", report_request(ids["events"]))
        await table.desk.create_event(ids["programs"])
    after = [await cost(client) for client in (table.ven, table.bl)]
    assert after[0] == before[0]
    if objects != "reports":  # what 2.0b parties measured is looked for event by event
        assert after[1] == before[1]


@contextmanager
def statements(table: Table) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    run: list[str] = []
    engine = table.desk.store._engines.reader.sync_engine

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement != "BEGIN":
            run.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_tag_is_worth_nothing_to_another(table: Table) -> None:
    ids = await _stocked(table)
    tag = (await table.ven.ask("GET", "events")).headers["ETag"]
    assert await _again(table.other, "events", tag) == 200
    assert await _again(table.ven, "events?targets=x", tag) == 200
    own = (await table.ven.ask("GET", f"vens/{ids['vens']}")).headers["ETag"]
    assert_problem(await table.other.ask("GET", f"vens/{ids['vens']}", headers={"If-None-Match": own}), 404)


@pytest.mark.openadr3("R5.8")
async def test_a_grant_makes_kept_lists_worthless(table: Table) -> None:
    ids = await _stocked(table)
    program_id = ids["programs"]
    hidden = await table.desk.create_event(program_id, targets=["feeder-7"])
    answer = await table.ven.ask("GET", "events")
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-1", "venName": "x", "targets": ["feeder-7"]}
    await table.bl.replace(f"vens/{ids['vens']}", body)
    assert await _again(table.ven, "events", answer.headers["ETag"]) == 200
    assert set(await table.ven.ids("events")) == {ids["events"], hidden}


@pytest.mark.openadr3("R3.4")
async def test_a_list_of_what_has_not_transpired_changes_with_the_time(table: Table) -> None:
    ids = await _stocked(table)
    tags = {path: (await table.ven.ask("GET", path)).headers["ETag"] for path in ("events?active=true", "events")}
    table.desk.clock.advance(119)
    assert [await _again(table.ven, path, tag) for path, tag in tags.items()] == [304, 304]
    table.desk.clock.advance(2)
    assert [await _again(table.ven, path, tag) for path, tag in tags.items()] == [200, 304]
    assert await table.ven.ids("events?active=true") == []
    assert await table.ven.ids("events?active=false") == await table.ven.ids("events") == [ids["events"]]


@pytest.mark.parametrize("objects", LISTS)
@pytest.mark.openadr3("R3.1", "R3.2")
async def test_pages_are_whole_and_in_order(table: Table, objects: str) -> None:
    await _stocked(table)
    ids: dict[str, str] = {kind: (await table.bl.ids(kind))[0] for kind in LISTS}
    makers: dict[str, Any] = {
        "programs": lambda n: {"programName": f"p{n}"},
        "events": lambda n: relief_event("", priority=n % 2) | {"programID": ids["programs"]},
        "reports": lambda _: report_request(ids["events"]),
        "vens": lambda n: {"objectType": "BL_VEN_REQUEST", "clientID": f"c{n}", "venName": f"v{n}"},
        "resources": lambda n: resource_request(f"r{n}"),
    }
    writer = table.ven if objects in {"reports", "resources"} else table.bl
    for number in range(4):
        await writer.create(objects, makers[objects](number))
    everything = await table.bl.ids(objects)
    assert len(everything) == len(set(everything)) == 5
    paged, path = [], f"{objects}?limit=2"
    while path:
        answer = await table.bl.ask("GET", path)
        assert answer.headers["X-Total-Count"] == "5"
        paged += [one["id"] for one in answer.json()]
        path = answer.links["next"]["url"].removeprefix(f"{OADR3}/") if "next" in answer.links else ""
    assert paged == everything
    last = await table.bl.ask("GET", f"{objects}?skip=4&limit=2")
    assert last.links["prev"]["url"] == f"{OADR3}/{objects}?skip=2&limit=2"


@pytest.mark.parametrize(
    "query",
    [
        "limit=51", "limit=-1", "skip=-1", "skip=x", "limit=", "targets=" + "x" * 129, "targets=",
        "skip=" + "9" * 19, "programID=a/b",
        "active=1", "eventID=%20",
    ],
)  # fmt: skip
async def test_a_query_that_means_nothing(table: Table, query: str) -> None:
    path = "reports" if query.startswith("eventID") else "events"
    assert_problem(await table.bl.ask("GET", f"{path}?{query}"), 400)


@pytest.mark.parametrize("objects", LISTS)
async def test_what_cannot_be_answered_says_why(table: Table, objects: str) -> None:
    ids = await _stocked(table)
    for path, allowed in ((objects, {"GET", "HEAD", "POST"}), (f"{objects}/x", {"DELETE", "GET", "HEAD", "PUT"})):
        answer = await table.bl.ask("PATCH", path)
        assert_problem(answer, 405)
        assert set(answer.headers["Allow"].split(",")) == allowed
    assert_problem(await table.bl.ask("GET", objects, headers={"Accept": "text/html"}), 406)
    assert (await table.bl.ask("GET", objects, headers={"Accept": "text/html, */*;q=0.1"})).status_code == 200
    assert_problem(await table.bl.ask("GET", f"{objects}/a.b"), 400)
    assert_problem(await table.bl.ask("GET", f"{objects}/nothing"), 404)
    problem = await table.bl.ask("GET", f"{objects}/nothing", headers={"Accept": "application/problem+json"})
    assert problem.headers["Content-Type"].startswith("application/problem+json")
    one = f"{objects}/{ids[objects]}"
    assert_problem(await table.bl.ask("PUT", one, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    assert_problem(await table.bl.ask("PUT", one), 400)
    too_long = b" " * (JSON_BODY_MAX_BYTES + 1)
    assert_problem(await table.bl.ask("PUT", one, content=too_long, headers={"Content-Type": "application/json"}), 413)


BOMBS = {
    "a name twice": '{"%s": "x", "%s": "y"}',
    "no number": '{"%s": NaN, "x": "%s"}',
    "infinite": '{"%s": 1e400, "x": "%s"}',
    "huge": '{"%s": 123456789012345678901234567890, "x": "%s"}',
    "deep": '{"%s": ' + "[" * 40 + "]" * 40 + ', "x": "%s"}',
    "NUL": '{"%s": "a\\u0000b", "x": "%s"}',
    "half a character": '{"%s": "\\ud800", "x": "%s"}',
    "no object": '["%s", "%s"]',
    "cut off": '{"%s": "%s',
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bodies_that_two_readers_read_differently_are_refused(table: Table, bomb: str) -> None:
    ids = await _stocked(table)
    before = {objects: (await table.bl.ask("GET", objects)).text for objects in LISTS}
    for objects in LISTS:
        writer = table.bl if objects in {"programs", "events"} else table.ven
        text = BOMBS[bomb] % ("x-note", "x-note")
        for method, path in (("POST", objects), ("PUT", f"{objects}/{ids[objects]}")):
            answer = await writer.ask(method, path, content=text, headers={"Content-Type": "application/json"})
            assert_problem(answer, 400)
    assert {objects: (await table.bl.ask("GET", objects)).text for objects in LISTS} == before


@pytest.mark.openadr3("R4.1")
async def test_numbers_lengths_and_moments_come_back_as_written(table: Table) -> None:
    ids = await _stocked(table)
    text = json.dumps(
        {
            "eventID": ids["events"],
            "clientName": "my house",
            "resources": [
                {
                    "resourceName": "a",
                    "intervalPeriod": {"start": "0001-01-01", "duration": "P9999Y"},
                    "intervals": [{"id": 0, "payloads": [{"type": "X", "values": [1, True, "x", {"x": 1, "y": 2}]}]}],
                }
            ],
        }
    ).replace("[1, ", "[1.10, 1e3, 12345678.123456789, ")
    made = await table.ven.ask("POST", "reports", content=text, headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    read = await table.ven.ask("GET", f"reports/{made.json()['id']}")
    for said in ('"P9999Y"', '"0001-01-01"', "[1.10, 1e3, 12345678.123456789, true"):
        assert said in made.text
        assert said in read.text
