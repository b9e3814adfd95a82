"""A vendor's cloud: what is asked of it, how often, and what its answers are taken for."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import respx
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import ConfigError, Refused, Unreachable
from openadr_ven.bootstrap.gateway import _cloud
from openadr_ven.cli.root import cli
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.cloud.api import Api, Credentials
from openadr_ven.gateways.cloud.driver import VendorCloud
from openadr_ven.gateways.cloud.mapping import at, filled, number, placeholders
from openadr_ven.gateways.cloud.pace import Pace
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order, Outcome, Reading
from openadr_ven.gateways.settings import GatewaySettings, load

URL = "https://fleet-api.vendor.example"
TOKEN_URL = "https://auth.vendor.example/oauth2/v3/token"  # noqa: S105
SITE = "/api/1/energy_sites/1234567890"
BATCH = """
[cloud]
url = "https://fleet-api.vendor.example/v2"
batch_max = 3
requests_per_minute = 60000
read_every_s = 0.05
[cloud.devices]
a = "A"
b = "B"
c = "C"
d = "D"
[cloud.read]
path = "/devices"
each = "/devices"
device = "/name"
power_w = "/kw"
power_scale = 1000
online = "/state"
truths = ["up", 1]
override = "/manual"
[[cloud.orders.SETPOINT]]
path = "/commands"
each = { id = "{device}", watts = "{setpoint_w}" }
body = { commands = "{each}", source = "vpp" }
refused = "/refused"
[[cloud.orders.RELEASE]]
method = "DELETE"
path = "/commands/{device}"
"""


class Pauses:
    """What the API waits for, which is not waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def settings(folder: Path, text: str | None = None) -> GatewaySettings:
    """The example that the command line prints, or another table."""
    path = folder / "gateway.toml"
    printed = CliRunner().invoke(cli, ["gateway", "example", "cloud"]).output
    path.write_text(printed if text is None else 'gateway = "g"\nfleet = "fleet.csv"\n' + text)
    (folder / "vendor.secret").write_text("secret\n")
    return load(path)


def cloud(folder: Path, text: str | None = None) -> VendorCloud:
    chosen = settings(folder, text).cloud
    assert chosen is not None
    driver = _cloud(chosen, lambda: datetime.now(UTC), pause=Pauses())
    assert isinstance(driver, VendorCloud)
    return driver


def order(device_id: str, mode: Mode = Mode.SETPOINT, watts: float = 0.0, *, lasts_s: float = 600.0) -> Order:
    return Order(
        device_id=device_id, mode=mode, setpoint_w=watts, until=datetime.now(UTC) + timedelta(seconds=lasts_s),
        import_max_w=5_000.0, export_max_w=5_000.0,
    )  # fmt: skip


async def told(driver: VendorCloud, *orders: Order) -> dict[str, Reason]:
    outcomes: list[Outcome] = [one async for one in driver.tell(orders)]
    assert len(outcomes) == len(orders)
    return {one.order.device_id: one.reason for one in outcomes}


def sent(route: respx.Route) -> list[object]:
    return [json.loads(call.request.content) for call in route.calls]


def with_token(router: respx.MockRouter, **told: object) -> respx.Route:
    return router.post(TOKEN_URL).respond(json={"access_token": "t", "expires_in": 3_600, **told})


async def test_a_battery_that_has_modes_is_told_by_them_in_order(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    token = with_token(respx_mock)
    backup = respx_mock.post(f"{URL}{SITE}/backup").respond(json={})
    rule = respx_mock.post(f"{URL}{SITE}/grid_import_export").respond(json={})
    driver = cloud(tmp_path)
    assert await told(driver, order("battery-1", watts=-3_000.0)) == {"battery-1": Reason.NONE}
    assert [call.request.url.path for call in respx_mock.calls] == [
        "/oauth2/v3/token", f"{SITE}/backup", f"{SITE}/grid_import_export",
    ]  # fmt: skip
    assert sent(backup) == [{"backup_reserve_percent": 20}]
    assert sent(rule) == [{"customer_preferred_export_rule": "battery_ok"}]
    assert await told(driver, order("battery-1", watts=1_000.0)) == {"battery-1": Reason.NONE}
    assert await told(driver, order("battery-1", Mode.RELEASE)) == {"battery-1": Reason.NONE}
    assert sent(backup)[1:] == [{"backup_reserve_percent": 100}, {"backup_reserve_percent": 30}]
    assert await told(driver, order("battery-1", Mode.SHED)) == {"battery-1": Reason.UNSUPPORTED_MODE}
    assert token.call_count == 1
    form = dict(pair.split("=") for pair in token.calls[0].request.content.decode().split("&"))
    assert form == {"grant_type": "client_credentials"}
    assert backup.calls[0].request.headers["Authorization"] == "Bearer t"


async def test_the_first_request_that_fails_ends_an_order(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    with_token(respx_mock)
    respx_mock.post(f"{URL}{SITE}/backup").respond(400)
    rule = respx_mock.post(f"{URL}{SITE}/grid_import_export").respond(json={})
    assert await told(cloud(tmp_path), order("battery-1", watts=-1.0)) == {"battery-1": Reason.OUT_OF_RANGE}
    assert rule.call_count == 0


async def test_orders_go_in_batches_and_each_device_has_its_own_outcome(
    respx_mock: respx.MockRouter, tmp_path: Path
) -> None:
    commands = respx_mock.post(f"{URL}/v2/commands").respond(json={"refused": ["B", "stranger"]})
    released = respx_mock.delete(f"{URL}/v2/commands/D").respond(204)
    driver = cloud(tmp_path, BATCH)
    orders = [order(one, watts=-1_000.0 * place) for place, one in enumerate("abc")] + [order("d", Mode.RELEASE)]
    reasons = await told(driver, *orders)
    assert reasons == {"a": Reason.NONE, "b": Reason.OUT_OF_RANGE, "c": Reason.NONE, "d": Reason.NONE}
    listed = [{"id": "A", "watts": 0}, {"id": "B", "watts": -1000}, {"id": "C", "watts": -2000}]
    assert sent(commands) == [{"commands": listed, "source": "vpp"}]
    assert released.call_count == 1
    await told(driver, *[order(one) for one in "abcd"])
    assert sorted(len(one["commands"]) for one in sent(commands)[1:]) == [1, 3]  # type: ignore[index]


@pytest.mark.parametrize(
    ("answers", "reason", "tries"),
    [
        ([httpx.Response(503), httpx.Response(200, json={})], Reason.NONE, 2),
        ([httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.Response(200)], Reason.NONE, 3),
        ([httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200)], Reason.NONE, 2),
        ([httpx.Response(500)] * 4, Reason.UNREACHABLE, 4),
        ([httpx.Response(404)], Reason.UNREACHABLE, 1),
        ([httpx.Response(422)], Reason.OUT_OF_RANGE, 1),
        ([httpx.Response(200, content=b"<html>")], Reason.UNREACHABLE, 1),
        ([httpx.Response(302, headers={"Location": "https://elsewhere.example"})], Reason.OUT_OF_RANGE, 1),
    ],
    ids=["503", "no answer", "429", "always 500", "404", "422", "no JSON", "sent elsewhere"],
)
async def test_what_may_be_tried_again_is_and_what_may_not_is_not(
    respx_mock: respx.MockRouter,
    tmp_path: Path,
    answers: Sequence[httpx.Response | Exception],
    reason: Reason,
    tries: int,
) -> None:
    route = respx_mock.post(f"{URL}/v2/commands").mock(side_effect=list(answers))
    assert await told(cloud(tmp_path, BATCH), order("a")) == {"a": reason}
    assert route.call_count == tries


async def test_nobody_is_told_what_is_over_by_then(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    route = respx_mock.post(f"{URL}/v2/commands").respond(429, headers={"Retry-After": "120"})
    driver = cloud(tmp_path, BATCH)
    assert await told(driver, order("a", lasts_s=30.0)) == {"a": Reason.UNREACHABLE}
    assert route.call_count == 1
    respx_mock.delete(f"{URL}/v2/commands/A").respond(204)
    assert await told(driver, order("a", Mode.RELEASE)) == {"a": Reason.NONE}, "a release is never too late"


async def test_readings_are_of_our_devices_and_of_numbers(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    entries = [
        {"name": "A", "kw": -3.2, "state": "up"},
        {"name": "B", "kw": "1.5", "state": "down", "manual": 1},
        {"name": "C", "kw": None, "state": "up"},
        {"name": "stranger", "kw": 1},
        {"kw": 1},
        "nonsense",
    ]
    good = [httpx.Response(200, json={"devices": entries})] * 99
    bad = [httpx.Response(500), httpx.Response(200, json=["?"])]
    respx_mock.get(f"{URL}/v2/devices").mock(side_effect=[*bad, *good])
    heard: list[Reading] = []
    driver = cloud(tmp_path, BATCH)
    reading = asyncio.create_task(driver.run(heard.extend))
    await until(lambda: heard)
    reading.cancel()
    by_name = {one.device_id: one for one in heard}
    assert set(by_name) == {"a", "b"}
    assert (by_name["a"].power_w, by_name["a"].online, by_name["a"].override) == (-3_200.0, True, False)
    assert (by_name["b"].power_w, by_name["b"].online, by_name["b"].override) == (1_500.0, False, True)


async def test_one_device_that_cannot_be_read_keeps_no_other_from_it(
    respx_mock: respx.MockRouter, tmp_path: Path
) -> None:
    with_token(respx_mock)
    live = {"response": {"battery_power": 2_000, "percentage_charged": 55.5, "grid_status": "Active"}}
    respx_mock.get(f"{URL}{SITE}/live_status").respond(404)
    respx_mock.get(f"{URL}/api/1/energy_sites/2/live_status").respond(json=live)
    printed = CliRunner().invoke(cli, ["gateway", "example", "cloud"]).output
    path = tmp_path / "gateway.toml"
    path.write_text(printed.replace('"battery-1" =', '"battery-2" = "2"\n"battery-1" ='))
    (tmp_path / "vendor.secret").write_text("secret")
    chosen = load(path).cloud
    assert chosen is not None
    heard: list[Reading] = []
    reading = asyncio.create_task(_cloud(chosen, lambda: datetime.now(UTC), pause=Pauses()).run(heard.extend))
    await until(lambda: heard)
    reading.cancel()
    (found,) = heard
    assert (found.device_id, found.power_w) == ("battery-2", -2_000.0)
    assert found.soc == pytest.approx(0.555)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10.0):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


# -- tokens and pace -----------------------------------------------------------------------


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def api(
    client: httpx.AsyncClient,
    clock: Clock,
    *,
    tries: int = 4,
    pause: Pauses | None = None,
    answer_max_bytes: int = 1_000_000,
) -> Api:
    credentials = Credentials(token_url=TOKEN_URL, client_id="id", secret="s", scope="read write")  # noqa: S106
    return Api(
        client,
        credentials,
        Pace(per_minute=1e9, burst=1),
        tries=tries,
        now=clock,
        dice=random.Random(1),
        pause=pause or Pauses(),
        answer_max_bytes=answer_max_bytes,
    )


async def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(
    respx_mock: respx.MockRouter, now: datetime
) -> None:
    tokens = respx_mock.post(TOKEN_URL).mock(
        side_effect=[httpx.Response(200, json={"access_token": str(n), "expires_in": 600}) for n in range(9)]
    )
    shown: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        shown.append(request.headers["Authorization"])
        return httpx.Response(401 if shown[-1] == "Bearer 1" else 200, json={})

    respx_mock.get(f"{URL}/x").mock(side_effect=answer)
    clock = Clock(now)
    async with httpx.AsyncClient(base_url=URL) as client:
        vendor = api(client, clock)
        await asyncio.gather(*(vendor.ask("GET", "/x") for _ in range(5)))
        assert tokens.call_count == 1, "asked for once, whoever waits for it"
        clock.now += timedelta(seconds=541)
        await vendor.ask("GET", "/x")
    assert shown[-2:] == ["Bearer 1", "Bearer 2"]
    assert b"scope=read+write" in tokens.calls[0].request.content


@pytest.mark.parametrize(
    "answer", [{"json": {}}, {"status_code": 400}, {"content": b"{"}, {"json": {"access_token": 5}}]
)
async def test_without_a_token_nobody_is_asked(
    respx_mock: respx.MockRouter, now: datetime, answer: dict[str, object]
) -> None:
    respx_mock.post(TOKEN_URL).respond(**answer)  # type: ignore[arg-type]
    route = respx_mock.get(f"{URL}/x")
    async with httpx.AsyncClient(base_url=URL) as client:
        with pytest.raises(Unreachable):
            await api(client, Clock(now), tries=2).ask("GET", "/x")
    assert route.call_count == 0


async def test_an_answer_without_end_is_cut_off(respx_mock: respx.MockRouter, now: datetime) -> None:
    with_token(respx_mock)
    respx_mock.get(f"{URL}/x").respond(content=b" " * 5_000)
    async with httpx.AsyncClient(base_url=URL) as client:
        with pytest.raises(Unreachable, match="DecodingError"):
            await api(client, Clock(now), tries=1, answer_max_bytes=1_000).ask("GET", "/x")


async def test_what_the_vendor_refuses_says_how(respx_mock: respx.MockRouter, now: datetime) -> None:
    with_token(respx_mock)
    respx_mock.get(f"{URL}/x").respond(403)
    async with httpx.AsyncClient(base_url=URL) as client:
        with pytest.raises(Refused, match="403"):
            await api(client, Clock(now)).ask("GET", "/x")


@pytest.mark.parametrize(("told", "pause_s"), [("7", 7.0), ("Wed, 15 Jul 2026 18:30:20 GMT", 20.0), ("soon", 0.0)])
async def test_a_vendor_that_wants_to_be_left_alone_is(
    respx_mock: respx.MockRouter, now: datetime, told: str, pause_s: float
) -> None:
    with_token(respx_mock)
    respx_mock.get(f"{URL}/x").mock(
        side_effect=[httpx.Response(503, headers={"Retry-After": told}), httpx.Response(200)]
    )
    async with httpx.AsyncClient(base_url=URL) as client:
        await api(client, Clock(now), pause=(pauses := Pauses())).ask("GET", "/x")
    assert pause_s <= pauses.seconds[-1] <= pause_s + 3.0


@given(per_minute=st.floats(1.0, 6_000.0), burst=st.integers(1, 50), gaps=st.lists(st.floats(0.0, 10.0), max_size=200))
def test_no_window_has_more_requests_than_the_vendor_allows(per_minute: float, burst: int, gaps: list[float]) -> None:
    pace, now_s, made = Pace(per_minute=per_minute, burst=burst), 1_000.0, []
    for gap in gaps:
        now_s += gap
        made.append(now_s + pace.take(now_s))
    made.sort()
    for first in range(0, len(made), 7):
        for last in range(first, len(made), 5):
            window_s = made[last] - made[first]
            assert last - first + 1 <= burst + window_s * per_minute / 60.0 + 1.0 + 1e-6


# -- templates and settings ----------------------------------------------------------------


def test_a_template_keeps_numbers_and_fills_texts() -> None:
    values = {"device": "A 1", "setpoint_w": -5, "each": [1, 2]}
    template = {"a": "{setpoint_w}", "b": ["{device}: {setpoint_w} W", True, None], "c": "{each}"}
    assert filled(template, values) == {"a": -5, "b": ["A 1: -5 W", True, None], "c": [1, 2]}
    assert sorted(placeholders(template)) == ["device", "each", "setpoint_w", "setpoint_w"]


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", {"a": [{"b/c": 5}]}), ("/a/0/b~1c", 5), ("/a/1", None), ("/a/x", None), ("/z/0", None), ("/a/0/b/c", None)],
)
def test_pointers_find_what_is_there(pointer: str, found: object) -> None:
    assert at({"a": [{"b/c": 5}]}, pointer) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [(5, 5.0), ("5.5", 5.5), (True, None), ("x", None), (None, None), ([], None), ("nan", None), (1e300, None)],
)
def test_what_is_no_number_is_none(value: object, found: float | None) -> None:
    assert number(value) == found


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("https://fleet-api", "http://fleet-api", "must be https"),
        ("{device}", "{name}", r"\{name\}"),
        ('each = "/devices"\ndevice = "/name"\n', "", "path names"),
        ('device = "/name"', "", "go together"),
        ("orders.RELEASE", "orders.SHED", "taken back"),
        ('b = "B"', 'b = "A"', "one name"),
        ('"/kw"', '"kw"', "power_w"),
        ("batch_max = 3", "batch_max = 0", "batch_max"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    assert was in BATCH
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, BATCH.replace(was, becomes))
