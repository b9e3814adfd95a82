"""Reads the members of a JSON object into values; what is wrong is said with the member's place."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from openadr_core.errors import SchemaViolation
from openadr_core.limits import IDENTIFIER_MAX_CHARS
from openadr_core.oadr3.json_text import Json

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

NAME_MAX_CHARS = 128
TEXT_MAX_CHARS = 8000
"""OpenADR 3.1 bounds URLs by this; other free texts have no bound of their own there."""

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~%]+", re.ASCII)
"""RFC 3986: a scheme, and characters that a URI may have."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def is_identifier(text: str) -> bool:
    """3.1 objectID: 1 to 128 of letters, digits, ``_`` and ``-``."""
    return len(text) <= IDENTIFIER_MAX_CHARS and _IDENTIFIER.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Fields:
    """An object inside a message. A member that may be null counts as absent then."""

    members: dict[str, Json]
    place: str
    """Where it stands, with a dot at its end: ``intervals[2].``; empty for the message itself."""

    @classmethod
    def of(cls, value: Json, place: str) -> "Fields":
        if not isinstance(value, dict):
            raise SchemaViolation(f"{place}: is not an object")
        return cls(value, f"{place}." if place else "")

    def wrong(self, name: str, reason: str) -> SchemaViolation:
        return SchemaViolation(f"{self.place}{name}: {reason}")

    def required(self, name: str, read: Callable[[str], T]) -> T:
        if self.members.get(name) is None:
            raise self.wrong(name, "is missing")
        return read(name)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return None if self.members.get(name) is None else read(name)

    def text(self, name: str) -> str:
        value = self.members[name]
        if not isinstance(value, str):
            raise self.wrong(name, "is not a text")
        if len(value) > TEXT_MAX_CHARS:
            raise self.wrong(name, f"is longer than {TEXT_MAX_CHARS} characters")
        return value

    def name(self, name: str) -> str:
        """A text of 1 to 128 characters."""
        value = self.text(name)
        if not 1 <= len(value) <= NAME_MAX_CHARS:
            raise self.wrong(name, f"must have 1 to {NAME_MAX_CHARS} characters")
        return value

    def identifier(self, name: str) -> str:
        value = self.text(name)
        if not is_identifier(value):
            raise self.wrong(name, f"must be 1 to {IDENTIFIER_MAX_CHARS} letters, digits, '_' or '-'")
        return value

    def integer(self, name: str) -> int:
        value = self.members[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "is not a whole number")
        return value

    def natural(self, name: str) -> int:
        value = self.integer(name)
        if value < 0:
            raise self.wrong(name, "must be 0 or more")
        return value

    def int32(self, name: str) -> int:
        value = self.integer(name)
        if not INT32_MIN <= value <= INT32_MAX:
            raise self.wrong(name, f"must be from {INT32_MIN} to {INT32_MAX}")
        return value

    def url(self, name: str) -> str:
        """An absolute URI."""
        value = self.text(name)
        if not _URL.fullmatch(value):
            raise self.wrong(name, "is not an absolute URI")
        return value

    def number(self, name: str) -> float:
        value = self.members[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "is not a number")
        return float(value)

    def decimal_text(self, name: str) -> str:
        """A number, as a decimal text without an exponent."""
        value = self.members[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
            raise self.wrong(name, "must be a number from 0 to 999999999")
        return f"{value:.6f}".rstrip("0").rstrip(".")

    def boolean(self, name: str) -> bool:
        value = self.members[name]
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def one_of(self, words: type[Word]) -> Callable[[str], Word]:
        """A reader of a text that must be one of the enumeration's."""

        def read(name: str) -> Word:
            text = self.text(name)
            if text not in set(words):
                raise self.wrong(name, f"must be {', '.join(words)}")
            return words(text)

        return read

    def parsed(self, parse: Callable[[str], T]) -> Callable[[str], T]:
        """A reader of a text that is more than a text; ``parse`` raises ValueError with the reason."""

        def read(name: str) -> T:
            try:
                return parse(self.text(name))
            except ValueError as error:
                raise self.wrong(name, str(error)) from None

        return read

    def object(self, name: str) -> "Fields":
        return Fields.of(self.members[name], f"{self.place}{name}")

    def items(self, name: str) -> Iterator[tuple[Json, str]]:
        """The items of a list, each with its place; none if the member is absent."""
        value = self.members.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.wrong(name, "is not a list")
        for index, item in enumerate(value):
            yield item, f"{self.place}{name}[{index}]"

    def objects(self, name: str) -> Iterator["Fields"]:
        return (Fields.of(item, place) for item, place in self.items(name))

    def list_of(self, read: Callable[["Fields"], T]) -> Callable[[str], tuple[T, ...]]:
        """A reader of a list of objects, each read by ``read``."""
        return lambda name: tuple(read(item) for item in self.objects(name))

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts of 1 to 128 characters."""
        found = []
        for item, place in self.items(name):
            if not isinstance(item, str) or not 1 <= len(item) <= NAME_MAX_CHARS:
                raise SchemaViolation(f"{place}: must be a text of 1 to {NAME_MAX_CHARS} characters")
            found.append(item)
        return tuple(found)
