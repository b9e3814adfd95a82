"""Both consoles in a real browser: what a person sees, after the pages' scripts have run.

Needs Chromium (Debian: ``chromium``); CI installs it.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.lab import VEN_NAME, Lab
from tests.rig import PROGRAM, running_lab

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PNG_MIN_BYTES = 20_000
"""A page with tables and a chart; a blank one or a line of text is half of it."""

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


def browse(url: str, profile: Path, *, screenshot: Path | None = None) -> str:
    """The page's document after its scripts have run for a few seconds, or a picture of it."""
    assert CHROMIUM is not None
    wanted = ["--dump-dom"] if screenshot is None else [f"--screenshot={screenshot}"]
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={profile}", "--window-size=1280,1000", "--virtual-time-budget=5000", *wanted, url,
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_utility_sees_its_parties_and_its_event(lab: Lab, tmp_path: Path) -> None:
    url = lab.console_url("vtn")
    home = browse(url, tmp_path / "profile")
    assert VEN_NAME in home
    found = lab.operator_json("event", "list")[0]["id"]
    page = browse(f"{url.split('/?')[0]}/events/{found}", tmp_path / "profile")
    assert "optIn" in page or "opted in" in page.lower()
    assert re.search(r"<(path|polyline)[^>]+\d", page), "no line in the chart of target and delivered"
    picture = tmp_path / "event.png"
    browse(f"{url.split('/?')[0]}/events/{found}", tmp_path / "profile", screenshot=picture)
    assert picture.stat().st_size > PNG_MIN_BYTES


def test_the_aggregator_sees_its_fleet_at_work(lab: Lab, tmp_path: Path) -> None:
    url = lab.console_url("ven")
    page = browse(url, tmp_path / "profile")
    assert "battery" in page.lower()
    assert "vendor-0" in page
    assert re.search(r"<(path|polyline)[^>]+\d", page), "no line in the chart of target and measured"
    picture = tmp_path / "fleet.png"
    browse(url.split("/?")[0], tmp_path / "profile", screenshot=picture)
    assert picture.stat().st_size > PNG_MIN_BYTES


@pytest.mark.parametrize("side", ["vtn", "ven"])
def test_without_the_token_there_is_nothing_to_see(lab: Lab, tmp_path: Path, side: str) -> None:
    page = browse(lab.console_url(side).split("?")[0], tmp_path / "stranger")
    assert VEN_NAME not in page
    assert "vendor-0" not in page
