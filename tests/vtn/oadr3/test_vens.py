"""Vens of OpenADR 3.1: who makes them, what each may change, and what goes with them."""

import pytest

from openadr_core.model.party import PartyState
from openadr_vtn.domain.access import READ_VEN_OBJECTS, Role
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.oadr3.table import Table, bl_resource_request, resource_request, ven_request
from tests.vtn.operator.test_operator_access import assert_problem


async def test_a_ven_makes_and_edits_its_own(table: Table) -> None:
    attributes = [{"type": "MAX_POWER_EXPORT", "values": [1.50]}]
    made = await table.ven.create("vens", ven_request(attributes=attributes))
    assert (made["objectType"], made["clientID"], made["venName"]) == ("VEN", "ven-1", "my house")
    assert (made["targets"], made["attributes"]) == ([], attributes)
    assert made["createdDateTime"] == made["modificationDateTime"]
    assert await table.ven.read(f"vens/{made['id']}") == await table.bl.read(f"vens/{made['id']}") == made
    table.desk.clock.advance(5)
    edited = await table.ven.replace(f"vens/{made['id']}", ven_request("our house"))
    assert (edited["venName"], edited["createdDateTime"]) == ("our house", made["createdDateTime"])
    assert edited["modificationDateTime"] > made["modificationDateTime"]
    assert "attributes" not in edited, "PUT replaces the whole"
    assert await table.ven.remove(f"vens/{made['id']}") == edited
    assert_problem(await table.ven.ask("GET", f"vens/{made['id']}"), 404)
    assert (await table.ven.create("vens", ven_request("our house")))["id"] != made["id"], "client and name are free"


async def test_what_a_client_says_of_the_vtns_own_members_is_ignored(table: Table) -> None:
    made = await table.ven.create(
        "vens",
        ven_request(id="mine", createdDateTime="2001-01-01T00:00:00Z", clientID="ven-2", targets=["feeder-7"]),
    )
    assert (made["id"], made["clientID"], made["targets"]) != ("mine", "ven-2", ["feeder-7"])
    assert (made["clientID"], made["targets"]) == ("ven-1", [])
    assert not made["createdDateTime"].startswith("2001")


@pytest.mark.openadr3("bl_can_add_ven", "U13")
async def test_business_logic_makes_a_ven_and_grants_it_targets(table: Table) -> None:
    made = await table.enrol(table.ven, "feeder-7", attributes=[{"type": "DESCRIPTION", "values": ["x"]}])
    assert (made["clientID"], made["targets"]) == ("ven-1", ["feeder-7"])
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-1", "venName": "ven-1", "targets": ["feeder-8"]}
    assert (await table.bl.replace(f"vens/{made['id']}", body))["targets"] == ["feeder-8"]
    kept = await table.ven.replace(f"vens/{made['id']}", ven_request("new", targets=["zone-a"], clientID="ven-2"))
    assert (kept["targets"], kept["clientID"]) == (["feeder-8"], "ven-1"), "R5.5: a ven grants itself nothing"


@pytest.mark.openadr3("R2.5")
async def test_each_speaks_as_what_its_token_says(table: Table) -> None:
    by_business = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-1", "venName": "x"}
    await table.ven.create("vens", by_business, expect=400)
    await table.bl.create("vens", ven_request(), expect=400)
    made = await table.ven.create("vens", ven_request())
    await table.ven.replace(f"vens/{made['id']}", by_business, expect=400)
    await table.bl.replace(f"vens/{made['id']}", ven_request(), expect=400)
    await table.ven.create("vens", {"venName": "x"}, expect=400)
    assert await table.ven.ids("vens") == [made["id"]]


async def test_a_client_is_one_ven_and_a_name_is_one_vens(table: Table) -> None:
    first = await table.ven.create("vens", ven_request())
    await table.ven.create("vens", ven_request("another"), expect=409)
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-1", "venName": "third"}
    await table.bl.create("vens", body, expect=409)
    await table.other.create("vens", ven_request(), expect=409)
    second = await table.other.create("vens", ven_request("neighbour"))
    await table.other.replace(f"vens/{second['id']}", ven_request(), expect=409)
    taken = {"objectType": "BL_VEN_REQUEST", "clientID": "ven-9", "venName": "neighbour"}
    await table.bl.replace(f"vens/{second['id']}", taken, expect=409)
    assert set(await table.bl.ids("vens")) == {first["id"], second["id"]}


@pytest.mark.openadr3("R5.2")
async def test_a_ven_sees_and_touches_no_other(table: Table) -> None:
    mine = await table.ven.create("vens", ven_request())
    assert await table.other.read("vens") == []
    theirs = await table.other.create("vens", ven_request("neighbour"))
    assert await table.ven.ids("vens") == [mine["id"]]
    assert await table.ven.ids("vens?venName=neighbour") == []
    for method in ("GET", "DELETE"):
        assert_problem(await table.ven.ask(method, f"vens/{theirs['id']}"), 404)
    await table.ven.replace(f"vens/{theirs['id']}", ven_request("mine now"), expect=404)
    assert await table.other.read(f"vens/{theirs['id']}") == theirs
    reader = await table.seat("reader", Role.VEN, READ_VEN_OBJECTS)
    await reader.create("vens", ven_request("third"), expect=403)
    await reader.remove(f"vens/{mine['id']}", expect=403)


async def test_a_party_of_20b_is_a_ven_too(table: Table) -> None:
    await table.desk.add_party("one", targets=("zone-a",))
    await table.desk.add_party("two", state=PartyState.PENDING)
    (shown,) = await table.bl.read("vens")
    assert (shown["venName"], shown["targets"], len(shown["clientID"])) == ("one", ["zone-a"], 40)
    body = {"objectType": "BL_VEN_REQUEST", "clientID": shown["clientID"], "venName": "one", "targets": ["zone-b"]}
    assert (await table.bl.replace("vens/id-one", body))["clientID"] == shown["clientID"]
    given = await table.bl.replace("vens/id-one", body | {"clientID": "ven-1"})
    assert given["clientID"] == "ven-1", "business logic has said which client it is"
    assert await table.ven.ids("vens") == ["id-one"]
    # The operator knows this party by its certificate: its client neither renames nor removes it.
    await table.ven.replace("vens/id-one", ven_request("feeder-7"), expect=403)
    await table.ven.remove("vens/id-one", expect=403)
    assert (await table.bl.remove("vens/id-one"))["id"] == "id-one"
    assert await table.ven.read("vens") == []
    async with table.desk.store.view() as view:
        party = await view.parties.by_id("id-one")
    assert party is not None
    assert (party.state, party.registration, party.client_id) == (PartyState.REFUSED, None, None)


async def test_lists_of_vens_are_filtered_and_paged(table: Table) -> None:
    made = []
    for number in range(3):
        body = {"objectType": "BL_VEN_REQUEST", "clientID": f"c{number}", "venName": f"v{number}"}
        made.append((await table.bl.create("vens", body | {"targets": [f"zone-{number % 2}"]}))["id"])
        table.desk.clock.advance(1)
    assert await table.bl.ids("vens") == made[::-1], "the newest first"
    assert await table.bl.ids("vens?targets=zone-0") == [made[2], made[0]]
    assert await table.bl.ids("vens?targets=zone-0&venName=v0") == [made[0]]
    assert await table.bl.ids("vens?skip=1&limit=1") == [made[1]]


async def test_resources_of_a_ven(table: Table) -> None:
    await table.ven.create("resources", resource_request(), expect=409)
    ven = await table.ven.create("vens", ven_request())
    made = await table.ven.create("resources", resource_request(venID=ven["id"], targets=["feeder-7"]))
    assert (made["objectType"], made["venID"], made["clientID"]) == ("RESOURCE", ven["id"], "ven-1")
    assert (made["resourceName"], made["targets"]) == ("battery", []), "R5.5: a ven grants itself nothing"
    await table.ven.create("resources", resource_request(venID=ven["id"]), expect=409)
    table.desk.clock.advance(1)
    other = await table.ven.create("resources", resource_request("pump"))
    assert await table.ven.ids("resources") == [made["id"], other["id"]], "the oldest first"
    assert await table.ven.ids("resources?resourceName=pump") == [other["id"]]
    edited = await table.ven.replace(f"resources/{made['id']}", resource_request("cell", attributes=[]))
    assert edited["resourceName"] == "cell"
    assert edited["modificationDateTime"] > edited["createdDateTime"]
    await table.ven.replace(f"resources/{made['id']}", resource_request("pump"), expect=409)
    assert await table.ven.remove(f"resources/{made['id']}") == edited
    assert_problem(await table.ven.ask("GET", f"resources/{made['id']}"), 404)


async def test_resources_of_another_ven_are_not_there(table: Table) -> None:
    mine, theirs = await table.enrol(table.ven), await table.enrol(table.other)
    made = await table.other.create("resources", resource_request(venID=theirs["id"]))
    await table.ven.create("resources", resource_request(venID=theirs["id"]), expect=409)
    await table.ven.create("resources", resource_request(venID="nowhere"), expect=409)
    assert await table.ven.ids("resources") == []
    assert await table.ven.ids(f"resources?venID={theirs['id']}") == []
    for method in ("GET", "DELETE"):
        assert_problem(await table.ven.ask(method, f"resources/{made['id']}"), 404)
    await table.ven.replace(f"resources/{made['id']}", resource_request(), expect=404)
    own = await table.ven.create("resources", resource_request())
    await table.ven.replace(f"resources/{own['id']}", resource_request(venID=theirs["id"]), expect=409)
    assert set(await table.bl.ids("resources")) == {made["id"], own["id"]}
    assert await table.bl.ids(f"resources?venID={mine['id']}") == [own["id"]]


async def test_business_logic_writes_resources(table: Table) -> None:
    ven = await table.enrol(table.ven)
    made = await table.bl.create("resources", bl_resource_request(ven["id"], "ven-1", targets=["feeder-7"]))
    assert made["targets"] == ["feeder-7"]
    await table.bl.create("resources", bl_resource_request("nowhere", "ven-1"), expect=409)
    await table.bl.create("resources", bl_resource_request(ven["id"], "ven-2", "other"), expect=409)
    await table.bl.create("resources", resource_request(venID=ven["id"]), expect=400)
    kept = await table.ven.replace(f"resources/{made['id']}", resource_request(targets=["zone-a"]))
    assert kept["targets"] == ["feeder-7"]
    without = bl_resource_request(ven["id"], "ven-1")
    del without["clientID"]
    assert (await table.bl.replace(f"resources/{made['id']}", without))["targets"] == []


@pytest.mark.openadr3("R2.7")
async def test_a_ven_goes_with_its_resources(table: Table) -> None:
    ven = await table.ven.create("vens", ven_request())
    made = await table.ven.create("resources", resource_request())
    program_id = await table.desk.create_program()
    event_id = await table.desk.create_event(program_id)
    await table.ven.remove(f"vens/{ven['id']}")
    assert await table.bl.ids("resources") == []
    assert_problem(await table.bl.ask("GET", f"resources/{made['id']}"), 404)
    assert await table.desk.owed(event_id) == [(ven["id"], 0, False), (ven["id"], 1, True)]
    async with table.desk.store.view() as view:
        trail = {(one.action, one.subject) for one in await view.audit.newest(20)}
        changes = [one for each in (made, ven) for one in await view.object_changes.of_object(each["id"])]
    assert {("create ven", ven["id"]), ("create resource", made["id"]), ("remove ven", ven["id"])} <= trail
    assert [(one.kind, one.operation, one.client_id) for one in changes] == [
        ("RESOURCE", "CREATE", "ven-1"),
        ("RESOURCE", "DELETE", "ven-1"),
        ("VEN", "CREATE", "ven-1"),
        ("VEN", "DELETE", "ven-1"),
    ]


async def test_an_operator_sees_vens_beside_parties_of_20b(table: Table) -> None:
    await table.desk.add_party("one")
    ven = await table.ven.create("vens", ven_request())
    await table.bl.create("resources", bl_resource_request(ven["id"], "ven-1", targets=["feeder-7"]))
    seen = {one["name"]: one for one in (await table.desk.http.get(f"{ADMIN}/parties")).json()}
    assert [seen[name]["client_id"] for name in ("one", "my house")] == [None, "ven-1"]
    assert [one["name"] for one in seen["my house"]["resources"]] == ["battery"]
    detail = (await table.desk.http.get(f"{ADMIN}/parties/{ven['id']}")).json()
    assert detail["resources"] == seen["my house"]["resources"]
    assert (detail["state"], detail["certificates"], detail["registration"]) == ("approved", [], None)
    await table.desk.create_event(await table.desk.create_program())
    async with table.desk.store.view() as view:
        assert await view.deliveries.count_unanswered(table.desk.clock.now()) == 1, "3.x has no answer to owe"
