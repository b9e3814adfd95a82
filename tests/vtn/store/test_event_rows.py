"""Whatever an event says survives its row."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given

from openadr_core.model.event import DrEvent
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_vtn.adapters.sql.event_columns import signal_of, target_of
from openadr_vtn.adapters.sql.rows import event_of, event_row
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.ports import StoredEvent
from tests.core.model.model_strategies import events
from tests.vtn.samples import HOUR, a_program, a_stored_event

JSON_COLUMNS = ("signals", "targets", "baseline")


def through_the_store(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: json.loads(json.dumps(row[name])) for name in JSON_COLUMNS}


@given(events())
def test_an_event_survives_its_row(event: DrEvent) -> None:
    stored = StoredEvent(event=event, document="{}")
    assert event_of(through_the_store(event_row(stored))) == stored


def test_rows_of_before_there_were_kinds_and_units_are_read() -> None:
    assert target_of("feeder-7") == by_name("feeder-7")[0]
    assert target_of(["resource", "r-1"]) == Target(kind=TargetKind.RESOURCE, name="r-1")
    old = {"id": "s", "kind": "relief", "intervals": [[60.0, 5e6]], "device_classes": []}
    assert signal_of(old).unit is not None


async def test_statuses_are_counted_as_each_event_has_its_own(store: SqlStore, now: datetime) -> None:
    minute = timedelta(minutes=1)
    far, near = now + HOUR, now + minute
    written = [
        a_stored_event(now, event_id="active"),
        a_stored_event(far, event_id="far"),
        a_stored_event(near, event_id="near", ramp_up=2 * minute),
        a_stored_event(now - 2 * HOUR, event_id="completed", start_after=3 * HOUR),
        a_stored_event(now - 2 * HOUR, event_id="over"),
        a_stored_event(now, event_id="for-ever", duration=None),
        a_stored_event(far, event_id="cancelled", cancelled_at=now),
    ]
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(now))
        for stored in written:
            await uow.events.add(stored)
    async with store.view() as view:
        counted = await view.events.statuses(now)
        current = await view.events.current(now)
    assert counted == Counter(stored.event.status_at(now) for stored in current)
    assert sum(counted.values()) == len(written) - 1
    assert len(counted) == 5
