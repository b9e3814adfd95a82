"""What OpenADR 3 reports measured, in the words of all protocols (User Guide 7.3, 8.4)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.limits import READING_MAX
from openadr_core.model.report import Measurand, Quality
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.decode_reports import decode_report
from openadr_core.oadr3.readings import MEASURANDS, Measured, is_of_the_future, measured, operating_states
from openadr_core.oadr3.times import moment_text

NOON = datetime(2030, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVENT: dict[str, Any] = {
    "programID": "p",
    "intervalPeriod": {"start": moment_text(NOON), "duration": "PT15M"},
    "intervals": [{"id": index, "payloads": []} for index in (4, 7)],
}


def read(*intervals: dict[str, Any], event: dict[str, Any] = EVENT, **members: Any) -> list[Measured]:
    resource = {"resourceName": members.pop("name", "AGGREGATED_REPORT"), "intervals": list(intervals)}
    if "period" in members:
        resource["intervalPeriod"] = members.pop("period")
    body = {"eventID": "e", "clientName": "v", "resources": [resource], **members}
    return measured(
        decode_report(json.dumps(body).encode()), decode_event(json.dumps(event).encode()), event_read_at=NOON
    )


def interval(number: int, *payloads: tuple[str, Any], **period: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": number,
        "payloads": [
            {"type": kind, "values": value if isinstance(value, list) else [value]} for kind, value in payloads
        ],
    }
    return found | ({"intervalPeriod": period} if period else {})


def descriptors(*pairs: tuple[str, str | None], **members: Any) -> list[dict[str, Any]]:
    return [
        {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "units": units, **members}
        for kind, units in pairs
    ]


@pytest.mark.parametrize(
    ("kind", "units", "measurand", "unit", "value"),
    [
        ("DEMAND", None, Measurand.USAGE, "W", 1500.0),
        ("DEMAND", "MW", Measurand.USAGE, "W", 1.5e6),
        ("USAGE", None, Measurand.USAGE, "Wh", 1500.0),
        ("USAGE", "KW", Measurand.USAGE, "W", 1500.0),
        ("USAGE", "KVARH", Measurand.USAGE, "varh", 1500.0),
        ("BASELINE", "kw", Measurand.BASELINE, "W", 1500.0),
        ("USAGE_FORECAST", None, Measurand.FORECAST, "Wh", 1500.0),
        ("UP_REGULATION_AVAILABLE", None, Measurand.UP_REGULATION, "W", 1500.0),
    ],
)
def test_numbers_are_in_canonical_units(
    kind: str, units: str | None, measurand: Measurand, unit: str, value: float
) -> None:
    ((point, reading),) = read(interval(4, (kind, 1.5)), payloadDescriptors=descriptors((kind, units)))
    assert (point.measurand, point.unit, reading.value) == (measurand, unit, value)


@pytest.mark.parametrize(
    "payload",
    [("BASELINE", 1), ("READING", 1), ("X_PRIVATE", 1), ("USAGE", "much"), ("USAGE", True), ("USAGE", READING_MAX * 2)],
)
def test_what_says_nothing_in_common_is_left_in_words(payload: tuple[str, Any]) -> None:
    assert read(interval(4, payload)) == []


def test_a_unit_that_is_not_known_is_no_power() -> None:
    assert read(interval(4, ("DEMAND", 1)), payloadDescriptors=descriptors(("DEMAND", "THERMS"))) == []


def test_what_the_event_asked_in_counts_where_the_report_says_nothing() -> None:
    asked = EVENT | {"reportDescriptors": [{"payloadType": "BASELINE", "units": "KW"}]}
    ((point, reading),) = read(interval(4, ("BASELINE", 2)), event=asked)
    assert (point.unit, reading.value) == ("W", 2000.0)


def test_intervals_without_a_time_lie_where_the_events_are() -> None:
    found = read(interval(7, ("DEMAND", 2)), interval(4, ("DEMAND", 1)), interval(9, ("DEMAND", 3)))
    assert [(one.starts_at, one.duration, one.value) for _, one in found] == [
        (NOON + 15 * MINUTE, 15 * MINUTE, 2000.0),
        (NOON, 15 * MINUTE, 1000.0),
    ], "there is no interval 9"


def test_a_period_holds_for_each_interval_that_says_nothing_else() -> None:
    start = {"start": moment_text(NOON + MINUTE), "duration": "PT1M"}
    found = read(interval(0, ("DEMAND", 1)), interval(1, ("DEMAND", 2), duration="PT30S"), period=start)
    assert [(one.starts_at, one.duration) for _, one in found] == [
        (NOON + MINUTE, MINUTE),
        (NOON + 2 * MINUTE, MINUTE / 2),
    ]


def test_an_interval_that_cannot_be_placed_is_left_in_words() -> None:
    assert read(interval(0, ("DEMAND", 1), duration="PT1M"), event={"programID": "p"}) == []
    assert read(interval(4, ("DEMAND", 1), start=moment_text(NOON), duration="P9999Y")) == [], "it never ends"


def test_several_values_are_equal_parts() -> None:
    found = read(interval(4, ("DEMAND", [1, 2, 3])))
    assert [(one.starts_at, one.duration, one.value) for _, one in found] == [
        (NOON + index * 5 * MINUTE, 5 * MINUTE, (index + 1) * 1000.0) for index in range(3)
    ]


@pytest.mark.parametrize(("said", "quality"), [("OK", "good"), ("MISSING", "missing"), ("BAD", "bad"), ("?", "good")])
@pytest.mark.openadr3("R8.4")
def test_quality_stands_beside_the_value(said: str, quality: str) -> None:
    ((_, reading),) = read(interval(4, ("DATA_QUALITY", said), ("DEMAND", 1)))
    assert reading.quality == Quality(quality)


def test_reading_types() -> None:
    def point_of(reading_type: str) -> tuple[Measurand, Quality]:
        said = descriptors(("DEMAND", "KW"), readingType=reading_type, confidence=80, accuracy=0.5)
        ((point, reading),) = read(interval(4, ("DEMAND", 1)), payloadDescriptors=said)
        assert (reading.confidence, reading.accuracy) == (80, 0.5)
        return point.measurand, reading.quality

    assert point_of("MEAN") == (Measurand.USAGE, Quality.GOOD)
    assert point_of("PEAK") == (Measurand.PEAK, Quality.GOOD)
    assert point_of("FORECAST") == (Measurand.FORECAST, Quality.GOOD)
    assert point_of("ESTIMATED") == (Measurand.USAGE, Quality.ESTIMATED)


def test_resources_are_sources() -> None:
    ((point, _),) = read(interval(4, ("DEMAND", 1)), name="battery")
    assert point.source.label == "battery"
    ((point, _),) = read(interval(4, ("DEMAND", 1)))
    assert not point.source.label, "everything behind the ven"


def test_the_future_is_measured_by_nobody() -> None:
    (demand,) = read(interval(4, ("DEMAND", 1)))
    assert is_of_the_future(demand, NOON + 14 * MINUTE)
    assert not is_of_the_future(demand, NOON + 15 * MINUTE)
    (forecast,) = read(interval(4, ("USAGE_FORECAST", 1)))
    assert not is_of_the_future(forecast, NOON)


def test_the_last_operating_state_of_each_resource() -> None:
    body = {
        "eventID": "e",
        "clientName": "v",
        "resources": [
            {
                "resourceName": "a",
                "intervals": [
                    interval(0, ("OPERATING_STATE", "RUNNING_NORMAL")),
                    interval(1, ("OPERATING_STATE", "IDLE_OPTED_OUT"), ("DEMAND", 1)),
                    interval(2, ("OPERATING_STATE", [])),
                ],
            },
            {"resourceName": "b", "intervals": [interval(0, ("DEMAND", 1))]},
        ],
    }
    assert operating_states(decode_report(json.dumps(body).encode())) == {"a": "IDLE_OPTED_OUT"}


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
values = st.lists(numbers | st.booleans() | st.text("ab"), max_size=5)


@given(kind=st.sampled_from([*MEASURANDS, "READING"]), said=values, units=st.sampled_from([None, "KW", "KWH", "x"]))
def test_whatever_is_told_is_a_finite_number_in_its_interval(kind: str, said: list[Any], units: str | None) -> None:
    for point, reading in read(interval(7, (kind, said)), payloadDescriptors=descriptors((kind, units))):
        assert abs(reading.value) <= READING_MAX * 1000
        assert NOON + 15 * MINUTE <= reading.starts_at < reading.starts_at + reading.duration <= NOON + 30 * MINUTE
        assert point.measurand in {one for one, _ in MEASURANDS.values()}
