"""What kind of name each of an object's targets is: OpenADR 3.0.1 says it, 3.1 has no word for it.

A 3.1 document that 3.0.1 wrote says it beside its targets, as a member of our own: ``targetTypes``, the targets
by type. Whoever may not know a target is not told its type either.
"""

import json
from collections.abc import Mapping, Sequence

from openadr_core.oadr3.json_text import Json, members_of, without_members

TARGETS, TARGET_TYPES = "targets", "targetTypes"
DEFAULT_TYPE = "GROUP"
"""Of a target that nobody gave one: 3.1's own are mostly groups."""


def name_of(value: Json) -> str:
    """The 3.1 target that a value of 3.0.1 is: itself, or the text of what is none (a number, a point)."""
    return value if isinstance(value, str) else json.dumps(value)


def types_in(members: Mapping[str, str]) -> dict[str, list[Json]]:
    """What a document's members (their texts) say of them; nothing, if somebody wrote something else there."""
    found = json.loads(members.get(TARGET_TYPES, "{}"))
    if not isinstance(found, dict) or not all(isinstance(values, list) for values in found.values()):
        return {}
    return found


def types_shown(types: Mapping[str, Sequence[Json]], shown: Sequence[str]) -> dict[str, list[Json]]:
    """What is left of them for one that may know these targets."""
    left = {kind: [value for value in values if name_of(value) in shown] for kind, values in types.items()}
    return {kind: values for kind, values in left.items() if values}


def with_shown(document: str, shown: Sequence[str]) -> str:
    """The document with these of its targets, the other members as they were written."""
    told: dict[str, object] = {TARGETS: list(shown)}
    if types := types_in(members_of(document)):
        told[TARGET_TYPES] = types_shown(types, shown)
    rest = without_members(document, frozenset({TARGETS, TARGET_TYPES})).removesuffix("}")
    return rest + ("" if rest == "{" else ", ") + json.dumps(told).removeprefix("{")
