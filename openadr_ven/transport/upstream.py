"""The shell around a protocol core: sends what is due, feeds back what came, sleeps until the next."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from openadr_core.errors import CertificateRejected, ExchangeFailed, Forbidden, SignatureFault, StoreError
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.limits import RETRY_AFTER_S
from openadr_core.shell.waking import woken
from openadr_ven.domain.indications import Indication
from openadr_ven.protocols.session import Session

NOT_STORED = Response(status=503, headers={"retry-after": str(RETRY_AFTER_S)})


class Carrier(Protocol):
    async def exchange(self, request: Request) -> Response: ...


class Listener(Protocol):
    """Whoever decides: it must have stored what it heard, and told the session its answers, when it returns."""

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> bool:
        """Whether it is stored. If not, the listener keeps it, and it is stored with the next."""

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
        self._heeding = asyncio.Lock()
        """What came in is stored before anything else comes in; what goes out, and is waited for, hinders nobody."""
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
        answer = None if request is None else await self._carried(request)
        async with self._heeding:
            if answer is not None:
                self._session.receive_response(answer, now=self._now())
            await self._heed()
        return request is not None

    async def receive(self, request: Request, peer: Peer) -> Response:
        """What is pushed at us. It is answered once it is stored: an answer says that we have it."""
        async with self._heeding:
            answer = self._session.receive_request(request, peer, now=self._now())
            stored = await self._heed()
        self.poke()  # there may be something to say to it
        # A refusal changes nothing, so there is nothing that must be said again.
        return answer if stored or answer.status != HTTPStatus.OK else NOT_STORED

    async def _heed(self) -> bool:
        indications = self._session.indications()
        if not indications and self._session.record() == self._stored:
            return True
        stored = await self._listener.heed(indications, now=self._now())
        if stored:
            self._stored = self._session.record()
        return stored

    async def _carried(self, request: Request) -> Response | None:
        try:
            return await self._carrier.exchange(request)
        except (CertificateRejected, SignatureFault, Forbidden) as error:
            self._session.request_failed(now=self._now(), reason=str(error))
            await self._listener.impostor(str(error), now=self._now())
        except (ExchangeFailed, StoreError) as error:
            self._session.request_failed(now=self._now(), reason=str(error))
        return None

    async def _sleep(self) -> None:
        due = self._session.next_wakeup()
        wait_s = None if due is None else max(0.0, (due - self._now()).total_seconds())
        await woken(self._poked, wait_s)
