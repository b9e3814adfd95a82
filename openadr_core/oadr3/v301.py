"""OpenADR 3.0.1 as a way of writing 3.1: the same objects, other members. Both ways, and nothing is lost.

What only one of them knows stays in the document under its own name; values are passed on as they were
written. A request that breaks a rule which 3.1 has no longer is refused here (SchemaViolation); every other
rule is 3.1's, and is applied to the translated request.
"""

import json
from collections.abc import Iterable, Sequence

from openadr_core.errors import SchemaViolation
from openadr_core.oadr3.decode import EVENT_DESCRIPTOR, REPORT_DESCRIPTOR
from openadr_core.oadr3.fields import NAME_MAX_CHARS
from openadr_core.oadr3.json_text import Json, elements_of, members_of, object_of
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import with_targets
from openadr_core.oadr3.target_types import DEFAULT_TYPE, TARGET_TYPES, TARGETS, name_of, types_in, types_shown

Members = dict[str, str]
"""By name, the text of each value."""

PROGRAM_ATTRIBUTES: dict[str, tuple[str, type]] = {
    "programLongName": ("PROGRAM_LONG_NAME", str),
    "retailerName": ("RETAILER_NAME", str),
    "retailerLongName": ("RETAILER_LONG_NAME", str),
    "programType": ("PROGRAM_TYPE", str),
    "country": ("COUNTRY", str),
    "principalSubdivision": ("PRINCIPAL_SUBDIVISION", str),
    "bindingEvents": ("BINDING_EVENTS", bool),
    "localPrice": ("LOCAL", bool),
}
"""3.0.1's members by the attributes that 3.1 made of them. ``timeZoneOffset`` has no successor, and stays."""
VERSION_MEMBER, VERSION = "openadrVersion", "3.0.1"
"""Of a subscription that 3.0.1 made, a member of our own: how its notifications are worded."""
NULL = "null"
OPERATIONS = {
    Operation.READ: "GET", Operation.CREATE: "POST", Operation.UPDATE: "PUT", Operation.DELETE: "DELETE",
}  # fmt: skip


# -- 3.0.1 to 3.1 ----------------------------------------------------------------------


def program_to_3_1(text: str) -> str:
    members = _typed_to_names(members_of(text))
    attributes = _elements(members, "attributes")
    for name, (attribute, kind) in PROGRAM_ATTRIBUTES.items():
        value = members.pop(name, NULL)
        if value != NULL:
            if not isinstance(json.loads(value), kind):
                raise SchemaViolation(f"{name}: is not {'a text' if kind is str else 'true or false'}")
            attributes.append(object_of({"type": json.dumps(attribute), "values": f"[{value}]"}))
    if attributes:
        members["attributes"] = _array(attributes)
    _name_descriptors(members, EVENT_DESCRIPTOR)
    return object_of(members)


def event_to_3_1(text: str) -> str:
    members = _typed_to_names(members_of(text))
    _require(members, "intervals")
    _name_descriptors(members, EVENT_DESCRIPTOR)
    if _is_array(members, "reportDescriptors"):
        found = [_object(one, "reportDescriptors") for one in _elements(members, "reportDescriptors")]
        members["reportDescriptors"] = _array(object_of(_typed_to_names(one)) for one in found)
    return object_of(members)


def report_to_3_1(text: str) -> str:
    """Without its ``programID``, which follows from the event: that it is right is for who knows the event."""
    members = members_of(text)
    _require(members, "programID")
    members.pop("programID")
    _name_descriptors(members, REPORT_DESCRIPTOR)
    return object_of(members)


def subscription_to_3_1(text: str) -> str:
    members = _typed_to_names(members_of(text))
    _require(members, "programID")
    return object_of(members | {VERSION_MEMBER: json.dumps(VERSION)})


def ven_to_3_1(text: str, *, client_id: str | None, kept: str = "{}") -> str:
    """``client_id`` is whom business logic writes it for; None: its own client writes it.

    A ven cannot change its targets: what is said of their types in ``kept``, the object as it is, stays.
    """
    members = members_of(text)
    members.pop("resources", None)
    if client_id is not None:
        members |= {"clientID": members.get("clientID", json.dumps(client_id))}
    return _request(members, "VEN_REQUEST", by_business=client_id is not None, kept=kept)


def resource_to_3_1(text: str, *, ven_id: str, by_business: bool, kept: str = "{}") -> str:
    """``kept``: likewise."""
    members = members_of(text) | {"venID": json.dumps(ven_id)}
    return _request(members, "RESOURCE_REQUEST", by_business=by_business, kept=kept)


def resources_in(ven_text: str) -> list[str]:
    """Those that a ven of 3.0.1 is written with."""
    found = _elements(members_of(ven_text), "resources")
    return [object_of(_object(one, "resources")) for one in found]


def member_text(text: str, name: str) -> str | None:
    """A member of this object, if it is a text."""
    value = json.loads(members_of(text).get(name, NULL))
    return value if isinstance(value, str) else None


def _request(members: Members, kind: str, *, by_business: bool, kept: str) -> str:
    members["objectType"] = json.dumps(f"{'BL' if by_business else 'VEN'}_{kind}")
    if by_business:
        return object_of(_typed_to_names(members))
    members.pop(TARGETS, None)
    types = members_of(kept).get(TARGET_TYPES)
    return object_of(members if types is None else members | {TARGET_TYPES: types})


def _typed_to_names(members: Members) -> Members:
    """``[{type, values}]`` to names, and their types beside them."""
    members = {name: value for name, value in members.items() if name != TARGET_TYPES}
    if not _is_array(members, TARGETS):
        return members
    types: dict[str, list[Json]] = {}
    for number, one in enumerate(_elements(members, TARGETS)):
        kind, values = _target(_object(one, f"{TARGETS}[{number}]"), f"{TARGETS}[{number}]")
        types.setdefault(kind, []).extend(value for value in values if value not in types.get(kind, ()))
    members[TARGETS] = json.dumps(list(dict.fromkeys(name_of(value) for values in types.values() for value in values)))
    is_told_by_names = all(isinstance(value, str) for value in types.get(DEFAULT_TYPE, []))
    if types.keys() - {DEFAULT_TYPE} or not is_told_by_names:
        members[TARGET_TYPES] = json.dumps(types)
    return members


def _target(members: Members, place: str) -> tuple[str, list[Json]]:
    """Interpretation: a value that is no text is a target too, under its JSON text."""
    kind, values = json.loads(members.get("type", NULL)), json.loads(members.get("values", NULL))
    if not isinstance(kind, str) or not 1 <= len(kind) <= NAME_MAX_CHARS:
        raise SchemaViolation(f"{place}.type: must be a text of 1 to {NAME_MAX_CHARS} characters")
    if not isinstance(values, list) or not all(map(_is_value, values)):
        raise SchemaViolation(f"{place}.values: must be a list of texts, numbers, booleans or points")
    return kind, values


def _is_value(value: Json) -> bool:
    if isinstance(value, dict):
        return all(isinstance(at, int | float) and not isinstance(at, bool) for at in map(value.get, "xy"))
    return isinstance(value, str | int | float)


def _name_descriptors(members: Members, kind: str) -> None:
    """3.0.1 may leave out what a descriptor describes; 3.1 may not."""
    if not _is_array(members, "payloadDescriptors"):
        return
    named = []
    for number, one in enumerate(_elements(members, "payloadDescriptors")):
        found = _object(one, f"payloadDescriptors[{number}]")
        of_reports = {"readingType", "accuracy", "confidence"} & found.keys()
        if "objectType" not in found:
            found["objectType"] = json.dumps(REPORT_DESCRIPTOR if of_reports else kind)
        named.append(object_of(found))
    members["payloadDescriptors"] = _array(named)


# -- 3.1 to 3.0.1 ----------------------------------------------------------------------


def from_3_1(kind: ObjectKind, text: str) -> str:
    """An object of 3.1. A report's ``programID`` and a ven's ``resources`` are for who knows them to add."""
    members = _names_to_typed(members_of(text))
    if kind is ObjectKind.PROGRAM:
        return object_of(_without_attributes(members))
    if kind is ObjectKind.EVENT:
        members.setdefault("intervals", "[]")
        if _is_array(members, "reportDescriptors"):
            descriptors = [_names_to_typed(members_of(one)) for one in _elements(members, "reportDescriptors")]
            members["reportDescriptors"] = _array(object_of(one) for one in descriptors)
    if kind is ObjectKind.SUBSCRIPTION:
        members.pop(VERSION_MEMBER, None)
    return object_of(members)


def is_of_3_0_1(subscription_document: str) -> bool:
    """Whether 3.0.1 made this subscription."""
    return members_of(subscription_document).get(VERSION_MEMBER) == json.dumps(VERSION)


def with_member(text: str, name: str, value: str) -> str:
    """The object with this member besides, whose value is a text already."""
    return object_of(members_of(text) | {name: value})


def notification_of_3_0_1(kind: ObjectKind, operation: Operation, document: str, targets: Sequence[str] | None) -> str:
    """As 3.0.1 words it; ``document`` is the 3.1 object, ``targets`` those that the receiver may know, None for all."""
    if targets is not None:
        document = with_targets(document, tuple(targets))
    told = {
        "objectType": json.dumps(kind),
        "operation": json.dumps(OPERATIONS[operation]),
        "object": from_3_1(kind, document),
    }
    if targets is not None:
        types = {name: value for name, value in members_of(document).items() if name == TARGET_TYPES}
        told[TARGETS] = _names_to_typed(types | {TARGETS: json.dumps(list(targets))})[TARGETS]
    return object_of(told)


def _names_to_typed(members: Members) -> Members:
    types = types_in(members)
    members = {name: value for name, value in members.items() if name != TARGET_TYPES}
    if not _is_array(members, TARGETS):
        return members
    names = json.loads(members[TARGETS])
    typed = types_shown(types, names)
    known = {name_of(value) for values in typed.values() for value in values}
    if others := [name for name in names if name not in known]:
        typed[DEFAULT_TYPE] = [*typed.get(DEFAULT_TYPE, []), *others]
    members[TARGETS] = json.dumps([{"type": kind, "values": values} for kind, values in typed.items()])
    return members


def _without_attributes(members: Members) -> Members:
    """The attributes that 3.0.1 has members for become those; one that is not of its kind stays where it is."""
    names = {attribute: (name, kind) for name, (attribute, kind) in PROGRAM_ATTRIBUTES.items()}
    left, flat = [], Members()
    for one in _elements(members, "attributes"):
        found = members_of(one)
        values = elements_of(found["values"])
        name, kind = names.get(json.loads(found["type"]), ("", str))
        if name and name not in flat and len(values) == 1 and isinstance(json.loads(values[0]), kind):
            flat[name] = values[0]
        else:
            left.append(one)
    if flat:
        members.pop("attributes")
        if left:
            members["attributes"] = _array(left)
    return members | flat


# -- both ------------------------------------------------------------------------------


def _require(members: Members, name: str) -> None:
    if members.get(name, NULL) == NULL:
        raise SchemaViolation(f"{name}: is missing")


def _is_array(members: Members, name: str) -> bool:
    return members.get(name, NULL).startswith("[")


def _elements(members: Members, name: str) -> list[str]:
    """Of a list that may be missing."""
    if members.get(name, NULL) == NULL:
        return []
    if not _is_array(members, name):
        raise SchemaViolation(f"{name}: is not a list")
    return elements_of(members[name])


def _object(text: str, place: str) -> Members:
    if not text.startswith("{"):
        raise SchemaViolation(f"{place}: is not an object")
    return members_of(text)


def _array(elements: Iterable[str]) -> str:
    return "[" + ", ".join(elements) + "]"
