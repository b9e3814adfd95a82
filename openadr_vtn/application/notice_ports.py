"""What notifying needs of the store: what happened to objects, in order."""

from collections.abc import Sequence
from typing import Protocol

from openadr_vtn.domain.object_change import ObjectChange


class ObjectChanges(Protocol):
    """The outbox of notifications: written with the object, in its transaction; nobody is looked for there."""

    async def record(self, changes: Sequence[ObjectChange]) -> None:
        """The numbers that they have are not looked at: they get new ones, in this order."""

    async def of_object(self, object_id: str) -> list[ObjectChange]:
        """What happened to it, the first first."""
