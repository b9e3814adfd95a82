"""Whatever a well-formed event of OpenADR 3 says, the VTN keeps it and a VEN makes something of it, or says why not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.event import DrEvent
from openadr_core.model.timeline import segments
from openadr_core.oadr2.translate import event_to_wire
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.meaning import NOT_FOLLOWED, meaning_of
from openadr_core.oadr3.payload_types import CAPACITIES, SIGNAL_KINDS
from openadr_core.oadr3.signals import powers_asked
from openadr_core.oadr3.translate import descriptors_of, event_of, program_of
from openadr_vtn.adapters.sql.rows import event_row
from openadr_vtn.application.ports import StoredEvent
from openadr_vtn.domain.lifecycle import new_event, rewritten

NOW = datetime(2030, 7, 1, 12, tzinfo=UTC)
PROGRAM = decode_program(b'{"programName": "peak", "attributes": [{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}]}')

starts = st.sampled_from(
    ["0001-01-01", "0001-01-01T00:00:00Z", "1900-02-28T23:59:59.5+14:00", "2030-07-01T12:00:00Z",
     "2030-07-01T14:00:00Z", "9999-12-31T23:59:59Z"]
)  # fmt: skip
lengths = st.sampled_from(
    ["P9999Y", "PT0S", "PT0.5S", "PT15M", "PT1H", "P1D", "P1M", "P2Y", "P9998Y", "P999999D", "PT9999999999S"]
)
types = st.sampled_from([*SIGNAL_KINDS, *CAPACITIES, *NOT_FOLLOWED, "BASELINE", "OLS", "ALERT_FIRE", "EXPORT_PRICE"])
points = st.fixed_dictionaries({"x": st.floats(-1, 1), "y": st.floats(-1, 1)})
values = st.one_of(
    st.integers(-5, 5), st.floats(-1e300, 1e300), st.booleans(), st.sampled_from(["", "smoke", "1"]), points
)
periods = st.fixed_dictionaries({}, optional={"start": starts, "duration": lengths, "randomizeStart": lengths})
payloads = st.fixed_dictionaries({"type": types, "values": st.lists(values, max_size=4)})
intervals = st.fixed_dictionaries(
    {"id": st.integers(0, 9), "payloads": st.lists(payloads, max_size=3)}, optional={"intervalPeriod": periods}
)
descriptors = st.fixed_dictionaries(
    {"payloadType": types},
    optional={"units": st.sampled_from(["KW", "W", "KWH", "PERCENT"]), "currency": st.sampled_from(["USD", "?"])},
)
events = st.fixed_dictionaries(
    {"programID": st.just("p")},
    optional={
        "intervalPeriod": periods, "duration": lengths, "priority": st.integers(0, 9),
        "intervals": st.lists(intervals, max_size=4), "payloadDescriptors": st.lists(descriptors, max_size=3),
    },
)  # fmt: skip


@given(events, events)
def test_the_vtn_keeps_any_event_and_what_2_0b_is_told_can_be_told(body: dict[str, Any], later: dict[str, Any]) -> None:
    kept = []
    for document in (body, later):
        request = decode_event(json.dumps(document).encode())
        kept.append(
            event_of(
                request, program_of(PROGRAM, "p"), PROGRAM, event_id="e", version=0, created_at=NOW, modified_at=NOW,
                now=NOW,
            )
        )  # fmt: skip
        for _, numbers in powers_asked(request.intervals, descriptors_of(PROGRAM, request)):
            assert all(index < len(request.intervals) for index, _ in numbers)
    first = new_event(kept[0], NOW)
    for event in (first, rewritten(first, kept[1], NOW + timedelta(minutes=1))):
        assert event.signals or event.not_read
        assert event.ends_at is None or event.ends_at >= event.starts_at
        assert event_row(StoredEvent(event=event, document="{}"))["not_read"] == list(event.not_read)
        if event.signals:
            event_to_wire(event, now=NOW, created=NOW)


@given(events, st.floats(-1, 1), st.sampled_from([0, 1, 90, 86_400, 10**9]))
def test_a_ven_makes_something_of_any_event_or_says_why_not(body: dict[str, Any], draw: float, after_s: int) -> None:
    try:
        event = meaning_of(
            decode_event(json.dumps(body).encode()), program_of(PROGRAM, "p"), PROGRAM, event_id="e", version=0,
            created_at=NOW, modified_at=NOW, obtained_at=NOW, draw=draw,
        )  # fmt: skip
    except RemoteProtocolError as error:
        refused = error.clause
    else:
        _check_times(event, NOW + timedelta(seconds=after_s))
        return
    assert refused in {"R7.2", "R7.3", "R7.8"}


def _check_times(event: DrEvent, now: datetime) -> None:
    for one in segments(event, now=now):
        assert event.starts_at <= one.starts_at
        assert one.ends_at is None or one.starts_at < one.ends_at
        assert event.ends_at is None or (one.ends_at is not None and one.ends_at <= event.ends_at)
