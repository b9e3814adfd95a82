"""Our 2030.5 client as an aggregator's: what one process needs for 1,000 and for 10,000 devices that it answers for.

A server that costs next to nothing: answers are bytes that were made before. Each device has an EndDevice, a DER, a
FunctionSetAssignmentsList and its own list of programs; all are in one program with one control for all of them.
"""

import random
import re
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.sep2 import controls as c
from openadr_core.sep2 import der as d
from openadr_core.sep2 import devices as e
from openadr_core.sep2.base import DateTimeInterval, EventStatus, Link, ListLink
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.server import DeviceCapability, Time
from openadr_ven.application.device_metering import DEVICES, DeviceNow
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.sep2 import ManagedDevice, Ratings, Sep2Session
from tests.bench.tables import Table
from tests.pair.sep2.sep2_client import settings_of
from tests.vtn.protocols.sep2.sep2_bench import PEN
from tests.vtn.samples import a_peer

pytestmark = pytest.mark.bench

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MOMENT = int(NOW.timestamp())
SIZES = (1_000, 10_000)
READINGS = 1_000
"""In a report."""
PEER = a_peer("aggregator")
RATINGS = Ratings(max_w=5_000.0, charge_max_w=5_000.0, discharge_max_w=5_000.0)
PAGED = re.compile(r"[?&]s=(\d+)&l=(\d+)")


def lfdi_of(number: int) -> str:
    return f"{number:032X}{PEN:08d}"


class Utility:
    """Answers that were made before."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: dict[str, bytes] = {}
        self._pages: dict[int, bytes] = {}
        own = self._device(0, PEER.lfdi, PEER.sfdi)
        self._devices = [own, *(self._device(number, lfdi_of(number), number) for number in range(1, size + 1))]
        devices, mirrors = ListLink(href="/edev", all=size + 1), ListLink(href="/mup")
        self._put("/dcap", DeviceCapability(end_device_list_link=devices, mirror_usage_point_list_link=mirrors))
        clock = Time(current_time=MOMENT, dst_end_time=0, dst_offset=0, dst_start_time=0, quality=3, tz_offset=0)
        self._put("/tm", clock)
        self._put("/derp/1/derc", c.DERControlList(all=1, results=1, der_control=(self._control(),)))
        for number in range(size + 1):
            self._put_device(f"/edev/{number}")

    def answer(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if request.method == "PUT":
            return Response(status=204)
        if request.method == "POST":
            return Response(status=201, headers={"location": "/mup/1" if path == "/mup" else path})
        if path == "/edev":
            found = PAGED.search(request.path)
            assert found is not None
            return Response(status=200, body=self._page(int(found[1]), int(found[2])))
        body = self._answers.get(path)
        return Response(status=404) if body is None else Response(status=200, body=body)

    def _page(self, start: int, limit: int) -> bytes:
        if start not in self._pages:
            some = tuple(self._devices[start : start + limit])
            message = e.EndDeviceList(all=len(self._devices), results=len(some), end_device=some)
            self._pages[start] = encode(message, csipaus=CsipAus.V1_2)
        return self._pages[start]

    def _put(self, path: str, message: object) -> None:
        self._answers[path] = encode(message, csipaus=CsipAus.V1_2)

    def _put_device(self, at: str) -> None:
        program = c.DERProgram(
            href="/derp/1", mrid="A" * 32, primacy=1, der_control_list_link=ListLink(href="/derp/1/derc", all=1)
        )
        assigned = e.FunctionSetAssignments(
            href=f"{at}/fsa/1", mrid="F" * 32, der_program_list_link=ListLink(href=f"{at}/fsa/1/derp", all=1)
        )
        der = d.DER(
            href=f"{at}/der/1",
            der_capability_link=Link(href=f"{at}/der/1/dercap"),
            der_settings_link=Link(href=f"{at}/der/1/derg"),
            der_status_link=Link(href=f"{at}/der/1/ders"),
            der_availability_link=Link(href=f"{at}/der/1/dera"),
        )
        self._put(f"{at}/fsa", e.FunctionSetAssignmentsList(all=1, results=1, function_set_assignments=(assigned,)))
        self._put(f"{at}/fsa/1/derp", c.DERProgramList(all=1, results=1, der_program=(program,)))
        self._put(f"{at}/der", d.DERList(all=1, results=1, der=(der,)))

    @staticmethod
    def _device(number: int, lfdi: str, sfdi: int) -> e.EndDevice:
        return e.EndDevice(
            href=f"/edev/{number}", lfdi=lfdi, sfdi=sfdi, changed_time=MOMENT,
            function_set_assignments_list_link=ListLink(href=f"/edev/{number}/fsa", all=1),
            der_list_link=ListLink(href=f"/edev/{number}/der", all=1),
        )  # fmt: skip

    @staticmethod
    def _control() -> c.DERControl:
        return c.DERControl(
            href="/derp/1/derc/1", mrid="C" * 32, reply_to="/rsps/1/rsp", response_required="03", creation_time=MOMENT,
            event_status=EventStatus(current_status=1, date_time=MOMENT, potentially_superseded=False),
            interval=DateTimeInterval(duration=86_400, start=MOMENT),
            der_control_base=c.DERControlBase(op_mod_max_lim_w=5_000),
        )  # fmt: skip


class Aggregator:
    """The client's core; its agent takes part in everything."""

    def __init__(self, size: int) -> None:
        self.utility = Utility(size)
        managed = {
            lfdi_of(number): ManagedDevice(ratings=RATINGS, targets=()) for number in range(1, size + 1)
        }  # fmt: skip
        settings = settings_of(PEER, managed=managed, stand=lambda _lfdi, _at: DeviceNow(online=True, available_w=1.0))
        self.lfdis = list(managed)
        self.session = Sep2Session(settings=settings, dice=random.Random(1), now=NOW)
        self.now = NOW
        self.asked = 0
        self.wanted: ReportRequest | None = None

    def run(self) -> int:
        """Everything that is due; how many exchanges it took."""
        before = self.asked
        while True:
            request = self.session.next_request(now=self.now)
            if request is not None:
                self.asked += 1
                self.session.receive_response(self.utility.answer(request), now=self.now)
            fresh = self.session.indications()
            for one in fresh:
                if isinstance(one, i.EventReceived):
                    self.session.answer(
                        Opt(event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=self.now)
                    )
                elif isinstance(one, i.ReportRequested) and one.request.specifier_id == DEVICES:
                    self.wanted = one.request
            wakeup = self.session.next_wakeup()
            if request is None and not fresh and (wakeup is None or wakeup > self.now):
                return self.asked - before

    def measure(self) -> None:
        """A report of every device's power."""
        assert self.wanted is not None
        for number, first in enumerate(range(0, len(self.lfdis), READINGS)):
            readings = tuple(
                Reading(r_id=lfdi, starts_at=self.now, duration=self.wanted.granularity, value=1.0)
                for lfdi in self.lfdis[first : first + READINGS]
            )
            self.session.report(Batch(number=number, request=self.wanted, readings=readings))


def cpu_ms(work: Callable[[], int]) -> tuple[float, int]:
    began = time.process_time()
    exchanges = work()
    return (time.process_time() - began) * 1_000, exchanges


def written_by(aggregator: Aggregator) -> int:
    return len(aggregator.session.record())


def test_ten_thousand_devices_in_one_client(tables: list[Table]) -> None:
    rows = []
    costs: dict[str, list[float]] = {}
    for size in SIZES:
        aggregator = Aggregator(size)
        began, exchanges = cpu_ms(aggregator.run)
        aggregator.now += timedelta(seconds=300)
        aggregator.measure()
        told, readings = cpu_ms(aggregator.run)
        aggregator.now += timedelta(seconds=900)
        polled, asked = cpu_ms(aggregator.run)
        written, _ = cpu_ms(partial(written_by, aggregator))
        for name, ms, count in (
            ("the first walk, capability and settings, a control and its responses", began, exchanges),
            ("every device's reading, status and availability", told, readings),
            ("a poll", polled, asked),
            ("what is written of it", written, 1),
        ):
            costs.setdefault(name, []).append(ms / size)
            rows.append([name, f"{size:,}", f"{count:,}", f"{ms / 1_000:.2f}", f"{ms * 1_000 / size:.0f}"])
    tracemalloc.start()
    whole = Aggregator(SIZES[0])
    server, _ = tracemalloc.get_traced_memory()
    whole.run()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tables.append(
        Table(
            title="an aggregator's client of IEEE 2030.5",
            header=("what", "devices", "exchanges", "CPU s", "CPU µs a device"),
            rows=rows,
            notes=(
                *(f"{name}: 10,000 ÷ 1,000 devices, CPU a device: {b / a:.2f}" for name, (a, b) in costs.items()),
                f"memory: {(held - server) / SIZES[0] / 1_024:.1f} KiB a device, with one control each",
            ),
        )
    )
