"""What operators see of, and say about, how often devices of IEEE 2030.5 poll and post."""

import pytest

from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check

LFDI = "3E4F" * 10
GROUP, DEVICE = f"{ADMIN}/sep2/groups/feeder", f"{ADMIN}/sep2/devices/{LFDI}"
RATE = {"$ref": "#/components/schemas/sep2Rate"}


@pytest.fixture
async def site(desk: DeskBench) -> DeskBench:
    await desk.add_party("one")
    await desk.http.post(f"{ADMIN}/sep2/groups", json={"name": "feeder"})
    body = {"party": "one", "lfdi": LFDI, "groups": ["feeder"]}
    assert (await desk.http.post(f"{ADMIN}/sep2/devices", json=body)).status_code == 200
    return desk


async def in_force(desk: DeskBench, path: str, name: str) -> tuple[int | None, int, str]:
    found = (await desk.http.get(f"{path}/rates")).json()
    for one in found.values():
        check(one, RATE, "admin")
    assert "Time" not in found
    rate = found[name]
    return rate["seconds"], rate["in_force_s"], rate["said_of"]


@pytest.mark.ieee2030_5("L5")
async def test_whose_word_is_in_force_is_seen(site: DeskBench) -> None:
    http, name = site.http, "DERProgramList"
    assert await in_force(site, DEVICE, name) == (None, 900, "standard")
    assert (await http.get(f"{ADMIN}/sep2/rates")).json()[name] is None
    await http.put(f"{ADMIN}/sep2/rates/{name}", json={"seconds": 800})
    assert await in_force(site, GROUP, name) == await in_force(site, DEVICE, name) == (None, 800, "everybody")
    said = await http.put(f"{GROUP}/rates/{name}", json={"seconds": 700})
    assert said.json() == {"group": "feeder", "name": name, "seconds": 700}
    assert await in_force(site, GROUP, name) == (700, 700, "group feeder")
    assert await in_force(site, DEVICE, name) == (None, 700, "group feeder")
    await http.put(f"{DEVICE}/rates/{name}", json={"seconds": 600})
    assert await in_force(site, DEVICE, name) == (600, 600, "device")
    assert (await http.get(DEVICE)).json()["rates"] == {name: 600}
    (group,) = (await http.get(f"{ADMIN}/sep2/groups")).json()
    assert group["rates"] == {name: 700}
    await http.put(f"{DEVICE}/rates/{name}", json={"seconds": None})
    assert await in_force(site, DEVICE, name) == (None, 700, "group feeder")
    async with site.store.view() as view:
        (entry,) = await view.audit.newest(1)
    assert (entry.action, entry.subject) == (f"save rate of {name}", LFDI)


async def test_a_devices_post_rate_is_one_of_them(site: DeskBench) -> None:
    await site.http.put(DEVICE, json={"post_rate_s": 30})
    assert await in_force(site, DEVICE, "EndDevice") == (30, 30, "device")
    assert (await site.http.put(DEVICE, json={"post_rate_s": 86_401})).status_code == 400
    await site.http.put(f"{DEVICE}/rates/EndDevice", json={"seconds": 40})
    shown = (await site.http.get(DEVICE)).json()
    check(shown, {"$ref": "#/components/schemas/sep2DeviceDetail"}, "admin")
    assert shown["post_rate_s"] == 40


async def test_what_is_wrong_is_refused(site: DeskBench) -> None:
    for path, seconds, status in (
        (f"{DEVICE}/rates/Time", 60, 400), (f"{GROUP}/rates/Toast", 60, 400), (f"{GROUP}/rates/DERList", 0, 400),
        (f"{GROUP}/rates/DERList", 86_401, 400), (f"{ADMIN}/sep2/groups/nowhere/rates/DERList", 60, 404),
        (f"{ADMIN}/sep2/devices/{'0' * 40}/rates/DERList", 60, 404),
    ):  # fmt: skip
        assert (await site.http.put(path, json={"seconds": seconds})).status_code == status, path
    assert (await site.http.put(f"{GROUP}/rates/DERList", json={"second": 60})).status_code == 400
    assert (await site.http.get(f"{ADMIN}/sep2/groups/nowhere/rates")).status_code == 404
    (group,) = (await site.http.get(f"{ADMIN}/sep2/groups")).json()
    assert group["rates"] == {}
