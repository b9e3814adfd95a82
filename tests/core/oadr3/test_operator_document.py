"""What docs/operator-events.md tells users is so: its tables are whole, and its examples become events of 2.0b."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.signals import BY_KIND
from openadr_core.oadr2.translate import event_from_wire, event_to_wire
from openadr_core.oadr3.attributes import EVENT_ATTRIBUTES
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.payload_types import SIGNAL_KINDS
from openadr_core.oadr3.translate import event_of, program_of
from openadr_core.shell.datafiles import load_schema

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "operator-events.md").read_text()
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, flags=re.DOTALL)]
PROGRAM = next(example for example in EXAMPLES if "programName" in example)
EVENTS = [example for example in EXAMPLES if "intervals" in example]
NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)


def translated(example: dict[str, Any]) -> DrEvent:
    program = decode_program(json.dumps(PROGRAM).encode())
    return event_of(
        decode_event(json.dumps(example).encode()), program_of(program, "peak"), program,
        event_id="e-1", version=0, created_at=NOW, modified_at=NOW, now=NOW,
    )  # fmt: skip


def told(event: DrEvent) -> DrEvent:
    """As a party that all of it is for."""
    parts = tuple(target for target in event.targets if target.kind is not TargetKind.NAME)
    whole = (Target(kind=TargetKind.VEN, name="ven-1"),)
    return replace(event, targets=parts or whole)


@pytest.mark.parametrize("example", EVENTS, ids=range(len(EVENTS)))
def test_an_example_is_an_event_of_2_0b(example: dict[str, Any]) -> None:
    event = told(translated(example))
    sent = event_to_wire(event, now=NOW, created=NOW)
    message = decode(encode(m.DistributeEvent(request_id="d", vtn_id="v", events=(sent,))), load_schema())
    assert isinstance(message, m.DistributeEvent)
    read = event_from_wire(message.events[0], relief_sign=event.relief_sign, now=NOW)
    assert (read.signals, read.baseline, read.targets) == (event.signals, event.baseline, event.targets)


def test_the_examples_say_what_the_page_says() -> None:
    price, control, rehearsal, dispatch, part = (translated(example) for example in EVENTS)
    assert [signal.kind for signal in price.signals] == [SignalKind.ELECTRICITY_PRICE, SignalKind.LEVEL]
    assert [signal.device_classes for signal in control.signals] == [("Thermostat",), ("Water_Heater",)]
    assert (rehearsal.test, rehearsal.response_required, rehearsal.ramp_up.total_seconds()) == (True, False, 240)
    assert (rehearsal.start_after.total_seconds(), rehearsal.notification.total_seconds()) == (120, 7200)
    assert rehearsal.comment == "A rehearsal of the August peak."
    assert dispatch.baseline is not None
    assert [interval.value for interval in dispatch.baseline.intervals] == [120_000.0, 125_000.0]
    assert dispatch.signals[0].unit is not None
    assert dispatch.signals[0].unit.attributes is not None
    assert dispatch.signals[0].unit.attributes.hertz == "60", "the event's own descriptor takes the program's place"
    assert [target.kind for target in part.targets] == [TargetKind.NAME, TargetKind.RESOURCE, TargetKind.RESOURCE]


@pytest.mark.openadr20b("R104")
def test_every_signal_and_attribute_is_told() -> None:
    rows = {
        (cells[1].strip(), cells[2].strip()): cells[3]
        for line in DOCUMENT.splitlines()
        if len(cells := line.split("|")) == 7
    }
    for payload_type, kind in SIGNAL_KINDS.items():
        assert f"`{payload_type}`" in rows[BY_KIND[kind]], payload_type
    assert {SIGNAL_KINDS[name] for name in SIGNAL_KINDS} == set(BY_KIND)
    assert [name for name in EVENT_ATTRIBUTES if f"`{name}`" not in DOCUMENT] == []
