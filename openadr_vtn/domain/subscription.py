"""Who hears of what happens to an object: the subscriptions of OpenADR 3.1 (D "Subscriptions", "Object privacy")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import Watch
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.visibility import Sight

TARGETED = frozenset({ObjectKind.PROGRAM, ObjectKind.EVENT})
"""What a ven sees by its targets; of everything else it sees what is its own."""
WITH_TARGETS = TARGETED | {ObjectKind.VEN, ObjectKind.RESOURCE}
OF_NO_PROGRAM = frozenset({ObjectKind.VEN, ObjectKind.RESOURCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    id: str
    client_id: str
    is_business: bool
    """Whether its client sees everything; if not, it sees what its ven sees."""
    client_name: str
    watches: tuple[Watch, ...]
    document: str
    """The 3.1 object as it was written, with the tokens in it: JSON text, kept verbatim."""
    secret: str
    """What notifications are signed with (``openadr_core.oadr3.webhook_signature``); for its client alone."""
    created_at: datetime
    modified_at: datetime
    program_id: str | None = None
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearer:
    """What of a subscription says whether it hears of a change: one of its watches, for one kind and operation."""

    subscription_id: str
    position: int
    """Of the watch in the subscription."""
    client_id: str
    is_business: bool
    program_id: str | None
    targets: tuple[str, ...]


def sight_of(hearer: Hearer, granted: Mapping[str, frozenset[str]]) -> Sight:
    """What it sees of programs and events; ``granted`` are the targets of vens, by client id.

    A client that is no ven sees what has no targets. What a subscription names as its targets narrows
    what is heard as it would a query.
    """
    asked = frozenset(hearer.targets) or None
    return Sight(granted=None if hearer.is_business else granted.get(hearer.client_id, frozenset()), asked=asked)


def hears(hearer: Hearer, change: ObjectChange, granted: Mapping[str, frozenset[str]]) -> bool:
    """Whether it is told; that it watches this kind and operation is known.

    Interpretation: 3.1 says that a subscription's program limits the events and reports that are told of. It
    limits programs and subscriptions too, which have one; vens and resources are of no program. Its targets limit
    what has targets; reports and subscriptions have none. What a client reads it is not told of: a receiver that looks
    an object up when it hears of it would hear of that, for ever.
    """
    if change.operation is Operation.READ and change.reader_id == hearer.client_id:
        return False
    if hearer.program_id is not None and change.kind not in OF_NO_PROGRAM and change.program_id != hearer.program_id:
        return False
    if change.kind in TARGETED:
        return sight_of(hearer, granted).sees(change.targets)
    if not hearer.is_business and change.client_id != hearer.client_id:
        return False
    return change.kind not in WITH_TARGETS or not hearer.targets or not set(hearer.targets).isdisjoint(change.targets)


def hearers_of(change: ObjectChange, watching: Iterable[Hearer], granted: Mapping[str, frozenset[str]]) -> list[Hearer]:
    """Those of the hearers that watch such changes who are told of this one."""
    return [hearer for hearer in watching if hears(hearer, change, granted)]


def shown_targets(
    hearer: Hearer, change: ObjectChange, granted: Mapping[str, frozenset[str]]
) -> tuple[str, ...] | None:
    """The targets that it may know (3.1: hidden on programs and events); None: the object as it is."""
    if change.kind not in TARGETED:
        return None
    return sight_of(hearer, granted).shown(change.targets)


def hearers_in(subscription: Subscription, kind: ObjectKind, operation: Operation) -> list[Hearer]:
    """Its watches for this kind and operation."""
    return [
        Hearer(
            subscription_id=subscription.id, position=position, client_id=subscription.client_id,
            is_business=subscription.is_business, program_id=subscription.program_id, targets=subscription.targets,
        )
        for position, watch in enumerate(subscription.watches)
        if kind in watch.kinds and operation in watch.operations
    ]  # fmt: skip
