"""The console: who gets in, what a page may do, and that Stop is pressed by people only."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from openadr_core.errors import Unavailable
from openadr_core.model.report import Quality, Reading
from openadr_core.sep2.base import Link
from openadr_core.sep2.controls import CurveData, DefaultDERControl, DERControlBase, DERCurve
from openadr_core.sep2.encode import encode
from openadr_core.shell.clock import ManualClock
from openadr_core.shell.console import ASSETS as SHARED
from openadr_core.shell.console import ASSETS_PREFIX
from openadr_core.shell.console.gate import Gate
from openadr_core.shell.http_armour import serve
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.sep2_drafts import ControlWish, drafted
from openadr_vtn.application.sep2_ports import StoredResponse
from openadr_vtn.console.fresh import ANSWERS_MAX, FreshAnswers
from openadr_vtn.console.routes import console_app
from openadr_vtn.domain.sep2.registry import EndDevice, Group
from openadr_vtn.http.health_routes import Health
from tests.vtn.operator.desk_bench import relief_event
from tests.vtn.samples import HOUR, STATUS_POINT, a_party, a_program, a_status, a_stored_event, a_subscription, an_offer

ASSETS = Path(__file__).resolve().parents[3] / "openadr_vtn" / "console" / "assets"
TOKEN = "let-me-in"  # noqa: S105  # a test's own
SUMMER = DERCurve(
    mrid="0E" * 16, description="summer", creation_time=1, curve_type=11, x_multiplier=0, y_multiplier=0, y_ref_type=2,
    curve_data=(CurveData(x_value=92, y_value=44), CurveData(x_value=108, y_value=-44)),
)  # fmt: skip
PARTY = "/parties/id-%3Cb%3Even%3C%2Fb%3E"
PAGES = [
    "/",
    "/parties",
    PARTY,
    "/availability",
    "/devices",
    "/groups/feeder%207",
    "/subscriptions",
    "/audit",
    "/events/event-1",
]
DATA = [
    "/data/events.json",
    "/data/parties.json",
    f"/data{PARTY}.json",
    "/data/availability.json",
    "/data/subscriptions.json",
    "/data/devices.json",
    "/data/groups/feeder%207.json",
    "/data/audit.json",
    "/data/events/event-1.json",
]


@pytest.fixture
def clock(now: object) -> ManualClock:
    return ManualClock(now)  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'vtn.db'}"
    await migrate(url)
    store = await open_store(url)
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(clock.now()))
        await uow.events.add(replace(a_stored_event(clock.now()), document=json.dumps(relief_event("program-1"))))
        await uow.parties.add(a_party(clock.now(), "<b>ven</b>"))
        await uow.subscriptions.add(a_subscription(clock.now()))
        await with_a_device(uow, int(clock.now().timestamp()))
    yield store
    await store.close()


async def with_a_device(uow: UnitOfWork, moment: int) -> None:
    """Of IEEE 2030.5, in a group that is asked for something, and it has answered."""
    group = await uow.registry.add_group(Group(id=0, name="feeder 7", mrid="0A" * 16, parent_id=None))
    device = EndDevice(
        number=0, party_id="id-<b>ven</b>", lfdi="3E" * 20, sfdi=55, registered_at=moment, changed_at=moment,
        groups=frozenset({group.id}),
    )  # fmt: skip
    await uow.registry.add_device(device)
    await uow.controls.add_control(
        drafted(
            ControlWish(kind="DERControl", members={"opModExpLimW": 1500}, starts_at=moment, duration_s=600),
            group.id, mrid="0C" * 16, moment=moment,
        )
    )  # fmt: skip
    curve = await uow.controls.add_curve(group.id, encode(SUMMER, csipaus=None))
    base = DERControlBase(op_mod_volt_var=Link(href=f"/derp/{group.id}/dc/{curve.id}"))
    default = DefaultDERControl(mrid="0D" * 16, der_control_base=base)
    await uow.controls.save_default(group.id, encode(default, csipaus=None))
    await uow.mirrors.add_response(
        StoredResponse(
            id=0, party_id=device.party_id, lfdi=device.lfdi, subject="0C" * 16, status=2, created_at=moment,
            body=b"<x/>",
        )
    )  # fmt: skip


@pytest.fixture
async def stranger(store: SqlStore, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    gate = Gate(name="openadr-vtn", token=TOKEN, key=b"k" * 32, now=clock.now)
    app = console_app(store, gate, clock.now, "VTN-1", Health(store=store, metrics=lambda: b"metric 1\n"))
    running = await serve(app, host="127.0.0.1", port=0)
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
        yield http
    await running.close()


@pytest.fixture
async def operator(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """The browser of somebody who opened the address that was printed."""
    await stranger.get(f"/?token={TOKEN}")
    return stranger


async def form_key(http: httpx.AsyncClient) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', (await http.get("/")).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", [*PAGES, *DATA, "/?token=wrong", "/?token=%FF", "/?token=", "/nothing"])
async def test_without_the_token_nothing_is_shown(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert "event-1" not in answer.text
    assert not stranger.cookies


async def test_the_token_opens_a_session_and_goes(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get(f"/parties?token={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/parties")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert TOKEN not in cookie


@pytest.mark.parametrize("path", PAGES)
async def test_pages_load_nothing_from_elsewhere(operator: httpx.AsyncClient, path: str) -> None:
    page = await operator.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page.text):
        assert address.startswith("/")
        if address.startswith(("/assets/", ASSETS_PREFIX)):
            assert (await operator.get(address)).status_code == 200
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    assert not re.search(r"\son\w+=|style=", page.text)


async def test_all_that_scripts_import_is_served(operator: httpx.AsyncClient) -> None:
    waiting, served = {f"/assets/{path.name}" for path in ASSETS.glob("*.js")}, set[str]()
    while waiting:
        address = waiting.pop()
        script = await operator.get(address)
        assert script.status_code == 200, address
        served.add(address)
        imported = {urljoin(address, found) for found in re.findall(r'from "([^"]+)"', script.text)}
        waiting |= imported - served
    assert {"/shared/page.js", "/shared/chart.js"} <= served


@pytest.mark.parametrize("cookie", [b"x", b"9999999999.00", b"\xff.\xff", "é.é".encode()])
async def test_a_forged_session_opens_nothing(stranger: httpx.AsyncClient, cookie: bytes) -> None:
    answer = await stranger.get("/", headers={b"Cookie": b"openadr_vtn_session=" + cookie})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", DATA)
async def test_data_is_json(operator: httpx.AsyncClient, path: str) -> None:
    answer = await operator.get(path)
    assert answer.status_code == 200
    assert answer.json() is not None


async def test_devices_of_2030_5_are_shown_with_what_is_asked_and_answered(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/data/devices.json")).json()
    ((group,), (device,)) = found["groups"], found["devices"]
    assert (group["name"], group["controls"], found["there"]) == ("feeder 7", 1, 1)
    assert (device["lfdi"], device["party"], device["groups"], device["enabled"]) == (
        "3E" * 20, "<b>ven</b>", ["feeder 7"], True
    )  # fmt: skip
    shown = (await operator.get("/data/groups/feeder%207.json")).json()
    ((control,), (default,), (curve,)) = shown["controls"], shown["defaults"], shown["curves"]
    assert ([one["text"] for one in control["asked"]], control["status"]) == (["1.5 kW"], "active")
    assert [(one["mode"], one["text"]) for one in default["asked"]] == [("opModVoltVar", "summer")]
    assert (curve["name"], curve["points"], curve["is_default"]) == ("summer", [[92.0, 44.0], [108.0, -44.0]], True)
    assert [(one["lfdi"], one["status"]) for one in control["responses"]] == [("3E" * 20, 2)]
    for path in ("/groups/nothing", "/data/groups/nothing.json"):
        assert (await operator.get(path)).status_code == 404


def test_scripts_set_peers_texts_as_text_only() -> None:
    """A party chooses its own name: it must never become markup."""
    scripts = {path.name: path.read_text() for folder in (ASSETS, SHARED) for path in folder.glob("*.js")}
    assert len(scripts) >= 7
    for name, text in scripts.items():
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, name


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_no_other_name_reaches_it(operator: httpx.AsyncClient, host: str) -> None:
    """DNS rebinding: a page elsewhere that resolves to loopback."""
    answer = await operator.get("/", headers={"Host": host})
    assert answer.status_code in {400, 403}


async def test_stop_needs_the_session_and_its_form(operator: httpx.AsyncClient, store: SqlStore) -> None:
    forms: list[dict[str, str]] = [{}, {"form_key": "wrong"}, {"form_key": "é"}]
    for form in forms:
        assert (await operator.post("/stop", data=form)).status_code == 403
    assert not await is_cancelled(store)
    stopped = await operator.post("/stop", data={"form_key": await form_key(operator), "event_id": "event-1"})
    assert (stopped.status_code, stopped.headers["Location"]) == (303, "/events/event-1")
    assert await is_cancelled(store)


async def test_stop_all(operator: httpx.AsyncClient, store: SqlStore) -> None:
    await operator.post("/stop", data={"form_key": await form_key(operator)})
    assert await is_cancelled(store)


async def test_a_session_ends(operator: httpx.AsyncClient, clock: ManualClock) -> None:
    assert (await operator.get("/")).status_code == 200
    clock.advance(timedelta(hours=13).total_seconds())
    assert (await operator.get("/")).status_code == 401


async def test_supervisors_need_no_token(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/health")).json() == {"status": "ready"}
    assert (await stranger.get("/health/live")).json() == {"status": "alive"}
    assert (await stranger.get("/metrics")).text == "metric 1\n"


async def test_not_ready_while_the_store_is_away(
    stranger: httpx.AsyncClient, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(store, "probe", fail)
    answer = await stranger.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "the store does not answer"})
    assert (await stranger.get("/health/live")).status_code == 200


async def is_cancelled(store: SqlStore) -> bool:
    async with store.view() as view:
        stored = await view.events.by_id("event-1")
    assert stored is not None
    return stored.event.cancelled_at is not None


async def test_an_event_that_is_not_there(operator: httpx.AsyncClient) -> None:
    for path in ("/events/nothing", "/data/events/nothing.json"):
        assert (await operator.get(path)).status_code == 404
    missing = {"form_key": await form_key(operator), "event_id": "nothing"}
    assert (await operator.post("/stop", data=missing)).status_code == 404


async def test_many_open_pages_cost_no_more_than_one() -> None:
    now_s, made = [0.0], []

    async def make() -> str:
        made.append(now_s[0])
        now_s[0] += 0.2
        return str(len(made))

    answers = FreshAnswers(steady_s=lambda: now_s[0])
    assert {await answers.of("a", make) for _ in range(100)} == {"1"}
    now_s[0] = 2.1
    assert await answers.of("a", make) == "1", "what took 0.2 s is kept for ten times as long"
    now_s[0] = 2.3
    assert await answers.of("a", make) == "2"
    for key in range(ANSWERS_MAX + 10):
        await answers.of(str(key), make)
    assert len(answers._answers) == ANSWERS_MAX


@pytest.mark.openadr3("U6")
async def test_a_party_has_a_page_of_its_reports(
    operator: httpx.AsyncClient, store: SqlStore, clock: ManualClock
) -> None:
    now, party_id = clock.now(), "id-<b>ven</b>"
    power = an_offer().offer.data_points[0]
    bad = Reading(
        r_id="power",
        starts_at=now - HOUR / 60,
        duration=HOUR / 60,
        value=0.0,
        quality=Quality.BAD,
        cause="Device Failure",
    )
    good = Reading(r_id="power", starts_at=now - HOUR / 30, duration=HOUR / 60, value=4200.0)
    async with store.unit_of_work() as uow:
        await uow.reports.replace_offers(party_id, [an_offer()])
        await uow.reports.add_readings(party_id, [(power, good), (power, bad)], now)
        await uow.reports.add_statuses(party_id, [(STATUS_POINT, a_status(now))], now)
    page = await operator.get(PARTY)
    assert "&lt;b&gt;ven&lt;/b&gt;" in page.text
    assert "<b>ven" not in page.text
    found = (await operator.get(f"/data{PARTY}.json")).json()
    assert [point["id"] for point in found["offers"][0]["points"]] == ["power", "baseline"]
    assert [(one["value"], one["quality"], one["cause"]) for one in found["newest"]] == [(0.0, "bad", "Device Failure")]
    assert [row[2] for row in found["power"]] == [4.2]
    assert [(one["source"], one["online"]) for one in found["statuses"]] == [("fleet", True)]
    for path in ("/parties/nobody", "/data/parties/nobody.json"):
        assert (await operator.get(path)).status_code == 404
