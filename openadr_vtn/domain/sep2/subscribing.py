"""What can be subscribed to, and a subscription of IEEE 2030.5 (1.6).

A notification tells how a resource stands when it is sent. Interpretation: of several changes that a
subscriber has not heard of the last state is told, once; the standard wants the resource's new
representation, and no history of it. A status that changes because time passes (a control begins,
or ends) is no change to be told of: who has the control has its times.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from openadr_vtn.domain.notification import NotificationState

NUMBER = r"([1-9][0-9]{0,8})"
DER_DOCUMENTS = frozenset({"der/1/derg", "der/1/ders", "der/1/dera"})
"""Of what devices put, below their addresses: what somebody else may want to hear of."""
OF_DEVICES = frozenset({
    "/edev/#", "/edev/#/fsa", "/edev/#/fsa/#/derp", "/edev/#/fsa/#/dr", *(f"/edev/#/{path}" for path in DER_DOCUMENTS)
})  # fmt: skip
OF_GROUPS = frozenset({"/derp/#", "/derp/#/derc", "/derp/#/dderc", "/dr/#/edc"})
SUBSCRIBABLE = OF_DEVICES | OF_GROUPS | {"/edev"}
"""The kinds of resource; ``#`` is a number in an address."""
PATTERNS = {kind: re.compile(kind.replace("#", NUMBER)) for kind in SUBSCRIBABLE}


class Told(IntEnum):
    """Notification.status. Interpretation: our addresses never change, so that nothing moves (2)."""

    CHANGED = 0
    CANCELLED = 1
    DELETED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A resource, as changes are told of it."""

    kind: str
    about: int = 0
    """The number of the device or group; 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    id: int
    """What its address ends in; 0 before it is stored."""
    holder: int
    """The end device under which it is: its subscriber's own."""
    party_id: str
    prefix: str
    """Before the resource's address: what its subscriber speaks."""
    resource: str
    """Without the prefix."""
    watched: Watched
    notification_uri: str
    limit: int
    """Items of a list that are told at most."""
    level: str
    renewed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStanding:
    """How it goes with telling one subscriber."""

    subscription: Subscription
    changes: int
    """How often its resource has changed."""
    delivered: int
    """Notifications that were taken."""
    state: NotificationState
    """DELIVERED: there is nothing to tell. DEAD: it was given up, until the next change or a replay."""
    attempts: int = 0
    tried_at: datetime | None = None
    outcome: str = ""
    failures: int = 0
    """In a row."""
    retry_at: datetime | None = None


def watched(path: str) -> Watched | None:
    """The resource at this address (without a prefix); None if nobody can subscribe to it."""
    for kind, pattern in PATTERNS.items():
        found = pattern.fullmatch(path)
        if found is not None:
            return Watched(kind=kind, about=int(found.group(1)) if found.groups() else 0)
    return None
