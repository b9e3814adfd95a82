"""An operator's report commands against a VTN that runs."""

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openadr_core.model.report import Reading
from openadr_vtn.adapters.sql.store import open_store
from tests.vtn.cli.conftest import Utility
from tests.vtn.samples import STATUS_POINT, a_status, an_offer

READINGS = 2_500
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def reported(utility: Utility) -> Utility:
    """A party `acme` that is registered, offers two points, and has told of 1250 seconds of each."""
    sha256 = "ab" * 32
    utility.run(
        "party", "preconfigure", "acme", "--sha256", sha256, "--ven-id", "ACME", "--registration-id", "REG-1"
    )  # fmt: skip
    asyncio.run(fill(utility.folder / "vtn.db"))
    return utility


async def fill(file: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    store = await open_store(f"sqlite:///{file}")
    async with store.unit_of_work() as uow:
        await uow.reports.replace_offers("ACME", [an_offer()])
        readings = [
            (point, Reading(
                r_id=point.r_id, starts_at=now - number * SECOND, duration=SECOND, value=float(number), cause="=1+1",
            ))
            for number in range(READINGS // 2)
            for point in an_offer().offer.data_points
        ]  # fmt: skip
        await uow.reports.add_readings("ACME", readings, now)
        await uow.reports.add_statuses("ACME", [(STATUS_POINT, a_status(now))], now)
    await store.close()


def test_what_is_offered_is_asked_for_and_cancelled(reported: Utility) -> None:
    assert "1s to 5m" in reported.run("report", "offers", "acme")
    assert [one["specifier"] for one in reported.read("report", "offers", "acme")] == ["telemetry"]
    made = reported.read(
        "report", "request", "acme", "telemetry", "--point", "power", "--granularity", "1m", "--back", "5m",
        "--duration", "PT2H",
    )  # fmt: skip
    assert (made["granularity_s"], made["report_back_s"], made["duration_s"]) == (60, 300, 7200)
    start = ("--start", "2030-07-01T18:30:00Z", "--granularity", "1m", "--back", "1m")
    assert "is asked for" in reported.run("report", "request", "acme", "telemetry", *start)
    both = reported.read("report", "request", "acme", "telemetry", "telemetry", "--back", "1m")
    assert [one["report_back_s"] for one in both] == [60, 60]
    listed = reported.run("report", "requests", "acme")
    assert (made["id"] in listed, "asked" in listed) == (True, True)
    assert "cancel" in reported.run("report", "cancel", "acme", made["id"], "--one-more")
    assert "is asked" in reported.run("report", "ask-metadata", "acme")
    waiting = reported.read("party", "show", "acme")["waiting"]
    assert "CreateReport" in {one["kind"] for one in waiting}


def test_a_wrong_wish_is_told_and_nothing_is_asked(reported: Utility) -> None:
    assert "whole seconds" in reported.run("report", "request", "acme", "telemetry", "--back", "PT0.5S", status=2)
    assert "duration" in reported.run("report", "request", "acme", "telemetry", "--back", "soon", status=2)
    assert "nothing" in reported.run("report", "request", "acme", "nothing", status=1)


def test_readings_and_status_are_shown(reported: Utility) -> None:
    assert len(reported.read("report", "readings", "acme", "--measurand", "usage")) == 1_000
    shown = reported.run("report", "readings", "acme", "--measurand", "baseline")
    assert len(shown.splitlines()) == 101
    assert "nothing of that" in reported.run("report", "readings", "acme", "--until", "2020-01-01T00:00:00Z")
    status = reported.run("report", "status", "acme")
    assert ("fleet" in status, "capacity 0.5" in status) == (True, True)
    (one,) = reported.read("report", "status", "acme")
    assert one["online"] is True


def test_every_reading_is_exported_once(reported: Utility, tmp_path: Path) -> None:
    file = tmp_path / "acme.csv"
    assert f"{READINGS} readings" in reported.run("report", "readings", "acme", "--csv", str(file))
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len({(row["measurand"], row["starts_at"]) for row in rows}) == len(rows) == READINGS
    assert {row["value"] for row in rows} == {str(float(number)) for number in range(READINGS // 2)}
    assert {row["cause"] for row in rows} == {"'=1+1"}, "a party's text is no formula"


def test_the_delivery_ledger_of_an_event_is_shown_and_exported(reported: Utility, tmp_path: Path) -> None:
    reported.run("program", "create", "peak", "--relief-sign", "POSITIVE")
    level = ("--payload-type", "SIMPLE", "--value", "1", "--duration", "1h")
    preview = reported.run("event", "create", "--program", "peak", *level, "--dry-run")
    assert "It would reach 1 party with 0.00 MW enrolled" in preview
    reported.run("party", "enrolled-power", "acme", "1500")
    assert "1.50 MW enrolled" in reported.run("event", "create", "--program", "peak", *level, "--dry-run")
    assert "no event yet" in reported.run("event", "list")
    event = reported.read("event", "create", "--program", "peak", *level)
    (row,) = reported.read("event", "ledger", event["id"])
    assert (row["party"], row["version"], row["notified_at"], row["opt"]) == ("acme", 0, None, None)
    assert "acme" in reported.run("event", "ledger", event["id"])
    file = tmp_path / "ledger.csv"
    assert "1 row" in reported.run("event", "ledger", event["id"], "--csv", str(file))
    with file.open(newline="") as lines:
        (written,) = csv.DictReader(lines)
    assert (written["party"], written["entitled_at"], written["answered_at"]) == ("acme", row["entitled_at"], "")
    assert "there is no event" in reported.run("event", "ledger", "nothing", status=1)
