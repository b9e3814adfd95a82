"""Our VTN that pushes against our VEN that does not poll, with no socket between them: as it should go, and losses.

Whatever is lost, on the way there or back, of either side's exchanges, and whichever process begins anew, the two end
up agreeing on every event, and the VEN has indicated each version once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from openadr_core.errors import ConnectFailed, PeerClosed
from openadr_core.exchange import Request, Response
from openadr_core.identity import peer_of
from openadr_core.limits import UNANSWERED_SENDS_MAX
from openadr_core.model.event import DrEvent
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.shell.datafiles import load_schema
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.oadr2 import Pushed
from openadr_vtn.adapters.push import Pusher
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.application.handlers import registration
from openadr_vtn.protocols.oadr2_push import Oadr2Pusher, Parcel
from tests.pair.test_oadr2_pair import Pair, a_pair, as_agreed, happened, measured
from tests.vtn.protocols.vtn_bench import Bench, running_bench

VTN = peer_of(b"the VTN's certificate")
ADDRESS = "https://ven.example:8443/ven/"
LONGEST = timedelta(seconds=8)


@dataclass
class PushedPair(Pair):
    """A pair whose VTN comes to the VEN."""

    fate: Callable[[], str] = lambda: ""
    """Of each exchange that the VTN begins: ``request`` or ``answer`` is lost, or nothing."""
    down: bool = False
    """Nothing listens where the VEN was."""
    pushed: list[m.Message] = field(default_factory=list)
    """What reached the VEN."""
    answered: list[Response] = field(default_factory=list)
    pusher: Pusher = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.start_pusher()

    def start_pusher(self) -> None:
        core = Oadr2Pusher(
            desk=self.bench.vtn.desk,
            schema=load_schema(),
            signatures=None,
            retry_longest=LONGEST,
            dice=random.Random(self.bench.restarts),
        )
        self.pusher = Pusher(
            store=self.bench.store, core=core, carrier=self, now=lambda: self.bench.now,
            holder=f"process-{self.bench.restarts}", witness=self.bench.notices.append,
            saw=self.bench.vtn.directory.saw,
        )  # fmt: skip

    async def carry(self, parcel: Parcel) -> Response:
        fate = self.fate()
        if self.down:
            raise ConnectFailed("nothing answers at the address")
        if fate == "request":
            raise PeerClosed("lost on the way there")
        request = Request(
            method="POST", path=urlsplit(parcel.url).path, body=parcel.body, headers={"content-type": "application/xml"}
        )
        answer = self.session.receive_request(request, VTN, now=self.bench.now)
        self.pushed.append(decode(parcel.body, load_schema()))
        self.answered.append(answer)
        self.decide()
        if fate == "answer":
            raise PeerClosed("lost on the way back")
        return answer

    async def push(self) -> None:
        """A turn of the VTN, and what follows from it at once."""
        for _ in range(30):
            await self.pusher.turn()
            if not self.pusher.in_flight:
                return
            await asyncio.gather(*self.pusher._under_way.values())
        raise AssertionError("the VTN never falls silent")

    async def run(self, seconds: float, *, step: float = 1.0) -> None:
        for _ in range(int(seconds / step)):
            for _ in range(30):
                await self.push()
                if not await self.exchange():
                    break
            else:
                raise AssertionError("the two never fall silent")
            self.bench.pass_time(step)

    def said(self, kind: type[m.Message]) -> list[m.Message]:
        return [message for message in self.pushed if isinstance(message, kind)]


@pytest.fixture
async def bench(tmp_path: Path, now: datetime) -> AsyncIterator[Bench]:
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    async with running_bench(tmp_path / "vtn.db", now) as bench:
        yield bench


def a_pushed_pair(bench: Bench, *, seed: int = 1) -> PushedPair:
    polling = a_pair(bench, seed=seed)
    pushed = Pushed(address=ADDRESS, vtn_sha256=frozenset({VTN.certificate_sha256}))
    return PushedPair(bench=bench, dice=polling.dice, settings=replace(polling.settings, pushed=pushed))


async def enrolled_pair(bench: Bench, *, seed: int = 1) -> PushedPair:
    pair = a_pushed_pair(bench, seed=seed)
    await pair.run(2)
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
    await bench.approve(party.id)
    await pair.run(8)
    assert pair.session.memory.registered
    return pair


@pytest.mark.openadr20b("R301", "R309", "R403", "R500", "G3", "G9", "Q5", "T12", "T13", "T15")
async def test_from_a_strange_certificate_to_delivered_power(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
        assert party.registration is not None
        assert (party.registration.pull, party.registration.transport_address) == (False, ADDRESS)
    assert pair.session.memory.poll_freq == timedelta(0), "who is pushed to is told no interval"
    assert [type(message) for message in pair.pushed] == [m.RegisterReport], "R301: ours, of which there are none"
    (asked,) = pair.of(i.ReportRequested)
    assert isinstance(asked, i.ReportRequested)
    event = await bench.write_event()
    await pair.run(1)
    (received,) = pair.of(i.EventReceived)
    assert isinstance(received, i.EventReceived)
    assert as_agreed(received.event) == as_agreed(event)
    (told,) = pair.said(m.DistributeEvent)
    assert isinstance(told, m.DistributeEvent)
    assert told.response is None, "V14: nobody asked"
    assert (pair.answered[-1].status, pair.answered[-1].body) == (200, b"")
    readings = tuple(measured(asked.request, event.starts_at))
    pair.session.report(Batch(number=1, request=asked.request, readings=readings))
    await pair.run(3)
    row = await bench.row_of(event)
    async with bench.store.view() as view:
        state = (await view.pushes.of_parties([party.id]))[party.id]
    assert None not in {row.notified_at, row.fetched_at, row.answered_at, row.reported_at}
    assert (row.attempts, state.outcome, state.failures) == (1, "delivered", 0)
    assert len(pair.said(m.DistributeEvent)) == 1, "what is answered is not said again"
    assert not pair.of(i.VtnRefused, i.ReportRefused, i.EventRefused, i.VtnUnreachable)


@pytest.mark.openadr20b("R5", "R10", "R50", "R61", "T13")
async def test_a_change_a_cancel_and_a_withdrawal_arrive_as_what_they_are(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    one = await bench.write_event(event_id="one")
    two = await bench.write_event(event_id="two", response_required=False)
    await pair.run(2)
    one = await bench.revise_event(one, replace(one, comment="longer", priority=1))
    await pair.run(2)
    await bench.cancel_event(one)
    await bench.cancel_event(two)
    await pair.run(2)
    changes = [(type(each).__name__, each.event.id, each.event.version) for each in happened(pair)]
    assert changes == [
        ("EventReceived", "one", 0),
        ("EventReceived", "two", 0),
        ("EventChanged", "one", 1),
        ("EventCancelled", "one", 2),
        ("EventCancelled", "two", 1),
    ]
    pushed = len(pair.pushed)
    await pair.run(120, step=5)
    assert len(pair.pushed) == pushed, "then there is nothing more to say"


@pytest.mark.openadr20b("R405", "R407", "G5", "G7", "T13")
async def test_registrations_are_renewed_and_ended_from_the_vtn(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    party_id, before = pair.session.memory.ven_id, pair.session.memory.registration_id
    renew = {"actor": "client:x", "new_id": bench.vtn.desk.new_id}
    await registration.request_reregistration(bench.store, party_id, now=bench.now, **renew)  # type: ignore[arg-type]
    await pair.run(4)
    assert pair.session.memory.registration_id == before
    assert len(pair.of(i.Registered)) == 2
    async with bench.store.view() as view:
        assert not await view.errands.of_parties([party_id])
    await registration.cancel_registration(bench.store, party_id, now=bench.now, **renew)  # type: ignore[arg-type]
    await pair.run(1)
    assert pair.of(i.RegistrationLost)
    async with bench.store.view() as view:
        party = await view.parties.by_id(party_id)
    assert party is not None
    assert party.registration is None
    await pair.run(12)
    assert pair.session.memory.registered, "R401: and tries again after a while"


@pytest.mark.openadr20b("R407", "T10")
async def test_who_cannot_be_told_that_it_is_registered_no_more_is_so_all_the_same(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    party_id = pair.session.memory.ven_id
    pair.down = True
    await registration.cancel_registration(
        bench.store, party_id, actor="client:x", new_id=bench.vtn.desk.new_id, now=bench.now
    )
    for _ in range(60):
        await pair.push()
        bench.pass_time(2)
    async with bench.store.view() as view:
        party = await view.parties.by_id(party_id)
        assert not await view.errands.of_parties([party_id])
    assert party is not None
    assert party.registration is None


@pytest.mark.openadr20b("T10", "R52")
async def test_a_ven_that_was_down_is_found_again_and_told_what_is_so_then(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    pair.down = True
    bench.notices.clear()
    event = await bench.write_event()
    await _alone(pair, 20)
    event = await bench.revise_event(event, replace(event, comment="changed while it was down"))
    await _alone(pair, 40)
    assert [notice.kind for notice in bench.notices].count("party unreachable") == 1
    async with bench.store.view() as view:
        (state,) = (await view.pushes.of_parties([pair.session.memory.ven_id])).values()
    assert state.failures > 5
    assert state.retry_at is not None
    assert state.retry_at - bench.now <= LONGEST * 1.1
    pair.down = False
    await pair.run(LONGEST.total_seconds() + 2)
    assert [(each.event.id, each.event.version) for each in happened(pair)] == [(event.id, 1)]
    assert [notice.kind for notice in bench.notices].count("party reachable") == 1
    assert (await bench.row_of(event, 1)).answered_at is not None


async def _alone(pair: PushedPair, seconds: int) -> None:
    for _ in range(seconds):
        await pair.push()
        pair.bench.pass_time(1)


@pytest.mark.openadr20b("T8", "R500")
@pytest.mark.parametrize("status", [404, 406, 501])
async def test_what_is_refused_for_good_is_not_said_again_until_it_is_something_else(bench: Bench, status: int) -> None:
    pair = await enrolled_pair(bench)
    refusing = Refusing(pair, status)
    pair.pusher._carrier = refusing
    event = await bench.write_event()
    await _alone(pair, 60)
    assert refusing.asked == 1
    pair.bench.restart()
    pair.start_pusher()
    pair.pusher._carrier = refusing
    await _alone(pair, 60)
    assert refusing.asked == 1, "nor after a restart"
    await bench.revise_event(event, replace(event, comment="something else"))
    await _alone(pair, 60)
    assert refusing.asked == 2
    assert [notice.detail for notice in bench.notices if notice.kind == "push refused"] == [f"HTTP {status}"] * 2


@pytest.mark.openadr20b("T8", "T10")
@pytest.mark.parametrize("status", [302, 400, 403, 500, 503])
async def test_what_may_be_tried_again_is_tried_with_growing_pauses(bench: Bench, status: int) -> None:
    pair = await enrolled_pair(bench)
    refusing = Refusing(pair, status)
    pair.pusher._carrier = refusing
    await bench.write_event()
    await _alone(pair, 60)
    assert 8 <= refusing.asked <= 12, "1, 2, 4 and then every 8 s"


@pytest.mark.openadr20b("T8", "T10", "T13", "R50")
async def test_who_hears_an_event_and_says_no_has_not_taken_it(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    ven_id = pair.session.memory.ven_id
    no = m.Response(response=m.EiResponse(response_code="459", response_description="not signed"), ven_id=ven_id)
    refusing = Refusing(pair, 200, encode(no))
    pair.pusher._carrier = refusing
    event = await bench.write_event()
    await _alone(pair, 60)
    assert 8 <= refusing.asked <= 12, "as often as where it fails"
    assert [one.detail for one in bench.notices if one.kind == "push refused"] == ["459 not signed"]
    async with bench.store.view() as view:
        (state,) = (await view.pushes.of_parties([ven_id])).values()
    assert state.outcome == "459 not signed"
    assert (await bench.row_of(event)).fetched_at is None
    pair.pusher._carrier = pair
    await pair.run(LONGEST.total_seconds() + 2)
    assert (await bench.row_of(event)).answered_at is not None


@pytest.mark.openadr20b("T13")
async def test_who_says_yes_where_nothing_need_be_said_has_taken_it(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    yes = m.Response(response=m.EiResponse(response_code="200"), ven_id=pair.session.memory.ven_id)
    pair.pusher._carrier = refusing = Refusing(pair, 200, encode(yes))
    event = await bench.write_event()
    await pair.push()
    assert (refusing.asked, (await bench.row_of(event)).fetched_at) == (1, bench.now)


class Refusing:
    def __init__(self, pair: PushedPair, status: int, body: bytes = b"<nobody/>") -> None:
        self._pair = pair
        self._status = status
        self._body = body
        self.asked = 0

    async def carry(self, parcel: Parcel) -> Response:
        del parcel
        self.asked += 1
        return Response(status=self._status, body=self._body)


@pytest.mark.openadr20b("R57", "R61", "T10", "N3")
@pytest.mark.parametrize("seed", range(6))
async def test_no_loss_makes_them_disagree(bench: Bench, seed: int) -> None:
    pair = await enrolled_pair(bench, seed=seed)
    dice = random.Random(seed)
    pair.fate = lambda: dice.choice(["", "", "request", "answer"])
    events: dict[str, DrEvent] = {}
    for number in range(250):
        fate = dice.random()
        if fate < 0.03:
            event = await bench.write_event(event_id=f"event-{number}", response_required=dice.random() < 0.8)
            events[event.id] = event
        elif fate < 0.06 and events:
            event = dice.choice(list(events.values()))
            events[event.id] = await bench.revise_event(event, replace(event, comment=f"change {number}"))
        elif fate < 0.08 and events:
            event = events.pop(dice.choice(list(events)))
            await bench.cancel_event(event)
        elif fate < 0.10:
            await pair.pusher.close()
            bench.restart()
            pair.start_pusher()
            pair.channel = pair.channel.reconnected()
        elif fate < 0.12:
            pair.start_ven(pair.session.memory)
        elif fate < 0.15:
            pair.down = not pair.down
        else:
            await pair.push()
            await pair.exchange(loses=dice.choice(["", "", "request", "answer"]))
            bench.pass_time(dice.choice([0.1, 1, 2]))
    pair.down, pair.fate = False, lambda: ""
    await pair.run(200, step=4)
    held = {known.event.id: known.event.version for known in pair.session.memory.known}
    assert held == {event.id: event.version for event in events.values()}
    repeats = Counter((type(each), each.event.id, each.event.version) for each in happened(pair))
    assert set(repeats.values()) == {1}
    assert len(repeats) >= 3
    async with bench.store.view() as view:
        for event in events.values():
            (row,) = [row for row in await view.deliveries.of_event(event.id) if row.version == event.version]
            assert row.fetched_at is not None or row.attempts >= UNANSWERED_SENDS_MAX
            if event.response_required:
                assert (await view.opts.latest(event.id))[pair.session.memory.ven_id].version == event.version
        assert not await view.errands.of_parties([pair.session.memory.ven_id])
