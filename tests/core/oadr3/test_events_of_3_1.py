"""An operator's 3.1 event becomes a canonical one, or is refused with a reason a human understands."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import RuleBroken, SchemaViolation
from openadr_core.limits import EVENT_INTERVALS_MAX
from openadr_core.model.event import DrEvent, EventStatus, SignalInterval, SignalKind
from openadr_core.model.program import ReliefSign
from openadr_core.model.target import by_name
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.encode import object_text
from openadr_core.oadr3.messages import ReportDescriptor, ReportIntervals
from openadr_core.oadr3.times import length_text
from openadr_core.oadr3.translate import event_of, program_of

NOW = datetime(2030, 7, 1, 18, 30, 0, 250_000, tzinfo=UTC)
KW = [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"}]


def program_body(**members: Any) -> bytes:
    return json.dumps({"programName": "peak", **members}).encode()


def relief_program(sign: str | None = "POSITIVE") -> bytes:
    return program_body(attributes=[{"type": "RELIEF_SIGN", "values": [sign]}] if sign else [])


def event_body(**members: Any) -> dict[str, Any]:
    return {
        "programID": "p-1",
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT120S"},
        "payloadDescriptors": KW,
        "intervals": [{"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [5000]}]}],
        **members,
    }


def simple(*levels: float, **period: str) -> list[dict[str, Any]]:
    return [
        {
            "id": index,
            "payloads": [{"type": "SIMPLE", "values": [level]}],
            **({"intervalPeriod": period} if period else {}),
        }
        for index, level in enumerate(levels)
    ]


def translated(body: dict[str, Any], program: bytes | None = None) -> DrEvent:
    program_request = decode_program(program or relief_program())
    return event_of(
        decode_event(json.dumps(body).encode()), program_of(program_request, "p-1"), program_request,
        event_id="e-1", version=0, created_at=NOW, modified_at=NOW, now=NOW,
    )  # fmt: skip


def test_relief_at_once() -> None:
    event = translated(event_body(priority=0, eventName="evening peak", targets=["ven-1"]))
    assert event.starts_at == NOW.replace(microsecond=0)
    assert event.duration == timedelta(seconds=120)
    (signal,) = event.signals
    assert signal.kind is SignalKind.RELIEF
    assert signal.intervals == (SignalInterval(duration=timedelta(seconds=120), value=5_000_000.0),)
    assert (event.priority, event.comment, event.targets) == (0, "evening peak", by_name("ven-1"))
    assert event.relief_sign is ReliefSign.POSITIVE
    assert event.market_context == "urn:openadr:program:peak"
    assert event.status_at(NOW) is EventStatus.ACTIVE


def test_the_sign_is_the_programs() -> None:
    (signal,) = translated(event_body(), relief_program("NEGATIVE")).signals
    assert signal.intervals[0].value == -5_000_000.0


def test_without_a_sign_a_relative_event_is_not_told_to_2_0b() -> None:
    event = translated(event_body(), relief_program(None))
    assert event.signals == ()
    assert "RELIEF_SIGN" in event.not_read[0]


def test_levels_and_setpoints() -> None:
    levels = translated(event_body(intervals=simple(1, 3)))
    assert [interval.value for interval in levels.signals[0].intervals] == [1.0, 3.0]
    assert levels.duration == timedelta(seconds=240)
    setpoint = event_body(
        payloadDescriptors=[{"payloadType": "DISPATCH_SETPOINT", "units": "MW"}],
        intervals=[{"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [1.5]}]}],
    )
    (signal,) = translated(setpoint).signals
    assert (signal.kind, signal.intervals[0].value) == (SignalKind.NET_POWER, 1_500_000.0)


def test_two_payloads_are_two_signals() -> None:
    both = [{"id": 0, "payloads": [*event_body()["intervals"][0]["payloads"], {"type": "SIMPLE", "values": [2]}]}]
    assert [signal.kind for signal in translated(event_body(intervals=both)).signals] == [
        SignalKind.RELIEF, SignalKind.LEVEL,
    ]  # fmt: skip


def test_units_may_stand_in_the_program() -> None:
    program = program_body(attributes=[{"type": "RELIEF_SIGN", "values": ["POSITIVE"]}], payloadDescriptors=KW)
    assert translated(event_body(payloadDescriptors=None), program).signals[0].intervals[0].value == 5e6


def test_a_period_of_an_interval_overrides_member_by_member() -> None:
    intervals = simple(1, 2)
    intervals[1]["intervalPeriod"] = {"duration": "PT30S"}
    event = translated(event_body(intervals=intervals))
    assert [interval.duration for interval in event.signals[0].intervals] == [
        timedelta(seconds=120), timedelta(seconds=30),
    ]  # fmt: skip


def test_the_start_may_stand_in_the_first_interval() -> None:
    event = translated(
        event_body(intervalPeriod={}, intervals=simple(1, start="2030-07-02T00:00:00+02:00", duration="PT1H"))
    )
    assert event.starts_at == datetime(2030, 7, 1, 22, tzinfo=UTC)


def test_now_on_later_intervals_follows_the_one_before() -> None:
    body = event_body(intervals=simple(1, 2, start="0001-01-01T00:00:00Z"))
    body["intervalPeriod"]["start"] = "2030-07-02T00:00:00Z"
    event = translated(body)
    assert event.starts_at == datetime(2030, 7, 2, tzinfo=UTC)
    assert event.duration == timedelta(seconds=240)


def test_for_ever() -> None:
    body = event_body(intervals=simple(1), intervalPeriod={"start": "0001-01-01", "duration": "P9999Y"})
    event = translated(body)
    assert event.duration is None
    assert event.signals[0].intervals[0].duration is None
    assert translated(event_body(intervals=simple(1), duration="P9999Y")).duration is None


def test_interpretation_a_start_is_only_ever_delayed() -> None:
    period = {"start": "0001-01-01", "duration": "PT1H", "randomizeStart": "PT5M"}
    assert translated(event_body(intervalPeriod=period)).start_after == timedelta(minutes=5)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6), st.integers(1, 3600))
def test_an_event_as_long_as_it_says(lengths: list[int], whole: int) -> None:
    """User Guide 7.2: intervals repeat until the event's duration is full, or are cut."""
    intervals = simple(*(index % 4 for index in range(len(lengths))))
    for interval, length in zip(intervals, lengths, strict=True):
        interval["intervalPeriod"] = {"duration": length_text(timedelta(seconds=length))}
    body = event_body(intervals=intervals, duration=length_text(timedelta(seconds=whole)))
    event = translated(body)
    if not event.signals:
        assert whole / sum(lengths) * len(lengths) > EVENT_INTERVALS_MAX - len(lengths)
        return
    assert event.duration == timedelta(seconds=whole)
    levels = [(interval.duration, interval.value) for interval in event.signals[0].intervals]
    assert sum(((length or timedelta()) for length, _ in levels), timedelta()) == timedelta(seconds=whole)
    assert [value for _, value in levels] == [float(index % len(lengths) % 4) for index in range(len(levels))]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"intervals": []}, "no intervals"),
        ({"intervals": [{"id": 0, "payloads": []}]}, "the intervals have no payloads"),
        (
            {"intervals": [{"id": 0, "payloads": [{"type": "GHG", "values": [0.2]}]}]},
            "GHG cannot be told to 2.0b parties",
        ),
        ({"intervals": simple(4)}, "interval 0: SIMPLE is 4; it must be from 0 to 3"),
        ({"intervals": simple(1, 1.5)}, "interval 1: SIMPLE is 1.5; it must be a whole number"),
        ({"intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1, 2]}]}]}, "exactly one number"),
        ({"intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [True]}]}]}, "exactly one number"),
        ({"intervals": [*simple(1), {"id": 1, "payloads": []}]}, "interval 1 has 0 payloads"),
        ({"payloadDescriptors": []}, "has no unit"),
        ({"payloadDescriptors": [{**KW[0], "units": "KWH"}]}, "has the unit KWH"),
        ({"intervalPeriod": {"duration": "PT1M"}}, "has no start, and the event has none"),
        ({"intervalPeriod": {"start": "0001-01-01"}}, "interval 0 has no duration"),
        ({"intervalPeriod": {"start": "0001-01-01", "duration": "PT0S"}}, "delete it"),
        ({"duration": "PT0S"}, "delete it"),
        ({"intervals": simple(1, 2, duration="P9999Y")}, "interval 1 follows one that lasts for ever"),
        ({"intervals": simple(1, 2, start="2030-07-01T19:00:00Z")}, "only intervals that follow each other"),
        ({"intervals": simple(*[1] * (EVENT_INTERVALS_MAX + 1))}, "has more intervals than"),
        ({"intervals": simple(1), "duration": "P999999D"}, "has more intervals than"),
        ({"intervals": simple(1, 2), "duration": "P9999Y"}, "repeat for ever"),
        (
            {"intervalPeriod": {"start": "0001-01-01", "duration": "PT1H", "randomizeStart": "P9999Y"}},
            "randomizeStart cannot be for ever",
        ),
    ],
)
def test_what_2_0b_cannot_be_told_is_kept_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """OpenADR 3.1 Definition: a VTN does not judge what an event says."""
    event = translated(event_body(**changes))
    assert event.signals == ()
    assert reason in "; ".join(event.not_read)


def test_what_2_0b_has_words_for_is_told_without_the_rest() -> None:
    payloads = [{"type": "SIMPLE", "values": [1]}, {"type": "ALERT_FIRE", "values": ["smoke in the valley"]}]
    event = translated(event_body(intervals=[{"id": 0, "payloads": payloads}]))
    assert [signal.kind for signal in event.signals] == [SignalKind.LEVEL]
    assert event.not_read == ("payload type ALERT_FIRE cannot be told to 2.0b parties",)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.integers(1, 50))
def test_the_prices_of_an_interval_share_it_evenly(prices: list[float], step_s: int) -> None:
    """User Guide 7.3: 24 prices in an interval of a day are a price an hour."""
    body = event_body(
        intervalPeriod={"start": "2030-07-02T00:00:00Z", "duration": f"PT{step_s * len(prices)}S"},
        payloadDescriptors=[{"payloadType": "PRICE", "units": "KWH", "currency": "USD"}],
        intervals=[{"id": 0, "payloads": [{"type": "PRICE", "values": prices}]}],
    )
    (signal,) = translated(body).signals
    assert [(one.duration, one.value) for one in signal.intervals] == [
        (timedelta(seconds=step_s), price) for price in prices
    ]


def test_an_event_is_as_long_as_it_is_whoever_can_be_told() -> None:
    """Gaps are within the event; without a word of time, an event is there until it is deleted."""
    apart = simple(1, 2)
    apart[1]["intervalPeriod"] = {"start": "2030-07-02T00:00:00Z", "duration": "PT1H"}
    event = translated(event_body(intervals=apart))
    assert (event.starts_at, event.ends_at) == (NOW.replace(microsecond=0), datetime(2030, 7, 2, 1, tzinfo=UTC))
    timeless = translated(event_body(intervalPeriod={}, intervals=[]))
    assert (timeless.starts_at, timeless.ends_at) == (NOW.replace(microsecond=0), None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"programID": None}, "^programID: is missing"),
        ({"programID": "no/slash"}, "^programID: must be"),
        ({"priority": -1}, "^priority: must be 0 or more"),
        ({"priority": 1.0}, "^priority: is not a whole number"),
        ({"priority": True}, "^priority: is not a whole number"),
        ({"targets": "ven-1"}, "^targets: is not a list"),
        ({"targets": [""]}, r"^targets\[0\]: must be a text"),
        ({"intervalPeriod": "PT1H"}, "^intervalPeriod: is not an object"),
        ({"intervalPeriod": {"start": "tomorrow"}}, "^intervalPeriod.start: is not a date"),
        ({"duration": "1h"}, "^duration: is not an ISO 8601 duration"),
        ({"intervals": [{"payloads": []}]}, r"^intervals\[0\].id: is missing"),
        ({"intervals": [{"id": 0}]}, r"^intervals\[0\].payloads: is missing"),
        ({"intervals": [{"id": 0, "payloads": [{"values": [1]}]}]}, r"^intervals\[0\].payloads\[0\].type: is missing"),
        ({"intervals": [{"id": 0, "payloads": [{"type": "SIMPLE"}]}]}, r"payloads\[0\].values: is missing"),
        ({"intervals": [{"id": 0, "payloads": [{"type": "X", "values": [{"x": 1}]}]}]}, r"values\[0\]: must be"),
        ({"payloadDescriptors": [{"objectType": "X"}]}, r"payloadDescriptors\[0\].objectType: must be"),
        ({"reportDescriptors": [{}]}, r"^reportDescriptors\[0\].payloadType: is missing"),
        ({"reportDescriptors": [{"payloadType": "USAGE", "reportIntervals": "SOME"}]}, "must be INTERVALS, SUB"),
        ({"reportDescriptors": [{"payloadType": "USAGE", "aggregate": 1}]}, "aggregate: must be true or false"),
        ({"eventName": 5}, "^eventName: is not a text"),
    ],
)  # fmt: skip
def test_a_wrong_document_names_the_member(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SchemaViolation, match=reason):
        decode_event(json.dumps(event_body(**changes)).encode())


def test_what_a_report_descriptor_leaves_out_is_the_standards_default() -> None:
    least = {"payloadType": "USAGE"}
    full = {
        "payloadType": "DEMAND", "readingType": "MEAN", "units": "KW", "targets": ["north"], "aggregate": True,
        "startInterval": 1, "numIntervals": 2, "historical": False, "frequency": 3, "repeat": -1,
        "reportIntervals": "OPEN_INTERVALS",
    }  # fmt: skip
    wanted = decode_event(json.dumps(event_body(reportDescriptors=[least, full])).encode()).report_descriptors
    assert wanted == (
        ReportDescriptor(payload_type="USAGE"),
        ReportDescriptor(
            payload_type="DEMAND", reading_type="MEAN", units="KW", targets=("north",), aggregate=True,
            start_interval=1, num_intervals=2, historical=False, frequency=3, repeat=-1,
            report_intervals=ReportIntervals.OPEN_INTERVALS,
        ),
    )  # fmt: skip


def test_a_market_context_of_its_own_and_one_that_stays() -> None:
    own = decode_program(
        program_body(attributes=[{"type": "MARKET_CONTEXT", "values": ["http://utility.example/peak"]}])
    )
    assert program_of(own, "p-1").market_context == "http://utility.example/peak"
    first = program_of(decode_program(program_body()), "p-1")
    renamed = decode_program(json.dumps({"programName": "evening peak"}).encode())
    assert program_of(renamed, "p-1").market_context == "urn:openadr:program:evening%20peak"
    assert program_of(renamed, "p-1", before=first).market_context == first.market_context


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ({"type": "RELIEF_SIGN", "values": ["positive"]}, "must be POSITIVE or NEGATIVE"),
        ({"type": "RELIEF_SIGN", "values": [1]}, "exactly one text"),
        ({"type": "MARKET_CONTEXT", "values": ["not a uri"]}, "not an absolute URI"),
        ({"type": "MARKET_CONTEXT", "values": ["urn:delete:\x7f"]}, "not an absolute URI"),
    ],
)
def test_a_wrong_attribute_is_named(attribute: dict[str, Any], reason: str) -> None:
    with pytest.raises(RuleBroken, match=reason):
        program_of(decode_program(program_body(attributes=[attribute])), "p-1")


def test_documents_go_out_as_they_came_in() -> None:
    body = b'{"objectType": "EVENT", "programID": "p-1", "id": "theirs", "x-note": [1.50, 2e0], "duration": "P9999Y"}'
    text = object_text("EVENT", "e-1", NOW, NOW, decode_event(body).document)
    assert json.loads(text)["id"] == "e-1"
    assert '"x-note": [1.50, 2e0],"duration": "P9999Y"}' in text
    assert "theirs" not in text
