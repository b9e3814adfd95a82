"""Every payload survives the wire, and everything we write satisfies the official schema too."""

from datetime import UTC, datetime
from pathlib import Path

import openleadr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from openadr_core.errors import LocalProtocolError
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode, encode_distribute_event, encode_event
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse
from openadr_core.xml.validate import Schema
from tests.core.oadr2.wire_strategies import PAYLOADS, of

OFFICIAL = Schema(etree.XMLSchema(file=str(Path(openleadr.__file__).parent / "schema" / "oadr_20b.xsd")))


@pytest.mark.openadr20b("R46", "R330", "E11")
@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.__name__)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_is_written_is_read_back(payload: type, data: st.DataObject) -> None:
    message = data.draw(of(payload))
    written = encode(message)
    assert decode(written, load_schema()) == message
    OFFICIAL.validate(parse(written))


@settings(max_examples=40)
@given(of(m.DistributeEvent))
def test_kept_fragments_make_the_same_payload(message: m.DistributeEvent) -> None:
    assert encode_distribute_event(message, [encode_event(event) for event in message.events]) == encode(message)


@pytest.mark.openadr20b("R45", "R509", "E1", "E2", "E3")
def test_a_message_stands_in_the_envelope_with_its_version() -> None:
    # E1, E2, E3: the envelope always, schemaVersion on every payload, no schemaLocation.
    written = encode(m.Poll(ven_id="VEN_1")).decode()
    assert "<oadr:oadrPayload" in written
    assert '<oadr:oadrPoll ei:schemaVersion="2.0b">' in written
    assert "schemaLocation" not in written


@pytest.mark.openadr20b("R330")
def test_identifiers_stay_texts() -> None:
    # openleadr makes 123 of 000123, and fails on 10.0.0.1.
    for ven_id in ("000123", "10.0.0.1", "1e5", "None", "true", "Ünïcode & <markup>"):
        assert decode(encode(m.Poll(ven_id=ven_id)), load_schema()) == m.Poll(ven_id=ven_id)


@pytest.mark.openadr20b("R103", "V6")
def test_event_intervals_carry_no_start() -> None:
    # R103. openleadr writes one, so we read it; we never write it.
    moment = datetime(2026, 7, 15, tzinfo=UTC)
    interval = m.Interval(duration=m.ZERO, uid="0", value=1.0, dtstart=moment)
    signal = m.Signal(intervals=(interval,), signal_name="SIMPLE", signal_type="level", signal_id="s")
    event = m.Event(
        descriptor=m.EventDescriptor(
            event_id="e",
            modification_number=0,
            market_context="http://x",
            created_date_time=moment,
            event_status="far",
        ),
        active_period=m.ActivePeriod(dtstart=moment, duration=m.ZERO),
        signals=(signal,),
        target=m.Target(),
        response_required=True,
    )
    assert encode_event(event).count("<xcal:dtstart>") == 1


@pytest.mark.openadr20b("R331")
@pytest.mark.parametrize(
    "feed",
    [
        "",
        "no feed",
        '<entry xmlns="http://www.w3.org/2005/Atom"/>',
        "<feed/>",
        '<feed xmlns="http://www.w3.org/2005/Atom"></feed></oadr:oadrGBPayload><oadr:oadrGBPayload>',
    ],
)
def test_green_button_data_that_is_no_feed_is_not_sent(feed: str) -> None:
    report = m.Report(
        report_request_id="1",
        report_specifier_id="2",
        created_date_time=datetime(2026, 7, 15, tzinfo=UTC),
        intervals=(m.ReportInterval(green_button=(feed,)),),
    )
    with pytest.raises(LocalProtocolError, match="Green Button"):
        encode(m.UpdateReport(request_id="3", reports=(report,)))
