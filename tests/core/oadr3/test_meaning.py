"""What a VEN makes of an event of OpenADR 3: each payload type, and when it asks what."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.event import Alert, DrEvent, SignalKind
from openadr_core.model.timeline import segments
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.meaning import NOT_FOLLOWED, OF_BARGAINS, meaning_of
from openadr_core.oadr3.translate import program_of

NOON = datetime(2030, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
KW = {"units": "KW"}
USD = {"units": "KWH", "currency": "USD"}


def meaning(payload_type: str, *values: list[Any], draw: float = 0.0, **members: Any) -> DrEvent:
    """An event with an interval of an hour for each of these lists of values."""
    descriptor = members.pop("descriptor", {})
    body = {
        "programID": "p",
        "intervalPeriod": {"start": "2030-07-01T12:00:00Z", "duration": "PT1H"},
        "payloadDescriptors": [{"payloadType": payload_type, **descriptor}],
        "intervals": [
            {"id": index, "payloads": [{"type": payload_type, "values": one}]} for index, one in enumerate(values)
        ],
        **members,
    }
    text = json.dumps({name: said for name, said in body.items() if said is not None})
    program = decode_program(
        b'{"programName": "peak", "attributes": [{"type": "RELIEF_SIGN", "values": ["NEGATIVE"]}]}'
    )
    return meaning_of(
        decode_event(text.encode()), program_of(program, "p"), program, event_id="e", version=0,
        created_at=NOON, modified_at=NOON, obtained_at=NOON, draw=draw,
    )  # fmt: skip


def asked(event: DrEvent, now: datetime) -> float | None:
    """What the only signal asks at a moment."""
    ruling = [one.value for one in segments(event, now=now) if one.rules_at(now)]
    assert len(ruling) <= 1
    return ruling[0] if ruling else None


@pytest.mark.openadr3("C12")
@pytest.mark.parametrize(
    ("payload_type", "value", "descriptor", "kind", "meant"),
    [
        ("SIMPLE", 2, {}, SignalKind.LEVEL, 2.0),
        ("PRICE", 0.3, USD, SignalKind.ELECTRICITY_PRICE, 0.3),
        ("EXPORT_PRICE", 0.1, USD, SignalKind.ELECTRICITY_PRICE, 0.1),
        ("DISPATCH_SETPOINT", 5, KW, SignalKind.NET_POWER, 5e3),
        ("DISPATCH_SETPOINT_RELATIVE", -5, KW, SignalKind.RELIEF, 5e3),
        ("CONTROL_SETPOINT", 21, {}, SignalKind.LOAD_SETPOINT, 21.0),
        ("CONTROL_LEVEL_OFFSET", -3, {}, SignalKind.LOAD_LEVEL_OFFSET, -3.0),
        ("CHARGE_STATE_SETPOINT", 0.8, {"units": "PERCENT"}, SignalKind.CHARGE_SHARE, 0.8),
        ("CHARGE_STATE_SETPOINT", 8, {"units": "KWH"}, SignalKind.CHARGE, 8e3),
        ("IMPORT_CAPACITY_LIMIT", 7, {}, SignalKind.IMPORT_LIMIT, 7e3),
        ("EXPORT_CAPACITY_LIMIT", 7000, {"units": "W"}, SignalKind.EXPORT_LIMIT, 7e3),
        ("IMPORT_CAPACITY_SUBSCRIPTION", 5, KW, SignalKind.IMPORT_SUBSCRIPTION, 5e3),
        ("EXPORT_CAPACITY_SUBSCRIPTION", 5, KW, SignalKind.EXPORT_SUBSCRIPTION, 5e3),
        ("IMPORT_CAPACITY_RESERVATION", 1, KW, SignalKind.IMPORT_RESERVATION, 1e3),
        ("EXPORT_CAPACITY_RESERVATION", 1, KW, SignalKind.EXPORT_RESERVATION, 1e3),
    ],
)
def test_a_type_has_a_meaning(payload_type: str, value: Any, descriptor: Any, kind: SignalKind, meant: float) -> None:
    event = meaning(payload_type, [value], descriptor=descriptor)
    assert [signal.kind for signal in event.signals] == [kind]
    assert asked(event, NOON) == meant
    assert event.not_read == ()


@pytest.mark.openadr3("R7.12")
@pytest.mark.parametrize("payload_type", sorted(OF_BARGAINS))
def test_or_it_is_of_a_bargain_and_leaving_it_aside_is_no_refusal(payload_type: str) -> None:
    event = meaning(payload_type, [1])
    assert (event.signals, event.not_read) == ((), ())


@pytest.mark.parametrize("payload_type", [*NOT_FOLLOWED, "ACME_SPECIAL"])
def test_or_it_has_a_reason(payload_type: str) -> None:
    event = meaning(payload_type, [1])
    assert event.signals == ()
    (reason,) = event.not_read
    assert reason.startswith(f"{payload_type}: ")
    assert len(reason.split()) > 4


@pytest.mark.parametrize(
    ("payload_type", "values", "descriptor", "reason"),
    [
        ("SIMPLE", [4], {}, "it must be from 0 to 3"),
        ("SIMPLE", [1, 2], {}, "needs exactly one number"),
        ("IMPORT_CAPACITY_LIMIT", [-1], {}, "it must be from 0"),
        ("IMPORT_CAPACITY_LIMIT", [1], {"units": "KWH"}, "has the unit KWH"),
        ("DISPATCH_SETPOINT", [1], {}, "has no unit"),
        ("OLS", [0], {}, "has no scale"),
    ],
)
def test_what_makes_no_sense_is_left_with_its_reason(
    payload_type: str, values: list[Any], descriptor: Any, reason: str
) -> None:
    event = meaning(payload_type, values, descriptor=descriptor)
    assert event.signals == ()
    assert reason in event.not_read[0]


def test_of_two_prices_that_of_drawing_leads() -> None:
    payloads = [{"type": "EXPORT_PRICE", "values": [0.1]}, {"type": "PRICE", "values": [0.3]}]
    both = meaning(
        "PRICE", intervals=[{"id": 0, "payloads": payloads}],
        payloadDescriptors=[{"payloadType": name, **USD} for name in ("PRICE", "EXPORT_PRICE")],
    )  # fmt: skip
    assert [signal.id for signal in both.signals] == ["PRICE"]
    assert both.not_read[0].startswith("EXPORT_PRICE: ")


def test_a_load_shape_moves_energy_and_keeps_its_sum() -> None:
    """0.2, 0.4 and 0.6 of a day whose mean is 1: 0.5, 1 and 1.5 times what is usual."""
    event = meaning("OLS", [0.2], [0.4], [0.6])
    assert [one.value for one in segments(event)] == pytest.approx([0.5, 1.0, 1.5])


@pytest.mark.openadr3("R7.13")
def test_an_alert_is_words_for_people() -> None:
    event = meaning("ALERT_GRID_EMERGENCY", ["Please use less", "until nine."])
    assert event.alerts == (
        Alert(kind="ALERT_GRID_EMERGENCY", text="Please use less until nine.", starts_at=NOON, ends_at=NOON + HOUR),
    )
    assert (event.signals, event.not_read) == ((), ())


def test_an_event_may_ask_for_nothing_but_reports() -> None:
    event = meaning("USAGE", reportDescriptors=[{"payloadType": "USAGE"}])
    assert (event.signals, event.not_read, event.alerts) == ((), (), ())


def test_between_intervals_nothing_is_asked() -> None:
    """User Guide 7.3: absolute starts may leave gaps; the event is active in them."""
    later = {"id": 1, "payloads": [{"type": "SIMPLE", "values": [2]}],
             "intervalPeriod": {"start": "2030-07-01T15:00:00Z"}}  # fmt: skip
    event = meaning("SIMPLE", intervals=[{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}, later])
    at = {hour: asked(event, NOON + hour * HOUR) for hour in (0, 1, 2.9, 3, 4)}
    assert at == {0: 1.0, 1: None, 2.9: None, 3: 2.0, 4: None}
    assert event.ends_at == NOON + 4 * HOUR


def test_of_two_intervals_at_once_the_one_written_later_rules() -> None:
    over = {"id": 1, "payloads": [{"type": "SIMPLE", "values": [2]}],
            "intervalPeriod": {"start": "2030-07-01T12:20:00Z", "duration": "PT10M"}}  # fmt: skip
    event = meaning("SIMPLE", intervals=[{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}, over])
    assert [asked(event, NOON + minute * MINUTE) for minute in (0, 20, 29, 30, 59)] == [1.0, 2.0, 2.0, 1.0, 1.0]


def test_what_is_shorter_than_its_intervals_is_cut_off() -> None:
    event = meaning("PRICE", [0.1, 0.2, 0.3, 0.4], descriptor=USD, duration="PT30M")
    assert [(one.starts_at, one.ends_at, one.value) for one in segments(event)] == [
        (NOON, NOON + 15 * MINUTE, 0.1), (NOON + 15 * MINUTE, NOON + 30 * MINUTE, 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize("duration", ["P9999Y", "PT9H"])
@pytest.mark.parametrize("hour", range(12))
def test_what_is_longer_repeats(duration: str, hour: int) -> None:
    """User Guide 7.2; each time round is another interval, so that what it asks is reckoned anew."""
    event = meaning("SIMPLE", [1], [2], duration=duration)
    now = NOON + hour * HOUR + MINUTE
    ruling = [one for one in segments(event, now=now) if one.rules_at(now)]
    if duration == "PT9H" and hour >= 9:
        assert ruling == []
    else:
        assert [(one.index, one.value) for one in ruling] == [(hour, hour % 2 + 1.0)]
    if duration == "PT9H" and hour == 8:
        assert ruling[0].ends_at == event.ends_at == NOON + 9 * HOUR


@pytest.mark.openadr3("R7.4")
def test_who_comes_late_skips_ahead_and_now_is_when_it_was_read() -> None:
    event = meaning("SIMPLE", [1], [2], intervalPeriod={"start": "0001-01-01T00:00:00Z", "duration": "PT1H"})
    assert event.starts_at == NOON
    assert asked(event, NOON + 90 * MINUTE) == 2.0


def test_a_subscription_of_a_year_ends_with_the_year() -> None:
    event = meaning(
        "IMPORT_CAPACITY_SUBSCRIPTION", [5], intervalPeriod={"start": "2031-07-01T00:00:00+02:00", "duration": "P1Y"}
    )
    assert event.ends_at == datetime(2032, 6, 30, 22, tzinfo=UTC)


def test_an_interval_without_a_time_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="interval 0 has no start"):
        meaning("SIMPLE", [1], intervalPeriod=None)


@given(st.floats(-1, 1), st.integers(0, 3600))
def test_no_event_begins_before_what_was_drawn_for_it(draw: float, bound_s: int) -> None:
    """R7.8: at most the bound away, and the whole chain with it."""
    period = {"start": "2030-07-01T12:00:00Z", "duration": "PT1H", "randomizeStart": f"PT{bound_s}S"}
    event = meaning("SIMPLE", [1], [2], draw=draw, intervalPeriod=period)
    first, second = segments(event)
    assert first.starts_at == event.starts_at == NOON + timedelta(seconds=bound_s) * draw
    assert abs(first.starts_at - NOON) <= timedelta(seconds=bound_s)
    assert first.ends_at == second.starts_at
    assert asked(event, first.starts_at - timedelta(microseconds=1)) is None
    assert event.start_after == timedelta(0), "drawn once, not twice"


@given(st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=30), min_size=1, max_size=5))
@pytest.mark.openadr3("R7.7")
def test_sub_intervals_cover_their_interval_exactly(prices: list[list[float]]) -> None:
    event = meaning("PRICE", *prices, descriptor=USD)
    parts = segments(event)
    assert [one.value for one in parts] == [price for values in prices for price in values]
    assert [one.ends_at for one in parts] == [*(one.starts_at for one in parts[1:]), event.ends_at]
    assert event.ends_at == NOON + len(prices) * HOUR
