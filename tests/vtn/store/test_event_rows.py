"""Whatever an event says survives its row."""

import json
from typing import Any

from hypothesis import given

from openadr_core.model.event import DrEvent
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_vtn.adapters.sql.event_columns import signal_of, target_of
from openadr_vtn.adapters.sql.rows import event_of, event_row
from openadr_vtn.application.ports import StoredEvent
from tests.core.model.model_strategies import events

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
