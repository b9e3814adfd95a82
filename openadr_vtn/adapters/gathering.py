"""Many questions at a time, put to the store as one: what is asked while it reads is asked together next."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """``read`` is asked for as many as wait, each once, and has an answer for each of them."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, at_most: int) -> None:
        self._read = read
        self._at_most = at_most
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V:
        """What ``read`` raises is raised to all who asked with us."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_on())
        # Who gives up must not take the answer from others who wait for it.
        return await asyncio.shield(answer)

    async def _read_on(self) -> None:
        try:
            while self._waiting:
                await self._read_some({key: self._waiting.pop(key) for key in list(self._waiting)[: self._at_most]})
        finally:
            self._reading = None
            for answer in self._waiting.values():
                answer.cancel()  # likewise
            self._waiting.clear()

    async def _read_some(self, asked: Mapping[K, asyncio.Future[V]]) -> None:
        try:
            found = await self._read(list(asked))
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to those who asked
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # it may be that nobody waits for it any more
        else:
            for key, answer in asked.items():
                answer.set_result(found[key])
        finally:
            for answer in asked.values():
                answer.cancel()  # nothing, once it is settled: nobody waits for a reading that was cancelled


def gathered(
    read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, at_most: int
) -> Callable[[K], Coroutine[object, object, V]]:
    return Gathering(read, at_most=at_most).ask
