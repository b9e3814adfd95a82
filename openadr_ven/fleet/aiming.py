"""Which devices an event, or one of its signals, is for: any of its targets, and of these its device classes.

OpenADR 2.0b R22 and R111; IEEE 2030.5 and OpenADR 3 come to the same by groups and names.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from openadr_core.model.availability import Scope
from openadr_core.model.event import DrEvent, Signal
from openadr_core.model.target import Target, TargetKind
from openadr_ven.fleet.columns import Fleet, Mask
from openadr_ven.fleet.naming import Names, rows_in

REMEMBERED_MAX = 64
REMEMBERED_BYTES = 1 << 27
"""Of a small fleet more are remembered: a utility of IEEE 2030.5 names its devices one by one."""
INDEXED_MAX = 200_000
"""Devices of a fleet whose names are looked up, and not searched for, once many were asked for."""


class Aim:
    """A fleet by the names that a utility knows it under. The masks are a cache: they follow from their key."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        fleet_name: str,
        names: Sequence[str] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        remembered_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        """``names`` mean all of the fleet, each of ``groups`` the devices behind these names of the fleet's own.

        Masks are remembered up to so many bytes, and ``REMEMBERED_MAX`` of them in any case.
        """
        self._fleet = fleet
        self._fleet_name = fleet_name
        self._names = frozenset(names)
        self._groups = dict(groups or {})
        self._rows: dict[tuple[tuple[Target, ...], frozenset[str]], Mask | None] = {}
        self._remembered_max = max(REMEMBERED_MAX, remembered_bytes // max(1, fleet.size))
        self._index: Names | None = None

    def rows(self, event: DrEvent, signal: Signal | None = None) -> Mask | None:
        """The devices that the event is for, of the signal's classes; None for all of the fleet."""
        key = (event.targets, frozenset(() if signal is None else signal.device_classes))
        if key not in self._rows:
            if len(self._rows) >= self._remembered_max:
                self._rows.clear()
            names, classes = self._named(event.targets), key[1]
            everything = names is None and not classes
            self._rows[key] = None if everything else self._behind(names or frozenset({self._fleet_name}), classes)
        return self._rows[key]

    def _behind(self, names: frozenset[str], classes: frozenset[str] = frozenset()) -> Mask:
        if self._index is None and len(self._rows) >= REMEMBERED_MAX and self._fleet.size <= INDEXED_MAX:
            self._index = Names(self._fleet, self._fleet_name)
        if self._index is not None and not classes:
            mask = np.zeros(self._fleet.size, dtype=np.bool_)
            mask[self._index.rows(names)] = True
            return mask
        targets = frozenset(Target(kind=TargetKind.NAME, name=name) for name in names)
        return rows_in(self._fleet, Scope(targets=targets, device_classes=classes), fleet_name=self._fleet_name)

    def meets(self, event: DrEvent, signal: Signal | None = None) -> bool:
        """Whether any device is meant."""
        rows = self.rows(event, signal)
        return rows is None or bool(rows.any())

    def _named(self, targets: Sequence[Target]) -> frozenset[str] | None:
        """The fleet's own names for what is meant; None for all of it."""
        # A venID that has come this far is ours.
        if not targets or any(target.kind is TargetKind.VEN or target.name in self._names for target in targets):
            return None
        if any(target.kind is TargetKind.NAME and not self._knows(target.name) for target in targets):
            # OpenADR 3 shows us events under names that we were granted: one that is no part of the fleet is all of it.
            return None
        names = {name for target in targets for name in self._groups.get(target.name, (target.name,))}
        return None if self._fleet_name in names else frozenset(names)

    def _knows(self, name: str) -> bool:
        """Whether the name is that of a part of the fleet."""
        return name in self._groups or bool(self._behind(frozenset({name})).any())
