"""What an operator sees of notifications and can do about them: dead letters, their replay, the broker's rights."""

from dataclasses import replace

from openadr_core.oadr3.names import Operation
from openadr_vtn.application.object_changes import program_change
from openadr_vtn.domain.access import Role
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.subscription import hearers_in
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import TOKEN, a_party, a_program, a_subscription

PATH = f"{ADMIN}/subscriptions"


async def given_up(desk: DeskBench) -> list[Notification]:
    """A subscription with two dead letters and one that waits."""
    now = desk.clock.now()
    one = a_subscription(now, "sub-1", program_id="program-1")
    async with desk.store.unit_of_work() as uow:
        await uow.subscriptions.add(one)
        await uow.object_changes.record([program_change(Operation.UPDATE, a_program(now), now)] * 3)
        for change in await uow.object_changes.unspread(3):
            await uow.notifications.owe(change.number, hearers_in(one, change.kind, change.operation))
        waiting = await uow.notifications.first_waiting(["sub-1"], 9)
        dead = [
            replace(each, state=NotificationState.DEAD, attempts=3, tried_at=now, outcome="HTTP 410")
            for each in waiting[:2]
        ]
        stream = StreamState(subscription_id="sub-1", at=now, outcome="HTTP 410")
        await uow.notifications.save(dead, [stream])
    return dead


async def test_how_it_goes_is_seen_without_anybodys_secrets(desk: DeskBench) -> None:
    await given_up(desk)
    answer = await desk.http.get(PATH)
    (view,) = answer.json()
    check(view, {"$ref": "#/components/schemas/subscriptionView"}, "admin")
    assert (view["waiting"], view["delivered"], view["dead"]) == (1, 0, 2)
    assert (view["role"], view["program_id"], view["last"]["outcome"]) == ("business", "program-1", "HTTP 410")
    assert TOKEN not in answer.text
    assert "whsec_" not in answer.text
    assert (await desk.http.get(f"{PATH}/sub-1")).json() == view
    assert (await desk.http.get(PATH, params={"skip": "1"})).json() == []


async def test_dead_letters_are_listed_with_their_reason_and_replayed_one_or_all(desk: DeskBench) -> None:
    first, second = await given_up(desk)
    letters = (await desk.http.get(f"{PATH}/sub-1/dead-letters")).json()
    check(letters[0], {"$ref": "#/components/schemas/deadLetter"}, "admin")
    assert [one["number"] for one in letters] == [first.number, second.number]
    assert (letters[0]["object_type"], letters[0]["outcome"], letters[0]["attempts"]) == ("PROGRAM", "HTTP 410", 3)
    answer = await desk.http.post(f"{PATH}/sub-1/replay", json={"number": second.number})
    assert answer.json() == {"replayed": 1}
    assert (await desk.http.post(f"{PATH}/sub-1/replay")).json() == {"replayed": 1}
    assert (await desk.http.post(f"{PATH}/sub-1/replay")).json() == {"replayed": 0}
    async with desk.store.view() as view:
        waiting = await view.notifications.first_waiting(["sub-1"], 9)
        told = await view.audit.of_subject("sub-1", "replay notifications")
    assert [one.number for one in waiting][:2] == [first.number, second.number]
    assert [one.detail for one in told] == ["1 of them", "1 of them", "0 of them"]
    assert desk.done[-1] == ("replay notifications", "sub-1")


async def test_what_is_not_there_cannot_be_replayed(desk: DeskBench) -> None:
    for method, path in (("GET", "none"), ("GET", "none/dead-letters"), ("POST", "none/replay")):
        assert_problem(await desk.http.request(method, f"{PATH}/{path}"), 404)
    await given_up(desk)
    for body in ({"number": -1}, {"number": "1"}, {"numbers": [1]}):
        assert_problem(await desk.http.post(f"{PATH}/sub-1/replay", json=body), 400)


async def test_the_brokers_access_list_has_the_clients_that_the_api_knows(desk: DeskBench) -> None:
    async with desk.store.unit_of_work() as uow:
        await uow.parties.add(replace(a_party(desk.clock.now(), "one"), client_id="ven-1"))
    await desk.add_client("ven-1", "read_ven_objects", role=Role.VEN)
    await desk.add_client("writer", "write_events")
    text = (await desk.http.get(f"{ADMIN}/mqtt/access-list")).json()["text"]
    users = [line.removeprefix("user ") for line in text.splitlines() if line.startswith("user ")]
    assert users == ["openadr-vtn", "chief", "ven-1"]
    assert "topic read events/vens/id-one/+" in text
