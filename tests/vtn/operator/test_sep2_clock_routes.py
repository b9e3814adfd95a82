"""What operators see of the time that devices of IEEE 2030.5 are told."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from openadr_core.shell.clock import ManualClock
from openadr_vtn.application.lab_clock import LabClock
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench, running_desk
from tests.vtn.operator.test_api_descriptions import check

CLOCK = f"{ADMIN}/sep2/clock"
SHOWN = {"$ref": "#/components/schemas/sep2Clock"}


@pytest.fixture
async def laboratory(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[DeskBench]:
    file, lab = tmp_path / "vtn.db", LabClock(is_lab=True)
    async with running_desk(empty_database, file, ManualClock(now), lab=lab) as bench:
        yield bench


async def test_outside_a_laboratory_it_is_the_true_time(desk: DeskBench) -> None:
    shown = (await desk.http.get(CLOCK)).json()
    check(shown, SHOWN, "admin")
    assert (shown["is_lab"], shown["ahead_s"]) == (False, 0)
    refused = await desk.http.put(CLOCK, json={"ahead_s": 60})
    assert (refused.status_code, "lab_clock" in refused.text) == (400, True)


@pytest.mark.ieee2030_5("F2")
async def test_in_a_laboratory_verbs_go_by_the_time_that_devices_are_told(laboratory: DeskBench) -> None:
    desk = laboratory
    moved = (await desk.http.put(CLOCK, json={"ahead_s": 3600})).json()
    check(moved, SHOWN, "admin")
    assert datetime.fromisoformat(moved["now"]) == desk.clock.now() + timedelta(hours=1)
    await desk.http.post(f"{ADMIN}/sep2/groups", json={"name": "feeder"})
    body = {"asks": {"opModExpLimW": 1}, "start": "0001-01-01T00:00:00Z", "duration_s": 600}
    await desk.http.post(f"{ADMIN}/sep2/groups/feeder/controls", json=body)
    (control,) = (await desk.http.get(f"{ADMIN}/sep2/groups/feeder/controls")).json()
    assert (control["status"], control["starts_at"]) == ("active", moved["now"])
    await desk.http.put(CLOCK, json={"ahead_s": 4200})
    assert (await desk.http.get(f"{ADMIN}/sep2/groups/feeder/controls")).json() == []
    assert (await desk.http.put(CLOCK, json={"ahead_s": "1"})).status_code == 400
    assert (await desk.http.put(CLOCK, json={})).status_code == 400
