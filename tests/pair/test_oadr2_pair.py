"""Our VTN's 2.0b core against our VEN's, with no socket between them: as it should go, and through losses.

Whatever is lost (a request, an answer, a connection, either process) the two end up agreeing on every
event, and the VEN has indicated each version once.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.model.report import DataPoint, Measurand, Reading, ReportOffer, ReportRequest
from openadr_core.model.target import by_name
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.market_context import normalised
from openadr_core.shell.datafiles import load_schema
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, SessionSettings
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import HOUR, a_peer, a_program

SECOND = timedelta(seconds=1)
OFFER = ReportOffer(
    specifier_id="fleet",
    report_name="TELEMETRY_USAGE",
    data_points=tuple(
        DataPoint(r_id=r_id, measurand=measurand, min_period=SECOND, max_period=timedelta(minutes=15))
        for r_id, measurand in (("power", Measurand.USAGE), ("usual", Measurand.BASELINE))
    ),
    buffered=HOUR,
)


@dataclass
class Pair:
    """A VEN core and what it would have told an agent, which opts in to everything at once."""

    bench: Bench
    dice: random.Random
    settings: SessionSettings
    session: Oadr2Session = field(init=False)
    channel: Ven = field(init=False)
    indicated: list[i.Indication] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start_ven()

    def start_ven(self, memory: Memory | None = None) -> None:
        self.channel = self.bench.ven(a_peer())
        self.session = Oadr2Session(
            settings=self.settings,
            decode=lambda body: decode(body, load_schema()),
            dice=self.dice,
            now=self.bench.now,
            memory=memory,
        )

    async def exchange(self, *, loses: str = "") -> bool:
        """One exchange if one is due; ``loses`` is ``request``, ``answer`` or nothing."""
        self.decide()
        request = self.session.next_request(now=self.bench.now)
        if request is None:
            return False
        if loses != "request":
            response = await self.channel.connection.receive_request(request, self.bench.now)
        if loses:
            self.channel = self.channel.reconnected()
            self.session.request_failed(now=self.bench.now, reason=f"lost the {loses}")
        else:
            self.session.receive_response(response, now=self.bench.now)
        self.decide()
        return True

    async def run(self, seconds: float, *, step: float = 1.0) -> None:
        """Without loss, for so long."""
        for _ in range(int(seconds / step)):
            for _ in range(30):
                if not await self.exchange():
                    break
            else:
                raise AssertionError("the two never fall silent")
            self.bench.pass_time(step)

    def of(self, *kinds: type[i.Indication]) -> list[i.Indication]:
        return [one for one in self.indicated if isinstance(one, kinds)]

    def decide(self) -> None:
        for one in self.session.indications():
            self.indicated.append(one)
            if isinstance(one, i.EventReceived | i.EventChanged | i.EventCancelled):
                self.session.answer(
                    Opt(
                        event_id=one.event.id,
                        version=one.event.version,
                        opt_type=OptType.IN,
                        at=self.bench.now,
                    )
                )


def a_pair(bench: Bench, *, seed: int = 1) -> Pair:
    context = a_program(bench.now).program.market_context
    settings = SessionSettings(
        ven_name="ven-one",
        poll_interval=2 * SECOND,
        enrolment_retry=5 * SECOND,
        enrolled=Enrolled(relief_signs={normalised(context): ReliefSign.POSITIVE}),
        offers=(OFFER,),
    )
    return Pair(bench=bench, dice=random.Random(seed), settings=settings)


async def enrolled_pair(bench: Bench, *, seed: int = 1) -> Pair:
    pair = a_pair(bench, seed=seed)
    await pair.run(2)
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
    await bench.approve(party.id)
    await pair.run(12)
    return pair


@pytest.mark.openadr20b("R301", "R401", "R405", "R517", "G8", "G9")
async def test_from_a_strange_certificate_to_delivered_power(bench: Bench) -> None:
    pair = a_pair(bench)
    await pair.run(3)
    assert pair.of(i.NotEnrolled)
    assert not pair.of(i.Registered)
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
    await bench.approve(party.id)
    await pair.run(12)
    (registered,) = pair.of(i.Registered)
    assert isinstance(registered, i.Registered)
    assert registered.ven_id == party.id
    (asked,) = pair.of(i.ReportRequested)
    assert isinstance(asked, i.ReportRequested)
    event = await bench.write_event()
    await pair.run(11)
    (received,) = pair.of(i.EventReceived)
    assert isinstance(received, i.EventReceived)
    assert as_agreed(received.event) == as_agreed(event)
    readings = measured(asked.request, event.starts_at)
    pair.session.report(Batch(number=1, request=asked.request, readings=tuple(readings)))
    await pair.run(3)
    assert i.ReportDelivered(batch=1) in pair.indicated
    async with bench.store.view() as view:
        (row,) = await view.deliveries.of_event(event.id)
        assert (await view.opts.latest(event.id))[party.id].opt_type is OptType.IN
        power = await view.reports.series(party.id, Measurand.USAGE, event.starts_at, event.starts_at + HOUR)
        (request,) = await view.reports.requests(party.id)
    assert [reading.value for reading in power] == [3e6] * 5
    assert request.confirmed_at is not None
    assert None not in {row.notified_at, row.fetched_at, row.answered_at, row.reported_at}
    assert not pair.of(i.VtnRefused, i.ReportRefused, i.EventRefused, i.VtnUnreachable)


def measured(request: ReportRequest, since: datetime) -> list[Reading]:
    return [
        Reading(r_id=r_id, starts_at=since + second * SECOND, duration=SECOND, value=value)
        for second in range(5)
        for r_id, value in zip(request.r_ids, (3e6, 8e6), strict=True)
    ]


def as_agreed(event: DrEvent) -> tuple[object, ...]:
    """What of an event both sides must see alike."""
    return (
        event.id, event.version, event.starts_at, event.duration, event.signals, event.priority,
        event.response_required, event.cancelled_at is None,
    )  # fmt: skip


@pytest.mark.openadr20b("R57", "R59", "N3", "N4")
async def test_a_change_a_cancel_and_a_withdrawal_arrive_as_what_they_are(bench: Bench) -> None:
    pair = await enrolled_pair(bench)
    one, two = await bench.write_event(event_id="one"), await bench.write_event(event_id="two")
    await pair.run(11)
    one = await bench.revise_event(one, replace(one, comment="longer", priority=1))
    await pair.run(11)
    await bench.cancel_event(one)
    two = await bench.revise_event(two, replace(two, targets=by_name("somebody-else")))
    await pair.run(11)
    changes = [(type(each).__name__, each.event.id, each.event.version) for each in happened(pair)]
    assert changes == [
        ("EventReceived", "one", 0),
        ("EventReceived", "two", 0),
        ("EventChanged", "one", 1),
        ("EventCancelled", "one", 2),
        ("EventCancelled", "two", 1),
    ]
    assert not any(each.implied for each in happened(pair) if isinstance(each, i.EventCancelled))
    async with bench.store.view() as view:
        rows = [row for event_id in ("one", "two") for row in await view.deliveries.of_event(event_id)]
    assert all(row.answered_at is not None for row in rows)


def happened(pair: Pair) -> list[i.EventReceived | i.EventChanged | i.EventCancelled]:
    return [each for each in pair.indicated if isinstance(each, i.EventReceived | i.EventChanged | i.EventCancelled)]


@pytest.mark.openadr20b("R50", "R52", "R57", "T10")
@pytest.mark.parametrize("seed", range(6))
async def test_no_loss_makes_them_disagree(bench: Bench, seed: int) -> None:
    pair = await enrolled_pair(bench, seed=seed)
    dice = random.Random(seed)
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
            bench.restart()
            pair.channel = pair.channel.reconnected()
        elif fate < 0.12:
            pair.start_ven(pair.session.memory)
        else:
            await pair.exchange(loses=dice.choice(["", "", "request", "answer"]))
            bench.pass_time(dice.choice([0.1, 1, 2]))
    await pair.run(200, step=4)
    held = {known.event.id: known.event.version for known in pair.session.memory.known}
    assert held == {event.id: event.version for event in events.values()}
    repeats = Counter((type(each), each.event.id, each.event.version) for each in happened(pair))
    assert set(repeats.values()) == {1}
    assert len(repeats) >= 3
    party_id = pair.session.memory.ven_id
    async with bench.store.view() as view:
        for event in events.values():
            (row,) = [row for row in await view.deliveries.of_event(event.id) if row.version == event.version]
            assert row.fetched_at is not None
            if event.response_required:
                assert (await view.opts.latest(event.id))[party_id].version == event.version
