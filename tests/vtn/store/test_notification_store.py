"""Subscriptions and what waits for them, on SQLite and on PostgreSQL."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import NotFound
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.notice_ports import SubscriptionFilter
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.object_changes import program_change
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.subscription import hearers_in
from tests.vtn.samples import a_program, a_stored_event, a_subscription

MINUTE = timedelta(minutes=1)
CREATE, READ = Operation.CREATE, Operation.READ


async def owe(store: SqlStore, now: datetime, *names: str, changes: int = 1) -> None:
    """Subscriptions, and so many changes that each is to hear of."""
    subscriptions = [a_subscription(now, name) for name in names]
    async with store.unit_of_work() as uow:
        for subscription in subscriptions:
            await uow.subscriptions.add(subscription)
        await uow.object_changes.record([program_change(CREATE, a_program(now), now)] * changes)
        for change in await uow.object_changes.unspread(changes):
            hearers = [one for each in subscriptions for one in hearers_in(each, change.kind, change.operation)]
            await uow.notifications.owe(change.number, hearers)


async def first(store: SqlStore, name: str, each: int = 9) -> list[Notification]:
    async with store.view() as view:
        return await view.notifications.first_waiting([name], each)


async def test_a_subscription_comes_back_as_it_was_written(store: SqlStore, now: datetime) -> None:
    one = a_subscription(now, "one", program_id="p", targets=("a", "b"))
    two = replace(a_subscription(now + MINUTE, "two", kinds=(ObjectKind.VEN,)), client_id="other")
    async with store.unit_of_work() as uow:
        await uow.subscriptions.add(two)
        await uow.subscriptions.add(one)
    changes = store.changes()
    newer = replace(one, client_name="renamed", modified_at=now + MINUTE)
    async with store.unit_of_work() as uow:
        await uow.subscriptions.replace(newer)
    assert store.changes() > changes
    async with store.view() as view:
        assert await view.subscriptions.by_id("one") == newer
        assert await view.subscriptions.by_id("none") is None
        assert await view.subscriptions.by_ids(["one", "two", "none"]) == {"one": newer, "two": two}
        assert await view.subscriptions.of_client("other") == [two]
        assert await view.subscriptions.which_are_there(["one", "none"]) == {"one"}
        assert await view.subscriptions.page(SubscriptionFilter(), Page()) == [newer, two]
        assert await view.subscriptions.page(SubscriptionFilter(), Page(skip=1)) == [two]
        assert await view.subscriptions.page(SubscriptionFilter(client_id="other"), Page()) == [two]
        assert await view.subscriptions.page(SubscriptionFilter(program_id="p", client_name="renamed"), Page()) == [
            newer
        ]
        assert await view.subscriptions.page(SubscriptionFilter(kinds=frozenset({ObjectKind.VEN})), Page()) == [two]
        assert await view.subscriptions.count(SubscriptionFilter(program_id="p")) == 1
        (hearer,) = await view.subscriptions.watching(ObjectKind.PROGRAM, CREATE)
        assert hearer == hearers_in(newer, ObjectKind.PROGRAM, CREATE)[0]
        assert await view.subscriptions.watched(CREATE) == {ObjectKind.PROGRAM, ObjectKind.EVENT, ObjectKind.VEN}
        assert await view.subscriptions.watched(READ) == set()


async def test_who_is_gone_cannot_be_changed_and_nothing_waits_for_it(store: SqlStore, now: datetime) -> None:
    await owe(store, now, "one", "two")
    async with store.unit_of_work() as uow:
        await uow.subscriptions.remove("one")
    async with store.view() as view:
        assert set(await view.notifications.waiting()) == {"two"}

    async def remove_again() -> None:
        async with store.unit_of_work() as uow:
            await uow.subscriptions.remove("one")

    with pytest.raises(NotFound):
        await remove_again()


async def test_what_waits_is_found_in_order_and_goes_on_when_it_was_taken(store: SqlStore, now: datetime) -> None:
    await owe(store, now, "one", "two", changes=3)
    head, *rest = await first(store, "one")
    assert [one.number for one in rest] == sorted(one.number for one in rest)
    assert [one.number for one in await first(store, "one", each=2)] == [head.number, rest[0].number]
    taken = replace(head, state=NotificationState.DELIVERED, attempts=1, tried_at=now, outcome="taken")
    stream = StreamState(subscription_id="one", at=now, outcome="down", failures=2, retry_at=now + MINUTE)
    async with store.unit_of_work() as uow:
        await uow.notifications.save([taken], [stream])
    assert await first(store, "one") == rest
    async with store.view() as view:
        assert await view.notifications.waiting() == {"one": now + MINUTE, "two": None}
        assert await view.notifications.streams(["one", "two"]) == {"one": stream}
        assert await view.notifications.of_subscription("one", NotificationState.DELIVERED) == [taken]
        assert await view.notifications.counts(["one", "none"]) == {
            "one": {NotificationState.DELIVERED: 1, NotificationState.WAITING: 2},
            "none": {},
        }
        assert await view.notifications.count(NotificationState.WAITING) == 5


async def test_dead_letters_wait_again_before_the_others_when_they_are_replayed(store: SqlStore, now: datetime) -> None:
    await owe(store, now, "one", changes=3)
    head, second, third = await first(store, "one")
    dead = [replace(one, state=NotificationState.DEAD, attempts=9, outcome="HTTP 500") for one in (head, second)]
    stream = StreamState(subscription_id="one", at=now, outcome="down", failures=2, retry_at=now + MINUTE)
    async with store.unit_of_work() as uow:
        await uow.notifications.save(dead, [stream])
    assert await first(store, "one") == [third]
    async with store.unit_of_work() as uow:
        assert await uow.notifications.revive("one", [second.number, third.number]) == 1
        assert await uow.notifications.revive("two", None) == 0
    assert [one.number for one in await first(store, "one")] == [second.number, third.number]
    async with store.unit_of_work() as uow:
        assert await uow.notifications.revive("one", None) == 1
    again, *_ = await first(store, "one")
    assert (again.number, again.attempts) == (head.number, 0)
    async with store.view() as view:
        assert await view.notifications.streams(["one"]) == {}


async def test_changes_are_spread_and_published_once_and_forgotten_with_their_notifications(
    store: SqlStore, now: datetime
) -> None:
    await owe(store, now, "one", changes=2)
    async with store.view() as view:
        one, two = await view.object_changes.unspread(9)
        assert [change.number for change in await view.object_changes.unpublished(1)] == [one.number]
        assert await view.object_changes.count_unpublished() == 2
        assert await view.object_changes.by_numbers([two.number, 99]) == {two.number: two}
    async with store.unit_of_work() as uow:
        await uow.object_changes.mark_spread([one.number], now)
        await uow.object_changes.mark_published([two.number], now)
    async with store.unit_of_work() as uow:
        assert await uow.object_changes.unspread(9) == [two]
        assert await uow.object_changes.unpublished(9) == [one]
        assert await uow.object_changes.forget(now) == 0
        assert await uow.object_changes.forget(now + MINUTE) == 2
    assert await first(store, "one") == []


async def test_the_ledger_is_told_once_that_a_vens_webhook_had_the_news(stocked: SqlStore, now: datetime) -> None:
    event_id, later = a_stored_event(now).event.id, now + MINUTE
    async with stocked.unit_of_work() as uow:
        ven = await uow.parties.by_name("ven-one")
        assert ven is not None
        await uow.parties.save(replace(ven, client_id="client-1"))
        due = Delivery(event_id=event_id, version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
        await uow.deliveries.owe([due, replace(due, party_id="id-ven-two")])
        await uow.deliveries.mark_told([], now)
        await uow.deliveries.mark_told([("client-1", event_id), ("stranger", event_id), ("client-1", "none")], later)
        await uow.deliveries.mark_told([("client-1", event_id)], later + MINUTE)
        rows = {row.party_id: (row.notified_at, row.attempts) for row in await uow.deliveries.of_event(event_id)}
    assert rows == {"id-ven-one": (later, 0), "id-ven-two": (None, 0)}
