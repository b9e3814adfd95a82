"""Our VEN's core of OpenADR 3 against our VTN over a socket, by one clock: what each says is what the other reads."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.event import EventStatus, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.model.report import Quality, Reading
from openadr_core.shell.clock import ManualClock
from openadr_ven.application.reporting import Metered, readings_of
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.domain.held import Batch
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr3 import Memory, Oadr3Session, Oadr3Settings
from openadr_ven.protocols.oadr3.bids import Bid, Bids
from openadr_vtn.adapters.sql.migrate import migrate
from tests.vtn.oadr3.table import Table, laid_table
from tests.vtn.operator.desk_bench import SECRET, relief_event

SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class VenEnd:
    """The VEN's core, and what carries its requests."""

    table: Table
    http: httpx.AsyncClient
    session: Oadr3Session
    settings: Oadr3Settings
    asked: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lose: Callable[[Request], bool] = lambda _: False
    """Whether the answer to this request gets lost; the VTN has it all the same."""
    answer_with: OptType | None = OptType.IN

    @property
    def now(self) -> datetime:
        return self.table.desk.clock.now()

    async def run(self) -> list[i.Indication]:
        """Everything that is due now; what was indicated."""
        found: list[i.Indication] = []
        for _ in range(200):
            found += self._heard()
            request = self.session.next_request(now=self.now)
            if request is None:
                return found + self._heard()
            await self._carry(request)
        raise AssertionError("it has no end")

    async def later(self, seconds: float) -> list[i.Indication]:
        self.table.desk.clock.advance(seconds)
        return await self.run()

    def restarted(self) -> None:
        memory = from_record(Memory, self.session.record())
        self.session = Oadr3Session(settings=self.settings, dice=random.Random(2), now=self.now, memory=memory)

    def _heard(self) -> list[i.Indication]:
        found = self.session.indications()
        for one in found:
            if isinstance(one, i.EventReceived | i.EventChanged) and self.answer_with is not None:
                self.session.answer(
                    Opt(event_id=one.event.id, version=one.event.version, opt_type=self.answer_with, at=self.now)
                )
        return found

    async def _carry(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.path}")
        answer = await self.http.request(
            request.method, request.path, content=request.body, headers=dict(request.headers)
        )
        self.statuses.append(answer.status_code)
        if self.lose(request):
            self.session.request_failed(now=self.now, reason="lost")
            return
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self.session.receive_response(
            Response(status=answer.status_code, body=answer.content, headers=headers), now=self.now
        )


@pytest.fixture
async def table(tmp_path: Path, now: datetime) -> AsyncIterator[Table]:
    empty = tmp_path / "empty.db"
    await migrate(f"sqlite:///{empty}")
    async with laid_table(empty, tmp_path / "vtn.db", ManualClock(now)) as laid:
        yield laid


@pytest.fixture
async def ven(table: Table) -> AsyncIterator[VenEnd]:
    settings = Oadr3Settings(
        url=str(table.desk.http.base_url),
        ven_name="my house",
        client_id=table.ven.id,
        client_secret=SECRET,
        poll_interval=10 * SECOND,
        enrolment_retry=5 * SECOND,
        enrolled=Enrolled(relief_signs={"*": ReliefSign.POSITIVE}),
    )
    session = Oadr3Session(settings=settings, dice=random.Random(1), now=table.desk.clock.now())
    async with httpx.AsyncClient(base_url=table.desk.http.base_url, trust_env=False) as http:
        yield VenEnd(table=table, http=http, session=session, settings=settings)


def kinds(found: list[i.Indication]) -> list[str]:
    return [type(one).__name__ for one in found]


async def event_of(table: Table, **changes: Any) -> str:
    program = changes.pop("program", None) or await table.desk.create_program()
    return str((await table.bl.create("events", relief_event(program, **changes)))["id"])


@pytest.mark.openadr3("R7.10")
async def test_it_finds_itself_and_an_event_and_lets_go_when_that_is_deleted(table: Table, ven: VenEnd) -> None:
    assert kinds(await ven.run()) == ["Registered"]
    (mine,) = await table.bl.read("vens")
    assert (mine["venName"], mine["clientID"], mine["id"]) == ("my house", "ven-1", ven.session.memory.ven_id)
    event_id = await event_of(table)
    (received,) = await ven.later(10)
    assert isinstance(received, i.EventReceived)
    assert (received.event.id, received.event.signals[0].kind) == (event_id, SignalKind.RELIEF)
    assert received.event.status_at(ven.now) is EventStatus.ACTIVE
    await table.bl.remove(f"events/{event_id}")
    (cancelled,) = await ven.later(10)
    assert isinstance(cancelled, i.EventCancelled)
    assert (cancelled.event.cancelled_at, cancelled.event.version, cancelled.implied) == (ven.now, 1, True)


async def test_nothing_new_costs_no_bytes(table: Table, ven: VenEnd) -> None:
    await event_of(table)
    await ven.run()
    ven.statuses.clear()
    await ven.later(10)
    assert ven.statuses == [304, 304]


@pytest.mark.openadr3("R7.8")
async def test_a_change_is_the_next_version_with_the_first_draw(table: Table, ven: VenEnd) -> None:
    program = await table.desk.create_program()
    event_id = await event_of(
        table,
        program=program,
        intervalPeriod={"start": "2030-07-01T18:00:00Z", "duration": "PT1H", "randomizeStart": "PT5M"},
    )
    received = (await ven.run())[-1]
    changed = relief_event(
        program, kw=2500, intervalPeriod={"start": "2030-07-01T18:00:00Z", "duration": "PT1H", "randomizeStart": "PT5M"}
    )
    ven.table.desk.clock.advance(1)
    await table.bl.replace(f"events/{event_id}", changed)
    (found,) = await ven.later(10)
    assert isinstance(received, i.EventReceived)
    assert isinstance(found, i.EventChanged)
    assert (found.event.version, found.delay_fraction) == (1, received.delay_fraction)
    assert found.event.signals[0].intervals[0].value == 2.5e6


async def test_it_opts_out_and_in_again_by_its_state(table: Table, ven: VenEnd) -> None:
    ven.answer_with = OptType.OUT
    event_id = await event_of(table)
    await ven.run()
    async with table.desk.store.view() as view:
        (opt,) = (await view.opts.latest(event_id)).values()
    assert opt.opt_type is OptType.OUT
    ven.session.answer(Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=ven.now))
    await ven.run()
    async with table.desk.store.view() as view:
        (opt,) = (await view.opts.latest(event_id)).values()
    assert opt.opt_type is OptType.IN
    (report,) = await table.bl.read("reports")
    assert report["reportName"] == f"{event_id} OPERATING_STATE"


async def test_a_program_that_it_takes_no_part_in_is_refused_and_said(table: Table, ven: VenEnd) -> None:
    settings = Oadr3Settings(
        url=ven.settings.url, ven_name="my house", client_id=table.ven.id, client_secret=SECRET,
        poll_interval=10 * SECOND, enrolment_retry=5 * SECOND,
        enrolled=Enrolled(relief_signs={"urn:openadr:program:other": None}),
    )  # fmt: skip
    ven.session = Oadr3Session(settings=settings, dice=random.Random(1), now=ven.now)
    event_id = await event_of(table)
    (_, refused) = await ven.run()
    assert isinstance(refused, i.EventRefused)
    assert (refused.event_id, refused.code) == (event_id, "462")
    async with table.desk.store.view() as view:
        assert (await view.opts.latest(event_id))[ven.session.memory.ven_id].opt_type is OptType.OUT
    assert kinds(await ven.later(10)) == []


@pytest.mark.openadr3("R3.2", "R7.10")
async def test_a_list_of_several_pages_loses_nothing_that_moved_between_them(table: Table, ven: VenEnd) -> None:
    program = await table.desk.create_program()
    ids = [await event_of(table, program=program) for _ in range(60)]
    assert len([one for one in await ven.run() if isinstance(one, i.EventReceived)]) == 60
    read = 0

    def first_page(request: Request) -> bool:
        nonlocal read
        read += "/events?skip=0" in request.path
        return False

    ven.lose = first_page
    # One of the newest, on the first page, goes after that page was read: all behind it move up by one.
    table.desk.clock.advance(10)
    found: list[i.Indication] = []
    while request := ven.session.next_request(now=ven.now):
        await ven._carry(request)
        found += ven._heard()
        if read == 1 and "/events?skip=0" in ven.asked[-1]:
            await table.bl.remove(f"events/{ids[-1]}")
    gone = [one.event.id for one in found if isinstance(one, i.EventCancelled)]
    assert gone in ([ids[-1]], [])
    found = await ven.later(10)
    assert gone + [one.event.id for one in found if isinstance(one, i.EventCancelled)] == [ids[-1]]


async def test_a_restart_knows_what_it_knew(table: Table, ven: VenEnd) -> None:
    await event_of(table)
    await ven.run()
    ven.restarted()
    assert kinds(await ven.run()) == ["Registered"]
    ven.answer_with = None
    await event_of(table, program=(await table.bl.read("programs"))[0]["id"])
    await ven.later(10)
    ven.restarted()
    assert kinds(ven.session.indications()) == ["EventReceived"], "what was not answered is indicated again"


@pytest.mark.openadr3("R6.2")
async def test_a_token_that_has_ended_is_asked_for_again(table: Table, ven: VenEnd) -> None:
    await ven.run()
    ven.asked.clear()
    await ven.later(3600)
    assert ven.asked[0].startswith("POST /openadr3/3.1.0/auth/token")
    assert 401 not in ven.statuses


async def test_a_wrong_secret_is_told_and_tried_again_after_a_while(table: Table, ven: VenEnd) -> None:
    wrong = Oadr3Settings(
        url=ven.settings.url, ven_name="my house", client_id=table.ven.id, client_secret="wrong",  # noqa: S106
        poll_interval=10 * SECOND, enrolment_retry=5 * SECOND, enrolled=ven.settings.enrolled,
    )  # fmt: skip
    ven.session = Oadr3Session(settings=wrong, dice=random.Random(1), now=ven.now)
    assert kinds(await ven.run()) == ["NotEnrolled"]
    assert kinds(await ven.later(1)) == []
    assert kinds(await ven.later(6)) == ["NotEnrolled"]


@pytest.mark.openadr3("R8.1", "R8.5")
async def test_reports_come_as_they_are_planned_and_once(table: Table, ven: VenEnd) -> None:
    start = ven.now
    payloads = [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [5]}]
    event_id = await event_of(
        table,
        intervalPeriod={"start": start.isoformat(), "duration": "PT1M"},
        intervals=[{"id": number, "payloads": payloads} for number in range(3)],
        reportDescriptors=[
            {"payloadType": "DEMAND", "frequency": 1, "repeat": -1, "aggregate": True},
            {"payloadType": "READING"},
        ],
    )  # fmt: skip
    found = await ven.run()
    (wanted,) = [one.request for one in found if isinstance(one, i.ReportRequested)]
    assert (wanted.granularity, wanted.r_ids, wanted.starts_at) == (60 * SECOND, ("power",), start)
    (not_offered,) = [one for one in found if isinstance(one, i.ReportNotOffered)]
    assert not_offered.what == "READING"
    assert "no counter" in not_offered.reason

    def minute(number: int, value: float) -> Batch:
        reading = Reading(r_id="power", starts_at=start + number * 60 * SECOND, duration=60 * SECOND, value=value)
        return Batch(number=number + 1, request=wanted, readings=(reading,))

    ven.session.report(minute(0, 4_000_000.0))
    assert kinds(await ven.run()) == []
    ven.lose = lambda request: request.method == "POST" and request.path.endswith("/reports")
    await ven.later(60)
    ven.lose = lambda _: False
    assert kinds(await ven.later(10)) == ["VtnReachable", "ReportDelivered"]
    reports = [one for one in await table.bl.read("reports") if "DEMAND" in one["reportName"]]
    assert len(reports) == 1, "the one whose answer was lost is not sent twice"
    (interval,) = reports[0]["resources"][0]["intervals"]
    assert (interval["id"], [payload["values"] for payload in interval["payloads"]]) == (0, [[4000.0], ["OK"]])
    await ven.later(60 + 90)
    reports = [one for one in await table.bl.read("reports") if "DEMAND" in one["reportName"]]
    assert [one["resources"][0]["intervals"][0]["payloads"][1]["values"] for one in reports] == [["MISSING"], ["OK"]]
    assert event_id == reports[0]["eventID"]
    # What was missing comes after all, as after a restart: the same report is told again.
    ven.session.report(minute(1, 3_000_000.0))
    await ven.run()
    assert ven.asked[-1].startswith("PUT /openadr3/3.1.0/reports/")
    again = [one for one in await table.bl.read("reports") if "DEMAND" in one["reportName"]]
    assert [one["id"] for one in again] == [one["id"] for one in reports]
    assert [payload["values"] for payload in again[0]["resources"][0]["intervals"][0]["payloads"]] == [[3000.0], ["OK"]]


@pytest.mark.openadr3("R8.1", "R8.4")
async def test_what_the_fleet_could_be_asked_for_and_how_its_storage_stands_are_read_by_the_operator(
    table: Table, ven: VenEnd
) -> None:
    seen = {"shed": 1e6, "feed": 2e6, "store": 13.5e6, "charge": 0.4, "feed_max": 5e6, "draw_max": 4e6}
    expected = {
        "LOAD_SHED_DELTA_AVAILABLE": 1_000.0, "GENERATION_DELTA_AVAILABLE": 2_000.0,
        "STORAGE_USABLE_CAPACITY": 13_500.0, "STORAGE_CHARGE_LEVEL": 0.4,
        "STORAGE_MAX_DISCHARGE_POWER": 5_000.0, "STORAGE_MAX_CHARGE_POWER": 4_000.0,
    }  # fmt: skip
    start = ven.now
    await event_of(
        table,
        intervalPeriod={"start": start.isoformat(), "duration": "PT1M"},
        intervals=[{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
        reportDescriptors=[{"payloadType": one, "frequency": 1, "repeat": 1, "aggregate": True} for one in expected],
    )
    asked = [one.request for one in await ven.run() if isinstance(one, i.ReportRequested)]
    assert len(asked) == len(expected)
    for number, wanted in enumerate(asked, 1):
        metered = Metered(power_w=0.0, baseline_w=0.0, quality=Quality.GOOD, seen=seen)
        readings = tuple(readings_of(wanted, start, wanted.granularity or 60 * SECOND, metered))
        ven.session.report(Batch(number=number, request=wanted, readings=readings))
    await ven.later(60)
    await ven.later(30)
    told = {}
    for report in await table.bl.read("reports"):
        value, quality = report["resources"][0]["intervals"][0]["payloads"]
        told[value["type"]] = value["values"]
        assert quality["values"] == ["OK"]
    assert told == {name: [pytest.approx(value)] for name, value in expected.items()}


@pytest.mark.openadr3("R7.12", "R8.5")
async def test_a_bid_is_renewed_in_its_place_also_when_the_answer_is_lost(table: Table, ven: VenEnd) -> None:
    settings = replace(ven.settings, bids=Bids(imports=Bid(power_w=40_000.0, fee_max=0.3)))
    ven.session = Oadr3Session(settings=settings, dice=random.Random(1), now=ven.now)

    def offering(kw: float) -> dict[str, Any]:
        offered = [{"type": "IMPORT_CAPACITY_AVAILABLE", "values": [kw]}]
        return {
            "intervals": [{"id": 3, "payloads": offered}],
            "reportDescriptors": [{"payloadType": "IMPORT_RESERVATION_CAPACITY"}],
        }

    async def bid() -> tuple[str, list[float]]:
        (report,) = [one for one in await table.bl.read("reports") if "RESERVATION" in one["reportName"]]
        return report["id"], report["resources"][0]["intervals"][0]["payloads"][0]["values"]

    program = await table.desk.create_program()
    event_id = await event_of(table, program=program, **offering(25))
    await ven.run()
    report_id, first = await bid()
    ven.lose = lambda request: request.method == "PUT"
    body = relief_event(program, **offering(30))
    table.desk.clock.advance(1)
    put = await table.desk.http.put(f"/openadr3/3.1.0/events/{event_id}", json=body)
    assert put.status_code == 200, put.text
    await ven.later(10)
    ven.lose = lambda _: False
    await ven.later(20)
    assert (first, await bid()) == ([25.0], (report_id, [30.0]))
    puts = [asked for asked in ven.asked if asked.startswith("PUT")]
    assert len(puts) == 2, "sent again, as its answer was lost, and then no more"
    await ven.later(20)
    assert [asked for asked in ven.asked if asked.startswith("PUT")] == puts


async def test_who_leaves_lets_go_and_stays_away(table: Table, ven: VenEnd) -> None:
    await event_of(table)
    await ven.run()
    ven.session.unregister()
    assert kinds(await ven.run()) == ["EventCancelled", "RegistrationLost"]
    assert await table.bl.read("vens") == []
    assert ven.session.next_wakeup() is None
    ven.session.register(now=ven.now)
    assert kinds(await ven.run()) == ["Registered", "EventReceived"]


async def test_a_vtn_that_is_away_is_tried_with_growing_pauses(table: Table, ven: VenEnd) -> None:
    await ven.run()
    ven.lose = lambda _: True
    (first,) = await ven.later(10)
    assert isinstance(first, i.VtnUnreachable)
    assert ven.session.next_wakeup() == first.retry_at
    await asyncio.sleep(0)
    ven.lose = lambda _: False
    assert kinds(await ven.later(30)) == ["VtnReachable"]
