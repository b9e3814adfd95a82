"""An operator's commands about subscriptions and the broker, against a VTN that runs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openadr_core.oadr3.names import Operation
from openadr_vtn.adapters.sql.store import open_store
from openadr_vtn.application.object_changes import program_change
from openadr_vtn.domain.notification import NotificationState
from openadr_vtn.domain.subscription import hearers_in
from tests.vtn.cli.conftest import Utility
from tests.vtn.samples import TOKEN, a_program, a_subscription


@pytest.fixture(scope="module")
def subscribed(utility: Utility) -> Utility:
    """One subscription, for which one notification was given up."""
    asyncio.run(fill(utility.folder / "vtn.db"))
    return utility


async def fill(file: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    one = a_subscription(now, "sub-1", url="https://192.0.2.1/hook")
    store = await open_store(f"sqlite:///{file}")
    async with store.unit_of_work() as uow:
        await uow.subscriptions.add(one)
        await uow.object_changes.record([program_change(Operation.UPDATE, a_program(now), now)])
        (change,) = await uow.object_changes.unspread(9)
        await uow.object_changes.mark_spread([change.number], now)
        await uow.notifications.owe(change.number, hearers_in(one, change.kind, change.operation))
        (waiting,) = await uow.notifications.first_waiting(["sub-1"], 9)
        dead = replace(waiting, state=NotificationState.DEAD, attempts=30, tried_at=now, outcome="HTTP 410")
        await uow.notifications.save([dead], [])
    await store.close()


def test_what_was_given_up_is_seen_and_sent_again(subscribed: Utility) -> None:
    (one,) = subscribed.read("subscription", "list")
    assert (one["id"], one["dead"]) == ("sub-1", 1)
    assert "EVENT PROGRAM" in subscribed.run("subscription", "list")
    shown = subscribed.run("subscription", "show", "sub-1")
    assert "https://192.0.2.1/hook" in shown
    assert TOKEN not in shown
    assert subscribed.read("subscription", "show", "sub-1") == one
    (letter,) = subscribed.read("subscription", "dead-letters", "sub-1")
    assert letter["outcome"] == "HTTP 410"
    assert "HTTP 410" in subscribed.run("subscription", "dead-letters", "sub-1")
    number = str(letter["number"])
    assert subscribed.run("subscription", "replay", "sub-1", "--number", number) == "To be sent again: 1\n"
    assert subscribed.run("subscription", "replay", "sub-1") == "To be sent again: 0\n"
    assert subscribed.read("subscription", "dead-letters", "sub-1") == []


def test_what_is_not_there_is_said(subscribed: Utility) -> None:
    assert "there is no subscription none" in subscribed.run("subscription", "show", "none", status=1)
    assert "nothing over MQTT" in subscribed.run("mqtt", "access-list", status=1)
