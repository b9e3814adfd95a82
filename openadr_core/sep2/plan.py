"""What each class of messages has, worked out once: the codec's table, read from the classes themselves."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from openadr_core.sep2 import base, controls, der, devices, drlc, metering, responses, server, subscriptions
from openadr_core.sep2.names import ATTRIBUTES, CsipAus, versions_of, wire_name

MODULES = (base, controls, der, devices, drlc, metering, responses, server, subscriptions)


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a class."""

    field: str
    name: str
    type: type
    """``bool``, ``int`` or ``str``, or the class of its value."""
    is_attribute: bool
    is_list: bool
    is_optional: bool
    versions: frozenset[CsipAus] | None
    """None for the standard's own."""
    bounds: object = None
    """Of :mod:`openadr_core.sep2.scalars`; None where there are none."""

    @property
    def is_complex(self) -> bool:
        return dataclasses.is_dataclass(self.type)


@cache
def parts_of(kind: type) -> tuple[Part, ...]:
    """In wire order: a type's own after those of what it extends."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(_part(one.name, hints[one.name]) for one in dataclasses.fields(kind))


@cache
def message_types() -> Mapping[str, type]:
    """Every class by its name, which is the element's of a message."""
    return types.MappingProxyType(
        {
            name: found
            for module in MODULES
            for name, found in vars(module).items()
            if isinstance(found, type) and dataclasses.is_dataclass(found) and found.__module__ == module.__name__
        }
    )


def _part(field: str, hint: object) -> Part:
    arguments = typing.get_args(hint)
    is_list = typing.get_origin(hint) is tuple
    is_optional = types.NoneType in arguments
    if is_list or is_optional:
        hint = arguments[0]
    bounds = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, bounds = typing.get_args(hint)[:2]
    if not isinstance(hint, type):
        raise TypeError(f"{field}: no type of the wire")
    return Part(
        field=field,
        name=wire_name(field, hint.__name__),
        type=hint,
        is_attribute=field in ATTRIBUTES,
        is_list=is_list,
        is_optional=is_optional,
        versions=versions_of(field),
        bounds=bounds,
    )
