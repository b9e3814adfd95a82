"""Subscriptions of IEEE 2030.5 and what they are owed, on both databases."""

from datetime import datetime, timedelta

import pytest

from openadr_core.errors import NotFound
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.sep2.subscribing import Subscription, Watched
from tests.vtn.samples import a_party
from tests.vtn.store.test_sep2_store import a_control, a_device, a_group


@pytest.fixture
async def peopled(stocked: SqlStore, now: datetime) -> SqlStore:
    async with stocked.unit_of_work() as uow:
        await uow.parties.add(a_party(now, "one"))
        await uow.parties.add(a_party(now, "two"))
    return stocked


def a_subscription(kind: str, about: int = 0, **more: object) -> Subscription:
    values = {"holder": 7, "party_id": "id-one", "prefix": "", "limit": 1, "level": "+S1", "renewed_at": 5, **more}
    resource = kind.replace("#", str(about))
    return Subscription(
        id=0, resource=resource, watched=Watched(kind=kind, about=about), notification_uri="https://a.example", **values  # type: ignore[arg-type]
    )  # fmt: skip


async def keep(uow: UnitOfWork, *subscriptions: Subscription) -> list[int]:
    return [(await uow.sep2_subscriptions.keep(one))[0] for one in subscriptions]


async def test_a_subscription_is_kept_once(peopled: SqlStore) -> None:
    wanted = a_subscription("/edev")
    async with peopled.unit_of_work() as uow:
        first, is_new = await uow.sep2_subscriptions.keep(wanted)
        assert is_new
        assert await uow.sep2_subscriptions.keep(a_subscription("/edev", limit=9, renewed_at=8)) == (first, False)
        other, _ = await uow.sep2_subscriptions.keep(a_subscription("/edev", prefix="/csip"))
        assert other != first
    async with peopled.unit_of_work() as uow:
        assert [one.limit for one in await uow.sep2_subscriptions.held(7)] == [9, 1]
        assert [one.id for one in await uow.sep2_subscriptions.held(7, skip=1)] == [other]
        assert await uow.sep2_subscriptions.count_held(7) == 2
        assert await uow.sep2_subscriptions.count_held(8) == 0
        assert await uow.sep2_subscriptions.forget(8) == 1
        assert await uow.sep2_subscriptions.by_id(other) is None
        await uow.sep2_subscriptions.remove(first)
    with pytest.raises(NotFound):
        async with peopled.unit_of_work() as uow:
            await uow.sep2_subscriptions.remove(first)


async def test_a_change_is_written_out_to_all_who_hear_of_it(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        many = [a_subscription("/derp/#/derc", group.id, holder=number) for number in range(1, 4)]
        hearing = await keep(uow, *many)
        await keep(uow, a_subscription("/derp/#/derc", group.id + 1), a_subscription("/dr/#/edc", group.id))
        await uow.controls.add_control(a_control(group.id, "A" * 32))
    async with peopled.unit_of_work() as uow:
        assert await uow.sep2_subscriptions.has_changes()
        assert await uow.sep2_subscriptions.spread() == set(hearing)
        assert not await uow.sep2_subscriptions.has_changes()
        assert await uow.sep2_subscriptions.waiting() == dict.fromkeys(hearing)
        (first, *_) = await uow.sep2_subscriptions.standings(hearing)
        assert (first.changes, first.state) == (1, NotificationState.WAITING)
        assert len(await uow.sep2_subscriptions.page(NotificationState.WAITING, skip=1)) == 2


async def test_what_nobody_asked_to_hear_leaves_nothing_behind(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        await uow.registry.add_device(a_device(1, groups=frozenset({group.id})))
        await uow.controls.add_control(a_control(group.id, "A" * 32))
        await uow.controls.save_default(group.id, b"<x/>")
        assert not await uow.sep2_subscriptions.has_changes()


async def test_a_partys_list_changes_for_that_party(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        one, _ = await keep(uow, a_subscription("/edev"), a_subscription("/edev", holder=8, party_id="id-two"))
        device = await uow.registry.add_device(a_device(1))
        assert await uow.sep2_subscriptions.spread() == {one}
        (watching,) = await keep(uow, a_subscription("/edev/#", device.number, holder=8, party_id="id-two"))
        (held,) = await keep(uow, a_subscription("/derp/#/derc", 5, holder=device.number))
        await uow.registry.remove_device(device)
        assert await uow.sep2_subscriptions.spread() == {one, watching, held}


async def test_what_is_read_of_programs_changes_with_the_groups(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        device = await uow.registry.add_device(a_device(1))
        (mine, _) = await keep(
            uow, a_subscription("/edev/#/fsa/#/derp", device.number), a_subscription("/edev/#/fsa/#/derp", 99)
        )
        await uow.registry.join(group.id, add=[device.number], remove=[])
        assert await uow.sep2_subscriptions.spread() == {mine}
        await uow.registry.save_group(group)
        assert await uow.sep2_subscriptions.spread() == {mine}
        await uow.registry.remove_group(group.id)
        assert await uow.sep2_subscriptions.spread() == {mine}


async def test_attempts_are_written_down_unless_it_has_changed_again(peopled: SqlStore, now: datetime) -> None:
    later = now + timedelta(seconds=4)

    def tried(subscription_id: int, state: NotificationState, changes: int = 1) -> tuple[Notification, StreamState]:
        one = Notification(
            number=changes, change_number=changes, position=0, subscription_id=str(subscription_id), state=state,
            attempts=1, tried_at=now, outcome="said",
        )  # fmt: skip
        stream = StreamState(subscription_id=str(subscription_id), at=now, outcome="said", failures=1, retry_at=later)
        return one, stream

    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        ids = await keep(uow, *[a_subscription("/derp/#/dderc", group.id, holder=number) for number in range(1, 5)])
        taken, failed, changed, ended = ids
        await uow.controls.save_default(group.id, b"<x/>")
        await uow.sep2_subscriptions.spread()
        delivered = NotificationState.DELIVERED
        outcomes = [
            tried(taken, delivered), tried(failed, NotificationState.WAITING), tried(changed, delivered, changes=0),
            tried(ended, delivered), tried(999, delivered),
        ]  # fmt: skip
        await uow.sep2_subscriptions.tried(outcomes, ended=[ended])
    async with peopled.view() as view:
        assert await view.sep2_subscriptions.waiting() == {failed: later, changed: later}
        found = await view.sep2_subscriptions.standings(ids)
        assert [(one.subscription.id, one.delivered) for one in found] == [(taken, 1), (failed, 0), (changed, 1)]


async def test_what_was_given_up_is_tried_again_when_somebody_says_so(peopled: SqlStore, now: datetime) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        (one,) = await keep(uow, a_subscription("/derp/#/dderc", group.id))
        await uow.controls.save_default(group.id, b"<x/>")
        await uow.sep2_subscriptions.spread()
        dead = Notification(
            number=1, change_number=1, position=0, subscription_id=str(one), state=NotificationState.DEAD, attempts=3
        )
        stream = StreamState(subscription_id=str(one), at=now, outcome="no", failures=3, retry_at=now)
        await uow.sep2_subscriptions.tried([(dead, stream)], ended=[])
        assert await uow.sep2_subscriptions.waiting() == {}
        assert await uow.sep2_subscriptions.revive(one + 1) == 0
        assert await uow.sep2_subscriptions.revive() == 1
        assert await uow.sep2_subscriptions.waiting() == {one: None}


async def test_devices_are_read_and_counted_together(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        first = await uow.registry.add_device(a_device(1))
        second = await uow.registry.add_device(a_device(2))
        for at in range(2):
            await uow.registry.add_log_event(first, at, b"x", keep=5)
        both = [first.number, second.number]
        assert await uow.registry.count_log_events(both) == {first.number: 2}
        assert await uow.registry.devices_numbered([*both, 99]) == {first.number: first, second.number: second}
