"""Drains ledger and queue for the parties that are pushed to: one ordered stream each, many side by side.

Which parties to look at is read again after every change of theirs.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from openadr_core.errors import AccessError, ExchangeFailed, StoreError, Unavailable
from openadr_core.exchange import Response
from openadr_core.limits import PUSH_RETRIES_IN_FLIGHT_MAX, PUSHES_IN_FLIGHT_MAX
from openadr_core.model.party import Party
from openadr_core.oadr2.http_rules import CONTENT_TYPE
from openadr_core.shell.outbound import Outbound, Pin
from openadr_vtn.adapters.drain import TERM, Drain
from openadr_vtn.application.outbox import mailboxes_of
from openadr_vtn.application.ports import Notice, Store, UnitOfWork, Witness
from openadr_vtn.domain.pushing import PushState, is_pushed_to, next_push_at
from openadr_vtn.protocols.oadr2_push import Carried, Oadr2Pusher, Parcel

DUTY = "push"
LOOKED_AT_TOGETHER = 100
"""Parties that are read at once: some milliseconds."""
UNWRITTEN_PAUSE = timedelta(minutes=1)

log = structlog.get_logger(__name__)


class Carrier(Protocol):
    async def carry(self, parcel: Parcel) -> Response:
        """The party's answer; ExchangeFailed or AccessError says why there is none."""


class PartyCarrier:
    """To each party over mutual TLS; only the holder of one of its certificates is spoken to."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._pins: dict[str, Pin] = {}

    async def carry(self, parcel: Parcel) -> Response:
        headers = {"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE}
        return await self._outbound.post(parcel.url, parcel.body, headers=headers, pin=self._pin(parcel.party))

    def _pin(self, party: Party) -> Pin:
        """The same one while the certificates are the same: connections are kept by it."""
        sha256 = party.good_sha256
        pin = self._pins.get(party.id)
        if pin is None or pin.sha256 != sha256:
            pin = self._pins[party.id] = Pin(sha256)
        return pin


class Pusher(Drain):
    def __init__(
        self,
        *,
        store: Store,
        core: Oadr2Pusher,
        carrier: Carrier,
        now: Callable[[], datetime],
        holder: str,
        witness: Witness,
        saw: Callable[[str, datetime], None],
        in_flight_max: int = PUSHES_IN_FLIGHT_MAX,
        retries_in_flight_max: int = PUSH_RETRIES_IN_FLIGHT_MAX,
    ) -> None:
        """``holder`` names this process among those that share the store; ``saw`` is told of parties that answered."""
        super().__init__(
            store=store,
            now=now,
            duty=DUTY,
            holder=holder,
            at_once=in_flight_max,
            retries_at_once=retries_in_flight_max,
            looked_at_together=LOOKED_AT_TOGETHER,
        )
        self._core = core
        self._carrier = carrier
        self._witness = witness
        self._saw = saw
        self._changed: set[str] | None = None
        """Parties whose rights or dues may have changed; None: anybody's."""
        self._pushed: set[str] = set()
        self._carried: list[Carried] = []
        store.subscribe(self._hear)

    async def turn(self) -> float | None:
        await self._write_down()
        await self._take_changes()
        now = self._now()
        if not self._pushed:
            return None
        if not await self._has_duty(now):
            return TERM.total_seconds()
        while startable := self._startable(self._now()):
            await self._look(startable)
        return self._wait_s(self._now())

    # -- what is to be looked at -------------------------------------------------------

    def _hear(self, party_ids: frozenset[str] | None) -> None:
        if party_ids is None:
            self._changed = None
        elif self._changed is not None:
            self._changed |= party_ids
        self._poked.set()

    async def _take_changes(self) -> None:
        """Of those that changed, the ones that are pushed to must be looked at now."""
        changed = self._changed
        if changed is not None and not changed:
            return
        self._changed = set()
        try:
            async with self._store.view() as view:
                pushed = set(await view.pushes.party_ids(changed))
        except StoreError:
            self._changed = None
            raise
        gone = (self._pushed if changed is None else self._pushed & changed) - pushed
        self._pushed = (self._pushed - gone) | pushed
        for party_id in gone:
            self._forget(party_id)
        self._due |= dict.fromkeys(pushed, self._now())

    async def _hold(self, uow: UnitOfWork, now: datetime, *, held: bool, changed: bool) -> None:
        del uow, held
        if changed:
            # Whoever did it until now has left marks that nobody was told of.
            self._due = dict.fromkeys(self._pushed, now)

    def _forget(self, party_id: str) -> None:
        self._due.pop(party_id, None)
        self._failing.discard(party_id)

    # -- what is started ---------------------------------------------------------------

    async def _look(self, party_ids: Collection[str]) -> None:
        """Read what these parties are owed, and start what is due."""
        now = self._now()
        due: dict[str, datetime] = {}
        parcels: list[Parcel] = []
        async with self._store.view() as view:
            parties = {party.id: party for party in await view.parties.by_ids(party_ids) if is_pushed_to(party)}
            states = await view.pushes.of_parties(parties)
            mailboxes = await mailboxes_of(view, list(parties.values()), now)
            for party_id, party in parties.items():
                state, mailbox = states.get(party_id), mailboxes[party_id]
                at = next_push_at(mailbox, state, now)
                if at is not None and at > now:
                    due[party_id] = at
                elif at is not None and (parcel := await self._core.next_parcel(view, party, mailbox, state, now)):
                    parcels.append(parcel)
        for party_id in party_ids:
            self._forget(party_id)
        self._due |= due
        self._failing |= {party_id for party_id, state in states.items() if state.failures}
        for parcel in parcels:
            self._start(parcel)
        await self._write_down()

    def _start(self, parcel: Parcel) -> None:
        if not parcel.body:
            self._carried.append(Carried(parcel=parcel))
            return
        task = asyncio.create_task(self._carry(parcel), name=f"push-{parcel.party.id}")
        self._under_way[parcel.party.id] = task

    async def _carry(self, parcel: Parcel) -> None:
        try:
            carried = await self._core.heard(parcel, await self._carrier.carry(parcel), self._now())
        except (ExchangeFailed, AccessError, StoreError) as error:
            carried = Carried(parcel=parcel, reason=str(error))
        except Exception as error:
            # Whatever it is, it is about one party: its stream must go on, and the others with it.
            log.exception("a push failed", party_id=parcel.party.id)
            carried = Carried(parcel=parcel, reason=f"an error of ours: {type(error).__name__}")
        finally:
            del self._under_way[parcel.party.id]
        self._carried.append(carried)
        self._poked.set()

    # -- what is written down ----------------------------------------------------------

    async def _write_down(self) -> None:
        """All that came back, in one commit; one that cannot be written down must not keep the others from it."""
        while self._carried:
            together = self._carried.copy()
            if not await self._written(together):
                for one in together:
                    if not await self._written([one]):
                        # It would be carried again at once, and come to the same.
                        self._due[one.parcel.party.id] = self._now() + UNWRITTEN_PAUSE
            del self._carried[: len(together)]

    async def _written(self, carried: Sequence[Carried]) -> bool:
        """Whether it could be written down; the store's being away is none of its faults."""
        notices: list[Notice] = []
        states: list[PushState] = []
        now = self._now()
        try:
            async with self._store.unit_of_work() as uow:
                for one in carried:
                    state, told = await self._core.write_down(uow, one, now)
                    notices += told
                    states += [] if state is None else [state]
                await uow.pushes.save(states)
        except Unavailable:
            raise
        except Exception:
            log.exception("what came back cannot be written down", parties=[one.parcel.party.id for one in carried])
            return False
        for one in carried:
            if one.answer is not None:
                self._saw(one.parcel.party.id, now)
            self._due[one.parcel.party.id] = now
        for notice in notices:
            self._witness(notice)
        return True
