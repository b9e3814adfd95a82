"""Subscriptions of OpenADR 3.1: whose they are, what they must show, and what is never told (spec R5.2, R9.2, 1.2)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from openadr_core.limits import SUBSCRIPTIONS_MAX
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.application.handlers.clients import remove_client
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.http.addresses import OADR3
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import a_subscription as stored_subscription

PATH = f"{OADR3}/subscriptions"
URL = "https://hook.example/in"


def a_subscription(**changes: Any) -> dict[str, Any]:
    watch = {"objects": ["EVENT"], "operations": ["CREATE", "UPDATE"], "callbackUrl": URL, "bearerToken": "s3cret"}
    return {"clientName": "house", "objectOperations": [watch], **changes}


async def as_ven(desk: DeskBench, name: str) -> None:
    """Every request from now on is this VEN's."""
    await desk.add_client(name, *SCOPES[Role.VEN], role=Role.VEN)
    await desk.authorise(name)


async def created(desk: DeskBench, **changes: Any) -> dict[str, Any]:
    answer = await desk.http.post(PATH, json=a_subscription(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(desk: DeskBench, **query: str) -> list[str]:
    answer = await desk.http.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()) <= int(answer.headers["X-Total-Count"])
    return [one["id"] for one in answer.json()]


async def changes_of(desk: DeskBench, subscription_id: str) -> list[tuple[Operation, str]]:
    async with desk.store.view() as view:
        return [(one.operation, one.document) for one in await view.object_changes.of_object(subscription_id)]


async def test_a_subscription_is_stored_as_it_was_written_under_the_clients_own_id(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    answer = await desk.http.post(PATH, json=a_subscription(id="mine", clientID="forged", x=1))
    assert answer.status_code == 201
    said = answer.json()
    assert said == {
        **a_subscription(x=1),
        "id": said["id"],
        "objectType": "SUBSCRIPTION",
        "clientID": "ven-1",
        "createdDateTime": said["createdDateTime"],
        "modificationDateTime": said["createdDateTime"],
    }
    assert said["id"] != "mine"
    assert answer.headers["Webhook-Secret"].startswith("whsec_")
    assert answer.headers["Cache-Control"] == "no-store"
    again = await desk.http.get(f"{PATH}/{said['id']}")
    assert (again.json(), again.headers["Webhook-Secret"]) == (said, answer.headers["Webhook-Secret"])
    assert desk.done[-1] == ("create subscription", said["id"])


async def test_what_is_somebody_elses_is_not_there(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    theirs = (await created(desk))["id"]
    await as_ven(desk, "ven-2")
    own = (await created(desk))["id"]
    assert await listed(desk) == [own]
    for method in ("GET", "PUT", "DELETE"):
        assert_problem(await desk.http.request(method, f"{PATH}/{theirs}", json=a_subscription()), 404)
    await desk.authorise("ven-1")
    assert await listed(desk) == [theirs]


async def test_business_logic_sees_all_of_them_and_no_tokens(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    theirs = (await created(desk))["id"]
    await desk.authorise("chief")
    own = (await created(desk))["id"]
    assert await listed(desk) == [theirs, own]
    for answer in (await desk.http.get(f"{PATH}/{theirs}"), await desk.http.get(PATH, params={"limit": "1"})):
        assert "s3cret" not in answer.text
        assert "Webhook-Secret" not in answer.headers
    assert "s3cret" in (await desk.http.get(f"{PATH}/{own}")).text
    removed = await desk.http.delete(f"{PATH}/{theirs}")
    assert (removed.status_code, removed.json()["clientID"]) == (200, "ven-1")
    assert "s3cret" not in removed.text
    for _, document in await changes_of(desk, theirs):
        assert "s3cret" not in document


async def test_an_address_that_does_not_answer_leaves_nothing_stored(desk: DeskBench) -> None:
    desk.echoes.silent.add(URL)
    problem = assert_problem(await desk.http.post(PATH, json=a_subscription()), 400)
    assert URL in problem["detail"]
    assert await listed(desk) == []
    desk.echoes.silent.clear()
    assert (await desk.http.post(PATH, json=a_subscription())).status_code == 201


@pytest.mark.openadr3("R9.2")
async def test_it_is_asked_again_when_the_subscription_is_replaced(desk: DeskBench) -> None:
    before = await created(desk)
    desk.clock.advance(60)
    desk.echoes.silent.add(URL)
    assert_problem(await desk.http.put(f"{PATH}/{before['id']}", json=a_subscription(clientName="new")), 400)
    assert (await desk.http.get(f"{PATH}/{before['id']}")).json() == before
    assert desk.echoes.asked == [URL, URL]


async def test_put_replaces_the_whole_and_leaves_whose_it_is(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    before = await created(desk, targets=["a"], programID=None)
    secret = (await desk.http.get(f"{PATH}/{before['id']}")).headers["Webhook-Secret"]
    await desk.authorise("chief")
    desk.clock.advance(timedelta(minutes=1).total_seconds())
    answer = await desk.http.put(f"{PATH}/{before['id']}", json=a_subscription(clientName="new"))
    assert answer.status_code == 200
    after = answer.json()
    assert (after["clientName"], after["clientID"], "targets" in after) == ("new", "ven-1", False)
    assert after["createdDateTime"] == before["createdDateTime"] < after["modificationDateTime"]
    await desk.authorise("ven-1")
    assert (await desk.http.get(f"{PATH}/{before['id']}")).headers["Webhook-Secret"] == secret
    assert [operation for operation, _ in await changes_of(desk, before["id"])] == [Operation.CREATE, Operation.UPDATE]


@pytest.mark.openadr3("R3.3", "R3.5")
async def test_filters_must_all_hold_and_pages_are_in_order(desk: DeskBench) -> None:
    program = await desk.create_program()
    watches = [{"objects": ["VEN", "RESOURCE"], "operations": ["DELETE"], "callbackUrl": URL}]
    one = (await created(desk, programID=program))["id"]
    desk.clock.advance(1)
    two = (await created(desk, clientName="other", objectOperations=watches))["id"]
    assert await listed(desk) == [one, two]
    assert await listed(desk, skip="1") == [two]
    assert await listed(desk, limit="0") == []
    assert await listed(desk, programID=program) == [one]
    assert await listed(desk, clientName="other") == [two]
    assert await listed(desk, objects="RESOURCE,EVENT") == [one, two]
    assert await listed(desk, objects="RESOURCE") == [two]
    assert await listed(desk, objects="RESOURCE", programID=program) == []
    for query in ({"objects": "METER"}, {"limit": "51"}, {"skip": "-1"}, {"limit": "x"}):
        assert_problem(await desk.http.get(PATH, params=query), 400)


async def test_a_program_that_is_not_there_or_not_to_be_seen_is_a_conflict(desk: DeskBench) -> None:
    hidden, open_to_all = await desk.create_program(targets=["zone-9"]), await desk.create_program("open")
    assert_problem(await desk.http.post(PATH, json=a_subscription(programID="none")), 409)
    assert (await desk.http.post(PATH, json=a_subscription(programID=hidden))).status_code == 201
    await as_ven(desk, "ven-1")
    told = [
        assert_problem(await desk.http.post(PATH, json=a_subscription(programID=one)), 409)["detail"]
        for one in (hidden, "none")
    ]
    assert told == [f"there is no program {hidden}", "there is no program none"]
    assert (await desk.http.post(PATH, json=a_subscription(programID=open_to_all))).status_code == 201


@pytest.mark.parametrize("url", ["http://hook.example/", "ftp://hook.example/", "https://u:p@hook.example/", "x"])
async def test_only_https_is_called_back(desk: DeskBench, url: str) -> None:
    watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": url}
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/{(await created(desk))['id']}")):
        answer = await desk.http.request(method, path, json=a_subscription(objectOperations=[watch]))
        assert "callbackUrl" in assert_problem(answer, 400)["detail"]
    assert url not in desk.echoes.asked


async def refused(desk: DeskBench, body: bytes, kind: str = "application/json") -> httpx.Response:
    return await desk.http.post(PATH, content=body, headers={"Content-Type": kind})


async def test_bad_input_is_named_and_the_next_good_one_works(desk: DeskBench) -> None:
    assert_problem(await refused(desk, b"{"), 400)
    assert_problem(await refused(desk, b'{"clientName":"a","clientName":"b"}'), 400)
    assert_problem(await refused(desk, b"{}", "text/plain"), 415)
    assert_problem(await desk.http.patch(PATH), 405)
    assert desk.echoes.asked == []
    await created(desk)


async def test_who_may_not_write_them_writes_none(desk: DeskBench) -> None:
    await desk.add_client("reader", "read_ven_objects", role=Role.VEN)
    await desk.authorise("reader")
    assert await listed(desk) == []
    assert_problem(await desk.http.post(PATH, json=a_subscription()), 403)


async def test_what_happens_to_objects_is_in_the_outbox_whoever_listens(desk: DeskBench) -> None:
    program = await desk.create_program()
    event = await desk.create_event(program)
    await desk.http.delete(f"{OADR3}/events/{event}")
    async with desk.store.view() as view:
        told = [(one.kind, one.operation) for one in await view.object_changes.unspread(9)]
    assert told == [
        (ObjectKind.PROGRAM, Operation.CREATE),
        (ObjectKind.EVENT, Operation.CREATE),
        (ObjectKind.EVENT, Operation.DELETE),
    ]


async def reads_of(desk: DeskBench, object_id: str) -> list[tuple[ObjectKind, str]]:
    async with desk.store.view() as view:
        changes = await view.object_changes.of_object(object_id)
    return [(one.kind, one.reader_id) for one in changes if one.operation is Operation.READ]


@pytest.mark.openadr3("R9.5")
async def test_that_objects_are_read_is_noted_while_somebody_watches_for_it(desk: DeskBench) -> None:
    program = await desk.create_program(targets=["zone-1", "zone-2"])
    event = await desk.create_event(program)
    await desk.http.get(f"{OADR3}/programs/{program}")
    assert await reads_of(desk, program) == [], "nobody watches yet"
    watch = {"objects": ["PROGRAM", "EVENT", "SUBSCRIPTION"], "operations": ["READ"], "callbackUrl": URL}
    own = (await created(desk, objectOperations=[watch]))["id"]
    await as_ven(desk, "ven-1")
    answer = await desk.http.get(f"{OADR3}/events/{event}")
    again = await desk.http.get(f"{OADR3}/events/{event}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    assert await reads_of(desk, event) == [(ObjectKind.EVENT, "ven-1")], "what was not sent was not read"
    assert_problem(await desk.http.get(f"{OADR3}/programs/{program}"), 404)
    await desk.authorise("chief")
    await desk.http.get(f"{OADR3}/programs")
    assert await reads_of(desk, program) == [(ObjectKind.PROGRAM, "chief")]
    await desk.http.get(f"{PATH}/{own}")
    assert await reads_of(desk, own) == [(ObjectKind.SUBSCRIPTION, "chief")]
    await desk.http.delete(f"{PATH}/{own}")
    await desk.http.get(f"{OADR3}/events/{event}")
    assert len(await reads_of(desk, event)) == 1, "nobody watches any more"


async def test_reads_of_vens_resources_and_reports_are_told_whole(desk: DeskBench) -> None:
    watch = {"objects": ["VEN", "RESOURCE", "REPORT"], "operations": ["READ"], "callbackUrl": URL}
    await created(desk, objectOperations=[watch])
    event = await desk.create_event(await desk.create_program())
    await as_ven(desk, "ven-1")
    ven = (await desk.http.post(f"{OADR3}/vens", json={"objectType": "VEN_VEN_REQUEST", "venName": "v"})).json()["id"]
    told = {"objectType": "VEN_RESOURCE_REQUEST", "resourceName": "r"}
    resource = (await desk.http.post(f"{OADR3}/resources", json=told)).json()["id"]
    report = {"eventID": event, "clientName": "v", "resources": []}
    report_id = (await desk.http.post(f"{OADR3}/reports", json=report)).json()["id"]
    for path in ("vens", "resources", "reports"):
        assert (await desk.http.get(f"{OADR3}/{path}")).status_code == 200
    assert await reads_of(desk, ven) == [(ObjectKind.VEN, "ven-1")]
    assert await reads_of(desk, resource) == [(ObjectKind.RESOURCE, "ven-1")]
    assert await reads_of(desk, report_id) == [(ObjectKind.REPORT, "ven-1")]


async def test_a_list_that_is_kept_in_memory_shows_nobody_elses_tokens(desk: DeskBench) -> None:
    await created(desk)
    own = await desk.http.get(PATH)
    assert "s3cret" in own.text
    await desk.add_client("deputy", *SCOPES[Role.BUSINESS])
    await desk.authorise("deputy")
    for _ in range(2):
        others = await desk.http.get(PATH)
        assert len(others.json()) == 1
        assert "s3cret" not in others.text
        assert others.headers["ETag"] != own.headers["ETag"]


async def test_what_is_answered_from_memory_was_read_too(desk: DeskBench) -> None:
    program = await desk.create_program()
    watch = {"objects": ["PROGRAM"], "operations": ["READ"], "callbackUrl": URL}
    await created(desk, objectOperations=[watch])
    for _ in range(2):
        assert (await desk.http.get(f"{OADR3}/programs")).status_code == 200
    assert len(await reads_of(desk, program)) == 2


async def test_a_client_that_is_shut_out_is_told_nothing_more(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    theirs = (await created(desk))["id"]
    await desk.authorise("chief")
    own = (await created(desk))["id"]
    await remove_client(desk.store, "ven-1", desk.clock.now())
    assert await listed(desk) == [own]
    assert [operation for operation, _ in await changes_of(desk, theirs)] == [Operation.CREATE, Operation.DELETE]


async def test_a_ven_has_a_bound_of_its_own_and_business_logic_none(desk: DeskBench) -> None:
    now = desk.clock.now()
    async with desk.store.unit_of_work() as uow:
        for number in range(SUBSCRIPTIONS_MAX):
            for client in ("ven-1", "chief"):
                one = stored_subscription(now, f"{client}-{number}")
                await uow.subscriptions.add(replace(one, client_id=client))
    await created(desk)
    await as_ven(desk, "ven-1")
    before = len(desk.echoes.asked)
    assert_problem(await desk.http.post(PATH, json=a_subscription()), 409)
    assert len(desk.echoes.asked) == before, "nobody is asked for an echo in vain"
    await desk.http.delete(f"{PATH}/ven-1-0")
    await created(desk)
