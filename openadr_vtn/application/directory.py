"""Who stands behind a certificate, in memory: what a poll reads instead of the database.

A copy, never the truth: an entry is dropped as soon as a commit, here or in another process, may
have changed it, and is read again when it is next asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.identity import Peer
from openadr_core.limits import PENDING_PARTIES_MAX
from openadr_core.model.party import Party, PartyState
from openadr_vtn.application.outbox import dues_of
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.domain.delivery import next_errand, next_telling
from openadr_vtn.domain.enrolment import names_of, newcomer


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a party may do, and when there is something to tell it."""

    party: Party
    next_telling_at: datetime | None
    """None: nothing, until something changes."""

    @property
    def is_registered(self) -> bool:
        return self.party.state is PartyState.APPROVED and self.party.registration is not None


class Directory:
    def __init__(
        self,
        store: Store,
        *,
        poll_interval: timedelta,
        new_id: Callable[[], str],
        pending_max: int = PENDING_PARTIES_MAX,
    ) -> None:
        """``poll_interval`` is what newcomers are asked to keep; ``new_id`` makes ids that begin with a letter."""
        self._store = store
        self._poll_interval = poll_interval
        self._new_id = new_id
        self._pending_max = pending_max
        self._standings: dict[str, Standing] = {}
        self._certificates: dict[str, set[str]] = {}
        self._seen_at: dict[str, datetime] = {}
        store.subscribe(self._forget)

    def known(self, certificate_sha256: str) -> Standing | None:
        """From memory alone."""
        return self._standings.get(certificate_sha256)

    async def standing_of(self, peer: Peer, now: datetime) -> Standing | None:
        """The party's standing; a stranger is written down, to wait for an operator.

        None for a stranger when too many wait already: there is no room to remember it.
        """
        found = self._standings.get(peer.certificate_sha256)
        if found is not None:
            return found
        changes = self._store.changes()
        async with self._store.view() as view:
            found = await _standing(view, peer, now)
        if found is None:
            return await self._write_down(peer, now)
        if self._store.changes() == changes:
            self._standings[peer.certificate_sha256] = found
            self._certificates.setdefault(found.party.id, set()).add(peer.certificate_sha256)
        return found

    async def belongs_to_another(self, party_id: str) -> bool:
        """Whether this is the id of any party at all: asked only of ids that are not the asker's."""
        async with self._store.view() as view:
            return await view.parties.by_id(party_id) is not None

    def saw(self, party_id: str, now: datetime) -> None:
        """Note that the party was heard; :meth:`write_last_seen` writes it down."""
        self._seen_at[party_id] = now

    async def write_last_seen(self) -> None:
        """All notes since the last time in one commit; to be called every second."""
        seen_at, self._seen_at = self._seen_at, {}
        if seen_at:
            async with self._store.unit_of_work() as uow:
                await uow.parties.saw(seen_at)

    async def _write_down(self, peer: Peer, now: datetime) -> Standing | None:
        async with self._store.unit_of_work() as uow:
            # Two connections of one stranger may come this far together: the second finds the first's row.
            found = await _standing(uow, peer, now)
            if found is not None:
                return found
            if await uow.parties.count(PartyState.PENDING) >= self._pending_max:
                return None
            plain, longer = names_of(peer)
            name = plain if await uow.parties.by_name(plain) is None else longer
            party = newcomer(peer, party_id=self._new_id(), name=name, poll_interval=self._poll_interval, now=now)
            await uow.parties.add(party)
        return Standing(party=party, next_telling_at=None)

    def _forget(self, party_ids: frozenset[str] | None) -> None:
        if party_ids is None:
            self._standings.clear()
            self._certificates.clear()
            return
        for party_id in party_ids:
            for certificate in self._certificates.pop(party_id, ()):
                self._standings.pop(certificate, None)


async def _standing(uow: UnitOfWork, peer: Peer, now: datetime) -> Standing | None:
    party = await uow.parties.by_certificate(peer.certificate_sha256)
    if party is None:
        return None
    standing = Standing(party=party, next_telling_at=None)
    if not standing.is_registered:
        return standing
    errand = next_errand(await uow.errands.of_party(party.id))
    telling_at = next_telling(await dues_of(uow, party.id, now), now)
    moments = [moment for moment in (telling_at, errand and errand[0]) if moment is not None]
    return Standing(party=party, next_telling_at=min(moments, default=None))
