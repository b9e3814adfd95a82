"""The drain of the outbox to webhooks: who is told, in which order, again until it is taken, and by one process."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openadr_core.errors import ConnectFailed
from openadr_core.exchange import Response
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.shell.clock import ManualClock
from openadr_vtn.adapters.drain import TERM
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.adapters.webhook_sender import PARCELS_EACH, WebhookSender
from openadr_vtn.application.object_changes import event_change, program_change
from openadr_vtn.application.ports import Notice
from openadr_vtn.application.spreading import Parcel, WebhookOutbox
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.notification import NotificationState, RetryRules
from openadr_vtn.domain.subscription import Subscription
from tests.vtn.samples import a_party, a_program, a_stored_event, a_subscription

TAKEN = Response(status=200)
RULES = RetryRules(attempts_max=3, longest=timedelta(seconds=8))


class Receivers:
    """Each takes what it is told, unless it is said to be otherwise."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.heard = asyncio.Event()
        self.dead: set[str] = set()
        self.refuses: dict[str, int] = {}
        """A status for what carries this text."""
        self.slow: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most_at_once = 0

    async def carry(self, parcel: Parcel, _at: datetime) -> Response:
        name = parcel.notification.subscription_id
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        try:
            if name in self.slow:
                await self.slow[name].wait()
            if name in self.dead:
                raise ConnectFailed("nothing answers at the address")
            for text, status in self.refuses.items():
                if text in parcel.body.decode():
                    return Response(status=status)
            self.told.append((name, json.loads(parcel.body)))
            self.heard.set()
            return TAKEN
        finally:
            self.at_once -= 1

    def heard_by(self, name: str) -> list[str]:
        return [f"{said['operation']} {said['object']['id']}" for whom, said in self.told if whom == name]


class Bench:
    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.receivers = Receivers()
        self.notices: list[Notice] = []

    def sender(self, holder: str = "one", *, at_once: int = 50) -> WebhookSender[Parcel]:
        return WebhookSender(
            store=self.store, outbox=WebhookOutbox(self.store, broker_too=False), carrier=self.receivers,
            rules=RULES, now=self.clock.now, holder=holder,
            witness=self.notices.append, dice=random.Random(1), at_once=at_once,
        )  # fmt: skip

    async def subscribe(self, *subscriptions: Subscription) -> None:
        async with self.store.unit_of_work() as uow:
            for subscription in subscriptions:
                await uow.subscriptions.add(subscription)

    async def happen(self, *operations: Operation) -> None:
        """To a program."""
        now = self.clock.now()
        async with self.store.unit_of_work() as uow:
            await uow.object_changes.record([program_change(one, a_program(now), now) for one in operations])

    async def settled(self, sender: WebhookSender[Parcel]) -> None:
        """Turn until nothing is under way that could end."""
        quiet = 0
        while quiet < 3:
            await sender.turn()
            await asyncio.sleep(0.001)
            quiet = 0 if sender.in_flight else quiet + 1

    async def states(self, name: str) -> dict[NotificationState, int]:
        async with self.store.view() as view:
            return (await view.notifications.counts([name]))[name]


@pytest.fixture
async def bench(tmp_path: Path, now: datetime) -> AsyncIterator[Bench]:
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    store = await open_store(f"sqlite:///{tmp_path / 'vtn.db'}")
    yield Bench(store, ManualClock(now))
    await store.close()


@pytest.mark.openadr3("R9.4")
async def test_each_subscription_is_told_in_order(bench: Bench, now: datetime) -> None:
    await bench.subscribe(
        a_subscription(now, "one"), a_subscription(now, "two", operations=(Operation.DELETE,)),
        a_subscription(now, "three", kinds=(ObjectKind.VEN,)),
    )  # fmt: skip
    await bench.happen(Operation.CREATE, Operation.UPDATE, Operation.DELETE)
    await bench.settled(bench.sender())
    assert bench.receivers.heard_by("one") == ["CREATE program-1", "UPDATE program-1", "DELETE program-1"]
    assert bench.receivers.heard_by("two") == ["DELETE program-1"]
    assert bench.receivers.heard_by("three") == []
    assert await bench.states("one") == {NotificationState.DELIVERED: 3}
    assert [notice.kind for notice in bench.notices] == ["notification delivered"] * 4


@pytest.mark.openadr3("V301-operation", "C8")
async def test_a_subscription_of_3_0_1_hears_its_own_words(bench: Bench, now: datetime) -> None:
    older = replace(a_subscription(now, "older"), document='{"clientName": "c", "openadrVersion": "3.0.1"}')
    await bench.subscribe(older, a_subscription(now, "newer"))
    program = replace(a_program(now), document='{"programName": "p", "targets": ["zone-a"]}')
    async with bench.store.unit_of_work() as uow:
        await uow.object_changes.record([program_change(Operation.UPDATE, program, now)])
    await bench.settled(bench.sender())
    assert bench.receivers.heard_by("older") == ["PUT program-1"]
    assert bench.receivers.heard_by("newer") == ["UPDATE program-1"]
    told = {whom: said["object"]["targets"] for whom, said in bench.receivers.told}
    assert told == {"older": [{"type": "GROUP", "values": ["zone-a"]}], "newer": ["zone-a"]}


@pytest.mark.openadr3("R5.6")
async def test_a_ven_is_told_of_what_it_may_see_and_no_more_of_it(bench: Bench, now: datetime) -> None:
    def a_ven(name: str, *targets: str) -> Any:
        return replace(a_party(now, name), client_id=f"client-{name}", targets=targets)

    async with bench.store.unit_of_work() as uow:
        await uow.parties.add(a_ven("one", "zone-a"))
        await uow.parties.add(a_ven("two", "zone-b"))
    vens = [replace(a_subscription(now, name), is_business=False) for name in ("one", "two", "nobody")]
    await bench.subscribe(*vens, a_subscription(now, "chief"))
    program = replace(a_program(now), document='{"programName": "p", "targets": ["zone-a", "zone-c"]}')
    program = replace(program, program=replace(program.program, targets=("zone-a", "zone-c")))
    async with bench.store.unit_of_work() as uow:
        await uow.object_changes.record([program_change(Operation.CREATE, program, now)])
    await bench.settled(bench.sender())
    told = dict(bench.receivers.told)
    assert set(told) == {"one", "chief"}
    assert told["chief"]["object"]["targets"] == ["zone-a", "zone-c"]
    assert told["one"]["object"]["targets"] == told["one"]["targets"] == ["zone-a"]
    assert "zone-c" not in json.dumps(told["one"])


async def test_what_a_ven_may_not_see_any_more_is_not_told_late(bench: Bench, now: datetime) -> None:
    ven = replace(a_party(now, "one"), client_id="client-one", targets=("zone-a",))
    async with bench.store.unit_of_work() as uow:
        await uow.parties.add(ven)
    await bench.subscribe(replace(a_subscription(now, "one"), is_business=False))
    bench.receivers.dead.add("one")
    await bench.happen(Operation.CREATE)
    sender = bench.sender()
    await bench.settled(sender)
    bench.receivers.dead.clear()
    async with bench.store.unit_of_work() as uow:
        await uow.parties.save(replace(ven, targets=("zone-b",)))
    bench.clock.advance(10)
    await bench.settled(sender)
    assert bench.receivers.told == []
    assert await bench.states("one") == {NotificationState.DEAD: 1}


@pytest.mark.openadr3("R9.3", "R9.4")
async def test_it_is_tried_again_after_longer_and_longer_pauses_and_then_put_aside(bench: Bench, now: datetime) -> None:
    await bench.subscribe(a_subscription(now, "one"))
    bench.receivers.dead.add("one")
    await bench.happen(Operation.CREATE)
    sender = bench.sender()
    for attempts in (1, 2, 3):
        await bench.settled(sender)
        async with bench.store.view() as view:
            state = (await view.notifications.streams(["one"]))["one"]
        assert state.failures == attempts
        assert state.outcome == "nothing answers at the address"
        bench.clock.advance(0.5)
        await bench.settled(sender)
        bench.clock.advance(10)
    assert await bench.states("one") == {NotificationState.DEAD: 1}
    assert [notice.kind for notice in bench.notices] == ["notification failed"] * 2 + ["notification dead"]


async def test_one_poisonous_message_holds_up_none_of_the_others(bench: Bench, now: datetime) -> None:
    """Security T41, scenario R11: 999 of a thousand arrive, one is put aside."""
    await bench.subscribe(a_subscription(now, "one"))
    async with bench.store.unit_of_work() as uow:
        await uow.object_changes.record(
            [
                replace(program_change(Operation.CREATE, a_program(now), now), document=f'{{"id": "p{number}"}}')
                for number in range(1000)
            ]
        )
    bench.receivers.refuses['"p500"'] = 422
    sender = bench.sender()
    await bench.settled(sender)
    while NotificationState.WAITING in await bench.states("one"):
        await bench.settled(sender)
    assert await bench.states("one") == {NotificationState.DELIVERED: 999, NotificationState.DEAD: 1}
    assert bench.receivers.heard_by("one") == [f"CREATE p{number}" for number in range(1000) if number != 500]
    (dead,) = [notice for notice in bench.notices if notice.kind == "notification dead"]
    assert dead.detail == "one: HTTP 422"


@pytest.mark.openadr3("R9.4")
async def test_dead_letters_are_told_again_when_an_operator_says_so(bench: Bench, now: datetime) -> None:
    await bench.subscribe(a_subscription(now, "one"))
    bench.receivers.refuses["CREATE"] = 400
    await bench.happen(Operation.CREATE, Operation.UPDATE)
    sender = bench.sender()
    await bench.settled(sender)
    assert bench.receivers.heard_by("one") == ["UPDATE program-1"]
    bench.receivers.refuses.clear()
    async with bench.store.unit_of_work() as uow:
        assert await uow.notifications.revive("one", None) == 1
    bench.clock.advance(TERM.total_seconds() / 2)
    await bench.settled(sender)
    assert bench.receivers.heard_by("one") == ["UPDATE program-1", "CREATE program-1"]


async def test_one_that_is_slow_or_dead_slows_no_other(bench: Bench, now: datetime) -> None:
    await bench.subscribe(*(a_subscription(now, name) for name in ("dead", "slow", "well")))
    bench.receivers.dead.add("dead")
    bench.receivers.slow["slow"] = asyncio.Event()
    await bench.happen(Operation.CREATE)
    sender = bench.sender()
    for _ in range(20):
        await sender.turn()
        await asyncio.sleep(0.001)
    await bench.happen(Operation.UPDATE)
    for _ in range(20):
        await sender.turn()
        await asyncio.sleep(0.001)
    assert bench.receivers.heard_by("well") == ["CREATE program-1", "UPDATE program-1"]
    assert sender.in_flight == 1
    bench.receivers.slow["slow"].set()
    await bench.settled(sender)
    assert bench.receivers.heard_by("slow") == ["CREATE program-1", "UPDATE program-1"]


async def test_so_many_at_a_time_and_no_more(bench: Bench, now: datetime) -> None:
    await bench.subscribe(*(a_subscription(now, f"s{number}") for number in range(40)))
    await bench.happen(Operation.CREATE)
    sender = bench.sender(at_once=8)
    for _ in range(60):
        await bench.settled(sender)
    assert bench.receivers.most_at_once == 8
    assert sorted(name for name, _ in bench.receivers.told) == sorted(f"s{number}" for number in range(40))


async def test_what_was_carried_and_not_written_down_is_carried_again(bench: Bench, now: datetime) -> None:
    """A process that is killed between the receiver's answer and its own note of it."""
    await bench.subscribe(a_subscription(now, "one"))
    await bench.happen(Operation.CREATE, Operation.UPDATE)
    killed = bench.sender("killed")
    await killed.turn()
    await asyncio.sleep(0.05)
    assert bench.receivers.heard_by("one") == ["CREATE program-1", "UPDATE program-1"]
    successor = bench.sender("successor")
    await bench.settled(successor)
    assert len(bench.receivers.told) == 2, "the duty is the other's until its term ends"
    bench.clock.advance(TERM.total_seconds())
    await bench.settled(successor)
    assert bench.receivers.heard_by("one")[2:] == ["CREATE program-1", "UPDATE program-1"]
    assert await bench.states("one") == {NotificationState.DELIVERED: 2}


async def test_nothing_is_told_twice_while_all_goes_well(bench: Bench, now: datetime) -> None:
    await bench.subscribe(a_subscription(now, "one"), a_subscription(now, "two"))
    sender = bench.sender()
    for _ in range(3):
        await bench.happen(*[Operation.UPDATE] * (PARCELS_EACH + 1))
        for _ in range(12):
            await sender.turn()
            bench.clock.advance(1)
            await asyncio.sleep(0)
    await bench.settled(sender)
    await bench.settled(sender)
    assert len(bench.receivers.heard_by("one")) == len(bench.receivers.heard_by("two")) == 3 * (PARCELS_EACH + 1)


async def test_a_subscription_that_is_removed_hears_nothing_more(bench: Bench, now: datetime) -> None:
    await bench.subscribe(a_subscription(now, "one"))
    bench.receivers.slow["one"] = asyncio.Event()
    await bench.happen(Operation.CREATE)
    sender = bench.sender()
    await sender.turn()
    async with bench.store.unit_of_work() as uow:
        await uow.subscriptions.remove("one")
    bench.receivers.slow["one"].set()
    await bench.happen(Operation.UPDATE)
    await bench.settled(sender)
    assert bench.receivers.heard_by("one") == ["CREATE program-1"]
    assert await bench.states("one") == {}


async def test_a_commit_wakes_the_sender(bench: Bench, now: datetime) -> None:
    await bench.subscribe(a_subscription(now, "one"))
    async with bench.store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
    sender = bench.sender()
    sender.start()
    try:
        await asyncio.sleep(0.05)
        async with bench.store.unit_of_work() as uow:
            await uow.events.add(a_stored_event(now))
            await uow.object_changes.record([event_change(Operation.CREATE, a_stored_event(now), now)])
        async with asyncio.timeout(5):
            await bench.receivers.heard.wait()
    finally:
        await sender.close()
    assert await bench.states("one") == {NotificationState.DELIVERED: 1}


async def test_the_ledger_says_when_a_ven_was_told_of_an_event(bench: Bench, now: datetime) -> None:
    event = a_stored_event(now)
    async with bench.store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
        await uow.events.add(event)
        for name in ("one", "two"):
            await uow.parties.add(replace(a_party(now, name), client_id=f"client-{name}", targets=("zone-a",)))
            due = Delivery(event_id=event.event.id, version=0, event_version=0, party_id=f"id-{name}", entitled_at=now)
            await uow.deliveries.owe([due])
        await uow.object_changes.record([replace(event_change(Operation.CREATE, event, now), targets=())])
    await bench.subscribe(replace(a_subscription(now, "one"), is_business=False), a_subscription(now, "two"))
    bench.clock.advance(3)
    await bench.settled(bench.sender())
    async with bench.store.view() as view:
        rows = {row.party_id: row.notified_at for row in await view.deliveries.of_event(event.event.id)}
    assert rows == {"id-one": bench.clock.now(), "id-two": None}, "business logic's webhook is not the ven's"
