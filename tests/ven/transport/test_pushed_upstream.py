"""What is pushed at the agent is stored before it is acknowledged, and what goes out meanwhile hinders nothing."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import ConnectFailed
from openadr_core.exchange import Request, Response
from openadr_core.oadr2 import messages as m
from openadr_ven.domain.indications import EventReceived, Indication, StrangerRefused
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.transport.upstream import Upstream
from tests.ven.protocols.scripted_vtn import ScriptedVtn, an_event, distribute, talk
from tests.ven.protocols.test_oadr2_push import STRANGER, VTN, a_pushed_session, pushed


class Store:
    """A listener that keeps what it is told, unless it is broken; and that may take its time."""

    def __init__(self) -> None:
        self.kept: list[Indication] = []
        self.waiting: list[Indication] = []
        self.broken = False
        self.open = asyncio.Event()
        self.open.set()

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> bool:
        del now
        self.waiting.extend(indications)
        await self.open.wait()
        if self.broken:
            return False
        self.kept.extend(self.waiting)
        self.waiting.clear()
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        raise AssertionError(f"{text} at {now}")


class Wire:
    """Carries to a scripted VTN, when it is let."""

    def __init__(self, vtn: ScriptedVtn) -> None:
        self._vtn = vtn
        self.open = asyncio.Event()
        self.open.set()
        self.busy = asyncio.Event()

    async def exchange(self, request: Request) -> Response:
        self.busy.set()
        await self.open.wait()
        answer = self._vtn.answer(request)
        if answer is None:
            raise ConnectFailed("nothing answers")
        return answer


def an_upstream(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> tuple[Upstream, Store, Wire]:
    store, wire = Store(), Wire(vtn)
    return Upstream(session=session, carrier=wire, listener=store, now=lambda: now), store, wire


@pytest.fixture
def session(now: datetime) -> Oadr2Session:
    return a_pushed_session(now)


@pytest.fixture
def vtn() -> ScriptedVtn:
    return ScriptedVtn()


@pytest.fixture
def registered(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> Oadr2Session:
    talk(session, vtn, now=now)
    session.indications()
    vtn.heard.clear()
    return session


@pytest.mark.openadr20b("T10", "T13")
async def test_an_event_is_acknowledged_once_it_is_stored(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    upstream, store, _ = an_upstream(registered, vtn, now)
    store.open.clear()
    answering = asyncio.create_task(upstream.receive(pushed(distribute(an_event())), VTN))
    await asyncio.sleep(0)
    assert not answering.done()
    store.open.set()
    assert (await answering).status == 200
    assert [type(one) for one in store.kept] == [EventReceived]


@pytest.mark.openadr20b("T8", "T10")
async def test_what_could_not_be_stored_must_come_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    upstream, store, _ = an_upstream(registered, vtn, now)
    store.broken = True
    for _ in range(2):
        refused = await upstream.receive(pushed(distribute(an_event())), VTN)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    store.broken = False
    assert (await upstream.receive(pushed(distribute(an_event())), VTN)).status == 200
    assert [type(one) for one in store.kept] == [EventReceived], "and it is told once"


async def test_a_stranger_needs_no_store_to_be_refused(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    upstream, store, _ = an_upstream(registered, vtn, now)
    store.broken = True
    assert (await upstream.receive(pushed(distribute(an_event())), STRANGER)).status == 403
    assert [type(one) for one in store.waiting] == [StrangerRefused]


async def test_the_vtn_is_heard_while_it_keeps_us_waiting(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """A VTN may not answer us before we have answered it."""
    upstream, store, wire = an_upstream(registered, vtn, now)
    await upstream.receive(pushed(m.RequestReregistration(ven_id=registered.memory.ven_id)), VTN)
    wire.open.clear()
    stepping = asyncio.create_task(upstream.step())
    await wire.busy.wait()
    async with asyncio.timeout(5):
        # It is our re-registration that is on its way.
        assert (await upstream.receive(pushed(distribute(an_event())), VTN)).status == 503
    wire.open.set()
    await stepping
    assert vtn.said(m.CreatePartyRegistration)
    assert (await upstream.receive(pushed(distribute(an_event())), VTN)).status == 200
    assert len([one for one in store.kept if isinstance(one, EventReceived)]) == 1


async def test_a_push_wakes_what_has_to_be_said(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    upstream, _, _ = an_upstream(registered, vtn, now)
    running = asyncio.create_task(upstream.run())
    await asyncio.sleep(0)
    await upstream.receive(pushed(m.RequestReregistration(ven_id=registered.memory.ven_id)), VTN)
    async with asyncio.timeout(5):
        while not vtn.said(m.RequestEvent):  # noqa: ASYNC110  # the scripted VTN tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    assert [type(one) for one in vtn.heard] == [m.CreatePartyRegistration, m.RegisterReport, m.RequestEvent]


@pytest.mark.parametrize("turns", range(4))
async def test_it_ends_although_it_is_poked_at_the_same_moment(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    monkeypatch.setattr(registered, "next_wakeup", lambda: now + timedelta(hours=1))
    upstream, _, _ = an_upstream(registered, vtn, now)
    running = asyncio.create_task(upstream.run())
    for _ in range(20):
        await asyncio.sleep(0)
    upstream.poke()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    ended, _ = await asyncio.wait({running}, timeout=1)
    running.cancel()
    assert running in ended
