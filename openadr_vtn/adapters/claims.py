"""Nonces of signed messages, claimed by many messages in one commit.

Every signed message needs a commit before it is acted on, a poll as well. One commit a moment is made
for all that came meanwhile, so the busier the VTN, the more of them share one; the first after a
silence does not wait.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from openadr_core.errors import StoreError
from openadr_vtn.application.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    until: datetime
    is_new: asyncio.Future[bool]


COMMITS_APART_S = 0.02
"""A commit costs as much as ten messages; no VEN minds waiting so long."""


class GroupedClaims:
    """Implements :class:`openadr_core.oadr2.signed.Claims` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, _Claim] = {}
        self._committing: asyncio.Task[None] | None = None

    async def claim(self, key: str, until: datetime) -> bool:
        """Raises StoreError if it could not be written: then nothing may be done either."""
        if key in self._waiting:
            return False
        claim = _Claim(until=until, is_new=asyncio.get_running_loop().create_future())
        self._waiting[key] = claim
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return await claim.is_new

    async def _commit(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while self._waiting:
                next_at = clock() + COMMITS_APART_S
                claims, self._waiting = self._waiting, {}
                await self._commit_together(claims)
                await asyncio.sleep(max(0.0, next_at - clock()))
        finally:
            self._committing = None

    async def _commit_together(self, claims: dict[str, _Claim]) -> None:
        answers = [claim.is_new for claim in claims.values()]
        try:
            async with self._store.unit_of_work(brief=True) as uow:
                new = await uow.nonces.claim({key: claim.until for key, claim in claims.items()})
        except StoreError as error:
            for answer in answers:
                _settle(answer, error)
        else:
            for key, answer in zip(claims, answers, strict=True):
                _settle(answer, key in new)
        finally:
            for answer in answers:
                answer.cancel()  # nothing, once it is settled: nobody waits for a commit that ended otherwise


def _settle(answer: asyncio.Future[bool], with_what: bool | StoreError) -> None:
    # A request that was given up meanwhile has cancelled its future; its nonce is used up all the same.
    if answer.done():
        return
    if isinstance(with_what, StoreError):
        answer.set_exception(with_what)
    else:
        answer.set_result(with_what)
