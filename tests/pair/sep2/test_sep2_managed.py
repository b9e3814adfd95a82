"""What our 2030.5 client tells of each device that it answers for: DER, meter and alarms of its own (1.9)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.report import Measurand, Reading, ReportRequest
from openadr_core.sep2.decode import read
from openadr_core.xml.parse import parse
from openadr_ven.application.device_metering import DEVICES, DeviceNow
from openadr_ven.application.report_offers import AVAILABLE_POINT, CHARGE_POINT, POWER_POINT
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.sep2 import WHOLE_FLEET, ManagedDevice, Ratings
from openadr_vtn.application.handlers import sep2_groups, sep2_rates
from tests.pair.sep2.sep2_client import ClientEnd, client_of
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, Sep2Bench, a_lfdi

HOME, OTHER = a_lfdi(1), a_lfdi(2)
GOOD_NMI = "4102335218"
OVER_VOLTAGE, LOW_INPUT = 1 << 1, 1 << 9


class Stood:
    """How devices stand, as a test says."""

    def __init__(self) -> None:
        self.now: dict[str, DeviceNow] = {}

    def __call__(self, lfdi: str, _at: datetime) -> DeviceNow:
        return self.now.get(lfdi, DeviceNow(online=False))


@pytest.fixture
def stood() -> Stood:
    return Stood()


@pytest.fixture
async def aggregator(bench: Sep2Bench, stood: Stood) -> ClientEnd:
    await bench.device("one")
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    managed = {}
    for lfdi, max_w in ((HOME, 5_000.0), (OTHER, 3_000.0)):
        await bench.device("one", "feeder", lfdi=lfdi)
        managed[lfdi] = ManagedDevice(ratings=Ratings(max_w=max_w), targets=())
    await sep2_rates.save_rate(bench.store, "EndDevice", 300, actor=ACTOR, now=bench.now)
    return client_of(bench, managed=managed, stand=stood)


def a_batch(request: ReportRequest, number: int, at: datetime, **watts: float) -> Batch:
    readings = tuple(
        Reading(r_id={"home": HOME, "other": OTHER}[name], starts_at=at, duration=request.granularity, value=value)
        for name, value in watts.items()
    )
    return Batch(number=number, request=request, readings=readings)


async def asked_of(client: ClientEnd) -> ReportRequest:
    wanted = [one.request for one in await client.run() if isinstance(one, i.ReportRequested)]
    (of_devices,) = [one for one in wanted if one.specifier_id == DEVICES]
    return of_devices


async def documents(bench: Sep2Bench, lfdi: str) -> dict[str, Any]:
    async with bench.store.view() as view:
        device = await view.registry.device_by_lfdi(lfdi)
        assert device is not None
        paths = await view.registry.document_paths(device.number)
        found = {path: await view.registry.document(device.number, path) for path in paths}
        logged = [read(parse(one.body)) for one in await view.registry.log_events(device.number)]
    said: dict[str, Any] = {path: read(parse(one.body)) for path, one in found.items() if one is not None}
    return {**said, "log": [(one.function_set, one.log_event_code) for one in logged]}


async def mirrored(bench: Sep2Bench, lfdi: str) -> list[float]:
    """What the server has of the device's own meter, by the time that it is of."""
    async with bench.store.view() as view:
        party = await view.parties.by_name("one")
        assert party is not None
        stored = await view.reports.readings(
            party.id, Measurand.USAGE, f"{lfdi},DER", bench.now - timedelta(days=1), bench.now + timedelta(days=1),
            limit=9,
        )  # fmt: skip
    return [one.reading.value for one in sorted(stored, key=lambda one: one.reading.starts_at)]


async def test_each_device_has_a_meter_and_a_status_of_its_own(
    bench: Sep2Bench, aggregator: ClientEnd, stood: Stood
) -> None:
    asked = await asked_of(aggregator)
    assert (asked.granularity, asked.r_ids) == (timedelta(seconds=300), ())
    assert set(await documents(bench, HOME)) == {"der/1/dercap", "der/1/derg", "log"}
    stood.now[HOME] = DeviceNow(online=True, charge=0.42, available_w=1_200.0, overridden=True)
    aggregator.session.report(a_batch(asked, 1, bench.now, home=-2_500.4, other=300.0))
    bench.later(300)
    assert [one.batch for one in await aggregator.run() if isinstance(one, i.ReportDelivered)] == [1]
    told = await documents(bench, HOME)
    assert told["der/1/ders"].reading_time == bench.moment
    assert told["der/1/ders"].gen_connect_status.value == "07"
    assert told["der/1/ders"].state_of_charge_status.value == 4_200
    assert told["der/1/ders"].local_control_mode_status.value == 0
    assert told["der/1/dera"].stat_w_avail.value == 1_200
    # One that cannot be reached has told nothing that would be new.
    assert set(await documents(bench, OTHER)) == {"der/1/dercap", "der/1/derg", "log"}
    assert (await mirrored(bench, HOME), await mirrored(bench, OTHER)) == ([-2_500.0], [300.0])


@pytest.mark.ieee2030_5("C13")
async def test_alarms_are_logged_when_they_come_and_when_they_go_also_over_a_restart(
    bench: Sep2Bench, aggregator: ClientEnd, stood: Stood
) -> None:
    asked = await asked_of(aggregator)
    for number, alarms in enumerate((OVER_VOLTAGE | LOW_INPUT, OVER_VOLTAGE | LOW_INPUT, LOW_INPUT, 0)):
        stood.now[HOME] = DeviceNow(online=True, alarms=alarms)
        aggregator.session.report(a_batch(asked, number, bench.now, home=1.0))
        bench.later(300)
        await aggregator.run()
        if number == 0:
            assert (await documents(bench, HOME))["der/1/ders"].alarm_status == "0202"
            aggregator.restart()
            await aggregator.run()
    assert (await documents(bench, HOME))["log"] == [(11, 2), (11, 18), (11, 3), (11, 19)]


@pytest.mark.ieee2030_5("C8")
async def test_what_the_server_did_not_take_is_sent_when_it_is_back(bench: Sep2Bench, aggregator: ClientEnd) -> None:
    asked = await asked_of(aggregator)
    aggregator.is_out_of_reach = True
    for number in range(3):
        aggregator.session.report(a_batch(asked, number, bench.now, home=100.0 * number, other=7.0))
        await aggregator.until(300)
    assert await mirrored(bench, HOME) == []
    aggregator.is_out_of_reach = False
    await aggregator.until(600)
    assert (await mirrored(bench, HOME), await mirrored(bench, OTHER)) == ([0.0, 100.0, 200.0], [7.0] * 3)


async def test_a_meter_that_the_server_lost_is_made_again_and_one_refusal_keeps_nobody_else_back(
    bench: Sep2Bench, aggregator: ClientEnd
) -> None:
    asked = await asked_of(aggregator)
    aggregator.session.report(a_batch(asked, 1, bench.now, home=1.0, other=2.0))
    await aggregator.run()
    await sep2_groups.clear_meters(bench.store, HOME, actor=ACTOR, now=bench.now)
    bench.later(300)
    aggregator.session.report(a_batch(asked, 2, bench.now, home=3.0, other=4.0))
    await aggregator.run()
    assert (await mirrored(bench, HOME), await mirrored(bench, OTHER)) == ([1.0, 3.0], [2.0, 4.0])

    refused: list[str] = []

    def refuse(request: Request, answer: Response) -> Response:
        if request.method == "POST" and request.path.startswith("/mup/") and not refused:
            refused.append(request.path)
            return Response(status=400)
        return answer

    aggregator.change = refuse
    bench.later(300)
    aggregator.session.report(a_batch(asked, 3, bench.now, home=5.0, other=6.0))
    heard = await aggregator.run()
    assert [one.what for one in heard if isinstance(one, i.VtnRefused)] == [f"what {HOME} does"]
    assert await mirrored(bench, OTHER) == [2.0, 4.0, 6.0]


async def test_a_device_that_the_utility_adds_is_described_when_it_is_found(
    bench: Sep2Bench, aggregator: ClientEnd
) -> None:
    await aggregator.run()
    late = a_lfdi(3)
    aggregator.settings.managed[late] = ManagedDevice(ratings=Ratings(max_w=9_000.0), targets=())  # type: ignore[index]
    await bench.device("one", "feeder", lfdi=late)
    await aggregator.until(1_000)
    assert (await documents(bench, late))["der/1/dercap"].rtg_max_w.value == 9_000
    await sep2_groups.remove_device(bench.store, late, actor=ACTOR, now=bench.now)
    await aggregator.until(1_000)
    await bench.device("one", "feeder", lfdi=late)
    await aggregator.until(1_000)
    assert (await documents(bench, late))["der/1/dercap"].rtg_max_w.value == 9_000


async def test_a_device_by_itself_logs_its_own_alarms(bench: Sep2Bench, stood: Stood) -> None:
    device = await bench.device("one", "feeder")
    client = client_of(bench, stand=stood)
    (asked,) = [one.request for one in await client.run() if isinstance(one, i.ReportRequested)]
    stood.now[WHOLE_FLEET] = DeviceNow(online=True, alarms=LOW_INPUT)
    values = {POWER_POINT: 5.0, AVAILABLE_POINT: 1.0, CHARGE_POINT: 0.5}
    readings = tuple(
        Reading(r_id=r_id, starts_at=bench.now, duration=asked.granularity, value=value)
        for r_id, value in values.items()
    )
    client.session.report(Batch(number=1, request=asked, readings=readings))
    await client.run()
    told = await documents(bench, device.lfdi)
    assert (told["log"], told["der/1/ders"].alarm_status) == ([(11, 18)], "0200")


@pytest.mark.ieee2030_5("C7", "F14")
async def test_the_connection_point_is_told_and_a_wrong_one_is_said_to_be(bench: Sep2Bench) -> None:
    await bench.device("one")
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    managed = {}
    for lfdi, nmi in ((HOME, GOOD_NMI), (OTHER, "41023352189")):
        await bench.device("one", "feeder", lfdi=lfdi)
        managed[lfdi] = ManagedDevice(ratings=Ratings(max_w=5_000.0), targets=(), nmi=nmi)
    client = client_of(bench, managed=managed, nmi=GOOD_NMI)
    heard = await client.run()
    assert [one.what for one in heard if isinstance(one, i.VtnRefused)] == [f"where {OTHER} is connected"]
    for lfdi in (client.peer.lfdi, HOME):
        assert (await documents(bench, lfdi))["cp"].connection_point_id == GOOD_NMI
    assert "cp" not in await documents(bench, OTHER)
    assert (await documents(bench, OTHER))["der/1/dercap"].rtg_max_w.value == 5_000


@pytest.mark.ieee2030_5("C6")
async def test_devices_that_the_server_does_not_know_are_registered_in_band(bench: Sep2Bench) -> None:
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    managed = {lfdi: ManagedDevice(ratings=Ratings(max_w=5_000.0), targets=()) for lfdi in (HOME, OTHER)}
    client = client_of(bench, managed=managed, registers=True)
    await client.until(60)
    async with bench.store.view() as view:
        there = {one.lfdi for one in await view.registry.devices()}
    assert there == {client.peer.lfdi, HOME, OTHER}
    assert (await documents(bench, HOME))["der/1/dercap"].rtg_max_w.value == 5_000


async def test_where_the_server_takes_no_devices_of_ours_somebody_is_told(bench: Sep2Bench) -> None:
    managed = {HOME: ManagedDevice(ratings=Ratings(max_w=5_000.0), targets=())}
    client = client_of(bench, managed=managed, registers=True)
    heard = await client.until(60)
    assert {one.what for one in heard if isinstance(one, i.VtnRefused)} == {"EndDevices that we answer for"}
    assert any(isinstance(one, i.Registered) for one in heard)
