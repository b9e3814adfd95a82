"""Rates of one site and of one group, as their devices read them, and as subscribers hear of them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from openadr_core.sep2.controls import DERProgramList
from openadr_core.sep2.der import DERList
from openadr_core.sep2.devices import EndDeviceList, FunctionSetAssignmentsList
from openadr_core.sep2.metering import MirrorUsagePointList
from openadr_core.sep2.server import DeviceCapability, Time
from openadr_vtn.application.handlers import sep2_rates
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Client, Sep2Bench, a_lfdi
from tests.vtn.protocols.sep2.test_sep2_mirrors import point
from tests.vtn.protocols.sep2.test_sep2_subscriptions import a_subscription

LISTS = {
    "/dcap": DeviceCapability, "/edev?l=9": EndDeviceList, "/mup?l=9": MirrorUsagePointList,
    "/edev/1/fsa?l=9": FunctionSetAssignmentsList, "/edev/1/fsa/1/derp?l=9": DERProgramList, "/edev/1/der?l=9": DERList,
}  # fmt: skip
Say = Callable[[str, int | None], Awaitable[None]]


@pytest.fixture
async def two(sep2: Sep2Bench) -> tuple[Client, Client]:
    """One in a feeder of the system, and one in the system alone; devices 1 and 2."""
    clients = (await sep2.enrol("one"), await sep2.enrol("two"))
    await sep2.group("system")
    await sep2.group("feeder", "system")
    await sep2.device("one", "feeder")
    await sep2.device("two", "system")
    return clients


async def polled(client: Client, path: str, kind: type[Any]) -> int:
    found: object = (await client.get(path, kind)).poll_rate
    assert isinstance(found, int)
    return found


def group_says(sep2: Sep2Bench, group: str) -> Say:
    async def say(name: str, seconds: int | None) -> None:
        await sep2_rates.save_group_rate(sep2.store, group, name, seconds, actor=ACTOR, now=sep2.now)

    return say


def device_says(sep2: Sep2Bench, client: Client) -> Say:
    async def say(name: str, seconds: int | None) -> None:
        await sep2_rates.save_device_rate(sep2.store, client.peer.lfdi, name, seconds, actor=ACTOR, now=sep2.now)

    return say


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.ieee2030_5("L5")
async def test_each_list_is_polled_as_its_device_is_told(
    sep2: Sep2Bench, two: tuple[Client, Client], path: str
) -> None:
    one, other = two
    kind = LISTS[path]
    name = kind.__name__
    assert await polled(one, path, kind) == 900
    await sep2_rates.save_rate(sep2.store, name, 800, actor=ACTOR, now=sep2.now)
    assert await polled(one, path, kind) == 800
    await group_says(sep2, "system")(name, 700)
    assert await polled(one, path, kind) == 700
    await group_says(sep2, "feeder")(name, 600)
    assert await polled(one, path, kind) == 600
    theirs = path.replace("/edev/1", "/edev/2")
    assert await polled(other, theirs, kind) == 700
    await device_says(sep2, one)(name, 500)
    assert (await polled(one, path, kind), await polled(other, theirs, kind)) == (500, 700)
    says = (device_says(sep2, one), group_says(sep2, "feeder"), group_says(sep2, "system"))
    for say, then in zip(says, (600, 700, 800), strict=True):
        await say(name, None)
        assert await polled(one, path, kind) == then


@pytest.mark.ieee2030_5("L5", "F3")
async def test_posts_follow_the_operator_before_the_clients_wish(sep2: Sep2Bench, two: tuple[Client, Client]) -> None:
    one, _ = two
    assert await one.status("POST", "/mup", replace(point(one), post_rate=77)) == 201

    async def posted() -> tuple[int | None, int | None]:
        (device,) = (await one.get("/edev?l=9", EndDeviceList)).end_device
        (mirror,) = (await one.get("/mup?l=9", MirrorUsagePointList)).mirror_usage_point
        return device.post_rate, mirror.post_rate

    assert await posted() == (900, 77)
    await sep2_rates.save_rate(sep2.store, "EndDevice", 300, actor=ACTOR, now=sep2.now)
    assert await posted() == (300, 77)
    await group_says(sep2, "system")("EndDevice", 60)
    assert await posted() == (60, 60)
    await device_says(sep2, one)("EndDevice", 30)
    assert await posted() == (30, 30)


async def test_a_managed_device_has_its_own_and_the_time_one_for_all(sep2: Sep2Bench) -> None:
    """What is read under a device is its; what is read under none is that of the certificate that asks."""
    client = await sep2.enrol("agg")
    await sep2.group("system")
    own = await sep2.device("agg", "system")
    managed = await sep2.device("agg", "system", lfdi=a_lfdi(1))
    say = sep2_rates.save_device_rate
    for device, seconds in ((own, 100), (managed, 200)):
        for name in ("DERProgramList", "EndDeviceList"):
            await say(sep2.store, device.lfdi, name, seconds, actor=ACTOR, now=sep2.now)
    assert (await client.get("/edev?l=9", EndDeviceList)).poll_rate == 100
    rates = [
        (await client.get(f"/edev/{device.number}/fsa/1/derp", DERProgramList)).poll_rate for device in (own, managed)
    ]
    assert rates == [100, 200]
    assert (await client.get("/tm", Time)).poll_rate == 900


async def test_what_is_kept_of_one_is_kept_when_another_is_told(sep2: Sep2Bench, two: tuple[Client, Client]) -> None:
    """A device's rate costs the others nothing: their answers are given again as they are."""
    one, other = two
    path = "/edev/2/fsa/1/derp?l=9"
    await other.ask("GET", path)
    kept = sep2.server._kept._own
    before = {party: dict(found) for party, found in kept.items()}
    assert path in {asked for _, asked in before["id-two"]}
    await device_says(sep2, one)("DERProgramList", 5)
    assert kept.get("id-two") == before["id-two"]


@pytest.mark.ieee2030_5("L5", "N1")
async def test_subscribers_hear_of_a_rate_that_concerns_them(sep2: Sep2Bench, two: tuple[Client, Client]) -> None:
    """T:43, for a site: a pollRate is an attribute of the list that they subscribed to."""
    one, other = two
    for client, number in ((one, 1), (other, 2)):
        for resource in ("/edev", f"/edev/{number}/fsa/1/derp"):
            assert await client.status("POST", f"/edev/{number}/sub", a_subscription(resource)) == 201

    async def told() -> list[tuple[str, str]]:
        async with sep2.store.unit_of_work() as uow:
            found = await uow.sep2_subscriptions.spread()
            standings = await uow.sep2_subscriptions.standings(found)
        return sorted((one.subscription.party_id, one.subscription.resource) for one in standings)

    await told()
    await device_says(sep2, one)("DERProgramList", 5)
    assert await told() == [("id-one", "/edev"), ("id-one", "/edev/1/fsa/1/derp")]
    await group_says(sep2, "feeder")("EndDeviceList", 5)
    assert await told() == [("id-one", "/edev"), ("id-one", "/edev/1/fsa/1/derp")]
    await group_says(sep2, "system")("EndDeviceList", 5)
    assert len(await told()) == 4
