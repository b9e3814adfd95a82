"""What there is to see, and to be told, of an agent's shards."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from openadr_ven.adapters.shards.floor import ShardFloor
from openadr_ven.adapters.shards.hands import Hands
from openadr_ven.domain.held import Notice
from openadr_ven.domain.shard_stand import ShardStand


class ShardWatch:
    def __init__(self, floor: ShardFloor, hands: Hands, now: Callable[[], datetime]) -> None:
        self._floor = floor
        self._hands = hands
        self._now = now

    def stands(self) -> Sequence[ShardStand]:
        return self._hands.stands()

    def news(self) -> Iterator[Notice]:
        """Each once: who has fallen silent, who is back, who is not believed."""
        faults, changes = self._floor.faults[:], self._hands.changes[:]
        self._floor.faults.clear()
        self._hands.changes.clear()
        for text, is_alive in changes:
            kind = "shard back" if is_alive else "shard silent"
            yield Notice(at=self._now(), kind=kind, text=text, alarm=not is_alive)
        for cell, fault in faults:
            text = f"cell {cell} is computed here for a while: {fault}"
            yield Notice(at=self._now(), kind="shard not believed", text=text, alarm=True)
