"""What an operator sees of IEEE 2030.5's subscriptions, and can do about what was given up."""

from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.sep2.subscribing import Subscription, Watched
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check
from tests.vtn.samples import a_party

SHOWN = {"$ref": "#/components/schemas/sep2Subscription"}
PATH = f"{ADMIN}/sep2/subscriptions"


async def two_subscriptions(desk: DeskBench) -> int:
    """One of a device that is gone and one that was given up; the second one's number."""
    now = desk.clock.now()
    async with desk.store.unit_of_work() as uow:
        await uow.parties.add(a_party(now, "solar-co"))
        numbers = [
            (
                await uow.sep2_subscriptions.keep(
                    Subscription(
                        id=0, holder=5, party_id="id-solar-co", prefix=prefix, resource="/derp/1/derc",
                        watched=Watched(kind="/derp/#/derc", about=1), notification_uri="https://a.example/n", limit=3,
                        level="+S1", renewed_at=1,
                    )
                )
            )[0]
            for prefix in ("", "/csip")
        ]  # fmt: skip
        dead = Notification(
            number=0, change_number=0, position=0, subscription_id=str(numbers[1]), state=NotificationState.DEAD,
            attempts=30, tried_at=now, outcome="HTTP 404",
        )  # fmt: skip
        stream = StreamState(subscription_id=str(numbers[1]), at=now, outcome="HTTP 404", failures=30, retry_at=now)
        await uow.sep2_subscriptions.tried([(dead, stream)], ended=[])
    return numbers[1]


async def test_subscriptions_are_seen_and_replayed(desk: DeskBench) -> None:
    second = await two_subscriptions(desk)
    answer = await desk.http.get(PATH)
    for one in answer.json():
        check(one, SHOWN, "admin")
    assert [(one["resource"], one["state"], one["lfdi"]) for one in answer.json()] == [
        ("/derp/1/derc", "delivered", None), ("/csip/derp/1/derc", "dead", None),
    ]  # fmt: skip
    given_up = await desk.http.get(f"{PATH}/given-up")
    assert [(one["id"], one["outcome"], one["attempts"]) for one in given_up.json()] == [(second, "HTTP 404", 30)]
    assert (await desk.http.post(f"{PATH}/replay", json={"id": second - 1})).json() == {"replayed": 0}
    replayed = await desk.http.post(f"{PATH}/replay", json={"id": second})
    assert replayed.json() == {"replayed": 1}
    assert (await desk.http.get(f"{PATH}/given-up")).json() == []
    assert (await desk.http.get(f"{PATH}?skip=1&limit=1")).json()[0]["state"] == "waiting"
    async with desk.store.view() as view:
        assert (await view.audit.newest(1))[0].action == "replay 2030.5 notifications"
