"""Frozen values as JSON text and back: how the agent's memory is stored.

Reads the annotations of dataclasses, so that a value needs no code of its own to be kept. The text
is for this program alone; what other programs read has its own encoder.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_record(value: object) -> str:
    """The value as one line of JSON."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def from_record(kind: type[T], text: str) -> T:
    """The value of this type that the text holds; a field that the text lacks gets its default."""
    value: T = _typed(kind, json.loads(text))
    return value


def _plain(value: object) -> object:
    """What ``json`` cannot write by itself."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted(value, key=repr)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be kept as a record")


def _typed(kind: Any, plain: Any) -> Any:  # noqa: PLR0911  # a table of kinds, on data of any type
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        if plain is None:
            return None
        (kept,) = (one for one in arguments if one is not NoneType)
        return _typed(kept, plain)
    if origin in {tuple, frozenset}:
        return origin(_typed(arguments[0], item) for item in plain)
    if origin is Mapping:
        return {_typed(arguments[0], key): _typed(arguments[1], item) for key, item in plain.items()}
    if is_dataclass(kind):
        return _dataclass(kind, plain)
    if kind is datetime:
        return datetime.fromisoformat(plain)
    if kind is timedelta:
        return timedelta(seconds=plain)
    return kind(plain)


def _dataclass(kind: Any, plain: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(
        **{
            field.name: _typed(hints[field.name], plain[field.name])
            for field in fields(kind)
            if field.name in plain or (field.default is MISSING and field.default_factory is MISSING)
        }
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
