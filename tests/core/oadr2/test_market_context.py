"""R512: market contexts are compared as RFC 3986 compares URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.oadr2.market_context import normalised

pytestmark = pytest.mark.openadr20b("R512", "E7")


@pytest.mark.parametrize(
    "spelling",
    [
        "http://utility.example/p1",
        "HTTP://Utility.EXAMPLE/p1",
        " http://utility.example:80/p1 ",
        "http://utility.example:/p1",
        "http://utility.example/a/../p1",
        "http://utility.example/%701",
    ],
)
def test_one_context_in_many_spellings(spelling: str) -> None:
    assert normalised(spelling) == "http://utility.example/p1"


@pytest.mark.parametrize(
    "other",
    [
        "http://utility.example/P1",
        "http://utility.example:8080/p1",
        "https://utility.example:80/p1",
        "http://utility.example/p1/",
        "http://utility.example/p1?x",
        "urn:openadr:p1",
    ],
)
def test_others_stay_others(other: str) -> None:
    assert normalised(other) != "http://utility.example/p1"


def test_no_path_is_the_root_and_a_urn_is_left_alone() -> None:
    assert normalised("http://utility.example") == normalised("http://utility.example/")
    assert normalised("URN:openadr:program:Peak%20Load") == "urn:openadr:program:Peak%20Load"


@given(st.text(max_size=40))
def test_any_text_has_one_normal_spelling(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
