"""Both consoles in a real browser: what a person sees, after the pages' scripts have run.

Needs Chromium (Debian: ``chromium``); CI installs it.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.lab import VEN_NAME, Lab
from tests.browser.chromium import CHROMIUM, browser
from tests.rig import PROGRAM, running_lab

LINE = r"<(path|polyline)[^>]+\d"
PNG_MIN_BYTES = 20_000
"""A page with tables and a chart; a blank one or a line of text is half of it."""

SUMMER = {
    "description": "summer", "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
    "CurveData": [{"xvalue": x, "yvalue": y} for x, y in ((92, 44), (98, 0), (102, 0), (108, -44))],
}  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A VTN and a VEN in the middle of an event."""
    with running_lab(tmp_path_factory.mktemp("pages")) as made:
        made.operator_json(
            "event", "create", "--program", PROGRAM, "--payload-type", "DISPATCH_SETPOINT_RELATIVE",
            "--value", "60", "--duration", "120s", "--target", VEN_NAME,
        )  # fmt: skip
        time.sleep(10)
        yield made


async def test_the_utility_sees_its_parties_and_its_event(lab: Lab, tmp_path: Path) -> None:
    url = lab.console_url("vtn")
    base = url.split("/?")[0]
    event_id = lab.operator_json("event", "list")[0]["id"]
    (tmp_path / "note").write_text("Seen by <b>nobody</b> but operators.")
    lab.operator_command("event", "note", event_id, tmp_path / "note")
    async with browser(tmp_path / "profile") as page:
        assert event_id in await page.open(url)
        assert VEN_NAME in await page.open(f"{base}/parties")
        party_id = lab.operator_json("party", "list")[0]["id"]
        shown = await page.open(f"{base}/parties/{party_id}")
        assert all(words in shown for words in ("fleet_usage", "TELEMETRY_STATUS", "pending", "baseline"))
        assert re.search(LINE, shown), "no line in the chart of power"
        shown = await page.open(f"{base}/events/{event_id}")
        assert "opt in" in shown
        assert re.search(LINE, shown), "no line in the chart of target and delivered"
        assert "Seen by &lt;b&gt;nobody&lt;/b&gt; but operators." in shown
        assert (await page.picture(tmp_path / "event.png")).stat().st_size > PNG_MIN_BYTES


async def test_the_utility_sees_its_devices_of_2030_5(lab: Lab, tmp_path: Path) -> None:
    base = lab.console_url("vtn").split("/?")[0]
    lfdi = "3E4F" * 10
    lab.operator_command("device", "add-group", "feeder 7", "--primacy", "5")
    lab.operator_command("device", "add", VEN_NAME, lfdi, "--group", "feeder 7")
    lab.operator_command("device", "rate", "DERProgramList", "60", "--group", "feeder 7")
    default, curve = tmp_path / "default.json", tmp_path / "curve.json"
    default.write_text(json.dumps({"DERControlBase": {"opModImpLimW": 5000}, "setGradW": 27}))
    lab.operator_command("control", "default", "feeder 7", str(default))
    curve.write_text(json.dumps(SUMMER))
    lab.operator_command("control", "curve", "feeder 7", str(curve))
    (made,) = lab.operator_json("control", "curves", "feeder 7")
    asks = ("opModExpLimW=1500", f"opModVoltVar={json.dumps({'href': made['href']})}")
    lab.operator_command("control", "create", "feeder 7", *asks, "--duration", "600s")
    async with browser(tmp_path / "profile") as page:
        await page.open(lab.console_url("vtn"))
        shown = await page.open(f"{base}/devices")
        assert all(words in shown for words in ("feeder 7", lfdi, VEN_NAME, "granted"))
        assert 'href="/groups/feeder%207"' in shown
        assert "DERProgramList 1 min 0 s" in shown
        assert (await page.picture(tmp_path / "devices.png")).stat().st_size > PNG_MIN_BYTES
        shown = await page.open(f"{base}/groups/feeder%207")
        asked = ("opModVoltVar summer", "opModExpLimW 1.5 kW", "opModImpLimW 5 kW", "setGradW 0.27 %")
        assert all(words in shown for words in (*asked, "active", "No device has answered yet", "92 → 44", "<polyline"))
        assert (await page.picture(tmp_path / "group.png")).stat().st_size > PNG_MIN_BYTES


async def test_the_aggregator_sees_its_fleet_at_work(lab: Lab, tmp_path: Path) -> None:
    url = lab.console_url("ven")
    async with browser(tmp_path / "profile") as page:
        shown = await page.open(url)
        assert (await page.picture(tmp_path / "fleet.png")).stat().st_size > PNG_MIN_BYTES
        assert re.search(LINE, shown), "no line in the chart of target and measured"
        assert "battery" in shown.lower()
        assert "vendor-0" in shown


@pytest.mark.parametrize("side", ["vtn", "ven"])
async def test_without_the_token_there_is_nothing_to_see(lab: Lab, tmp_path: Path, side: str) -> None:
    async with browser(tmp_path / "profile") as page:
        shown = await page.open(lab.console_url(side).split("?")[0])
        assert VEN_NAME not in shown
        assert "vendor-0" not in shown
