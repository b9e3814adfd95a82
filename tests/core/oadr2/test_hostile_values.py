"""What the schema lets through and Python stumbles over is refused by name, never by a stray exception."""

import math
from datetime import UTC, datetime

import pytest

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.names import EI, OADR, PYLD
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse

SCHEMA = load_schema()
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
REQUEST = encode(m.RequestEvent(request_id="r", ven_id="v", reply_limit=7))
REPORT_REQUEST = encode(
    m.CreateReport(
        request_id="r",
        report_requests=(
            m.ReportRequest(
                report_request_id="q",
                specifier=m.ReportSpecifier(
                    report_specifier_id="s",
                    granularity=m.ZERO,
                    report_back_duration=m.ZERO,
                    payloads=(m.SpecifierPayload(r_id="0", reading_type="x-notApplicable"),),
                ),
            ),
        ),
    )
)


@pytest.mark.openadr20b("E1")
@pytest.mark.parametrize(
    "bare",
    [
        f'<o:oadrPoll xmlns:o="{OADR}" xmlns:e="{EI}"><e:venID>v</e:venID></o:oadrPoll>',
        f'<e:venID xmlns:e="{EI}">v</e:venID>',
        f'<p:requestID xmlns:p="{PYLD}"/>',
    ],
)
def test_only_the_envelope_is_a_message(bare: str) -> None:
    # The schema itself takes any of its global elements for a root.
    SCHEMA.validate(parse(bare.encode()))
    with pytest.raises(SchemaViolation, match="oadrPayload"):
        decode(bare.encode(), SCHEMA)


@pytest.mark.parametrize("length", [f"P{'9' * 5000}D", f"{'9' * 5000}W", f"PT{'9' * 13}S", f"P{'9' * 12}Y"])
def test_a_duration_of_many_digits_is_refused(length: str) -> None:
    body = REPORT_REQUEST.replace(b"PT0S", length.encode())
    SCHEMA.validate(parse(body))
    with pytest.raises(SchemaViolation):
        decode(body, SCHEMA)


@pytest.mark.parametrize(("written", "meant"), [("0" * 5000 + "7", 7), ("-0", 0), ("+7", 7), (" 7 ", 7), ("0", 0)])
def test_an_unsigned_integer_is_read_however_it_is_spelt(written: str, meant: int) -> None:
    decoded = decode(REQUEST.replace(b">7<", f">{written}<".encode()), SCHEMA)
    assert isinstance(decoded, m.RequestEvent)
    assert decoded.reply_limit == meant


@pytest.mark.parametrize("padding", ["", " " * 5000, "\n" * 300])
@pytest.mark.parametrize("name", ["UTF-7", "utf-16", "ISO-8859-1", "x" * 60, "cp037"])
def test_a_wrong_encoding_label_is_found_however_far_it_is_pushed(padding: str, name: str) -> None:
    body = f'<?xml version="1.0" {padding}encoding = "{name}"?><a/>'
    with pytest.raises(MalformedMessage):
        parse(body.encode())


@pytest.mark.parametrize("name", ["UTF-8", "utf-8", "us-ascii"])
def test_a_right_encoding_label_is_taken(name: str) -> None:
    assert parse(f"<?xml version='1.0' encoding='{name}'?><a/>".encode()).tag == "a"


NUMBER = "<ei:payloadFloat><ei:value>5.0</ei:value></ei:payloadFloat>"
STATUS = (
    "<oadr:oadrPayloadResourceStatus><oadr:oadrOnline>1</oadr:oadrOnline>"
    "<oadr:oadrManualOverride>0</oadr:oadrManualOverride></oadr:oadrPayloadResourceStatus>"
)


@pytest.mark.openadr20b("R100")
@pytest.mark.parametrize(
    ("carried", "value"),
    [
        (f"<ei:signalPayload>{NUMBER}</ei:signalPayload>", 5.0),
        (f"<ei:signalPayload>{NUMBER}</ei:signalPayload>" * 2, None),
        (f"<ei:signalPayload>{STATUS}</ei:signalPayload>", None),
        (f"<oadr:oadrReportPayload><ei:rID>r</ei:rID>{NUMBER}</oadr:oadrReportPayload>", None),
    ],
)
def test_an_event_interval_says_one_number_or_none(carried: str, value: float | None) -> None:
    # R100. The schema takes all four; NaN is refused when the event is translated.
    event = m.Event(
        descriptor=m.EventDescriptor(
            event_id="e",
            modification_number=0,
            market_context="http://program.example",
            created_date_time=NOW,
            event_status="far",
        ),
        active_period=m.ActivePeriod(dtstart=NOW, duration=m.ZERO),
        signals=(
            m.Signal(
                intervals=(m.Interval(duration=m.ZERO, uid="0", value=5.0),),
                signal_name="SIMPLE",
                signal_type="level",
                signal_id="s",
            ),
        ),
        target=m.Target(),
        response_required=True,
    )
    body = encode(m.DistributeEvent(request_id="r", vtn_id="v", events=(event,)))
    body = body.replace(f"<ei:signalPayload>{NUMBER}</ei:signalPayload>".encode(), carried.encode())
    decoded = decode(body, SCHEMA)
    assert isinstance(decoded, m.DistributeEvent)
    read = decoded.events[0].signals[0].intervals[0].value
    assert read == value if value is not None else math.isnan(read)
