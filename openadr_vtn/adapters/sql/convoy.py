"""Work of many parties in few commits: what waits while one transaction is under way goes together in the next.

A commit is a wait for the disk, and costs as much as ten answers. Thousands of parties that answer one
event at a time share it: each is told so once it is on the disk, as if it had been alone. Nobody waits
for company, so a single answer takes no longer.

A transaction takes its parties in the order of their ids: convoys of two processes that have parties in
common wait for each other's rows one way only, and so never both at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from openadr_core.errors import Unavailable
from openadr_vtn.application.ports import UnitOfWork

MEMBERS_MAX = 200
"""In one transaction: some tens of milliseconds, for which whoever else writes must wait."""
FAILURES_MAX = 2
"""So many members in a row that the store fails alone, and it is the store: nobody else need wait to be told."""

T = TypeVar("T")
Work = Callable[[UnitOfWork], Awaitable[T]]
Begin = Callable[[], AbstractAsyncContextManager[UnitOfWork]]


@dataclass(frozen=True, slots=True)
class _Member:
    party_id: str
    work: Work[Any]
    outcome: asyncio.Future[Any]


class Convoy:
    """One transaction at a time, begun by ``begin``."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._waiting: deque[_Member] = deque()
        self._under_way: list[_Member] = []
        self._driving: asyncio.Task[None] | None = None

    async def join(self, party_id: str, work: Work[T]) -> T:
        """What the work returns, once it is committed; what it raises, with nothing of it done.

        It may be done twice, the first time in vain, so it changes nothing but the store.
        """
        member = _Member(party_id, work, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        if self._driving is None:
            self._driving = asyncio.create_task(self._drive())
        return cast("T", await member.outcome)

    async def _drive(self) -> None:
        try:
            while self._waiting:
                members = [self._waiting.popleft() for _ in range(min(len(self._waiting), MEMBERS_MAX))]
                # Works of one party stay as they came: the order is stable.
                self._under_way = sorted(members, key=lambda member: member.party_id)
                await self._go(self._under_way)
        finally:
            self._driving = None
            # Nobody is left, unless this task was cancelled.
            for member in (*self._under_way, *self._waiting):
                _settle(member, Unavailable("the store is being left: it is not known what it has"))
            self._waiting.clear()

    async def _go(self, members: Sequence[_Member]) -> None:
        """All together; if that fails, each alone, so that none suffers from another's fault."""
        failure = await self._together(members)
        if failure is None:
            return
        if len(members) == 1:
            _settle(members[0], failure)
            return
        failures = 0
        for member in members:
            if failures < FAILURES_MAX:
                failure = await self._together([member])
                failures = failures + 1 if isinstance(failure, Unavailable) else 0
            if failure is not None:
                _settle(member, failure)

    async def _together(self, members: Sequence[_Member]) -> Exception | None:
        """Why nothing was done; None when all was, and everybody has been told."""
        results = []
        try:
            async with self._begin() as uow:
                for member in members:
                    results.append(await member.work(uow))  # noqa: PERF401  one after another, on one connection
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to whose it is
            return error
        for member, result in zip(members, results, strict=True):
            _settle(member, result)
        return None


def _settle(member: _Member, outcome: object) -> None:
    # Who was given up meanwhile has cancelled its future; what it asked for is done all the same.
    if member.outcome.done():
        return
    if isinstance(outcome, Exception):
        member.outcome.set_exception(outcome)
    else:
        member.outcome.set_result(outcome)
