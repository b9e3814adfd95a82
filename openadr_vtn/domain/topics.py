"""The MQTT notifier of OpenADR 3.1: on which topics a change is told, and who may hear which.

Names are those of the Alliance's description of notifications by further protocols (8.2). Interpretation: 3.1
lets a VEN ask for the names of its own topics alone, so everything that a VEN may see is told on these, objects
without targets too; the others are business logic's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import TARGETED
from openadr_vtn.domain.visibility import Sight

TOLD = (Operation.CREATE, Operation.UPDATE, Operation.DELETE)
"""Nobody is told over MQTT that something was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """A ven that may listen to the broker."""

    ven_id: str
    client_id: str
    granted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One message: a change on a topic."""

    topic: str
    targets: tuple[str, ...] | None
    """Those that may be known of the object's; None: the object as it is."""


def of_all(kind: ObjectKind) -> str:
    """The topics of every object of a kind begin with this."""
    return f"{kind.lower()}s"


def of_one(kind: ObjectKind, object_id: str) -> str:
    return f"{of_all(kind)}/{object_id}"


def of_program(program_id: str) -> str:
    """Of a program's events."""
    return f"{of_all(ObjectKind.EVENT)}/programs/{program_id}"


def of_ven(kind: ObjectKind, ven_id: str) -> str:
    """Of what a ven may see of a kind."""
    return f"{of_all(kind)}/vens/{ven_id}"


def names(base: str, *, one: bool = False) -> dict[str, str]:
    """A topic for each operation, and one for all. Nobody can wait for ``one`` with an id to be created."""
    told = [operation for operation in TOLD if not (one and operation is Operation.CREATE)]
    return {operation.value: f"{base}/{operation.lower()}" for operation in told} | {"ALL": f"{base}/+"}


def tellings(change: ObjectChange, vens: Iterable[Hearing]) -> list[Telling]:
    """Every message that a change makes."""
    if change.operation not in TOLD:
        return []
    bases = [of_all(change.kind)]
    if change.kind in {ObjectKind.PROGRAM, ObjectKind.VEN} and change.operation is not Operation.CREATE:
        bases.append(of_one(change.kind, change.object_id))
    if change.kind is ObjectKind.EVENT:
        bases.append(of_program(change.program_id))
    word = change.operation.lower()
    whole = change.targets if change.kind in TARGETED else None
    told = [Telling(topic=f"{base}/{word}", targets=whole) for base in bases]
    for ven in vens:
        if change.kind in TARGETED:
            sight = Sight(granted=ven.granted)
            if sight.sees(change.targets):
                shown = sight.shown(change.targets)
                told.append(Telling(topic=f"{of_ven(change.kind, ven.ven_id)}/{word}", targets=shown))
        elif change.kind is ObjectKind.RESOURCE and change.client_id == ven.client_id:
            told.append(Telling(topic=f"{of_ven(change.kind, ven.ven_id)}/{word}", targets=None))
    return told


def filters_of(ven_id: str) -> tuple[str, ...]:
    """What a ven may listen to."""
    kinds = (ObjectKind.EVENT, ObjectKind.PROGRAM, ObjectKind.RESOURCE)
    return (*(f"{of_ven(kind, ven_id)}/+" for kind in kinds), f"{of_one(ObjectKind.VEN, ven_id)}/+")


def filters_of_business() -> tuple[str, ...]:
    return tuple(f"{of_all(kind)}/#" for kind in ObjectKind)


def access_list(publisher: str, business: Iterable[str], vens: Mapping[str, str]) -> str:
    """A Mosquitto ``acl_file``: our publisher writes, business logic reads all, each ven what is its own.

    Names are those by which the broker knows its clients (a certificate's common name, or a user name): OAuth client
    ids. ``vens`` gives the ven of each. Whoever is not named may do nothing.
    """
    lines = ["# Written by openadr-vtn mqtt access-list. What is not allowed here is forbidden."]
    lines += ["", f"user {_named(publisher)}", *(f"topic write {one}" for one in filters_of_business())]
    for client_id in sorted(business):
        lines += ["", f"user {_named(client_id)}", *(f"topic read {one}" for one in filters_of_business())]
    for client_id, ven_id in sorted(vens.items()):
        lines += ["", f"user {_named(client_id)}", *(f"topic read {one}" for one in filters_of(ven_id))]
    return "\n".join(lines) + "\n"


def _named(name: str) -> str:
    """A name must not end its line: what follows would be another rule. ValueError names one that does."""
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError(f"{name[:64]!r} cannot be named in an access list")
    return name
