"""Clients that were looked at before, in memory: a request costs no query to know what its client may do.

A copy, never the truth. What this process writes is heard at once, and what others write to PostgreSQL; SQLite
tells nobody, so once a second it is looked whether somebody has written into the audit.
"""

from datetime import datetime, timedelta

from openadr_vtn.application.ports import ApiClient, AuditEntry, Store

LOOKED_AGAIN = timedelta(seconds=1)
"""So long a client that another process has shut out may be let in, where the database does not tell."""


class KnownClients:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._clients: dict[str, ApiClient | None] = {}
        self._newest: list[AuditEntry] = []
        self._looked_at: datetime | None = None
        store.subscribe(self._forget)

    async def by_id(self, client_id: str, now: datetime) -> ApiClient | None:
        await self._look(now)
        if client_id in self._clients:
            return self._clients[client_id]
        changes = self._store.changes()
        async with self._store.view() as view:
            found = await view.clients.by_id(client_id)
        if self._store.changes() == changes:
            self._clients[client_id] = found
        return found

    async def _look(self, now: datetime) -> None:
        """Every change of a client leaves an entry in the audit."""
        if self._looked_at is not None and abs(now - self._looked_at) < LOOKED_AGAIN:
            return
        self._looked_at = now
        async with self._store.view() as view:
            newest = await view.audit.newest(1)
        if newest != self._newest:
            self._newest = newest
            self._clients = {}

    def _forget(self, whom: frozenset[str] | None) -> None:
        if whom is None:
            self._clients = {}
