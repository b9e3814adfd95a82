"""Reports from what is seen to the conversation, over a real store: in order, in bounds, over restarts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openadr_core.limits import REPORT_INTERVALS_MAX
from openadr_core.model.report import Quality, ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_ven.application.observation import Observation
from openadr_ven.application.report_offers import HISTORY, HISTORY_STEP, STATUS, USAGE, resources_of
from openadr_ven.application.reporter import HANDED_MAX, MADE_AT_ONCE_MAX, Kept, Reporter
from openadr_ven.application.reporting import first_moment
from openadr_ven.application.status_reporting import Resources
from openadr_ven.domain.held import Batch, HistoryStep, WantedReport
from tests.ven.application.test_observation import hear
from tests.ven.application.world import FailingStore, World, store_at
from tests.ven.fleet.synthetic import fleet_of
from tests.ven.protocols.scripted_vtn import VEN_ID

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = fleet_of(20, seed=3)
KEPT = Kept(history=timedelta(days=10), undelivered=timedelta(days=1))


def a_request(specifier_id: str = USAGE, **changes: object) -> ReportRequest:
    request = ReportRequest(
        id=f"r-{specifier_id}", specifier_id=specifier_id, r_ids=("power",), granularity=SECOND, report_back=SECOND,
        starts_at=NOW, duration=None,
    )  # fmt: skip
    return replace(request, **changes)  # type: ignore[arg-type]


HISTORY_REQUEST = a_request(
    HISTORY, granularity=ZERO, report_back=ZERO, starts_at=NOW - timedelta(days=9), history=True
)


@dataclass
class Desk:
    """A reporter that hears its fleet each second."""

    store: FailingStore
    now: datetime = NOW
    wanted: dict[str, WantedReport] = field(default_factory=dict)
    handed: list[Batch] = field(default_factory=list)

    async def start(self) -> None:
        """A new process."""
        self.seen = Observation(FLEET, baseline_s=10, started_s=self.now.timestamp())
        resources = Resources(fleet=FLEET, names=resources_of(FLEET, "fleet"))
        self.reporter = Reporter(seen=self.seen, resources=resources, kept=KEPT, now=self.now)
        self.handed.clear()
        async with self.store.unit_of_work() as unit:
            await self.reporter.restore(unit, now=self.now)
            self.wanted = {one.request.id: one for one in await unit.wanted_reports()}

    async def want(self, request: ReportRequest) -> None:
        one = WantedReport(request=request, reported_until=first_moment(request, self.now))
        self.wanted[request.id] = one
        async with self.store.unit_of_work() as unit:
            await unit.save_wanted_report(one)

    async def second(self, count: int = 1, *, heard: bool = True) -> None:
        async with self.store.unit_of_work() as unit:
            for _ in range(count):
                self.now += SECOND
                if heard:
                    hear(self.seen, FLEET, self.now, 2.0)
                made = await self.reporter.round(unit, self.wanted, normal_w=self.seen.state.power_w, now=self.now)
                self.reporter.stored(made)
                self.wanted = made.wanted
                self.handed += made.batches
            await unit.save_metered(self.seen.unsaved())

    async def settle(self, batches: Sequence[Batch]) -> None:
        async with self.store.unit_of_work() as unit:
            for batch in batches:
                await unit.forget_batch(batch.number)
        self.reporter.settled([batch.number for batch in batches])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(store=await store_at(tmp_path))
    await desk.start()
    yield desk
    await desk.store.close()


async def test_the_conversation_is_given_so_much_at_a_time_and_all_in_order(desk: Desk) -> None:
    await desk.want(a_request())
    await desk.second(HANDED_MAX + 30)
    assert len(desk.handed) == HANDED_MAX
    await desk.settle(desk.handed[:20])
    await desk.second()
    assert len(desk.handed) == HANDED_MAX + 20
    await desk.settle(desk.handed[20:])
    await desk.second(2)
    starts = [batch.readings[0].starts_at for batch in desk.handed]
    assert starts == [NOW + number * SECOND for number in range(len(starts))]
    assert len(starts) >= HANDED_MAX + 30


async def test_what_waits_for_a_later_report_makes_room_and_stays_in_the_store(desk: Desk) -> None:
    await desk.want(a_request())
    await desk.second(HANDED_MAX + 30)
    desk.reporter.settled([batch.number for batch in desk.handed[:20]])
    await desk.second()
    assert len(desk.handed) == HANDED_MAX + 20
    await desk.start()
    await desk.second()
    assert desk.handed[0].number == 1, "nobody has acknowledged it"


async def test_what_was_not_acknowledged_is_told_again_after_a_restart(desk: Desk) -> None:
    await desk.want(a_request())
    await desk.second(6)
    before = list(desk.handed)
    await desk.settle(before[:2])
    await desk.start()
    await desk.second()
    assert desk.handed[: len(before) - 2] == before[2:]


async def test_an_hour_to_make_up_for_is_made_up_for_in_steps(desk: Desk) -> None:
    await desk.second(5)
    await desk.want(a_request())
    desk.now += timedelta(minutes=5)
    await desk.second()
    assert len(desk.handed) == MADE_AT_ONCE_MAX
    await desk.second()
    assert len(desk.handed) == 2 * MADE_AT_ONCE_MAX


@pytest.mark.openadr20b("R317", "R325", "R510", "R-15")
async def test_history_that_is_too_long_for_one_message_comes_in_several(desk: Desk) -> None:
    steps = [
        HistoryStep(starts_at=NOW - number * HISTORY_STEP, power_w=float(number), baseline_w=0.0, quality=Quality.GOOD)
        for number in range(1, 2_501)
    ]
    async with desk.store.unit_of_work() as unit:
        await unit.save_history(steps[::-1])
    await desk.want(HISTORY_REQUEST)
    await desk.second()
    assert [len(batch.readings) for batch in desk.handed] == [REPORT_INTERVALS_MAX] * 2 + [500]
    assert [batch.last for batch in desk.handed] == [False, False, True]
    readings = [reading for batch in desk.handed for reading in batch.readings]
    assert [one.starts_at for one in readings] == [step.starts_at for step in reversed(steps)]
    assert desk.wanted == {}
    async with desk.store.unit_of_work() as unit:
        assert await unit.wanted_reports() == []


@pytest.mark.openadr20b("R510", "R309")
async def test_more_than_a_hundred_points_of_each_are_kept_over_a_restart(desk: Desk) -> None:
    """A second of usage, ten of status; and history goes on with a step for the time that we were away."""
    await desk.second(1_100)
    await desk.start()
    await desk.want(a_request(granularity=SECOND, report_back=120 * SECOND, starts_at=desk.now - 120 * SECOND))
    desk.wanted = {key: replace(one, reported_until=desk.now - 120 * SECOND) for key, one in desk.wanted.items()}
    await desk.second(2)
    (usage, *_) = desk.handed
    assert len(usage.readings) == 120
    assert {one.quality for one in usage.readings} == {Quality.GOOD}
    assert len(desk.reporter._log.between(NOW, desk.now)) >= 100
    desk.now += 2 * HISTORY_STEP
    await desk.second(70, heard=False)
    async with desk.store.unit_of_work() as unit:
        steps = await unit.history(NOW, desk.now)
    assert [one.starts_at for one in steps] == [NOW + number * HISTORY_STEP for number in range(len(steps))]
    assert [one.quality for one in steps][:2] == [Quality.ESTIMATED, Quality.GOOD]
    assert steps[-1].quality is Quality.BAD


async def test_what_is_too_old_goes_and_is_counted(desk: Desk) -> None:
    await desk.want(a_request())
    await desk.second(5)
    async with desk.store.unit_of_work() as unit:
        assert await desk.reporter.tidy(unit, desk.now) == 0
        assert await desk.reporter.tidy(unit, desk.now + KEPT.undelivered - 2 * SECOND) == 2
        assert await desk.reporter.tidy(unit, desk.now + timedelta(days=30)) == 3
        assert await unit.history(NOW - timedelta(days=1), desk.now) == []
        assert await unit.status_samples(NOW - timedelta(days=1)) == []
        assert await unit.metered(NOW - timedelta(days=1)) == []


@pytest.fixture
async def world(tmp_path: Path, now: datetime) -> AsyncIterator[World]:
    store = await store_at(tmp_path)
    world = World(store, now)
    await world.start()
    await world.second(12)
    yield world
    await store.close()


def once(world: World, specifier_id: str, *r_ids: str, since: datetime | None = None) -> m.CreateReport:
    specifier = m.ReportSpecifier(
        report_specifier_id=specifier_id,
        granularity=ZERO,
        report_back_duration=ZERO,
        payloads=tuple(m.SpecifierPayload(r_id=r_id, reading_type="x-notApplicable") for r_id in r_ids),
        dtstart=since,
        duration=None if since is None else ZERO,
    )
    request = m.ReportRequest(report_request_id=f"once {specifier_id}", specifier=specifier)
    return m.CreateReport(request_id="c", report_requests=(request,), ven_id=VEN_ID)


@pytest.mark.openadr20b("R324", "R337", "R510", "R-11", "R-15")
async def test_each_kind_of_report_is_told_within_seconds_and_once(world: World) -> None:
    world.vtn.queue.append(once(world, USAGE, "power", "energy", "baseline"))
    world.vtn.queue.append(once(world, STATUS, "fleet", "fleet-battery"))
    world.vtn.queue.append(once(world, HISTORY, "energy", since=world.now - timedelta(hours=1)))
    await world.second(4)
    told = {one.reports[0].report_specifier_id: one.reports[0] for one in world.vtn.said(m.UpdateReport)}
    assert set(told) == {USAGE, STATUS, HISTORY}
    assert {name: len(report.intervals) for name, report in told.items()} == {USAGE: 1, STATUS: 1, HISTORY: 1}
    power = told[USAGE].intervals[0].payloads[0]
    assert power.value == pytest.approx(float(world.town.state.power_w.sum()), rel=0.05)
    assert power.data_quality == "Quality Good - Non Specific"
    fleet = told[STATUS].intervals[0].payloads[0].value
    assert isinstance(fleet, m.ResourceStatus)
    assert (fleet.online, fleet.manual_override) == (True, False)
    await world.second(4)
    assert len(world.vtn.said(m.UpdateReport)) == 3
    assert world.session.memory.pending_reports == ()
    assert world.running.wanted_reports == {}


@pytest.mark.openadr20b("R345", "R336", "R-25")
@pytest.mark.parametrize("to_follow", [False, True])
async def test_a_cancel_ends_it_after_one_more_or_none(world: World, to_follow: bool) -> None:
    specifier = m.ReportSpecifier(
        report_specifier_id=USAGE,
        granularity=SECOND,
        report_back_duration=3 * SECOND,
        payloads=(m.SpecifierPayload(r_id="power", reading_type="x-notApplicable"),),
        dtstart=world.now,
        duration=ZERO,
    )
    request = m.ReportRequest(report_request_id="r", specifier=specifier)
    world.vtn.queue.append(m.CreateReport(request_id="c", report_requests=(request,), ven_id=VEN_ID))
    await world.second(10)
    world.vtn.queue.append(
        m.CancelReport(request_id="x", report_request_ids=("r",), report_to_follow=to_follow, ven_id=VEN_ID)
    )
    await world.until(lambda: bool(world.vtn.said(m.CanceledReport)))
    at = world.vtn.heard.index(world.vtn.said(m.CanceledReport)[0])
    await world.second(12)
    after = [one for one in world.vtn.heard[at:] if isinstance(one, m.UpdateReport)]
    assert len(after) == (1 if to_follow else 0)
    assert world.running.wanted_reports == {}
