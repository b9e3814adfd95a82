"""Mirrored meters of an IEEE 2030.5 server (1.3, T:05 to T:07): whose they are, and what becomes of their readings."""

from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.errors import NotFound
from openadr_core.model.report import Measurand
from openadr_core.sep2.base import DateTimeInterval, ListLink
from openadr_core.sep2.encode import encode
from openadr_core.sep2.metering import (
    MeterReading,
    MeterReadingList,
    MirrorMeterReading,
    MirrorMeterReadingList,
    MirrorReadingSet,
    MirrorUsagePoint,
    MirrorUsagePointList,
    Reading,
    ReadingList,
    ReadingSet,
    ReadingSetList,
    ReadingType,
    UsagePointList,
)
from openadr_core.sep2.server import DeviceCapability
from openadr_vtn.application.handlers import sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Client, Sep2Bench

ACTIVE_POWER = ReadingType(
    uom=38, kind=37, data_qualifier=2, flow_direction=1, power_of_ten_multiplier=1, interval_length=300
)
SERIES = MirrorMeterReading(mrid="AA" * 16, reading_type=ACTIVE_POWER)
POINT = MirrorUsagePoint(
    mrid="BB" * 16, role_flags="0003", service_category_kind=0, status=1, device_lfdi="0" * 40,
    mirror_meter_reading=(SERIES,),
)  # fmt: skip


@pytest.fixture
async def one(sep2: Sep2Bench) -> Client:
    client = await sep2.enrol("one")
    await sep2.device("one")
    return client


def point(client: Client) -> MirrorUsagePoint:
    return replace(POINT, device_lfdi=client.peer.lfdi)


def measured(start: int, *values: int, series: MirrorMeterReading = SERIES) -> MirrorMeterReading:
    readings = tuple(Reading(value=value) for value in values)
    period = DateTimeInterval(start=start, duration=300 * len(values))
    sets = (MirrorReadingSet(mrid="CC" * 16, time_period=period, reading=readings),)
    return replace(series, reading_type=None, mirror_reading_set=sets)


@pytest.mark.ieee2030_5("M8", "F9")
async def test_the_same_mrid_is_the_same_mirror(sep2: Sep2Bench, one: Client) -> None:
    first = await one.ask("POST", "/mup", point(one))
    again = await one.ask("POST", "/mup", point(one))
    assert (first.status, again.status) == (201, 204)
    assert first.headers["location"] == again.headers["location"] == "/mup/1"
    listed = await one.get("/mup?l=5", MirrorUsagePointList)
    assert (listed.all, listed.mirror_usage_point[0].mrid) == (1, POINT.mrid)


async def test_readings_are_everybodys_readings(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    start = sep2.moment - 600
    assert await one.status("POST", "/mup/1", measured(start, 120, -30)) == 201
    async with sep2.store.view() as view:
        found = await view.reports.series("id-one", Measurand.USAGE, sep2.now - timedelta(hours=1), sep2.now)
    assert [(int(reading.starts_at.timestamp()), reading.value) for reading in found] == [
        (start, 1200.0),
        (start + 300, -300.0),
    ]


@pytest.mark.ieee2030_5("F9")
async def test_a_series_that_the_mirror_has_not_is_refused(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    unknown = measured(sep2.moment, 1, series=replace(SERIES, mrid="DD" * 16))
    assert await one.status("POST", "/mup/1", unknown) == 400
    known = replace(unknown, reading_type=ACTIVE_POWER)
    assert await one.status("POST", "/mup/1", known) == 201
    assert await one.status("POST", "/mup/1", unknown) == 201


async def test_what_flows_in_reverse_is_below_zero(sep2: Sep2Bench, one: Client) -> None:
    fed = replace(SERIES, reading_type=replace(ACTIVE_POWER, flow_direction=19))
    await one.ask("POST", "/mup", replace(point(one), mirror_meter_reading=(fed,)))
    await one.ask("POST", "/mup/1", measured(sep2.moment - 300, 120))
    async with sep2.store.view() as view:
        (found,) = await view.reports.series("id-one", Measurand.USAGE, sep2.now - timedelta(hours=1), sep2.now)
    assert found.value == -1200.0


@pytest.mark.ieee2030_5("A1", "F9")
async def test_a_mirror_is_its_makers_alone(sep2: Sep2Bench, one: Client) -> None:
    two = await sep2.enrol("two")
    assert await two.status("POST", "/mup", point(one)) == 403
    await one.ask("POST", "/mup", point(one))
    for method, message in (("GET", None), ("PUT", point(one)), ("POST", measured(1, 1)), ("DELETE", None)):
        assert await two.status(method, "/mup/1", message) == 404
    assert (await two.get("/mup?l=5", MirrorUsagePointList)).all == 0
    assert await one.status("PUT", "/mup/1", replace(point(one), mrid="EE" * 16)) == 400
    assert await one.status("PUT", "/mup/1", point(one)) == 204
    assert await one.status("DELETE", "/mup/1") == 204
    assert await one.status("GET", "/mup/1") == 404


@pytest.mark.ieee2030_5("F9")
async def test_a_value_beyond_its_type_is_refused(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    assert await one.status("POST", "/mup/1", measured(sep2.moment, 2**47)) == 400


@pytest.mark.ieee2030_5("F10")
async def test_what_was_mirrored_is_read_as_usage_points(sep2: Sep2Bench, one: Client) -> None:
    """By links alone, from the day's set to the value as it was sent; nobody else's."""
    fed = replace(SERIES, mrid="AB" * 16, reading_type=replace(ACTIVE_POWER, flow_direction=19))
    await one.ask("POST", "/mup", replace(point(one), mirror_meter_reading=(SERIES, fed)))
    start = sep2.moment // 86_400 * 86_400
    assert await one.status("POST", "/mup/1", measured(start, 120, -30)) == 201
    assert await one.status("POST", "/mup/1", measured(start + 300, 7, series=fed)) == 201
    link = (await one.get("/dcap", DeviceCapability)).usage_point_list_link
    assert link is not None
    assert link.all == 1
    (usage_point,) = (await one.get(f"{link.href}?l=5", UsagePointList)).usage_point
    assert (usage_point.mrid, usage_point.device_lfdi, usage_point.role_flags) == (
        POINT.mrid, one.peer.lfdi, POINT.role_flags,
    )  # fmt: skip
    assert usage_point.meter_reading_list_link is not None
    told = {}
    series = (await one.get(f"{usage_point.meter_reading_list_link.href}?l=9", MeterReadingList)).meter_reading
    for each in series:
        assert (await one.get(str(each.href), MeterReading)).mrid == each.mrid
        kind = await one.get(each.reading_type_link.href, ReadingType)
        assert each.reading_set_list_link is not None
        (day,) = (await one.get(f"{each.reading_set_list_link.href}?l=9", ReadingSetList)).reading_set
        assert (day.time_period.start, day.time_period.duration) == (start, 86_400)
        assert (await one.get(str(day.href), ReadingSet)).mrid == day.mrid
        assert day.reading_list_link is not None
        listed = await one.get(f"{day.reading_list_link.href}?l=9", ReadingList)
        assert listed.all == day.reading_list_link.all == listed.results
        assert await one.get(str(listed.reading[-1].href), Reading) == listed.reading[-1]
        told[each.mrid] = [
            (kind.flow_direction, one.time_period and one.time_period.start, one.value) for one in listed.reading
        ]
    assert [one.mrid for one in series] == [fed.mrid, SERIES.mrid], "by mRID, downwards"
    assert told == {SERIES.mrid: [(1, start, 120), (1, start + 300, -30)], fed.mrid: [(19, start + 300, 7)]}
    two = await sep2.enrol("two")
    for path in ("/upt/1", "/upt/1/mr", "/upt/1/mr/1", "/upt/1/mr/1/rs"):
        assert await two.status("GET", path) == 404
    assert (await two.get("/upt?l=5", UsagePointList)).all == 0
    for path in ("/upt/9", "/upt/1/mr/3", "/upt/1/mr/1/rs/1", f"/upt/1/mr/1/rs/{start // 86_400}/r/3"):
        assert await one.status("GET", path) == 404
    assert await one.status("POST", "/upt", point(one)) == 405


async def test_an_operator_clears_what_a_device_mirrors(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    assert (await one.get("/dcap", DeviceCapability)).mirror_usage_point_list_link == ListLink(href="/mup", all=1)
    assert await sep2_groups.clear_meters(sep2.store, one.peer.lfdi, actor=ACTOR, now=sep2.now) == 1
    assert (await one.get("/dcap", DeviceCapability)).mirror_usage_point_list_link == ListLink(href="/mup", all=0)
    assert await one.status("GET", "/upt/1") == 404
    with pytest.raises(NotFound):
        await sep2_groups.clear_meters(sep2.store, "0" * 40, actor=ACTOR, now=sep2.now)


@pytest.mark.ieee2030_5("F9")
async def test_a_list_that_is_posted_need_not_count_itself(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    sent = measured(sep2.moment - 600, 120)
    counted = encode(MirrorMeterReadingList(all=1, results=1, mirror_meter_reading=(sent,)), csipaus=None)
    uncounted = counted.replace(b' all="1" results="1"', b"")
    assert len(uncounted) < len(counted)
    assert await one.status("POST", "/mup/1", uncounted) == 201
    async with sep2.store.view() as view:
        found = await view.reports.series("id-one", Measurand.USAGE, sep2.now - timedelta(hours=1), sep2.now)
    assert [reading.value for reading in found] == [1200.0]


@pytest.mark.ieee2030_5("L6")
async def test_an_operators_post_rate_is_that_of_meters_that_are_there_already(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", replace(point(one), post_rate=900))
    assert (await one.get("/mup/1", MirrorUsagePoint)).post_rate == 900
    await sep2_groups.change_device(
        sep2.store, one.peer.lfdi, DeviceWish(post_rate_s=60), actor=ACTOR, now=sep2.now
    )  # fmt: skip
    assert (await one.get("/mup/1", MirrorUsagePoint)).post_rate == 60
    await one.ask("POST", "/mup", replace(point(one), post_rate=900))
    assert (await one.get("/mup/1", MirrorUsagePoint)).post_rate == 60, "the server's word counts"


@pytest.mark.ieee2030_5("A1", "F9")
async def test_a_series_is_of_the_party_that_named_it_first(sep2: Sep2Bench, one: Client) -> None:
    await one.ask("POST", "/mup", point(one))
    two = await sep2.enrol("two")
    await sep2.device("two")
    theirs = replace(point(two), mrid="DD" * 16)
    assert await two.status("POST", "/mup", theirs) == 409
    assert (await two.get("/mup?l=5", MirrorUsagePointList)).all == 0
    own = replace(SERIES, mrid="EE" * 16)
    assert await two.status("POST", "/mup", replace(theirs, mirror_meter_reading=(own,))) == 201
    sent = replace(measured(sep2.moment - 600, 1), reading_type=ACTIVE_POWER)
    assert await two.status("POST", "/mup/2", sent) == 409, "nor by readings that bring their series with them"
    assert await one.status("POST", "/mup/1", measured(sep2.moment - 600, 1)) == 201
