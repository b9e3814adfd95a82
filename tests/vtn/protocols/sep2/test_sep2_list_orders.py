"""Lists in the order that the standard has for each, and page by page as at once (1.2)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from openadr_core.sep2 import controls, der, devices, drlc, metering, subscriptions
from openadr_vtn.application.handlers import sep2_controls
from openadr_vtn.application.sep2_drafts import ControlWish
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Client, Sep2Bench, a_lfdi
from tests.vtn.protocols.sep2.test_sep2_mirrors import SERIES, measured, point
from tests.vtn.protocols.sep2.test_sep2_subscriptions import a_subscription

DAY_S = 86_400
CURVE = {
    "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
    "CurveData": [{"xvalue": 9000, "yvalue": 10}, {"xvalue": 11000, "yvalue": -10}],
}  # fmt: skip
Key = Callable[[Any], tuple[Any, ...]]


def descending(mrid: str) -> int:
    return -int(mrid, 16)


def by_start(one: Any) -> tuple[Any, ...]:
    return one.interval.start, -one.creation_time, descending(one.mrid)


def by_primacy(one: Any) -> tuple[Any, ...]:
    return one.primacy, descending(one.mrid)


def by_mrid(one: Any) -> tuple[Any, ...]:
    return (descending(one.mrid),)


def by_href(one: Any) -> tuple[Any, ...]:
    """Interpretation: compared as the text that it is."""
    return (one.href,)


LISTS: dict[str, tuple[type[Any], str, int, Key]] = {
    "/edev": (devices.EndDeviceList, "end_device", 12, lambda one: (one.sfdi, one.href)),
    "/edev/1/fsa": (devices.FunctionSetAssignmentsList, "function_set_assignments", 1, by_mrid),
    "/edev/1/fsa/1/derp": (controls.DERProgramList, "der_program", 4, by_primacy),
    "/edev/1/fsa/1/dr": (drlc.DemandResponseProgramList, "demand_response_program", 4, by_primacy),
    "/edev/1/der": (der.DERList, "der", 1, by_href),
    "/edev/1/sub": (subscriptions.SubscriptionList, "subscription", 11, by_href),
    "/edev/1/lel": (
        devices.LogEventList, "log_event", 5, lambda one: (one.created_date_time, one.log_event_id)
    ),
    "/edev/1/lsl": (drlc.LoadShedAvailabilityList, "load_shed_availability", 1, by_href),
    "/derp/1/derc": (controls.DERControlList, "der_control", 6, by_start),
    "/derp/1/actderc": (controls.DERControlList, "der_control", 3, by_start),
    "/derp/1/dc": (controls.DERCurveList, "der_curve", 4, lambda one: (-one.creation_time, descending(one.mrid))),
    "/dr/1/edc": (drlc.EndDeviceControlList, "end_device_control", 4, by_start),
    "/dr/1/actedc": (drlc.EndDeviceControlList, "end_device_control", 2, by_start),
    "/mup": (metering.MirrorUsagePointList, "mirror_usage_point", 4, by_mrid),
    "/upt": (metering.UsagePointList, "usage_point", 4, by_mrid),
    "/upt/1/mr": (metering.MeterReadingList, "meter_reading", 3, by_mrid),
    "/upt/1/mr/1/rs": (
        metering.ReadingSetList, "reading_set", 2, lambda one: (-one.time_period.start, descending(one.mrid))
    ),
}  # fmt: skip


@pytest.fixture
async def one(sep2: Sep2Bench) -> Client:
    """Somebody who has several of everything, none of them made in the order of its list."""
    client = await sep2.enrol("one")
    for name, primacy in (("a", 9), ("b", 3), ("c", 9), ("d", 3)):
        await sep2.group(name, primacy=primacy)
    await sep2.device("one", "a", "b", "c", "d")
    for number in range(11):
        await sep2.device("one", lfdi=a_lfdi(number))
    await _controls(sep2)
    for later in (3, 0, 7, 0):
        sep2.later(later)
        await sep2_controls.add_curve(sep2.store, "a", CURVE, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    for number in range(1, 12):
        await client.ask("POST", "/edev/1/sub", a_subscription(f"/edev/{number}"))
    for at, which in ((7, 1), (5, 9), (5, 2), (9, 1), (5, 4)):
        said = devices.LogEvent(
            created_date_time=at, function_set=11, log_event_code=0, log_event_id=which, log_event_pen=1, profile_id=2
        )
        await client.ask("POST", "/edev/1/lel", said)
    await client.ask("POST", "/edev/1/lsl", drlc.LoadShedAvailability(availability_duration=60))
    await _meters(sep2, client)
    return client


async def _controls(sep2: Sep2Bench) -> None:
    # Each asks for something else, so that none supersedes another.
    modes = ("opModFixedW", "opModMaxLimW", "opModExpLimW", "opModImpLimW", "opModGenLimW", "opModLoadLimW")
    for mode, start, later in zip(modes, (600, 0, 300, -6, 0, 300), (1, 2, 3, 0, 0, 0), strict=True):
        sep2.later(later)
        await sep2.control("a", start=start, **{mode: 10})
    for start, asked in zip((900, 0, 900, 0), ("SetPoint", "SetPoint", "Offset", "Offset"), strict=True):
        wish = ControlWish(
            kind="EndDeviceControl", duration_s=600, starts_at=sep2.moment + start,
            members={"deviceCategory": "01", "drProgramMandatory": False, "loadShiftForward": False, asked: {}},
        )  # fmt: skip
        await sep2_controls.create_control(sep2.store, "a", wish, maker=sep2.maker, actor=ACTOR, now=sep2.now)


async def _meters(sep2: Sep2Bench, client: Client) -> None:
    series = tuple(replace(SERIES, mrid=digits * 16) for digits in ("AB", "0F", "E1"))
    mirrored = replace(point(client), mirror_meter_reading=series)
    for digits in ("4B", "A0", "07", "F2"):
        assert await client.status("POST", "/mup", replace(mirrored, mrid=digits * 16)) == 201
    today = sep2.moment - sep2.moment % DAY_S
    for start in (today - DAY_S, today, today - DAY_S + 600):
        assert await client.status("POST", "/mup/1", measured(start, 7, 8, series=series[0])) == 201


@pytest.mark.ieee2030_5("L4")
@pytest.mark.ieee2030_5("L4", "L1", "L2", "L3")
async def test_the_order_of_each_list(one: Client) -> None:
    for path, (kind, name, count, key) in LISTS.items():
        whole = await one.get(f"{path}?l=255", kind)
        members = getattr(whole, name)
        assert (whole.all, whole.results, len(members)) == (count, count, count), path
        assert list(members) == sorted(members, key=key), path
        paged = [await one.get(f"{path}?s={start}", kind) for start in range(count + 1)]
        assert [page.results for page in paged] == [1] * count + [0], path
        assert [getattr(page, name)[0].href for page in paged[:-1]] == [member.href for member in members], path


@pytest.mark.ieee2030_5("L4", "F10")
async def test_the_readings_of_a_set_are_in_the_order_of_their_local_ids(one: Client) -> None:
    sets = await one.get("/upt/1/mr/1/rs?l=9", metering.ReadingSetList)
    yesterday = sets.reading_set[-1].href
    assert yesterday is not None
    found = await one.get(f"{yesterday}/r?l=9", metering.ReadingList)
    ids = [int(reading.local_id or "", 16) for reading in found.reading]
    assert ids == sorted(ids) == [1, 2, 3, 4]
