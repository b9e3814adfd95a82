"""What 2.0b asks of HTTP (9.1), as tables: addresses, types, codings, and what may come out of a compressed body."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Request
from openadr_core.oadr2.http_rules import (
    BASE,
    VEN_SERVICES,
    VTN_SERVICES,
    HttpRefusal,
    accepts_xml,
    content_coding,
    inflated,
    is_xml,
    normalised_path,
    prefix_of,
    response,
    service_of,
    service_url,
)

XML = {"content-type": "application/xml"}


def asked(path: str, method: str = "POST", **headers: str) -> Request:
    sent = XML | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method=method, path=path, body=b"<x/>", headers=sent)


def status_of(request: Request, prefix: str = "") -> int:
    try:
        service_of(request, VTN_SERVICES, prefix=prefix)
    except HttpRefusal as refusal:
        return refusal.status
    return 200


@pytest.mark.openadr20b("T1")
@pytest.mark.parametrize("service", VTN_SERVICES)
def test_every_service_has_one_address_in_this_very_case(service: str) -> None:
    assert service_of(asked(BASE + service), VTN_SERVICES) == service
    for other in (service.lower(), service.upper(), f"{service}/", f"{service}?x", f"{service};x", f"/{service}", ""):
        assert status_of(asked(BASE + other)) == 404
    assert status_of(asked((BASE + service).lower())) == 404


@pytest.mark.openadr20b("T1", "T12", "Q5")
def test_a_ven_is_neither_polled_nor_told_opts() -> None:
    assert set(VEN_SERVICES) == {"EiEvent", "EiReport", "EiRegisterParty"}


@pytest.mark.openadr20b("R511", "T1")
@pytest.mark.parametrize(
    ("written", "is_the_same"),
    [
        ("/OpenADR2/Simple/2.0b/EiEvent", True),
        ("/OpenADR2/Simple/2%2E0b/Ei%45vent", True),
        ("/OpenADR2/Simple/2%2e0b/EiEvent", True),
        ("/OpenADR2/./Simple/2.0b/EiEvent", True),
        ("/OpenADR2/Simple/other/../2.0b/EiEvent", True),
        ("/../OpenADR2/Simple/2.0b/EiEvent", True),
        ("/OpenADR2/Simple/2.0b/EiEvent/.", False),
        ("/OpenADR2/Simple/2.0b/EiReport/../EiEvent", True),
        ("/OpenADR2/Simple/2.0b/EiEvent/..", False),
        ("/OpenADR2%2FSimple/2.0b/EiEvent", False),
        ("//OpenADR2/Simple/2.0b/EiEvent", False),
        ("/OpenADR2//Simple/2.0b/EiEvent", False),
        ("/OpenADR2/Simple/2.0b/EiEvent?", False),
        ("/OpenADR2/Simple/2.0b/EiEvent?a=b", False),
        ("/OpenADR2/Simple/2.0b/EiEvent%20", False),
        ("/OpenADR2/Simple/2.0b/EiEvent%", False),
        ("OpenADR2/Simple/2.0b/EiEvent", False),
    ],
)
def test_what_rfc_3986_calls_equivalent_is_the_same(written: str, is_the_same: bool) -> None:
    assert status_of(asked(written)) == (200 if is_the_same else 404)


@given(st.lists(st.sampled_from(["/", ".", "%2E", "%2e", "%2F", "%41", "a"])).map(lambda parts: "/" + "".join(parts)))
def test_a_normalised_path_is_normal(path: str) -> None:
    normal = normalised_path(path)
    assert normalised_path(normal) == normal
    assert not {".", ".."} & set(normal.split("/"))


@pytest.mark.openadr20b("R511", "T3")
@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("https://ven.example", ""),
        ("https://ven.example/", ""),
        ("https://ven.example:8443/myVEN", "/myVEN"),
        ("https://ven.example:8443/myVEN/", "/myVEN"),
        ("https://ven.example/a/b/", "/a/b"),
        ("https://ven.example/OpenADR2/Simple/2.0b", ""),
        ("https://ven.example/myVEN/OpenADR2/Simple/2.0b/", "/myVEN"),
    ],
)
def test_an_address_tells_where_its_services_are(address: str, prefix: str) -> None:
    host = address.removeprefix("https://").split("/")[0]
    assert prefix_of(address) == prefix
    assert service_url(address, "EiEvent") == f"https://{host}{prefix}{BASE}EiEvent"
    assert service_of(asked(f"{prefix}{BASE}EiEvent"), VTN_SERVICES, prefix=prefix) == "EiEvent"
    if prefix:
        # T3: two on one address are told apart.
        assert status_of(asked(f"{BASE}EiEvent"), prefix=prefix) == 404
        assert status_of(asked(f"/myVTN{BASE}EiEvent"), prefix=prefix) == 404


@pytest.mark.openadr20b("T2", "T6", "T8")
def test_refusals_in_their_order() -> None:
    assert status_of(asked("/nowhere", "GET", transfer_encoding="chunked")) == 501
    assert status_of(asked("/nowhere", transfer_encoding="chunked")) == 404
    assert status_of(asked(f"{BASE}EiEvent", transfer_encoding="chunked", content_type="text/xml")) == 411
    assert status_of(asked(f"{BASE}EiEvent", content_type="text/xml")) == 406


@pytest.mark.openadr20b("R53", "T5", "T8")
@pytest.mark.parametrize(
    ("content_type", "is_good"),
    [
        ("application/xml", True),
        ("application/xml; charset=utf-8", True),
        ("application/xml;charset=UTF-8", True),
        ("Application/XML", True),
        ('application/xml; charset="utf-8"', True),
        ("application/xml; charset=iso-8859-1", False),
        ("application/xml; charset=utf-8; x=y", False),
        ("application/xml; charset=", False),
        ("text/xml", False),
        ("application/json", False),
        ("application/xml-dtd", False),
        ("", False),
    ],
)
def test_only_xml_in_utf8_is_read(content_type: str, is_good: bool) -> None:
    assert is_xml(content_type) == is_good
    assert status_of(asked(f"{BASE}EiEvent", content_type=content_type)) == (200 if is_good else 406)


@pytest.mark.openadr20b("R53", "T7")
@pytest.mark.parametrize(
    ("accept", "is_good"),
    [
        ("", True),
        ("application/xml", True),
        ("application/xml; charset=utf-8", True),
        ("*/*", True),
        ("application/*;q=0.1", True),
        ("text/html, application/xml;q=0.9, */*;q=0.8", True),
        ("text/html", False),
        ("application/json, text/*", False),
        ("application/xml;q=0, */*", False),
        ("application/*;q=0, */*", False),
        ("*/*;q=0", False),
        ("application/xml;q=0.000", False),
    ],
)
def test_who_accepts_no_xml_gets_none(accept: str, is_good: bool) -> None:
    assert accepts_xml(accept) == is_good
    assert status_of(asked(f"{BASE}EiEvent", accept=accept)) == (200 if is_good else 406)


@pytest.mark.openadr20b("T7")
@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("", ""),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("gzip;q=0.5, deflate;q=0.4, identity", "gzip"),
        ("br, zstd", ""),
        ("identity", ""),
        ("*", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("gzip ; q=0.5", "gzip"),
        ("gzip;q=0, deflate;q=0.1", "deflate"),
        ("gzip;q=0", ""),
        ("*;q=0", ""),
        ("gzip;q=0, *", "deflate"),
        ("gzip;q=much", ""),
        ("gzip;q=nan", ""),
        ("gzip;q=2", ""),
        ("gzip;q=-1", ""),
        (",,;;=,", ""),
    ],
)
def test_the_coding_that_is_liked_best_is_chosen(accepts: str, coding: str) -> None:
    assert content_coding(accepts) == coding


@pytest.mark.openadr20b("T7")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_we_compress_we_can_read(coding: str) -> None:
    packed = response(b"<x/>" * 100, coding)
    assert packed.headers["content-encoding"] == coding
    assert len(packed.body) < 400
    assert inflated(packed.body, coding, max_bytes=400) == b"<x/>" * 100


def gzipped(content: bytes) -> bytes:
    """Without the time of day, of which each of pytest's workers would make a name of its own for the test."""
    return gzip.compress(content, mtime=0)


BOMB = gzipped(bytes(1 << 24))


@pytest.mark.openadr20b("T7")
@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (BOMB, "gzip"),
        (gzipped(bytes(401)), "gzip"),
        (gzipped(b"<x/>")[:-1], "gzip"),
        (gzipped(b"<x/>") + b"more", "gzip"),
        (b"", "gzip"),
        (b"<x/>", "gzip"),
        (gzipped(b"<x/>"), "deflate"),
        (zlib.compress(b"<x/>"), "gzip"),
        (b"<x/>", "br"),
        (gzipped(b"<x/>"), "gzip, gzip"),
    ],
)
def test_a_compressed_body_that_is_wrong_or_too_much_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(MalformedMessage):
        inflated(body, coding, max_bytes=400)
