"""OpenADR 3.0.1 and 3.1 over one store: what is written under one is read under the other."""

from dataclasses import replace
from typing import Any

import pytest

from openadr_vtn.domain.access import READ_ALL, READ_TARGETS, SCOPES, Role
from openadr_vtn.http.addresses import OADR3, OADR301
from tests.vtn.oadr3.routes_of_3_0_1 import ROUTES_OF_3_0_1
from tests.vtn.oadr3.table import Client, Object, Table, report_request, ven_request
from tests.vtn.operator.desk_bench import SECRET, relief_event
from tests.vtn.operator.test_api_descriptions import check
from tests.vtn.operator.test_operator_access import assert_problem

PROGRAM = {
    "programName": "peak",
    "programLongName": "Evening peak",
    "country": "NL",
    "bindingEvents": True,
    "timeZoneOffset": "PT1H",
    "targets": [{"type": "VEN_NAME", "values": ["feeder-7"]}, {"type": "GROUP", "values": ["zone-a"]}],
    "attributes": [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}],
}


class Older(Client):
    """The same client, under 3.0.1."""

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.http.request(method, f"{OADR301}/{path}", headers=headers, **more)


def older(client: Client) -> Older:
    return Older(id=client.id, http=client.http, headers=client.headers)


async def program_id(table: Table, **members: Any) -> str:
    return str((await older(table.bl).create("programs", PROGRAM | members))["id"])


async def test_every_route_asks_for_its_scope(table: Table) -> None:
    """One who has only that is let in, and one who has all but that is not."""
    seats: dict[str, tuple[Client, Client]] = {}
    for method, path, needed in ROUTES_OF_3_0_1:
        if needed:
            if needed not in seats:
                alone = Role.VEN if needed in SCOPES[Role.VEN] else Role.BUSINESS
                others = [scope for scope in SCOPES[Role.BUSINESS] if scope not in {needed, READ_ALL}]
                seats[needed] = (
                    older(await table.seat(f"only-{needed}", alone, needed)),
                    older(await table.seat(f"not-{needed}", Role.BUSINESS, *others)),
                )
            only, without = seats[needed]
            where = path.replace("{ven}", "x")
            assert (await only.ask(method, where)).status_code != 403, (method, path)
            assert (await without.ask(method, where)).status_code == 403, (method, path)


async def test_without_a_token_nothing_is_there(table: Table) -> None:
    del table.desk.http.headers["Authorization"]
    nobody = replace(older(table.bl), headers={})
    for method, path, needed in ROUTES_OF_3_0_1:
        if needed:
            assert_problem(await nobody.ask(method, path.replace("{ven}", "x")), 401)


async def test_a_program_of_each_version_is_one_of_the_other(table: Table) -> None:
    made = await older(table.bl).create("programs", PROGRAM)
    check(made, {"$ref": "#/components/schemas/program"}, "version-3.0.1")
    assert {name: made[name] for name in PROGRAM} == PROGRAM
    newer = await table.bl.read(f"programs/{made['id']}")
    assert set(newer["targets"]) == {"feeder-7", "zone-a"}
    assert {"type": "PROGRAM_LONG_NAME", "values": ["Evening peak"]} in newer["attributes"]
    assert (newer["timeZoneOffset"], "country" in newer) == ("PT1H", False)
    attributes = [{"type": "COUNTRY", "values": ["DE"]}, {"type": "X-OWN", "values": [1]}]
    await table.bl.replace(f"programs/{made['id']}", {"programName": "off", "targets": ["z"], "attributes": attributes})
    (told,) = await older(table.bl).read("programs")
    assert (told["country"], told["attributes"]) == ("DE", attributes[1:])
    assert told["targets"] == [{"type": "GROUP", "values": ["z"]}]


async def test_what_a_client_leaves_out_it_may_write_as_null(table: Table) -> None:
    """As published clients do, for every member."""
    nulls = dict.fromkeys(("intervalPeriod", "retailerName", "programDescriptions", "localPrice", "timeZoneOffset"))
    program = await program_id(table, targets=None, payloadDescriptors=None, **nulls)
    event = relief_event(program, intervalPeriod=None, priority=None, reportDescriptors=None)
    event["intervals"][0]["intervalPeriod"] = {
        "start": "2030-01-01T00:00:00Z",
        "duration": "PT5M",
        "randomizeStart": None,
    }
    made = await older(table.bl).create("events", event)
    await table.ven.create("vens", ven_request())
    resources: list[Any] = [{"resourceName": "battery", "intervalPeriod": None, "intervals": []}]
    report = {"programID": program, "eventID": made["id"], "clientName": "c", "resources": resources}
    await older(table.ven).create("reports", report | {"reportName": None, "payloadDescriptors": None})


async def test_a_ven_sees_what_3_1_lets_it_see(table: Table) -> None:
    """3.0.1 has no rules of its own for this; a hidden object is as if it were not there."""
    hidden = await program_id(table, programName="other", targets=[{"type": "GROUP", "values": ["feeder-8"]}])
    mine = await program_id(table)
    await table.enrol(table.ven, "feeder-7")
    (seen,) = await older(table.ven).read("programs")
    assert (seen["id"], seen["targets"]) == (mine, [{"type": "VEN_NAME", "values": ["feeder-7"]}])
    assert "zone-a" not in (await older(table.ven).ask("GET", f"programs/{mine}")).text
    assert "zone-a" not in (await table.ven.ask("GET", f"programs/{mine}")).text
    assert await older(table.ven).status(f"programs/{hidden}") == 404
    query = "programs?targetType=VEN_NAME&targetValues="
    assert await older(table.ven).ids(f"{query}feeder-7") == [mine]
    assert await older(table.ven).ids(f"{query}feeder-8") == []
    assert set(await older(table.bl).ids(f"{query}feeder-7&targetValues=feeder-8")) == {mine, hidden}
    assert len(await older(table.bl).ids("programs?targetType=VEN_NAME")) == 2, "a type alone asks for nothing"


async def test_events_go_both_ways_and_reach_the_ledger(table: Table) -> None:
    program = await program_id(table)
    targets = [{"type": "RESOURCE_NAME", "values": ["battery"]}]
    body = relief_event(program) | {"targets": targets, "payloadDescriptors": [
        {"payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"},
    ]}  # fmt: skip
    made = await older(table.bl).create("events", body)
    check(made, {"$ref": "#/components/schemas/event"}, "version-3.0.1")
    assert made["targets"] == targets
    newer = await table.bl.read(f"events/{made['id']}")
    assert (newer["targets"], newer["payloadDescriptors"][0]["objectType"]) == (
        ["battery"], "EVENT_PAYLOAD_DESCRIPTOR",
    )  # fmt: skip
    del body["intervals"]
    assert "intervals" in assert_problem(await older(table.bl).ask("POST", "events", json=body), 400)["detail"]
    assert (await older(table.bl).remove(f"events/{made['id']}"))["id"] == made["id"]
    assert await table.bl.status(f"events/{made['id']}") == 404


@pytest.mark.openadr3("V301-report")
async def test_a_report_names_the_program_of_its_event(table: Table) -> None:
    program = await program_id(table, targets=None)
    event = await older(table.bl).create("events", relief_event(program))
    await table.ven.create("vens", ven_request())
    body = report_request(event["id"], programID=program)
    made = await older(table.ven).create("reports", body)
    check(made, {"$ref": "#/components/schemas/report"}, "version-3.0.1")
    assert made["programID"] == program
    assert "programID" not in await table.ven.read(f"reports/{made['id']}")
    assert await older(table.ven).ids(f"reports?programID={program}") == [made["id"]]
    await older(table.ven).create("reports", body | {"programID": "another"}, expect=409)
    await older(table.ven).create("reports", {name: body[name] for name in body if name != "programID"}, expect=400)
    newer = await table.ven.create("reports", report_request(event["id"], reportName="b"))
    assert (await older(table.ven).read(f"reports/{newer['id']}"))["programID"] == program


async def test_a_ven_carries_its_resources(table: Table) -> None:
    inside = [{"resourceName": "battery", "targets": [{"type": "GROUP", "values": ["feeder-7"]}]}]
    wish: Object = {"venName": "ven-1", "targets": [{"type": "VEN_NAME", "values": ["zone-a"]}], "resources": inside}
    made = await older(table.bl).create("vens", wish)
    check(made, {"$ref": "#/components/schemas/ven"}, "version-3.0.1")
    assert (made["clientID"], made["targets"]) == ("ven-1", wish["targets"])
    (battery,) = made["resources"]
    assert (battery["resourceName"], battery["venID"], battery["targets"]) == (
        "battery",
        made["id"],
        inside[0]["targets"],
    )
    path = f"vens/{made['id']}/resources"
    assert await older(table.ven).read(path) == [battery]
    assert await table.ven.ids(f"resources?venID={made['id']}") == [battery["id"]]
    changed = await older(table.ven).replace(f"{path}/{battery['id']}", {"resourceName": "the battery"})
    assert changed["targets"] == inside[0]["targets"], "a ven does not change what it is granted"
    renamed = await older(table.ven).replace(f"vens/{made['id']}", {"venName": "home", "targets": []})
    assert (renamed["targets"], len(renamed["resources"])) == (wish["targets"], 1)
    pump = await older(table.ven).create(path, {"resourceName": "pump"})
    check(pump, {"$ref": "#/components/schemas/resource"}, "version-3.0.1")
    assert len((await older(table.ven).read("vens"))[0]["resources"]) == 2
    assert (await older(table.ven).remove(f"{path}/{pump['id']}"))["id"] == pump["id"]
    assert [one["id"] for one in (await older(table.bl).remove(f"vens/{made['id']}"))["resources"]] == [battery["id"]]
    assert await older(table.bl).read("vens") == []


async def test_a_ven_with_a_resource_that_cannot_be_is_not_made_at_all(table: Table) -> None:
    twice = [{"resourceName": "x"}] * 2
    wrong: list[Any] = [[{"resourceName": ""}], [{}], [5], {"resourceName": "x"}, twice]
    for resources in wrong:
        await older(table.ven).create("vens", {"venName": "v", "resources": resources}, expect=400)
    assert await table.bl.read("vens") == []
    made = await older(table.ven).create("vens", {"venName": "v"})
    await older(table.ven).replace(f"vens/{made['id']}", {"venName": "w", "resources": [None]}, expect=400)


async def test_a_resource_is_found_under_its_own_ven_alone(table: Table) -> None:
    mine = await older(table.ven).create("vens", {"venName": "mine"})
    theirs = await older(table.other).create("vens", {"venName": "theirs", "resources": [{"resourceName": "r"}]})
    resource_id = theirs["resources"][0]["id"]
    for ven_id, client in ((mine["id"], table.bl), (theirs["id"], table.ven), (mine["id"], table.ven)):
        for method in ("GET", "PUT", "DELETE"):
            body = {"json": {"resourceName": "x"}} if method == "PUT" else {}
            answer = await older(client).ask(method, f"vens/{ven_id}/resources/{resource_id}", **body)
            assert_problem(answer, 404)
    assert_problem(await older(table.ven).ask("GET", f"vens/{theirs['id']}/resources"), 404)
    assert_problem(
        await older(table.ven).ask("POST", f"vens/{theirs['id']}/resources", json={"resourceName": "x"}), 404
    )
    assert await older(table.bl).ids(f"vens/{theirs['id']}/resources") == [resource_id]


async def test_a_list_that_has_not_changed_is_not_told_again(table: Table) -> None:
    made = await older(table.ven).create("vens", {"venName": "mine"})
    first = await older(table.ven).ask("GET", "vens")
    again = {"If-None-Match": first.headers["ETag"]}
    assert (await older(table.ven).ask("GET", "vens", headers=again)).status_code == 304
    await older(table.ven).create(f"vens/{made['id']}/resources", {"resourceName": "pump"})
    changed = await older(table.ven).ask("GET", "vens", headers=again)
    assert (changed.status_code, len(changed.json()[0]["resources"])) == (200, 1)


@pytest.mark.openadr3("V301-subscription")
async def test_a_subscription_needs_a_program(table: Table) -> None:
    watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "https://hook.example/"}
    body: Object = {"clientName": "house", "objectOperations": [watch]}
    await older(table.bl).create("subscriptions", body, expect=400)
    program = await program_id(table)
    made = await older(table.bl).create("subscriptions", body | {"programID": program})
    check(made, {"$ref": "#/components/schemas/subscription"}, "version-3.0.1")
    assert "openadrVersion" not in made
    newer = await table.bl.read(f"subscriptions/{made['id']}")
    assert newer["openadrVersion"] == "3.0.1", "and so its notifications are worded"


@pytest.mark.openadr3("V301-read-scope")
async def test_read_all_is_for_everybody(table: Table) -> None:
    """And is what the role may read at all: never the other vens' objects."""
    await table.desk.add_client("old-ven", READ_TARGETS, "read_ven_objects", role=Role.VEN)
    form = {"grant_type": "client_credentials", "client_id": "old-ven", "client_secret": SECRET, "scope": READ_ALL}
    answer = await table.desk.http.post(f"{OADR301}/auth/token", data=form)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    client = Older(
        id="old-ven", http=table.desk.http, headers={"Authorization": f"Bearer {answer.json()['access_token']}"}
    )
    await table.ven.create("vens", ven_request())
    assert await client.read("programs") == []
    assert await client.read("vens") == []


@pytest.mark.openadr3("V301-credentials")
@pytest.mark.parametrize(("base", "status"), [(OADR301, 403), (OADR3, 401)])
async def test_wrong_credentials(table: Table, base: str, status: int) -> None:
    form = {"grant_type": "client_credentials", "client_id": "bl", "client_secret": "wrong"}
    answer = await table.desk.http.post(f"{base}/auth/token", data=form)
    assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (status, "invalid_client", status)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a": 1, "a": 2}', b'{"programName": NaN}', b'{"programName": "x"'])
async def test_what_is_no_object_is_refused_here_too(table: Table, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(await older(table.bl).ask("POST", "programs", content=body, headers=headers), 400)
    assert await table.bl.read("programs") == []
