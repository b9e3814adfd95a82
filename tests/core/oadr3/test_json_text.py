"""The JSON gate refuses what Python's reader would take, and keeps what was written as it was written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.characters import is_carried
from openadr_core.errors import MalformedMessage
from openadr_core.limits import JSON_BODY_MAX_BYTES, JSON_DEPTH_MAX
from openadr_core.oadr3.json_text import parse_object, without_members

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(is_carried)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=6)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        (b'{"deep": {"a": 1, "a": 1}}', "'a' stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "out of range"),
        (b'{"a": 9223372036854775808}', "out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"eventName": "\\u0007"}', "control character"),
        (b'{"a": "\\ufffe"}', "^a: holds a character that no text may hold"),
        (b'{"a": [{}, {"b": [1, "\\u0000"]}]}', r"^a\[1\]\.b\[1\]: .*NUL"),
        (b'{"a": {"b\\u0000": 1}}', "^a name in a: "),
        (b'{"b\\u0000": 1}', "^a name in the body: "),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": ' + b"[" * 100_000, "nests deeper"),
        (b'{"a": ' + b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX + b"}", "nests deeper"),
        (b'{"a": "' + b"x" * JSON_BODY_MAX_BYTES + b'"}', "longer than"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        parse_object(body)


def test_the_deepest_that_is_allowed() -> None:
    levels = JSON_DEPTH_MAX - 1
    members, _ = parse_object(b'{"a": ' + b"[" * levels + b"]" * levels + b"}")
    assert list(members) == ["a"]


@given(OBJECTS)
def test_what_is_json_is_read_as_the_library_reads_it(value: dict[str, Any]) -> None:
    members, text = parse_object(json.dumps(value).encode())
    assert members == value
    assert json.loads(text) == value


@given(OBJECTS, st.sampled_from([None, 1, 4]))
def test_dropping_nothing_changes_nothing_but_space_between_members(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert json.loads(without_members(text, frozenset())) == value


@given(OBJECTS, OBJECTS)
def test_what_is_dropped_is_gone_and_the_rest_stays(kept: dict[str, Any], dropped: dict[str, Any]) -> None:
    text = json.dumps({**kept, **dropped}, ensure_ascii=False, indent=2)
    expected = {name: value for name, value in kept.items() if name not in dropped}
    assert json.loads(without_members(text, frozenset(dropped))) == expected


def test_numbers_stay_as_they_were_written() -> None:
    text = ' { "id" : "mine", "a": 1.50, "b": [ 5.000e3, -0 ], "c": "P9999Y" } '
    assert without_members(text, frozenset({"id"})) == '{"a": 1.50,"b": [ 5.000e3, -0 ],"c": "P9999Y"}'
