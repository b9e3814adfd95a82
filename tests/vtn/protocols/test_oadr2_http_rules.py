"""The HTTP rules of 2.0b 9.1: T1 to T8, and that refusals are quick, empty and leave nothing behind."""

import gzip
import zlib
from time import process_time

import pytest

from openadr_core.limits import XML_BODY_MAX_BYTES
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from tests.vtn.protocols.vtn_bench import Bench

POLL = encode(m.Poll(ven_id="id-ven-one"))


@pytest.mark.openadr20b("T2", "T8")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "post"])
async def test_any_method_but_post_is_501(bench: Bench, method: str) -> None:
    ven, _ = await bench.add_party()
    assert (await ven.post(POLL, service="OadrPoll", method=method)).status == 501


@pytest.mark.openadr20b("R511", "T1", "T8")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/OpenADR2/Simple/2.0b",
        "/OpenADR2/Simple/2.0b/",
        "/OpenADR2/Simple/2.0b/oadrpoll",
        "/OpenADR2/Simple/2.0b/OadrPoll/",
        "/OpenADR2/Simple/2.0b/EiQuote",
        "/prefix/OpenADR2/Simple/2.0b/OadrPoll",
        "/OpenADR2/Simple/EiEvent",
    ],
)
async def test_what_is_no_service_is_404(bench: Bench, path: str) -> None:
    ven, _ = await bench.add_party()
    assert (await ven.post(POLL, service="OadrPoll", path=path)).status == 404


@pytest.mark.openadr20b("R53", "T5", "T7", "T8")
@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/xml; charset=iso-8859-1"},
        {"content_type": "text/xml"},
        {"content_type": ""},
        {"accept": "text/html"},
    ],
)
async def test_another_type_is_406_and_the_next_message_works(bench: Bench, headers: dict[str, str]) -> None:
    """Which types are which is a table of tests/core/oadr2/test_http_rules.py."""
    ven, _ = await bench.add_party()
    response = await ven.post(POLL, service="OadrPoll", **headers)
    assert (response.status, response.body) == (406, b"")
    good = await ven.post(POLL, service="OadrPoll", content_type="application/xml; charset=utf-8", accept="*/*")
    assert good.status == 200


@pytest.mark.openadr20b("T6")
async def test_chunked_encoding_is_refused(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    assert (await ven.post(POLL, service="OadrPoll", transfer_encoding="chunked")).status == 411


@pytest.mark.openadr20b("T8")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        POLL[:-10],
        POLL.replace(b"oadrPoll", b"oadrPull"),
        POLL.replace(b"<ei:venID>id-ven-one</ei:venID>", b""),
        b'<!DOCTYPE x [<!ENTITY e "x">]>' + POLL,
        b'<?xml version="1.0" encoding="UTF-16"?>' + POLL.partition(b"?>")[2],
        POLL.replace(b"id-ven-one", b"id-\xff\xfe"),
        b"<a>" * 25_000,
    ],
)
async def test_what_is_no_message_is_406_and_leaves_nothing(bench: Bench, body: bytes) -> None:
    ven, _ = await bench.add_party()
    changes = bench.store.changes()
    began = process_time()
    response = await ven.post(body, service="OadrPoll")
    assert process_time() - began < 0.1
    assert (response.status, response.body) == (406, b"")
    assert bench.store.changes() == changes
    assert [notice.kind for notice in bench.notices] == ["request refused"]


async def test_a_body_that_is_too_large_is_413_and_reports_may_be_larger(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    large = POLL + b" " * XML_BODY_MAX_BYTES
    assert (await ven.post(large, service="OadrPoll")).status == 413
    assert (await ven.post(large, service="EiReport")).status == 200


@pytest.mark.openadr20b("T7")
@pytest.mark.parametrize("again", [False, True])
async def test_answers_are_compressed_for_whoever_lists_a_coding(bench: Bench, again: bool) -> None:
    ven, _ = await bench.add_party()
    for _ in range(1 + again):
        plain = await ven.post(POLL, service="OadrPoll")
        zipped = await ven.post(POLL, service="OadrPoll", accept_encoding="gzip, deflate")
        deflated = await ven.post(POLL, service="OadrPoll", accept_encoding="deflate")
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == zlib.decompress(deflated.body) == plain.body
    assert isinstance(decode(plain.body, bench.schema), m.Response)
