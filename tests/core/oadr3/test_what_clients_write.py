"""Vens, resources and reports of OpenADR 3.1: what is read of them, and what is told of slips."""

import json
from typing import Any

import pytest

from openadr_core.errors import SchemaViolation
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.decode_reports import decode_report
from openadr_core.oadr3.decode_vens import decode_resource, decode_ven
from openadr_core.oadr3.messages import IntervalPeriod, ReportPayloadDescriptor, ValuesMap
from openadr_core.oadr3.times import Sentinel

BL_VEN = {"objectType": "BL_VEN_REQUEST", "clientID": "c", "venName": "v", "targets": ["a", "b"]}
VEN_VEN = {"objectType": "VEN_VEN_REQUEST", "venName": "v"}
BL_RESOURCE = {"objectType": "BL_RESOURCE_REQUEST", "clientID": "c", "venID": "i-1", "resourceName": "r"}
REPORT: dict[str, Any] = {"eventID": "e-1", "clientName": "v", "resources": [{"resourceName": "r", "intervals": []}]}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_who_writes_a_ven_says_what_it_may() -> None:
    attributes = [{"type": "AREA", "values": [{"x": 1, "y": 2.5}]}]
    by_business = decode_ven(as_bytes(BL_VEN | {"attributes": attributes, "x-note": 1}))
    assert (by_business.by_business, by_business.client_id, by_business.targets) == (True, "c", ("a", "b"))
    assert by_business.attributes[0].type == "AREA"
    assert json.loads(by_business.document) == {"attributes": attributes, "x-note": 1}
    by_ven = decode_ven(as_bytes(VEN_VEN | {"clientID": "other", "targets": ["a"]}))
    assert (by_ven.by_business, by_ven.client_id, by_ven.targets) == (False, None, ())
    assert json.loads(by_ven.document) == {}


@pytest.mark.openadr3("C6")
def test_interpretation_a_resource_needs_no_more_than_what_does_not_follow() -> None:
    ven = decode_resource(as_bytes({"objectType": "VEN_RESOURCE_REQUEST", "resourceName": "r", "targets": ["a"]}))
    assert (ven.ven_id, ven.client_id, ven.targets) == (None, None, ())
    without_client = {name: value for name, value in BL_RESOURCE.items() if name != "clientID"}
    business = decode_resource(as_bytes(without_client | {"targets": ["a"]}))
    assert (business.ven_id, business.client_id, business.targets) == ("i-1", None, ("a",))


def test_a_report_in_the_standards_nouns() -> None:
    period = {"start": "0001-01-01", "duration": "P9999Y"}
    interval = {"id": 3, "payloads": [{"type": "DATA_QUALITY", "values": ["OK"]}]}
    descriptor = {"payloadType": "USAGE", "units": "KWH", "readingType": "MEAN", "accuracy": 1, "confidence": 90}
    body = REPORT | {
        "payloadDescriptors": [descriptor],
        "resources": [{"resourceName": "r", "intervalPeriod": period, "intervals": [interval]}],
    }
    report = decode_report(as_bytes(body | {"clientID": "claimed", "id": "mine"}))
    assert json.loads(report.document) == body
    assert report.payload_descriptors == (
        ReportPayloadDescriptor(
            payload_type="USAGE", reading_type="MEAN", units="KWH", accuracy=1.0, confidence=90
        ),
    )  # fmt: skip
    (resource,) = report.resources
    assert resource.period == IntervalPeriod(start=Sentinel.NOW, duration=Sentinel.FOR_EVER)
    assert resource.intervals[0].payloads == (ValuesMap(type="DATA_QUALITY", values=("OK",)),)


@pytest.mark.parametrize(
    ("decode", "body", "reason"),
    [
        (decode_ven, VEN_VEN | {"objectType": "VEN"}, "objectType: must be BL_VEN_REQUEST or VEN_VEN_REQUEST"),
        (decode_ven, {"venName": "v"}, "objectType: is missing"),
        (decode_ven, BL_VEN | {"clientID": None}, "clientID: is missing"),
        (decode_ven, VEN_VEN | {"venName": ""}, "venName: must have 1 to 128"),
        (decode_ven, VEN_VEN | {"attributes": [{"type": "AREA"}]}, "attributes[0].values: is missing"),
        (decode_ven, BL_VEN | {"targets": [""]}, "targets[0]: must be a text of 1 to 128"),
        (decode_resource, BL_RESOURCE | {"venID": "a/b"}, "venID: must be 1 to 128 letters"),
        (decode_resource, BL_RESOURCE | {"venID": None}, "venID: is missing"),
        (decode_report, REPORT | {"resources": None}, "resources: is missing"),
        (decode_report, REPORT | {"resources": [{"resourceName": "r"}]}, "resources[0].intervals: is missing"),
        (decode_report, REPORT | {"reportName": 1}, "reportName: is not a text"),
        (
            decode_report,
            REPORT | {"payloadDescriptors": [{"payloadType": "USAGE", "confidence": 101}]},
            "payloadDescriptors[0].confidence: must be from 0 to 100",
        ),
        (
            decode_report,
            REPORT | {"payloadDescriptors": [{"payloadType": "USAGE", "objectType": "EVENT_PAYLOAD_DESCRIPTOR"}]},
            "payloadDescriptors[0].objectType: must be REPORT_PAYLOAD_DESCRIPTOR",
        ),
        (
            decode_report,
            REPORT | {"resources": [{"resourceName": "r", "intervals": [{"id": 2**31, "payloads": []}]}]},
            "resources[0].intervals[0].id: must be from -2147483648 to 2147483647",
        ),
        (decode_program, {"programName": "p", "intervalPeriod": {"duration": "1h"}}, "intervalPeriod.duration: is not"),
        (
            decode_program,
            {"programName": "p", "programDescriptions": [{"URL": "not one"}]},
            "programDescriptions[0].URL: is not an absolute URI",
        ),
        (decode_event, {"programID": "p", "priority": -1}, "priority: must be 0 or more"),
    ],
)
def test_a_slip_is_told_with_its_place(decode: Any, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(SchemaViolation) as raised:
        decode(as_bytes(body))
    assert reason in str(raised.value)


def test_null_is_as_good_as_nothing_and_is_not_told_again() -> None:
    """Published clients write it for each member that they leave out."""
    interval = {"id": 0, "payloads": [{"type": "PRICE", "values": [1]}], "intervalPeriod": None}
    left_out = dict.fromkeys(("duration", "priority", "targets", "intervalPeriod", "reportDescriptors"))
    event = decode_event(as_bytes({"programID": "p", "intervals": [interval]} | left_out))
    assert (event.period, event.duration, event.intervals[0].period) == (None, None, None)
    assert "null" not in event.document
    assert decode_program(as_bytes({"programName": "p", "intervalPeriod": None})).document == '{"programName": "p"}'
    resource: dict[str, Any] = {"resourceName": "r", "intervals": [], "intervalPeriod": None}
    report = decode_report(as_bytes(REPORT | {"resources": [resource], "reportName": None}))
    assert "null" not in report.document


@pytest.mark.openadr3("C12")
def test_what_the_standard_does_not_bound_is_taken() -> None:
    assert decode_event(as_bytes({"programID": "p", "priority": 2**40})).priority == 2**31 - 1
    less = {"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [-5]}]}
    assert decode_event(as_bytes({"programID": "p", "intervals": [less]})).intervals[0].payloads[0].values == (-5,)
    url = {"URL": "https://utility.example/a?b=c#d"}
    assert decode_program(as_bytes({"programName": "p", "programDescriptions": [url]})).name == "p"
