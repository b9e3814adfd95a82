"""What happened to an object of OpenADR 3, as those hear of it who asked to (3.1 "Notifications")."""

from dataclasses import dataclass
from datetime import datetime

from openadr_core.oadr3.names import ObjectKind, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One operation on one object. What it was about must be known after the object is gone."""

    kind: ObjectKind
    object_id: str
    operation: Operation
    document: str
    """The whole object as it stood then, a deleted one as it was last: JSON text."""
    at: datetime
    program_id: str = ""
    """Of programs their own, of events and reports the one that they belong to, of subscriptions theirs, if any."""
    client_id: str = ""
    """Of vens, resources, reports and subscriptions: whose they are. Programs and events are nobody's."""
    targets: tuple[str, ...] = ()
    reader_id: str = ""
    """Of a READ: the client that has read."""
    number: int = 0
    """Grows with each; given by the store."""
