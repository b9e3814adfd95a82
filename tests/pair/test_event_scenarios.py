"""The acceptance scenarios of 2.0b's events (1.14): an operator's words, the wire, and what a VEN makes of it.

The operator's documents are those of docs/operator-events.md; both cores are ours, with no socket between them.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.market_context import ANY
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.times import moment_text
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.held import HeldEvent
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.application.handlers.events import cancel_events, create_event, replace_event
from openadr_vtn.domain.guard_rails import GuardRails
from tests.pair.test_oadr2_pair import Pair, a_pair
from tests.vtn.protocols.vtn_bench import Bench, running_bench
from tests.vtn.samples import a_peer, a_program

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
RAILS = GuardRails(event_max_w=1e9, step_max_w=1e9)


class Scene:
    """An operator, our VTN, and our VEN, which takes part in any program."""

    def __init__(self, bench: Bench, pair: Pair) -> None:
        self.bench = bench
        self.pair = pair

    async def create(self, event_id: str, document: dict[str, Any]) -> DrEvent:
        wanted = decode_event(json.dumps(document).encode())
        stored = await create_event(
            self.bench.store, wanted, actor="client:chief", event_id=event_id, rails=RAILS, now=self.bench.now
        )
        return stored.event

    async def change(self, event_id: str, document: dict[str, Any]) -> DrEvent:
        wanted = decode_event(json.dumps(document).encode())
        stored = await replace_event(
            self.bench.store, event_id, wanted, actor="client:chief", rails=RAILS, now=self.bench.now
        )
        return stored.event

    async def cancel(self, event_id: str) -> None:
        await cancel_events(self.bench.store, [event_id], actor="client:chief", reason="drill", now=self.bench.now)

    async def wire(self, *, reply_limit: int | None = None) -> list[m.Event]:
        """What the VEN's events are on the wire now."""
        ven = self.bench.ven(a_peer())
        asked = m.RequestEvent(request_id="q", ven_id=self.pair.session.memory.ven_id, reply_limit=reply_limit)
        return list((await ven.ask(asked, m.DistributeEvent)).events)

    async def received(self, kind: type[i.EventReceived | i.EventChanged] = i.EventReceived) -> list[DrEvent]:
        """What the VEN has taken, once it had time to poll."""
        await self.pair.run(12)
        return [one.event for one in self.pair.indicated if isinstance(one, kind)]

    async def answers(self, event_id: str) -> list[tuple[int, OptType, str]]:
        async with self.bench.store.view() as view:
            return [(opt.version, opt.opt_type, opt.code) for _, opt in await view.opts.history(event_id)]


@pytest.fixture
async def scene(tmp_path: Path, now: datetime) -> AsyncIterator[Scene]:
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    async with running_bench(tmp_path / "vtn.db", now) as bench:
        async with bench.store.unit_of_work() as uow:
            await uow.programs.add(a_program(now, number=2))
        pair = a_pair(bench)
        pair.settings = replace(pair.settings, enrolled=Enrolled(relief_signs={ANY: ReliefSign.POSITIVE}))
        pair.start_ven()
        await pair.run(2)
        async with bench.store.view() as view:
            (party,) = await view.parties.all()
        await bench.approve(party.id)
        await pair.run(12)
        yield Scene(bench, pair)


def at(moment: datetime, minutes: float, *payloads: dict[str, Any], program: int = 1, **members: Any) -> dict[str, Any]:
    """An event of intervals of so many minutes, each with these payloads."""
    intervals = members.pop("intervals", [{"id": 0, "payloads": list(payloads)}])
    return {
        "programID": f"program-{program}",
        "intervalPeriod": {"start": moment_text(moment), "duration": f"PT{int(minutes * 60)}S"},
        "intervals": intervals,
        **members,
    }


def value(payload_type: str, number: float) -> dict[str, Any]:
    return {"type": payload_type, "values": [number]}


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"type": name, "values": one if isinstance(one, list) else [one]} for name, one in values.items()]


PRICE = [{"payloadType": "PRICE", "units": "KWH", "currency": "USD"}]
POWER = [{"payloadType": "DISPATCH_SETPOINT", "units": "KW"}]


@pytest.mark.openadr20b("R40", "R41", "V14")
async def test_009_a_request_without_events_is_answered_with_none(scene: Scene) -> None:
    assert await scene.wire() == []
    assert await scene.received() == []


@pytest.mark.openadr20b("R104", "R510", "V7", "V8", "R105", "R107", "R100", "R103")
async def test_e1_1020_a_price_for_two_resources(scene: Scene) -> None:
    """ELECTRICITY_PRICE 3.14 for ten minutes ahead, five minutes long."""
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create(
        "e1",
        at(
            start, 5, value("PRICE", 3.14), payloadDescriptors=PRICE, targets=["ven-one"],
            attributes=attributes(RESOURCE_ID=["r-1", "r-2"]),
        ),
    )  # fmt: skip
    (event,) = await scene.wire()
    (signal,) = event.signals
    assert (signal.signal_name, signal.signal_type, signal.intervals[0].value) == ("ELECTRICITY_PRICE", "price", 3.14)
    assert signal.item_base is not None
    assert (signal.item_base.name, signal.item_base.units) == ("currencyPerKWh", "USD")
    assert event.target == m.Target(resource_ids=("r-1", "r-2"))
    assert event.active_period.notification == timedelta(0)
    assert signal.intervals[0].dtstart is None
    (received,) = await scene.received()
    assert received.signals[0].kind is SignalKind.ELECTRICITY_PRICE
    assert [target.name for target in received.targets] == ["r-1", "r-2"]
    assert await scene.answers("e1") == [(0, OptType.IN, "200")]


@pytest.mark.openadr20b("R104", "R510")
async def test_e1_1025_a_setpoint(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create("e1", at(start, 5, value("DISPATCH_SETPOINT", 40), payloadDescriptors=POWER))
    (event,) = await scene.wire()
    (signal,) = event.signals
    assert (signal.signal_name, signal.signal_type, signal.intervals[0].value) == ("LOAD_DISPATCH", "setpoint", 40.0)
    (received,) = await scene.received()
    assert (received.signals[0].kind, received.signals[0].intervals[0].value) == (SignalKind.NET_POWER, 40_000.0)


@pytest.mark.openadr20b("R2", "R8", "R101", "R102", "R108", "V6")
async def test_e1_1027_two_intervals_and_a_baseline(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    intervals = [
        {"id": number, "payloads": [value("DISPATCH_SETPOINT", kw), value("BASELINE", kw * 3)]}
        for number, kw in enumerate((40, 50))
    ]
    descriptors = [*POWER, {"payloadType": "BASELINE", "units": "KW"}]
    document = at(start, 5, intervals=intervals, payloadDescriptors=descriptors)
    await scene.create("e1", {**document, "attributes": attributes(BASELINE_NAME="usual", BASELINE_RESOURCE="r-1")})
    (event,) = await scene.wire()
    assert [interval.uid for interval in event.signals[0].intervals] == ["0", "1"]
    assert event.active_period.duration == 10 * MINUTE
    assert event.baseline is not None
    assert [(one.uid, one.value, one.duration) for one in event.baseline.intervals] == [
        ("0", 120.0, 5 * MINUTE), ("1", 150.0, 5 * MINUTE),
    ]  # fmt: skip
    assert (event.baseline.dtstart, event.baseline.duration) == (start, 10 * MINUTE)
    assert (event.baseline.baseline_name, event.baseline.resource_ids) == ("usual", ("r-1",))
    (received,) = await scene.received()
    assert received.baseline is not None
    assert [interval.value for interval in received.baseline.intervals] == [120_000.0, 150_000.0]


@pytest.mark.openadr20b("R106", "R14", "R29", "R110", "V9")
async def test_simple_and_price_together(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create("e1", at(start, 5, value("SIMPLE", 2), value("PRICE", 0.5), payloadDescriptors=PRICE))
    (event,) = await scene.wire()
    assert [(one.signal_name, one.current_value) for one in event.signals] == [
        ("SIMPLE", 0.0), ("ELECTRICITY_PRICE", None),
    ]  # fmt: skip
    assert len({signal.signal_id for signal in event.signals}) == 2
    scene.bench.now = start
    (running,) = await scene.wire()
    assert [one.current_value for one in running.signals] == [2.0, 0.5]
    (received,) = await scene.received()
    assert {signal.kind for signal in received.signals} == {SignalKind.LEVEL, SignalKind.ELECTRICITY_PRICE}


@pytest.mark.openadr20b("R4", "R5", "R20", "R57", "V1", "V2", "N3")
async def test_an_active_event_is_modified(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0)
    await scene.create("e1", at(start, 30, value("DISPATCH_SETPOINT", 40), payloadDescriptors=POWER))
    (first,) = await scene.received()
    longer = at(start, 60, value("DISPATCH_SETPOINT", 40), payloadDescriptors=POWER)
    longer["attributes"] = attributes(MODIFICATION_REASON="more heat")
    await scene.change("e1", longer)
    (event,) = await scene.wire()
    assert event.descriptor.modification_number == 1
    assert event.descriptor.modification_reason == "more heat"
    assert event.descriptor.modification_date_time == scene.bench.now
    (changed,) = await scene.received(i.EventChanged)
    assert (first.version, changed.version, changed.duration) == (0, 1, 60 * MINUTE)
    assert await scene.answers("e1") == [(0, OptType.IN, "200"), (1, OptType.IN, "200")]


@pytest.mark.openadr20b("R10", "R36", "R50", "R52", "R59", "V10", "V11", "N4")
async def test_a_cancelled_event_is_told_until_it_is_acknowledged(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0)
    await scene.create("e1", at(start, 30, value("SIMPLE", 1)))
    await scene.received()
    await scene.cancel("e1")
    (event,) = await scene.wire()
    assert (event.descriptor.event_status, event.descriptor.modification_number) == ("cancelled", 1)
    await scene.pair.run(12)
    (gone,) = [one for one in scene.pair.indicated if isinstance(one, i.EventCancelled)]
    assert (gone.event.id, gone.implied) == ("e1", False)
    assert await scene.wire() == []
    assert await scene.answers("e1") == [(0, OptType.IN, "200"), (1, OptType.IN, "200")]


@pytest.mark.openadr20b("R12", "R62", "N1")
async def test_an_event_that_must_not_be_answered_is_not(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create("e1", at(start, 5, value("SIMPLE", 1), attributes=attributes(RESPONSE_REQUIRED="NEVER")))
    (event,) = await scene.wire()
    assert event.response_required is False
    assert len(await scene.received()) == 1
    assert await scene.answers("e1") == []
    async with scene.bench.store.view() as view:
        (row,) = await view.deliveries.of_event("e1")
    assert row.fetched_at is not None
    assert row.attempts == 2, "asked for once by this test and polled once; it is not said again"


@pytest.mark.openadr20b("R13", "V3")
async def test_a_0527_far_near_active_with_a_ramp_of_four_minutes(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create("e1", at(start, 5, value("SIMPLE", 1), attributes=attributes(RAMP_UP="PT4M", RECOVERY="PT2M")))
    statuses = []
    for moment in (start - 4 * MINUTE - SECOND, start - 4 * MINUTE, start - SECOND, start, start + 5 * MINUTE - SECOND):
        scene.bench.now = moment
        (event,) = await scene.wire()
        statuses.append(event.descriptor.event_status)
    assert statuses == ["far", "near", "near", "active", "active"]
    assert (event.active_period.ramp_up, event.active_period.recovery) == (4 * MINUTE, 2 * MINUTE)
    scene.bench.now = start + 5 * MINUTE
    assert await scene.wire() == []


@pytest.mark.openadr20b("R30", "R66", "V5", "N6", "N8")
async def test_a_0685_the_start_is_drawn_once_and_the_event_kept_until_nothing_can_happen(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    document = at(start, 5, value("SIMPLE", 1), attributes=attributes(START_AFTER="PT2M"))
    await scene.create("e1", document)
    await scene.received()
    (known,) = scene.pair.session.memory.known
    held = HeldEvent(
        event=known.event, opt=Opt(event_id="e1", version=0, opt_type=OptType.IN, at=start), received_at=start,
        delay_fraction=known.delay_fraction,
    )  # fmt: skip
    assert timedelta(0) <= held.delay <= 2 * MINUTE
    scene.pair.start_ven(scene.pair.session.memory)
    await scene.change("e1", {**document, "eventName": "another word"})
    await scene.received(i.EventChanged)
    (again,) = scene.pair.session.memory.known
    assert (again.event.version, again.delay_fraction) == (1, known.delay_fraction)
    scene.bench.now = start + 6 * MINUTE
    (event,) = await scene.wire()
    assert event.descriptor.event_status == "completed"
    await scene.pair.run(4)
    assert [one.event.id for one in scene.pair.session.memory.known] == ["e1"], "what is over for the VTN may run here"
    scene.bench.now = start + 7 * MINUTE
    assert await scene.wire() == []


@pytest.mark.openadr20b("R3", "R15", "V12")
async def test_a_0510_order_of_events_of_two_programs(scene: Scene) -> None:
    now = scene.bench.now.replace(microsecond=0)
    for name, program, minutes, priority in (
        ("late", 1, 90, 0), ("soon", 2, 30, None), ("second", 1, 0, 2), ("first", 2, 0, 1), ("last", 1, 0, None),
    ):  # fmt: skip
        document = at(now + minutes * MINUTE, 60, value("SIMPLE", 1), program=program)
        await scene.create(name, document if priority is None else {**document, "priority": priority})
    events = await scene.wire()
    assert [event.descriptor.event_id for event in events] == ["first", "second", "last", "soon", "late"]
    assert [event.descriptor.priority for event in events] == [2, 3, 0, 0, 1]
    assert len({event.descriptor.market_context for event in events}) == 2
    await scene.cancel("second")
    assert [event.descriptor.event_id for event in await scene.wire()][1] == "second", "cancelled, in its place"
    assert len(await scene.received()) == 4


@pytest.mark.openadr20b("R27", "V13")
async def test_a_0655_three_events_and_a_reply_limit(scene: Scene) -> None:
    now = scene.bench.now.replace(microsecond=0)
    for number in range(3):
        await scene.create(f"e{number}", at(now + (3 - number) * 60 * MINUTE, 5, value("SIMPLE", 1)))
    for limit, expected in ((1, ["e2"]), (2, ["e2", "e1"]), (3, ["e2", "e1", "e0"]), (9, ["e2", "e1", "e0"])):
        events = await scene.wire(reply_limit=limit)
        assert [event.descriptor.event_id for event in events] == expected
    await scene.pair.run(40)
    assert {event.id for event in await scene.received()} == {"e0", "e1", "e2"}


@pytest.mark.openadr20b("R47", "V4")
async def test_an_open_ended_event_runs_until_it_is_cancelled(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0)
    document = at(start, 5, value("SIMPLE", 1))
    document["intervalPeriod"]["duration"] = "P9999Y"
    await scene.create("e1", document)
    (event,) = await scene.wire()
    assert (event.active_period.duration, event.signals[0].intervals[0].duration) == (timedelta(0), timedelta(0))
    (received,) = await scene.received()
    assert received.duration is None
    scene.bench.pass_time(400 * 86_400)
    (still,) = await scene.wire()
    assert still.descriptor.event_status == "active"
    await scene.cancel("e1")
    await scene.pair.run(70, step=5)
    assert scene.pair.session.memory.known == ()


@pytest.mark.openadr20b("R6", "N9")
async def test_a_test_event_is_told_as_one(scene: Scene) -> None:
    start = scene.bench.now.replace(microsecond=0) + 10 * MINUTE
    await scene.create(
        "e1", at(start, 5, value("SIMPLE", 1), attributes=attributes(TEST_EVENT=True, VTN_COMMENT="a drill"))
    )
    (event,) = await scene.wire()
    assert (event.descriptor.test_event, event.descriptor.vtn_comment) == ("true", "a drill")
    (received,) = await scene.received()
    assert (received.test, received.comment) == (True, "a drill")
