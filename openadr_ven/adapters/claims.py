"""Nonces of the VTN's signed messages, in the agent's store."""

from datetime import datetime, timedelta

from openadr_ven.application.ports import Store


class StoredClaims:
    """Implements :class:`openadr_core.oadr2.signed.Claims`."""

    def __init__(self, store: Store, *, window: timedelta) -> None:
        """``window`` is how far the time in a signature may be from ours."""
        self._store = store
        # A message that may be claimed now was signed within the window of now: all before its window is over.
        self._kept = 2 * window

    async def claim(self, key: str, until: datetime) -> bool:
        async with self._store.unit_of_work() as unit:
            await unit.forget_nonces(until - self._kept)
            return await unit.claim_nonce(key, until)
