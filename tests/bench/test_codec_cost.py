"""What the gate, the schema and the dataclasses cost beside lxml's bare parse, and what a kept fragment saves."""

from functools import partial
from pathlib import Path

import pytest
from lxml import etree
from openleadr.messaging import parse_message, validate_xml_schema

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode, encode_distribute_event, encode_event
from openadr_core.shell.datafiles import load_schema
from tests.bench.pairing import cpu_s
from tests.bench.tables import Table

pytestmark = pytest.mark.bench

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "oadr2"
MESSAGES = {
    "oadrPoll": ("poll", m.Poll),
    "oadrDistributeEvent": ("distribute_event", m.DistributeEvent),
    "oadrUpdateReport": ("update_report", m.UpdateReport),
}


def test_decode_against_lxml_alone(tables: list[Table]) -> None:
    schema = load_schema()
    rows = []
    for name, (file, kind) in MESSAGES.items():
        body = (VECTORS / f"{file}.xml").read_bytes()
        message = decode(body, schema)
        assert isinstance(message, kind)
        assert parse_message(body)[0] == name

        found = cpu_s(
            {
                "parse": partial(etree.fromstring, body),
                "decode": partial(decode, body, schema),
                "openleadr": partial(_decode_as_openleadr, body),
                "encode": partial(encode, message),
            }
        )
        rows.append(
            [
                name,
                f"{len(body):,}",
                *(_us(found.median(each)) for each in ("parse", "decode", "openleadr", "encode")),
                f"{found.ratio('decode', 'parse'):.2f}",
                f"{found.ratio('openleadr', 'decode'):.1f}",
            ]
        )
    tables.append(
        Table(
            title="2.0b codec, µs of CPU a message",
            header=(
                "payload", "bytes", "lxml parse", "decode", "openleadr", "encode", "decode ÷ lxml", "openleadr ÷ decode"
            ),
            rows=rows,
            notes=(
                "decode: the gate, lxml, the schema, a dataclass. openleadr: its schema check and its parse to a dict.",
            ),
        )
    )  # fmt: skip


def test_encode_from_kept_fragments(tables: list[Table]) -> None:
    """An event is encoded once for each version: a payload is then put together from what was kept."""
    message = decode((VECTORS / "distribute_event.xml").read_bytes(), load_schema())
    assert isinstance(message, m.DistributeEvent)
    rows = []
    for events in (1, 10):
        several = m.DistributeEvent(
            request_id=message.request_id,
            vtn_id=message.vtn_id,
            response=message.response,
            events=message.events * events,
        )
        fragments = [encode_event(event) for event in several.events]
        assert encode_distribute_event(several, fragments) == encode(several)
        found = cpu_s(
            {
                "encode": partial(encode, several),
                "kept": partial(encode_distribute_event, several, fragments),
            }
        )
        rows.append(
            [
                f"{events}",
                f"{len(encode(several)):,}",
                _us(found.median("encode")),
                _us(found.median("kept")),
                f"{found.ratio('encode', 'kept'):.0f}",
            ]
        )
    tables.append(
        Table(
            title="oadrDistributeEvent, µs of CPU to encode",
            header=("events", "bytes", "all of it", "from kept fragments", "all ÷ kept"),
            rows=rows,
        )
    )


def _decode_as_openleadr(body: bytes) -> None:
    validate_xml_schema(body)
    parse_message(body)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}"
