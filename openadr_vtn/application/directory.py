"""Who stands behind a certificate, in memory: what a poll reads instead of the database.

A copy, never the truth: an entry is dropped as soon as a commit, here or in another process, may
have changed it, and is read again when it is next asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from openadr_core.errors import CertificateRejected
from openadr_core.identity import Peer
from openadr_core.limits import PENDING_PARTIES_MAX
from openadr_core.model.party import Party, PartyState
from openadr_vtn.application.outbox import mailboxes_of
from openadr_vtn.application.ports import Gather, Store, UnitOfWork
from openadr_vtn.domain.delivery import Mailbox, next_due_at
from openadr_vtn.domain.enrolment import names_of, newcomer, with_end_of

Asked = tuple[str, datetime]
"""A certificate, and when it was asked for."""
READ_TOGETHER = 200
"""Parties whose standing is read at once: a dozen milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a party may do, and when there is something to tell it."""

    party: Party
    mailbox: Mailbox
    due_at: datetime | None
    """When there is something to tell it; None: nothing until something changes."""
    is_new: bool = False
    """Its certificate was seen for the first time just now."""

    @property
    def is_registered(self) -> bool:
        return _listens(self.party)


@dataclass(slots=True, eq=False)
class _Meanwhile:
    """Whom commits have concerned since a reading began."""

    party_ids: set[str] = field(default_factory=set)
    everybody: bool = False

    def note(self, party_ids: frozenset[str] | None) -> None:
        self.everybody = self.everybody or party_ids is None
        self.party_ids |= party_ids or frozenset()

    def concerns(self, party_id: str) -> bool:
        return self.everybody or party_id in self.party_ids


class Directory:
    def __init__(
        self,
        store: Store,
        *,
        poll_interval: timedelta,
        new_id: Callable[[], str],
        pending_max: int = PENDING_PARTIES_MAX,
        gather: Gather | None = None,
    ) -> None:
        """``poll_interval`` is what newcomers are asked to keep; ``new_id`` makes ids that begin with a letter.

        ``gather`` lets those who ask at a time be read together; without it each is read alone.
        """
        self._store = store
        self._poll_interval = poll_interval
        self._new_id = new_id
        self._pending_max = pending_max
        self._standings: dict[str, Standing] = {}
        self._certificates: dict[str, tuple[str, ...]] = {}
        self._dropped: dict[str, None] = {}
        """Parties that were in memory, and will be asked for again soon; in order."""
        self._readings: list[_Meanwhile] = []
        self._seen_at: dict[str, datetime] = {}
        self._read = self._read_alone if gather is None else gather(self._read_together, at_most=READ_TOGETHER)
        store.subscribe(self._forget)

    def known(self, certificate_sha256: str) -> Standing | None:
        """From memory alone."""
        return self._standings.get(certificate_sha256)

    async def standing_of(self, peer: Peer, now: datetime) -> Standing | None:
        """The party's standing; a stranger is written down, to wait for an operator.

        None for a stranger when too many wait already: there is no room to remember it. Raises
        CertificateRejected for a certificate on the deny-list, whosever it is.
        """
        found = self._standings.get(peer.certificate_sha256)
        if found is not None:
            return found
        found = await self._read((peer.certificate_sha256, now))
        if found is None:
            return await self._write_down(peer, now)
        if peer.certificate_sha256 not in found.party.good_sha256:
            raise CertificateRejected("the certificate is on the deny-list")
        if with_end_of(found.party, peer) != found.party:
            await self._complete(found.party.id, peer)
            return await self.standing_of(peer, now)
        return found

    def renew(self, before: Standing, after: Standing) -> Standing | None:
        """Remember the standing as our own marks have left it.

        None if it has changed under our hands: it is read again when it is next asked for.
        """
        certificates = self._certificates.get(before.party.id, ())
        if any(self._standings.get(certificate) is not before for certificate in certificates) or not certificates:
            self._forget(frozenset({before.party.id}))
            return None
        self._remember(after)
        return after

    async def belongs_to_another(self, party_id: str) -> bool:
        """Whether this is the id of any party at all: asked only of ids that are not the asker's."""
        async with self._store.view() as view:
            return await view.parties.by_id(party_id) is not None

    async def claimed_of_another(self, own_id: str, *, ven_id: str, name: str, registration_id: str) -> str:
        """What of these belongs to another party, in words for an operator; empty if nothing does.

        Asked when somebody registers or ends a registration. A name counts once an operator has
        approved it: what a stranger is called is the stranger's own choice.
        """
        async with self._store.view() as view:
            owners = (
                ("the venID", await view.parties.by_id(ven_id) if ven_id else None),
                (
                    "the registrationID",
                    await view.parties.by_registration(registration_id) if registration_id else None,
                ),
                ("the name", await view.parties.by_name(name) if name else None),
            )
        for what, owner in owners:
            if owner is None or owner.id == own_id or (what == "the name" and owner.state is not PartyState.APPROVED):
                continue
            return f"{what} of party {owner.id}"
        return ""

    def saw(self, party_id: str, now: datetime) -> None:
        """Note that the party was heard; :meth:`write_last_seen` writes it down."""
        self._seen_at[party_id] = now

    async def write_last_seen(self) -> None:
        """All notes since the last time in one commit; to be called every second."""
        seen_at, self._seen_at = self._seen_at, {}
        if seen_at:
            async with self._store.unit_of_work() as uow:
                await uow.parties.saw(seen_at)

    async def _read_alone(self, asked: Asked) -> Standing | None:
        return (await self._read_together([asked]))[asked]

    async def _read_together(self, asked: Sequence[Asked]) -> Mapping[Asked, Standing | None]:
        """Those, and some that were dropped and will be asked for next: an event drops thousands at once."""
        now = max(moment for _, moment in asked)
        with self._reading() as meanwhile:
            async with self._store.view() as view:
                parties = await view.parties.by_certificates([certificate for certificate, _ in asked])
                read = {party.id for party in parties}
                dropped = (party_id for party_id in self._dropped if party_id not in read)
                others = list(islice(dropped, max(0, READ_TOGETHER - len(parties))))
                parties += await view.parties.by_ids(others) if others else ()
                mailboxes = await mailboxes_of(view, [party for party in parties if _listens(party)], now)
        standings = [standing(party, mailboxes.get(party.id, Mailbox()), now) for party in parties]
        for each in standings:
            if not meanwhile.concerns(each.party.id):
                self._remember(each)
        by_certificate = {one.sha256: each for each in standings for one in each.party.certificates}
        return {(certificate, moment): by_certificate.get(certificate) for certificate, moment in asked}

    async def _write_down(self, peer: Peer, now: datetime) -> Standing | None:
        is_new = False
        async with self._store.unit_of_work() as uow:
            if await uow.parties.is_denied(peer.certificate_sha256):
                raise CertificateRejected("the certificate is on the deny-list")
            # Two connections of one stranger may come this far together: the second finds the first's row.
            party = await uow.parties.by_certificate(peer.certificate_sha256)
            if party is None:
                if await uow.parties.count(PartyState.PENDING) >= self._pending_max:
                    return None
                plain, longer = names_of(peer)
                name = plain if await uow.parties.by_name(plain) is None else longer
                party = newcomer(peer, party_id=self._new_id(), name=name, poll_interval=self._poll_interval, now=now)
                await uow.parties.add(party)
                is_new = True
        return replace(standing(party, Mailbox(), now), is_new=is_new)

    async def _complete(self, party_id: str, peer: Peer) -> None:
        """Thousands may come for the first time at once, and each with several questions: they share commits."""

        async def note(uow: UnitOfWork) -> None:
            party = await uow.parties.by_id(party_id)
            if party is not None and (seen := with_end_of(party, peer)) != party:
                await uow.parties.save(seen)

        await self._store.together(party_id, note)

    def _remember(self, found: Standing) -> None:
        self._certificates[found.party.id] = tuple(found.party.good_sha256)
        for sha256 in found.party.good_sha256:
            self._standings[sha256] = found
        self._dropped.pop(found.party.id, None)

    @contextmanager
    def _reading(self) -> Iterator["_Meanwhile"]:
        """What is read meanwhile may be remembered, but for parties that a commit concerns before it is."""
        meanwhile = _Meanwhile()
        self._readings.append(meanwhile)
        try:
            yield meanwhile
        finally:
            self._readings.remove(meanwhile)

    def _forget(self, party_ids: frozenset[str] | None) -> None:
        for reading in self._readings:
            reading.note(party_ids)
        if party_ids is None:
            self._standings.clear()
            self._certificates.clear()
            self._dropped.clear()
            return
        for party_id in party_ids & self._certificates.keys():
            for certificate in self._certificates.pop(party_id):
                self._standings.pop(certificate, None)
            self._dropped[party_id] = None


def standing(party: Party, mailbox: Mailbox, now: datetime) -> Standing:
    return Standing(party=party, mailbox=mailbox, due_at=next_due_at(mailbox, now))


def _listens(party: Party) -> bool:
    return party.state is PartyState.APPROVED and party.registration is not None
