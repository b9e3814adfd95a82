"""The JSON gate: one object, strictly read, and its text as it was written.

Python's own reader takes repeated names, NaN, numbers that become infinite, and characters that
no text may hold. Two readers of one such message can see two messages, so it is refused here.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import NoReturn

from openadr_core.characters import is_carried
from openadr_core.errors import MalformedMessage
from openadr_core.limits import JSON_BODY_MAX_BYTES, JSON_DEPTH_MAX

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_INTEGER_MAX = 2**63 - 1
PLACE_MAX_CHARS = 200
"""Of where in a message something stands, in what is said of it."""
_SPACE = " \t\n\r"


def parse_object(body: bytes) -> tuple[dict[str, Json], str]:
    """The object in this body, and its text; MalformedMessage says why it is none."""
    if len(body) > JSON_BODY_MAX_BYTES:
        raise MalformedMessage(f"the body is longer than {JSON_BODY_MAX_BYTES} bytes")
    value, text = _parsed(body)
    if not isinstance(value, dict):
        raise MalformedMessage("the body is not a JSON object")
    _check(value, 1)
    return value, text


def list_items(body: bytes) -> list[str]:
    """The objects of a list, each as its text; MalformedMessage says why it is no such list."""
    value, text = _parsed(body)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedMessage("the body is not a list of JSON objects")
    _check(value, 0)
    decoder = json.JSONDecoder()
    found = []
    at = _past_space(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)
    return found


def _parsed(body: bytes) -> tuple[Json, str]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"the body is not UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise MalformedMessage(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MalformedMessage(f"the body nests deeper than {JSON_DEPTH_MAX} levels") from None
    return value, text


def without_members(text: str, dropped: frozenset[str]) -> str:
    """The object that ``parse_object`` has read from this text, its members as they were written, but for some."""
    return "{" + ",".join(member for name, _, member in _members(text) if name not in dropped) + "}"


def members_of(text: str) -> dict[str, str]:
    """The members of the object in this text by name, each value as it was written."""
    return {name: value for name, value, _ in _members(text)}


def elements_of(text: str) -> list[str]:
    """The elements of the array in this text, as they were written."""
    decoder = json.JSONDecoder()
    found = []
    at = _past_space(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)
    return found


def object_of(members: Mapping[str, str]) -> str:
    """The text of an object whose values are texts already."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


def without_nulls(text: str) -> str:
    """The value in this text without members that are null, at any depth; all else as it was written."""
    if "null" not in text:
        return text
    if text.startswith("{"):
        kept = [
            member.removesuffix(value) + without_nulls(value) for _, value, member in _members(text) if value != "null"
        ]
        return "{" + ",".join(kept) + "}"
    if text.startswith("["):
        return "[" + ",".join(without_nulls(one) for one in elements_of(text)) + "]"
    return text


def _members(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, value, and both as they were written."""
    decoder = json.JSONDecoder()
    at = _past_space(text, text.index("{") + 1)
    while text[at] != "}":
        name, end = decoder.raw_decode(text, at)
        value_at = _past_space(text, _past_space(text, end) + 1)
        _, value_end = decoder.raw_decode(text, value_at)
        yield name, text[value_at:value_end], text[at:value_end]
        at = _past_space(text, value_end)
        if text[at] == ",":
            at = _past_space(text, at + 1)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) < len(pairs):
        ((repeated, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise MalformedMessage(f"the name {repeated[:64]!r} stands twice in one object")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise MalformedMessage(f"the number {text[:32]} is out of range")
    return value


def _integer(text: str) -> int:
    # Twenty characters hold every 64-bit integer; a longer text is not even converted.
    if len(text) > 20 or abs(int(text)) > _INTEGER_MAX:
        raise MalformedMessage(f"the number {text[:32]} is out of range")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedMessage(f"{name} is no JSON number")


Place = tuple["Place", str | int] | tuple[()]
"""Where something stands: in what, and under which name or number. Put into words only when it is needed."""


def _check(value: Json, depth: int, place: Place = ()) -> None:
    if depth > JSON_DEPTH_MAX:
        raise MalformedMessage(f"the body nests deeper than {JSON_DEPTH_MAX} levels")
    if isinstance(value, str):
        if not is_carried(value):
            raise _uncarried(_words(place))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, depth + 1, (place, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            if not is_carried(name):
                raise _uncarried(f"a name in {_words(place) or 'the body'}")
            _check(item, depth + 1, (place, name))


def _uncarried(place: str) -> MalformedMessage:
    return MalformedMessage(
        f"{place[:PLACE_MAX_CHARS]}: holds a character that no text may hold"
        " (NUL or another control character, half a surrogate pair)"
    )


def _words(place: Place) -> str:
    """As other refusals say it: ``intervals[2].payloads[0].type``."""
    if not place:
        return ""
    outer, key = place
    before = _words(outer)
    if isinstance(key, int):
        return f"{before}[{key}]"
    return f"{before}.{key}" if before else key


def _past_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
