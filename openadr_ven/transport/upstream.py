"""The shell around a protocol core: sends what is due, feeds back what came, sleeps until the next."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from openadr_core.errors import CertificateRejected, ExchangeFailed
from openadr_core.exchange import Request, Response
from openadr_ven.domain.indications import Indication
from openadr_ven.protocols.session import Session


class Carrier(Protocol):
    async def exchange(self, request: Request) -> Response: ...


class Listener(Protocol):
    """Whoever decides: it must have stored what it heard, and told the session its answers, when it returns."""

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> None: ...

    async def impostor(self, text: str, *, now: datetime) -> None:
        """Somebody else answered at the VTN's address."""


class Upstream:
    """One conversation, kept up for ever. ``poke`` when the agent has something to say."""

    def __init__(self, *, session: Session, carrier: Carrier, listener: Listener, now: Callable[[], datetime]) -> None:
        self._session = session
        self._carrier = carrier
        self._listener = listener
        self._now = now
        self._poked = asyncio.Event()
        self._stored = session.record()

    def poke(self) -> None:
        self._poked.set()

    async def run(self) -> None:
        while True:
            self._poked.clear()
            if not await self.step():
                await self._sleep()

    async def step(self) -> bool:
        """One turn: False if nothing is due."""
        request = self._session.next_request(now=self._now())
        if request is not None:
            await self._carry(request)
        indications = self._session.indications()
        if indications or self._session.record() != self._stored:
            await self._listener.heed(indications, now=self._now())
            self._stored = self._session.record()
        return request is not None

    async def _carry(self, request: Request) -> None:
        try:
            answer = await self._carrier.exchange(request)
        except CertificateRejected as error:
            self._session.request_failed(now=self._now(), reason=str(error))
            await self._listener.impostor(str(error), now=self._now())
        except ExchangeFailed as error:
            self._session.request_failed(now=self._now(), reason=str(error))
        else:
            self._session.receive_response(answer, now=self._now())

    async def _sleep(self) -> None:
        due = self._session.next_wakeup()
        wait_s = None if due is None else max(0.0, (due - self._now()).total_seconds())
        try:
            await asyncio.wait_for(self._poked.wait(), wait_s)
        except TimeoutError:
            return
