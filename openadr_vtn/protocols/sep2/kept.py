"""Answers that are given again as the same bytes: for as long as nothing that they tell of has changed.

Most of what clients poll is read again and again, by thousands of them. What a group's members read is
kept once for all of them, with who may read it beside it; what is about a party's own devices is kept for
it. A write takes away what tells of it, and nothing else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from openadr_vtn.application.ports import Store
from openadr_vtn.domain.sep2.registry import Tree
from openadr_vtn.protocols.sep2.http_rules import Holds

KEPT_MAX = 50_000
"""Answers that are kept; then all are made anew."""


@dataclass(frozen=True, slots=True)
class Kept:
    holds: Holds
    body: bytes
    told: frozenset[str]
    """The events that it tells of."""
    revision: str = ""
    """Of the groups, when it was made."""
    made_at: int = 0
    """A clock that was put back since then ends it."""


class KeptAnswers:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shared: dict[str, Kept] = {}
        """By what is asked."""
        self._own: dict[str, dict[tuple[str, str], Kept]] = {}
        """By party; then by the device that asks, and what is asked."""
        self._programs: dict[str, frozenset[int]] = {}
        """By party: the groups whose members its devices are."""
        self.tree: Tree | None = None
        """All groups; None until somebody has read them."""
        self.rates: Mapping[str, int] | None = None
        """Those that operators have set; None until somebody has read them."""
        self._count = 0
        store.subscribe(self._forget)

    def find(self, party_id: str, lfdi: str, asked: str, now: int) -> Kept | None:
        """Exactly what would be answered now; None if it is to be made."""
        found = self._own.get(party_id, {}).get((lfdi, asked))
        if found is None:
            found = self._shared.get(asked)
            if found is None or not found.holds.groups <= self._programs.get(party_id, frozenset()):
                return None
        return found if self._still_holds(found, now) else None

    def _still_holds(self, kept: Kept, now: int) -> bool:
        if now < kept.made_at or (kept.holds.until is not None and now >= kept.holds.until):
            return False
        return not kept.holds.groups or kept.revision == self._store.revision_of_groups(kept.holds.groups)

    def keep(self, party_id: str, lfdi: str, asked: str, kept: Kept) -> None:
        """To be called only if nothing was written since it was read."""
        self._count += 1
        if self._count > KEPT_MAX:
            self._forget(None)
        if kept.holds.party_id:
            self._own.setdefault(party_id, {})[lfdi, asked] = kept
        else:
            self._shared[asked] = kept

    def has_shared(self, asked: str, now: int) -> bool:
        """Whether there is an answer for whoever may have it."""
        found = self._shared.get(asked)
        return found is not None and self._still_holds(found, now)

    def programs(self, party_id: str) -> frozenset[int] | None:
        return self._programs.get(party_id)

    def keep_programs(self, party_id: str, programs: frozenset[int]) -> None:
        self._programs[party_id] = programs

    def _forget(self, party_ids: Collection[str] | None) -> None:
        if party_ids is None:
            self._shared.clear()
            self._own.clear()
            self._programs.clear()
            self.tree = self.rates = None
            self._count = 0
            return
        for party_id in party_ids:
            self._own.pop(party_id, None)
            self._programs.pop(party_id, None)
