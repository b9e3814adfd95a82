"""Which ven a client of OpenADR 3.1 is, in memory: what a read begins with, without a query of its own.

A copy, never the truth: an entry is dropped as soon as a commit, here or in another process, may have changed it.
"""

from dataclasses import dataclass

from openadr_core.model.party import Party, PartyState
from openadr_vtn.application.ports import Store
from openadr_vtn.domain.visibility import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, as far as objects of OpenADR 3.1 are concerned."""

    client_id: str
    actor: str
    is_business: bool
    party: Party | None
    """The client's own ven; None: it has none."""
    strict_targets: bool = False

    @property
    def party_id(self) -> str | None:
        return None if self.party is None else self.party.id

    def sight(self, asked: tuple[str, ...] = ()) -> Sight:
        """What it sees of a list of objects with targets, if its query names these."""
        return Sight(granted=self._granted, asked=frozenset(asked) or None, strict=self.strict_targets)

    @property
    def sight_of_one(self) -> Sight:
        """What it sees of an object that it names by its id: there is no query that could name targets."""
        return Sight(granted=self._granted)

    @property
    def _granted(self) -> frozenset[str] | None:
        if self.is_business:
            return None
        return frozenset() if self.party is None else self.party.granted


class Viewers:
    def __init__(self, store: Store, *, strict_targets: bool) -> None:
        self._store = store
        self._strict_targets = strict_targets
        self._parties: dict[str, Party | None] = {}
        store.subscribe(self._forget)

    async def viewer(self, client_id: str, *, actor: str, is_business: bool) -> Viewer:
        """Business logic sees everything, whatever ven may have its client."""
        party = None if is_business else await self._party(client_id)
        return Viewer(
            client_id=client_id, actor=actor, is_business=is_business, party=party, strict_targets=self._strict_targets
        )

    async def _party(self, client_id: str) -> Party | None:
        if client_id in self._parties:
            return self._parties[client_id]
        changes = self._store.changes()
        async with self._store.view() as view:
            found = await view.parties.by_client(client_id)
        party = found if found is not None and found.state is PartyState.APPROVED else None
        if self._store.changes() == changes:
            self._parties[client_id] = party
        return party

    def _forget(self, party_ids: frozenset[str] | None) -> None:
        if party_ids is None:
            self._parties.clear()
        elif party_ids:
            kept = self._parties.items()
            self._parties = {client: one for client, one in kept if one is not None and one.id not in party_ids}
