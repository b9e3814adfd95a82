"""What our 2030.5 client says of itself, and how it is told of changes (1.6, 1.9)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.exchange import Request
from openadr_core.model.event import SignalKind
from openadr_core.model.report import Measurand, Reading, ReportRequest
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.subscriptions import Notification
from openadr_core.xml.parse import parse
from openadr_ven.application.report_offers import AVAILABLE_POINT, CHARGE_POINT, POWER_POINT
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_vtn.application.handlers import sep2_controls, sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from tests.pair.sep2.sep2_client import ClientEnd, client_of
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Sep2Bench

EXPORT = SignalKind.EXPORT_LIMIT


async def default(bench: Sep2Bench, group: str, **asks: object) -> None:
    members = {"DERControlBase": asks}
    await sep2_controls.save_default(bench.store, group, members, maker=bench.maker, actor=ACTOR, now=bench.now)


def a_batch(request: ReportRequest, number: int, at: datetime, **power_w: float) -> Batch:
    values = {POWER_POINT: power_w["power"], AVAILABLE_POINT: power_w["available"], CHARGE_POINT: 0.42}
    readings = tuple(
        Reading(r_id=r_id, starts_at=at, duration=request.granularity, value=value) for r_id, value in values.items()
    )
    return Batch(number=number, request=request, readings=readings)


async def documents(bench: Sep2Bench) -> dict[str, Any]:
    async with bench.store.view() as uow:
        paths = await uow.registry.document_paths(1)
        found = {path: await uow.registry.document(1, path) for path in paths}
    return {path: read(parse(one.body)) for path, one in found.items() if one is not None}


@pytest.mark.ieee2030_5("C7", "C8")
async def test_it_says_what_it_can_how_it_stands_and_what_its_meter_saw(bench: Sep2Bench, client: ClientEnd) -> None:
    (asked,) = [one.request for one in await client.run() if isinstance(one, i.ReportRequested)]
    assert (asked.granularity, asked.report_back) == (timedelta(seconds=300), timedelta(seconds=300))
    told = await documents(bench)
    assert set(told) == {"der/1/dercap", "der/1/derg"}
    assert (told["der/1/dercap"].rtg_max_w.value, told["der/1/dercap"].doe_modes_supported) == (10_000, "0F")
    assert (told["der/1/derg"].set_max_w.value, told["der/1/derg"].updated_time) == (10_000, bench.moment)
    client.session.report(a_batch(asked, 1, bench.now, power=-2500.4, available=1200.0))
    bench.later(300)
    client.session.report(a_batch(asked, 2, bench.now, power=800.0, available=900.0))
    assert [one.batch for one in await client.run() if isinstance(one, i.ReportDelivered)] == [1, 2]
    told = await documents(bench)
    assert told["der/1/ders"].reading_time == bench.moment + 300
    assert told["der/1/ders"].gen_connect_status.value == "07"
    assert told["der/1/ders"].state_of_charge_status.value == 4_200
    assert told["der/1/dera"].stat_w_avail.value == 900
    since = bench.now - timedelta(hours=1)
    async with bench.store.view() as uow:
        party = await uow.parties.by_certificate(client.peer.certificate_sha256)
        assert party is not None
        (mirror,) = await uow.mirrors.mirrors(party.id)
        stored = await uow.reports.readings(
            party.id, Measurand.USAGE, f"{client.peer.lfdi},DER", since, bench.now + timedelta(hours=1), limit=9
        )
    assert (mirror.lfdi, mirror.post_rate_s, mirror.mrid[-8:]) == (client.peer.lfdi, 300, "00028547")
    assert [one.reading.value for one in stored] == [800.0, -2500.0]


@pytest.mark.ieee2030_5("L6", "C4")
async def test_the_server_says_how_often_readings_are_wanted(bench: Sep2Bench, client: ClientEnd) -> None:
    (first,) = [one.request for one in await client.run() if isinstance(one, i.ReportRequested)]
    lfdi, wish = client.peer.lfdi, DeviceWish(post_rate_s=60)
    await sep2_groups.change_device(bench.store, lfdi, wish, actor=ACTOR, now=bench.now)
    heard = await client.until(1000)
    # What waits to be told at the old rate is told all the same, and what was measured since.
    cancelled = i.ReportCancelled(request_id=first.id, to_follow=True)
    assert [one for one in heard if isinstance(one, i.ReportCancelled)] == [cancelled]
    (second,) = [one.request for one in heard if isinstance(one, i.ReportRequested)]
    assert second.granularity == timedelta(seconds=60)
    client.session.report(a_batch(first, 1, bench.now, power=5.0, available=0.0))
    assert [one.batch for one in await client.run() if isinstance(one, i.ReportDelivered)] == [1]
    client.restart()
    assert [type(one) for one in await client.run()] == [i.Registered]


async def test_a_mirror_that_the_server_has_lost_is_made_again_and_gets_its_readings(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    (asked,) = [one.request for one in await client.run() if isinstance(one, i.ReportRequested)]
    async with bench.store.unit_of_work() as uow:
        await uow.mirrors.remove_mirror(1)
    client.session.report(a_batch(asked, 1, bench.now, power=5.0, available=0.0))
    assert [one.batch for one in await client.run() if isinstance(one, i.ReportDelivered)] == [1]
    assert client.asked.count("POST /mup") == 2


TOLD_AT = "https://aggregator.example/told/0123"


def a_notification(resource: str, status: int = 0) -> Request:
    told = Notification(subscribed_resource=resource, status=status, subscription_uri="/edev/1/sub/1")
    return Request(method="POST", path="/told/0123", body=encode(told, csipaus=CsipAus.V1_2))


@pytest.mark.ieee2030_5("C9", "N2")
async def test_it_subscribes_to_what_can_be_and_reads_at_once_what_it_is_told_of(bench: Sep2Bench) -> None:
    await default(bench, "feeder", opModExpLimW={"multiplier": 0, "value": 2500})
    await bench.device("one", "feeder")
    client = client_of(bench, notified_at=TOLD_AT)
    await client.run()
    async with bench.store.view() as uow:
        found = {one.resource: one for one in await uow.sep2_subscriptions.held(1, skip=0, limit=50)}
    assert set(found) == {
        "/edev", "/edev/1/fsa", "/edev/1/fsa/1/derp", "/edev/1/fsa/1/dr", "/derp/1/derc", "/derp/2/derc",
        "/derp/2/dderc", "/dr/1/edc", "/dr/2/edc",
    }  # fmt: skip
    assert {(one.notification_uri, one.limit) for one in found.values()} == {(TOLD_AT, 0)}
    await bench.control("feeder", lasts=600, opModExpLimW=1000)
    bench.later(5)
    assert await client.run() == []
    assert client.session.notified(a_notification("/derp/2/derc"), now=bench.now).status == 204
    assert {type(one) for one in await client.run()} == {i.EventReceived, i.EventChanged}, "the default makes room"
    assert client.asks() == {EXPORT: 1000.0}
    client.asked.clear()
    for _ in range(20):
        client.session.notified(a_notification("/derp/2/derc"), now=bench.now)
    await client.until(0.5)
    assert client.asked.count("GET /derp/2/derc") == 0, "hints are heeded once a second"
    await client.until(1)
    assert client.asked.count("GET /derp/2/derc") == 1
    client.asked.clear()
    await client.until(86_400)
    assert client.asked.count("POST /edev/1/sub") == 9, "each is renewed within a day"


async def test_a_subscription_to_devices_finds_what_the_utility_has_moved(bench: Sep2Bench) -> None:
    await bench.device("one", "system")
    client = client_of(bench, notified_at=TOLD_AT)
    await client.run()
    await sep2_groups.change_device(
        bench.store, client.peer.lfdi, DeviceWish(groups=("feeder",)), actor=ACTOR, now=bench.now
    )
    await bench.control("feeder", lasts=600)
    bench.later(5)
    client.session.notified(a_notification("/edev/1/fsa"), now=bench.now)
    assert [type(one) for one in await client.run()] == [i.EventReceived]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(method="POST", path="/told/0124", body=b"<x/>"), 404),
        (Request(method="GET", path="/told/0123"), 405),
        (Request(method="POST", path="/told/0123", body=b"<x/>"), 400),
        (Request(method="POST", path="/told/0123", body=b""), 400),
    ],
)
async def test_who_is_not_the_server_moves_nothing(
    bench: Sep2Bench, client: ClientEnd, request_: Request, status: int
) -> None:
    told = client_of(bench, notified_at=TOLD_AT)
    await told.run()
    await bench.control("feeder", lasts=600)
    bench.later(5)
    assert told.session.notified(request_, now=bench.now).status == status
    assert await told.run() == []
    assert client.session.notified(a_notification("/edev"), now=bench.now).status == 404, "it listens nowhere"
