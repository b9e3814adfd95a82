"""How a process learns that a party's rights or dues changed: at once of its own commits, by NOTIFY of others'."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterable

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql.repository import Concerned
from openadr_vtn.application.ports import Listener

CHANNEL = "openadr_vtn_parties"
EVERYBODY = "*"
PAYLOAD_MAX_BYTES = 7_000
"""PostgreSQL refuses a payload of 8,000."""
RECONNECT_S = 1.0


class News:
    """Counts changes and tells listeners."""

    def __init__(self) -> None:
        self.changes = 0
        self.revisions: Counter[ObjectKind] = Counter()
        self.groups: Counter[int] = Counter()
        """Of IEEE 2030.5, by id."""
        self.doubts = 0
        """How often all that was known became doubtful."""
        self.listeners: list[Listener] = []
        self.teller = uuid.uuid4().hex
        """Marks our own notifications, which have been heard already."""

    def doubt(self) -> None:
        """Anything may have been written."""
        self.doubts += 1
        self.publish(None, ObjectKind)

    def publish(
        self, whom: frozenset[str] | None, kinds: Iterable[ObjectKind] = (), groups: Iterable[int] = ()
    ) -> None:
        """``whom`` of None is everybody; the kinds and the groups are those that were written."""
        self.changes += 1
        self.revisions.update(kinds)
        self.groups.update(groups)
        for listener in self.listeners:
            listener(whom)

    async def notify(self, connection: AsyncConnection, concerned: Concerned) -> None:
        """Part of the transaction: others hear of it when it commits, and only then."""
        whom = concerned.whom
        names = EVERYBODY if whom is None else ",".join(sorted(whom))
        if len(names.encode()) > PAYLOAD_MAX_BYTES:
            names = EVERYBODY
        await connection.execute(
            text("SELECT pg_notify(:channel, :payload)"),
            {
                "channel": CHANNEL,
                "payload": f"{self.teller} {','.join(concerned.kinds)} {','.join(map(str, concerned.groups))} {names}",
            },
        )

    def hear(self, payload: str) -> None:
        teller, kinds, groups, names = payload.split(" ", 3)
        if teller != self.teller:
            whom = None if names == EVERYBODY else frozenset(filter(None, names.split(",")))
            self.publish(
                whom, [ObjectKind(kind) for kind in kinds.split(",") if kind], map(int, filter(None, groups.split(",")))
            )


class Ear:
    """A connection that listens to other processes; while it is down, everything known is in doubt."""

    def __init__(self, url: str, news: News) -> None:
        self._url = url
        self._news = news
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def open(self) -> None:
        self._task = asyncio.create_task(self._listen(), name="vtn-store-news")
        await self._listening.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen_once()
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._url)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, lambda *heard: self._news.hear(heard[-1]))
            self._news.doubt()
            self._listening.set()
            await lost.wait()
            self._news.doubt()
        finally:
            await connection.close(timeout=RECONNECT_S)
