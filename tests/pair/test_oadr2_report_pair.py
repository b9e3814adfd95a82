"""Our VTN's core and our whole agent, with no socket between them: every kind of report that an operator can ask for.

The VEN is real from its devices' telemetry to its store; the VTN is real from its core to its store. What the
operator asks goes by the VEN's polls, and what comes back is looked up as the operator would.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from openadr_core.model.report import Measurand, Quality, Reading
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.units import WATT_HOUR
from openadr_ven.application.agent import Agent
from openadr_ven.application.offering import look
from openadr_ven.application.report_offers import HISTORY, HISTORY_STEP, STATUS, USAGE
from openadr_ven.dispatch.capability import CapabilityModel
from openadr_ven.domain.held import HistoryStep
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.application.handlers.report_requests import cancel_report, request_metadata, request_reports
from openadr_vtn.application.said_ports import StoredStatus
from openadr_vtn.domain.reporting import RequestedReport, RequestState, RequestWish, TelemetryWish
from tests.ven.application.world import World, store_at
from tests.vtn.protocols.vtn_bench import Bench, Ven, running_bench
from tests.vtn.samples import HOUR, a_peer

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
QUIET = TelemetryWish(granularity=15 * 60 * SECOND, report_back=15 * 60 * SECOND)
"""What the VTN asks for by itself comes too seldom to be in the way."""


class ReportPair(World):
    """The agent's world, with a VTN in it.

    A cancel reaches the VEN in the answer to a report, or by the next poll, whichever comes first (R328).
    """

    bench: Bench
    channel: Ven
    party_id: str
    said: list[m.Message]
    loses_answers: bool = False
    cancelled_at: int | None = None
    """How much the VEN had said when it was first told that a report ends."""

    async def _live(self, agent: Agent) -> None:
        self.bench.now = self.now
        await self._converse()
        if indications := self._session.indications():
            await agent.heed(indications, now=self.now)
            await self._converse()
            await agent.heed(self._session.indications(), now=self.now)
        for report in self.broker.bring():
            agent.hear(report, now=self.now)
        await agent.tick(now=self.now)

    async def _converse(self) -> None:
        for _ in range(60):
            request = self._session.next_request(now=self.now)
            if request is None:
                return
            self.said.append(decode(request.body, self.bench.schema))
            response = await self.channel.connection.receive_request(request, self.now)
            if self.loses_answers and isinstance(self.said[-1], m.UpdateReport):
                self.loses_answers = False
                self.channel = self.channel.reconnected()
                self._session.request_failed(now=self.now, reason="the answer is lost")
            else:
                self._note_cancel(decode(response.body, self.bench.schema))
                self._session.receive_response(response, now=self.now)
        raise AssertionError("the two never fall silent")

    def _note_cancel(self, told: m.Message) -> None:
        in_passing = isinstance(told, m.UpdatedReport) and told.cancel_report is not None
        if self.cancelled_at is None and (in_passing or isinstance(told, m.CancelReport)):
            self.cancelled_at = len(self.said)

    async def ask(self, specifier_id: str, *r_ids: str, **wish: object) -> RequestedReport:
        values = {"granularity": ZERO, "report_back": ZERO, "starts_at": None, "duration": None} | wish
        wanted = RequestWish(specifier_id=specifier_id, r_ids=r_ids, **values)  # type: ignore[arg-type]
        _, (requested,) = await request_reports(
            self.bench.store, self.party_id, [wanted], actor="operator", new_id=self._new_id, now=self.now
        )
        return requested

    async def end(self, requested: RequestedReport, *, to_follow: bool = False) -> None:
        await cancel_report(
            self.bench.store, self.party_id, requested.request.id, to_follow=to_follow, actor="operator",
            new_id=self._new_id, now=self.now,
        )  # fmt: skip

    def _new_id(self) -> str:
        return self.bench.vtn.desk.new_id()

    async def state(self, requested: RequestedReport) -> RequestState:
        async with self.bench.store.view() as view:
            found = {one.request.id: one for one in await view.reports.requests(self.party_id)}
        return found[requested.request.id].state

    async def until_state(self, requested: RequestedReport, state: RequestState, *, most: int = 30) -> None:
        for _ in range(most):
            if await self.state(requested) is state:
                return
            await self.second()
        raise AssertionError(f"not {state} within {most} s, but {await self.state(requested)}")

    def reports_of(self, requested: RequestedReport) -> list[m.Report]:
        """What the VEN sent for it, repeats too."""
        return [
            report
            for one in self.said
            if isinstance(one, m.UpdateReport)
            for report in one.reports
            if report.report_request_id == requested.request.id
        ]

    async def series(self, measurand: Measurand = Measurand.USAGE, **how: str) -> list[Reading]:
        async with self.bench.store.view() as view:
            since, until = self.now - 48 * HOUR, self.now + HOUR
            return await view.reports.series(self.party_id, measurand, since, until, **how)

    async def statuses(self) -> list[StoredStatus]:
        async with self.bench.store.view() as view:
            return await view.reports.statuses(self.party_id, self.now - HOUR, self.now + HOUR, limit=1_000)


@pytest.fixture
async def pair(tmp_path: Path, now: datetime) -> AsyncIterator[ReportPair]:
    """Registered, its reports offered and asked for in passing, a few seconds of telemetry heard."""
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    store = await store_at(tmp_path)
    async with running_bench(tmp_path / "vtn.db", now) as bench:
        bench.telemetry = QUIET
        bench.restart()
        pair = ReportPair(store, now)
        pair.bench, pair.said, pair.channel = bench, [], bench.ven(a_peer())
        await pair.start()
        await pair.second()
        async with bench.store.view() as view:
            (party,) = await view.parties.all()
        await bench.approve(party.id)
        pair.party_id = party.id
        await pair.until(lambda: pair.session.memory.synchronised)
        await pair.second(3)
        yield pair
    await store.close()


@pytest.mark.openadr20b("R301", "R305", "R306", "R309", "R344", "R-1", "R-2", "R-3", "R-8", "G9")
async def test_metadata_goes_both_ways_and_brings_the_first_request(pair: ReportPair) -> None:
    async with pair.bench.store.view() as view:
        offers = {one.offer.specifier_id: one.offer for one in await view.reports.offers(pair.party_id)}
        (requested,) = await view.reports.open_requests(pair.party_id)
    assert {name: offer.report_name for name, offer in offers.items()} == {
        USAGE: "TELEMETRY_USAGE", STATUS: "TELEMETRY_STATUS", HISTORY: "HISTORY_USAGE",
    }  # fmt: skip
    assert offers[USAGE] == next(one for one in pair.session._settings.offers if one.specifier_id == USAGE)
    assert requested.request.r_ids == ("power", "energy", "baseline", "available")
    assert requested.state is RequestState.PENDING
    registered = [one for one in pair.said if isinstance(one, m.RegisteredReport)]
    assert len(registered) == 1, "the VTN's own reports, of which there are none, were answered"


@pytest.mark.openadr20b("R301", "R311", "R327", "R-5", "R-9")
async def test_an_operator_asks_for_metadata(pair: ReportPair) -> None:
    await request_metadata(pair.bench.store, pair.party_id, actor="operator", new_id=pair._new_id, now=pair.now)
    offered = [one for one in pair.said if isinstance(one, m.RegisterReport)]
    await pair.until(lambda: len([one for one in pair.said if isinstance(one, m.RegisterReport)]) > len(offered))
    again = [one for one in pair.said if isinstance(one, m.RegisterReport)][-1]
    assert again.report_request_id is not None
    await pair.second(3)
    async with pair.bench.store.view() as view:
        assert await view.errands.of_parties([pair.party_id]) == []
        (requested,) = await view.reports.open_requests(pair.party_id)
    assert pair.session.memory.pending_reports == (requested.request.id,)


@pytest.mark.openadr20b("R324", "R334", "R337", "R510", "R-11")
async def test_one_report_of_how_resources_stand(pair: ReportPair) -> None:
    requested = await pair.ask(STATUS)
    await pair.until_state(requested, RequestState.DONE)
    found = {one.source: one.status for one in await pair.statuses()}
    assert set(found) == set(pair.resources)
    assert {one.quality for one in found.values()} == {Quality.GOOD}
    assert (found["fleet"].status.online, found["fleet"].status.manual_override) == (True, False)
    assert len(pair.reports_of(requested)) == 1


@pytest.mark.openadr20b("R313", "R315", "R316", "R317", "R324", "R-12", "R-13", "R-17", "R-18", "R-19")
async def test_a_periodic_report_in_whole_intervals(pair: ReportPair) -> None:
    requested = await pair.ask(USAGE, "power", "energy", granularity=SECOND, report_back=4 * SECOND)
    start = pair.now
    await pair.until(lambda: len(pair.reports_of(requested)) >= 3)
    reports = pair.reports_of(requested)
    assert {len(report.intervals) for report in reports} == {4}
    assert [report.dtstart for report in reports] == [start + number * 4 * SECOND for number in range(len(reports))]
    await pair.second()
    power = [one for one in await pair.series() if one.starts_at >= start]
    energy = [one for one in await pair.series(unit=WATT_HOUR) if one.starts_at >= start]
    assert len(power) == len(energy) >= 12
    assert [one.value / 3600 for one in power] == pytest.approx([one.value for one in energy])
    assert await pair.state(requested) is RequestState.PENDING


@pytest.mark.openadr20b("R324", "R-12")
async def test_what_the_fleet_could_be_asked_for_reaches_the_operator(pair: ReportPair) -> None:
    """upRegulationCapacityAvailable: the relief that the capability curve has for a quarter of an hour."""
    agent = pair.running
    requested = await pair.ask(USAGE, "available", granularity=SECOND, report_back=2 * SECOND)
    model = CapabilityModel(agent.seen.fleet)
    found = look(model, agent.seen, agent.control, ratios=[], soc_floor=0.2, now=pair.now)
    agent.offer(found, pair.now)
    await pair.until(lambda: bool(pair.reports_of(requested)))
    await pair.second()
    told = await pair.series(Measurand.UP_REGULATION)
    assert float(found.capability.flat_w[0]) > 0.0
    assert told[-1].value == pytest.approx(float(found.capability.flat_w[0]), rel=1e-6)
    assert told[-1].quality is Quality.GOOD


@pytest.mark.openadr20b("R324", "R325", "R-12")
async def test_a_report_that_begins_later_and_ends(pair: ReportPair) -> None:
    """The harness's "start at +15 s for 10 min", in seconds."""
    start = pair.now + 8 * SECOND
    requested = await pair.ask(
        USAGE, "power", granularity=2 * SECOND, report_back=4 * SECOND, starts_at=start, duration=10 * SECOND
    )
    await pair.second(7)
    assert pair.reports_of(requested) == []
    await pair.until_state(requested, RequestState.DONE)
    starts = [interval.dtstart for report in pair.reports_of(requested) for interval in report.intervals]
    assert starts == [start + number * 2 * SECOND for number in range(5)]
    await pair.second(8)
    assert len(pair.reports_of(requested)) == 3
    assert requested.request.id not in pair.session.memory.pending_reports


@pytest.mark.openadr20b("R317", "R341", "R-14")
async def test_on_change_says_so_when_nothing_changes(pair: ReportPair) -> None:
    requested = await pair.ask(STATUS, "fleet", report_back=10 * SECOND)
    await pair.until(lambda: len(pair.reports_of(requested)) >= 3, most=60)
    await pair.second()
    codes = [
        interval.payloads[0].data_quality for report in pair.reports_of(requested) for interval in report.intervals
    ]
    assert codes[0] == "Quality Good - Non Specific"
    assert codes[-1] == "No New Value - Previous Value Used"
    newest, *_ = await pair.statuses()
    assert newest.status.quality is Quality.UNCHANGED


@pytest.mark.openadr20b("R317", "R324", "R325", "R510", "R-15")
@pytest.mark.parametrize(
    ("since", "duration", "first", "count"),
    [(None, None, 150, 150), (timedelta(hours=2), None, 24, 24), (timedelta(minutes=30), timedelta(minutes=30), 6, 6)],
)
async def test_history_in_full_and_in_part(
    pair: ReportPair, since: timedelta | None, duration: timedelta | None, first: int, count: int
) -> None:
    """150 steps are kept; the harness's "full (duration 0)" and "−30 min, PT30M"."""
    newest = pair.now.replace(minute=30, second=0, microsecond=0)
    steps = [
        HistoryStep(starts_at=newest - number * HISTORY_STEP, power_w=number, baseline_w=0.0, quality=Quality.GOOD)
        for number in range(150, 0, -1)
    ]
    async with pair.store.unit_of_work() as unit:
        await unit.save_history(steps)
    starts_at = None if since is None else newest - since
    requested = await pair.ask(HISTORY, "power", starts_at=starts_at, duration=duration)
    await pair.until_state(requested, RequestState.DONE)
    told = [one.value for one in await pair.series() if one.duration == HISTORY_STEP]
    assert told == [float(number) for number in range(first, first - count, -1)]


@pytest.mark.openadr20b("R336", "R345", "R-24", "R-25")
@pytest.mark.parametrize("to_follow", [False, True])
async def test_a_cancel_with_and_without_the_report_to_follow(pair: ReportPair, to_follow: bool) -> None:
    requested = await pair.ask(USAGE, "power", granularity=SECOND, report_back=3 * SECOND)
    await pair.until(lambda: len(pair.reports_of(requested)) >= 2)
    await pair.end(requested, to_follow=to_follow)
    await pair.until_state(requested, RequestState.CANCELLED)
    await pair.second(12)
    after = [one for one in pair.said[pair.cancelled_at :] if isinstance(one, m.UpdateReport)]
    assert len(after) == (1 if to_follow else 0)
    assert requested.request.id not in pair.session.memory.pending_reports
    assert pair.session.memory.report_requests, "what else was asked for goes on"


@pytest.mark.openadr20b("R346", "R-22", "T10")
async def test_a_report_whose_answer_is_lost_comes_again_and_counts_once(pair: ReportPair) -> None:
    requested = await pair.ask(USAGE, "power", granularity=SECOND, report_back=3 * SECOND)
    await pair.until(lambda: len(pair.reports_of(requested)) >= 1)
    pair.loses_answers = True
    await pair.until(lambda: len(pair.reports_of(requested)) >= 4)
    told = [interval.dtstart for report in pair.reports_of(requested) for interval in report.intervals]
    assert len(told) - len(set(told)) == 3
    starts = [one.starts_at for one in await pair.series() if one.starts_at >= requested.request.starts_at]
    assert starts == sorted(set(starts))
    assert await pair.state(requested) is RequestState.PENDING


@pytest.mark.openadr20b("R306", "R309", "R-1")
async def test_reports_go_on_without_a_gap_over_a_restart_of_either_side(pair: ReportPair) -> None:
    requested = await pair.ask(USAGE, "power", granularity=SECOND, report_back=2 * SECOND)
    await pair.until(lambda: len(pair.reports_of(requested)) >= 2)
    pair.crash()
    await pair.second(4)
    pair.bench.now = pair.now
    pair.bench.restart()
    pair.channel = pair.channel.reconnected()
    await pair.start()
    await pair.second(12)
    starts = [one.starts_at for one in await pair.series() if one.duration == SECOND]
    assert starts == [starts[0] + number * SECOND for number in range(len(starts))]
    assert len(starts) >= 16
    assert await pair.state(requested) is RequestState.PENDING
