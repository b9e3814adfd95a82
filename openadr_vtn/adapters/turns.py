"""One at a time for each key, and any number for all others."""

import asyncio
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary


class KeyedTurns:
    """A lock for each key, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __call__(self, key: str) -> AbstractAsyncContextManager[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
