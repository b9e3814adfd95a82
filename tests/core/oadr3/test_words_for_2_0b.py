"""What 2.0b knows and 3.1 does not: said by payload types, descriptors and attributes, or refused with the reason."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import InvalidEvent, RuleBroken, SchemaViolation
from openadr_core.limits import EVENT_SIGNALS_MAX
from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.party import Party, PartyState
from openadr_core.model.unit import CURRENCIES, MONEY
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.translate import event_to_wire
from openadr_core.oadr3.attributes import TARGET_KINDS
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.payload_types import SIGNAL_KINDS
from openadr_core.oadr3.translate import event_of, program_of
from openadr_core.oadr3.units import PRICES, UNITS
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
SIGN = {"type": "RELIEF_SIGN", "values": ["POSITIVE"]}


def event_body(payload_type: str = "SIMPLE", value: Any = 1, **members: Any) -> dict[str, Any]:
    return {
        "programID": "p-1",
        "intervalPeriod": {"start": "2030-07-01T19:00:00Z", "duration": "PT5M"},
        "intervals": [{"id": 0, "payloads": [{"type": payload_type, "values": [value]}]}],
        **members,
    }


def with_attributes(**values: Any) -> dict[str, Any]:
    attributes = [
        {"type": name, "values": value if isinstance(value, list) else [value]} for name, value in values.items()
    ]
    return event_body(attributes=attributes)


def translated(body: dict[str, Any]) -> DrEvent:
    program = decode_program(json.dumps({"programName": "peak", "attributes": [SIGN]}).encode())
    return event_of(
        decode_event(json.dumps(body).encode()), program_of(program, "p-1"), program,
        event_id="e-1", version=0, created_at=NOW, modified_at=NOW, now=NOW,
    )  # fmt: skip


@pytest.mark.openadr20b("R104", "R9", "R116")
@pytest.mark.parametrize(
    ("payload_type", "units", "value", "kind", "canonical"),
    [
        ("DISPATCH_SETPOINT", "MW", 1.5, SignalKind.NET_POWER, 1_500_000.0),
        ("DISPATCH_SETPOINT_RELATIVE", "KVAR", 5.1, SignalKind.RELIEF, 5_100.0),
        ("LOAD_DISPATCH_MULTIPLIER", None, 0.8, SignalKind.BASELINE_SHARE, 0.8),
        ("LOAD_DISPATCH_LEVEL", "KW", -10, SignalKind.DISPATCH_LEVEL, -10.0),
        ("PRICE", "KWH", 0.31, SignalKind.ELECTRICITY_PRICE, 0.31),
        ("PRICE", None, 0.31, SignalKind.ELECTRICITY_PRICE, 0.31),
        ("PRICE_RELATIVE", "MWH", 40, SignalKind.ELECTRICITY_PRICE_CHANGE, 0.04),
        ("PRICE_MULTIPLIER", None, 2, SignalKind.ELECTRICITY_PRICE_FACTOR, 2.0),
        ("DEMAND_CHARGE", "KW", 12, SignalKind.DEMAND_CHARGE, 12.0),
        ("BID_PRICE", "THERMS", 1, SignalKind.BID_PRICE, 1.0),
        ("BID_LOAD", "KVA", 1, SignalKind.BID_LOAD, 1000.0),
        ("BID_ENERGY", "KWH", 1, SignalKind.BID_ENERGY, 1000.0),
        ("CHARGE_STATE_SETPOINT", "KWH", 13.5, SignalKind.CHARGE, 13_500.0),
        ("CHARGE_STATE_SETPOINT", "PERCENT", 0.8, SignalKind.CHARGE_SHARE, 0.8),
        ("CHARGE_STATE_DELTA", "WH", -500, SignalKind.CHARGE_CHANGE, -500.0),
        ("LOAD_CONTROL_CAPACITY/heaters", None, 0.5, SignalKind.LOAD_CAPACITY, 0.5),
        ("CONTROL_LEVEL_OFFSET", None, 3, SignalKind.LOAD_LEVEL_OFFSET, 3.0),
        ("LOAD_CONTROL_PERCENT_OFFSET", None, -12.5, SignalKind.LOAD_PERCENT_OFFSET, -12.5),
        ("CONTROL_SETPOINT", None, 24.5, SignalKind.LOAD_SETPOINT, 24.5),
    ],
)
def test_each_payload_type_is_a_signal(
    payload_type: str, units: str | None, value: float, kind: SignalKind, canonical: float
) -> None:
    descriptor = {"payloadType": payload_type, "units": units, "currency": "EUR"}
    (signal,) = translated(event_body(payload_type, value, payloadDescriptors=[descriptor])).signals
    assert (signal.id, signal.kind, signal.intervals[0].value) == (payload_type, kind, canonical)
    is_money = signal.unit is not None and signal.unit.measure in MONEY
    assert (signal.unit is not None and signal.unit.currency == "EUR") == is_money


@pytest.mark.openadr20b("R6", "R12", "R13", "R105", "V7")
def test_each_attribute_has_its_place() -> None:
    event = translated(
        with_attributes(
            TEST_EVENT=True, VTN_COMMENT="bring jackets", MODIFICATION_REASON="more wind", RESPONSE_REQUIRED="NEVER",
            RAMP_UP="-PT2M", RECOVERY="PT3M", NOTIFICATION="PT4M", START_AFTER="PT1M",
        )
    )  # fmt: skip
    assert (event.test, event.comment, event.modification_reason) == (True, "bring jackets", "more wind")
    assert event.response_required is False
    lengths = (event.ramp_up, event.recovery, event.notification, event.start_after)
    assert [length.total_seconds() for length in lengths] == [-120, 180, 240, 60]


def test_the_name_is_the_comment_unless_there_is_one() -> None:
    assert translated(event_body(eventName="peak")).comment == "peak"
    assert (
        translated(event_body(eventName="peak") | {"attributes": [{"type": "VTN_COMMENT", "values": [""]}]}).comment
        == ""
    )


@pytest.mark.openadr20b("V18", "R22")
def test_each_kind_of_target_has_its_attribute() -> None:
    names = {
        "END_DEVICE_ASSET": "Thermostat", "SERVICE_AREA": "-122.5 37 -121 37.25", "SERVICE_LOCATION": "1 2",
        "TRANSPORT_INTERFACE": "north > south",
    }  # fmt: skip
    event = translated(with_attributes(**{name: names.get(name, "a") for name in TARGET_KINDS}))
    assert [target.kind for target in event.targets] == list(TARGET_KINDS.values())
    assert {target.name for target in event.targets} == {"a", *names.values()}


@pytest.mark.openadr20b("R101", "R102", "R108")
def test_a_baseline_beside_the_signals() -> None:
    payloads = [{"type": "SIMPLE", "values": [1]}, {"type": "BASELINE", "values": [120]}]
    body = event_body(
        intervals=[{"id": 0, "payloads": payloads}],
        payloadDescriptors=[{"payloadType": "BASELINE", "units": "KW"}],
        attributes=[
            {"type": "BASELINE_ID", "values": ["b-1"]}, {"type": "BASELINE_START", "values": ["2030-06-30T19:00:00Z"]},
            {"type": "BASELINE_RESOURCE", "values": ["r-1", "r-2"]},
        ],
    )  # fmt: skip
    event = translated(body)
    assert event.baseline is not None
    assert (event.baseline.id, event.baseline.name, event.baseline.resources) == ("b-1", "BASELINE", ("r-1", "r-2"))
    assert event.baseline.starts_at == datetime(2030, 6, 30, 19, tzinfo=UTC)
    assert (event.baseline.duration, event.baseline.intervals[0].value) == (timedelta(minutes=5), 120_000.0)
    assert [signal.kind for signal in event.signals] == [SignalKind.LEVEL]


def test_device_classes_and_the_service_stand_in_the_descriptor() -> None:
    descriptor = {
        "payloadType": "DISPATCH_SETPOINT", "units": "KW", "deviceClasses": ["Storage", "x-boilers"],
        "powerAttributes": {"hertz": 50, "voltage": 0.4, "ac": True},
    }  # fmt: skip
    (signal,) = translated(event_body("DISPATCH_SETPOINT", 1, payloadDescriptors=[descriptor])).signals
    assert signal.device_classes == ("Storage", "x-boilers")
    assert signal.unit is not None
    assert signal.unit.attributes is not None
    assert (signal.unit.attributes.hertz, signal.unit.attributes.voltage) == ("50", "0.4")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"RAMPUP": "PT5M"}, "attribute RAMPUP: is not known"),
        ({"TEST_EVENT": "true"}, "attribute TEST_EVENT: needs exactly one true or false"),
        ({"VTN_COMMENT": ["a", "b"]}, "attribute VTN_COMMENT: needs exactly one text"),
        ({"RESPONSE_REQUIRED": "SOMETIMES"}, "must be ALWAYS or NEVER, not 'SOMETIMES'"),
        ({"RAMP_UP": "5 minutes"}, "attribute RAMP_UP: is not an ISO 8601 duration"),
        ({"RECOVERY": "-PT5M"}, "attribute RECOVERY: is not an ISO 8601 duration"),
        ({"NOTIFICATION": "P9999Y"}, "attribute NOTIFICATION: P9999Y is none of the calendar"),
        ({"BASELINE_ID": "b"}, "need payloads of type BASELINE"),
        ({"BASELINE_START": "0001-01-01"}, "is none of the calendar"),
        ({"RESOURCE_ID": ""}, "attribute RESOURCE_ID: each value is a text of 1 to 128 characters"),
        ({"RESOURCE_ID": [7]}, "attribute RESOURCE_ID: each value is a text"),
        ({"END_DEVICE_ASSET": "Toaster"}, "'Toaster' is no device class"),
        ({"SERVICE_AREA": "here"}, "attribute SERVICE_AREA: 'here' must be longitudes"),
        ({"TRANSPORT_INTERFACE": "north"}, "must be two nodes with ' > ' between"),
    ],
)
def test_a_wrong_attribute_is_refused_by_name(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        translated(with_attributes(**values))


def test_attributes_of_ones_own_are_left_alone_and_none_stands_twice() -> None:
    assert translated(with_attributes(**{"x-ticket": "4711"})).signals
    body = event_body(attributes=[{"type": "TEST_EVENT", "values": [True]}] * 2)
    with pytest.raises(InvalidEvent, match="attribute TEST_EVENT: stands twice"):
        translated(body)


@pytest.mark.parametrize(
    ("payload_type", "value", "descriptor", "reason"),
    [
        ("PRICE", 1, {"units": "KW", "currency": "USD"}, "PRICE has the unit KW: say one of KWH, MWH"),
        ("PRICE", 1, {"units": "KWH"}, "PRICE has no currency"),
        ("PRICE", 1, {"units": "KWH", "currency": "usd"}, "PRICE has the currency usd"),
        ("BID_PRICE", 1, {"units": "VOLTS", "currency": "USD"}, "the unit VOLTS"),
        ("CHARGE_STATE_SETPOINT", 1, {"units": "KW"}, "the unit KW: say one of WH, KWH"),
        ("CHARGE_STATE_SETPOINT", 80, {"units": "PERCENT"}, "is 80; it must be from 0 to 1"),
        ("LOAD_DISPATCH_LEVEL", 11, {"units": "KW"}, "is 11; it must be from -10 to 10"),
        ("LOAD_DISPATCH_LEVEL", 1.5, {"units": "KW"}, "is 1.5; it must be a whole number"),
        ("DISPATCH_SETPOINT", 1e305, {"units": "MW"}, "is not a number"),
        ("CONTROL_LEVEL_OFFSET_PERCENT", 0.5, {}, "cannot be told to 2.0b parties"),
    ],
)
def test_a_wrong_number_or_unit_is_not_told_and_named(
    payload_type: str, value: float, descriptor: dict[str, Any], reason: str
) -> None:
    body = event_body(payload_type, value, payloadDescriptors=[{"payloadType": payload_type, **descriptor}])
    event = translated(body)
    assert event.signals == ()
    assert reason in event.not_read[0]


@pytest.mark.parametrize(
    ("descriptor", "reason"),
    [
        ({"deviceClasses": "Storage"}, r"payloadDescriptors\[0\].deviceClasses: is not a list"),
        ({"powerAttributes": {"hertz": "50"}}, "powerAttributes.hertz: must be a number"),
        ({"powerAttributes": {"hertz": 50, "voltage": 230, "ac": 1}}, "powerAttributes.ac: must be true or false"),
        ({"currency": 840}, r"payloadDescriptors\[0\].currency: is not a text"),
    ],
)
def test_a_wrong_descriptor_is_refused_with_its_place(descriptor: dict[str, Any], reason: str) -> None:
    with pytest.raises(SchemaViolation, match=reason):
        decode_event(json.dumps(event_body(payloadDescriptors=[{"payloadType": "PRICE", **descriptor}])).encode())


def test_an_event_has_a_bounded_number_of_signals() -> None:
    payloads = [{"type": f"SIMPLE/{number}", "values": [1]} for number in range(EVENT_SIGNALS_MAX + 1)]
    assert len(translated(event_body(intervals=[{"id": 0, "payloads": payloads[1:]}])).signals) == EVENT_SIGNALS_MAX
    crowded = translated(event_body(intervals=[{"id": 0, "payloads": payloads}]))
    assert crowded.not_read == ("the event has 33 types of payloads; 32 are the most",)


def test_two_ways_to_say_the_tolerance_must_agree() -> None:
    body = with_attributes(START_AFTER="PT1M")
    body["intervalPeriod"]["randomizeStart"] = "PT1M"
    assert translated(body).start_after == timedelta(minutes=1)
    body["intervalPeriod"]["randomizeStart"] = "PT2M"
    assert "say different things" in translated(body).not_read[0]


@pytest.mark.parametrize(("values", "allowed"), [([], True), (["ALLOWED"], True), (["REFUSED"], False)])
def test_a_program_says_whether_its_events_may_overlap(values: list[str], allowed: bool) -> None:
    attributes = [{"type": "EVENT_OVERLAP", "values": values}] if values else []
    request = decode_program(json.dumps({"programName": "peak", "attributes": attributes}).encode())
    assert program_of(request, "p-1").overlap_allowed is allowed
    wrong = decode_program(b'{"programName": "peak", "attributes": [{"type": "EVENT_OVERLAP", "values": ["NO"]}]}')
    with pytest.raises(RuleBroken, match="must be ALLOWED or REFUSED"):
        program_of(wrong, "p-1")


def test_currencies_are_those_of_the_schema() -> None:
    schema = Path(__file__).resolve().parents[3] / "schemas" / "openadr20b" / "currency.xsd"
    assert set(re.findall(r'enumeration value="(\w+)"', schema.read_text())) == CURRENCIES


# -- whatever is accepted can be told ------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
lengths = st.integers(0, 100_000).map(lambda seconds: f"PT{seconds}S")
values = st.one_of(st.integers(-20, 20), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    types = draw(st.lists(st.sampled_from([*SIGNAL_KINDS, "BASELINE"]), min_size=1, max_size=3, unique=True))
    attributes = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "TEST_EVENT": st.booleans(), "VTN_COMMENT": texts, "MODIFICATION_REASON": texts,
                "RESPONSE_REQUIRED": st.sampled_from(["ALWAYS", "NEVER"]), "RAMP_UP": lengths, "RECOVERY": lengths,
                "NOTIFICATION": lengths, "START_AFTER": lengths, "RESOURCE_ID": texts, "GROUP_NAME": texts,
                "END_DEVICE_ASSET": st.sampled_from(["Storage", "x-a"]), "SERVICE_AREA": st.just("1 2 3 4"),
                "TRANSPORT_INTERFACE": st.just("a > b"),
            },
        )
    )  # fmt: skip
    units = st.none() | st.sampled_from([*UNITS, *filter(None, PRICES), "PERCENT"])
    return event_body(
        eventName=draw(texts),
        priority=draw(st.none() | st.integers(0, 2**31 - 1)),
        intervals=[
            {"id": index, "payloads": [{"type": name, "values": [draw(values)]} for name in types]}
            for index in range(draw(st.integers(1, 3)))
        ],
        payloadDescriptors=[
            {"payloadType": name, "units": draw(units), "currency": draw(st.sampled_from(["USD", "XXX", None]))}
            for name in types
        ],
        attributes=[{"type": name, "values": [value]} for name, value in attributes.items()],
    )


@given(bodies())
def test_whatever_is_accepted_passes_the_schema_of_2_0b(body: dict[str, Any]) -> None:
    event = translated(body)
    if not event.signals:
        return
    party = Party(
        id="VEN_1", name="one", state=PartyState.APPROVED, certificates=(), first_seen_at=NOW,
        targets=tuple(target.name for target in event.targets),
    )  # fmt: skip
    share = party.share_of(event.targets)
    assert share is not None
    told = replace(event, targets=share)
    message = m.DistributeEvent(request_id="d", vtn_id="v", events=(event_to_wire(told, now=NOW, created=NOW),))
    load_schema().validate(parse(encode(message)))
