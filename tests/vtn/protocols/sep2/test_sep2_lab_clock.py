"""The time of a laboratory: 2030.5 goes by it, and nothing else does."""

from dataclasses import replace

import pytest

from openadr_core.errors import RuleBroken
from openadr_core.sep2.controls import DERControlList
from openadr_core.sep2.names import Status
from openadr_core.sep2.server import Time
from openadr_vtn.application.lab_clock import AHEAD_MOST_S, TRUE_TIME, LabClock
from openadr_vtn.protocols.sep2 import Sep2Server
from tests.vtn.protocols.sep2.sep2_bench import Sep2Bench


@pytest.mark.ieee2030_5("F2", "E1")
async def test_a_day_of_controls_passes_in_no_time(sep2: Sep2Bench) -> None:
    lab = LabClock(is_lab=True)
    desk = replace(sep2.server._desk, lab=lab)
    sep2.server = Sep2Server(store=sep2.store, directory=sep2.server._directory, desk=desk)
    client = await sep2.enrol("one")
    await sep2.group("feeder")
    await sep2.device("one", "feeder")
    await sep2.control("feeder", start=3600, lasts=7200)

    async def seen() -> list[int]:
        found = await client.get("/derp/1/derc?l=9", DERControlList)
        return [one.event_status.current_status for one in found.der_control]

    for ahead_s, status in ((0, [Status.SCHEDULED]), (3600, [Status.ACTIVE]), (10_800, []), (0, [Status.SCHEDULED])):
        lab.move(ahead_s)
        assert (await client.get("/tm", Time)).current_time == sep2.moment + ahead_s
        assert await seen() == status, ahead_s
    assert sep2.server._directory.known(client.peer.certificate_sha256) is not None


def test_nobody_moves_the_time_elsewhere() -> None:
    for clock, ahead_s in ((TRUE_TIME, 1), (LabClock(), 1), (LabClock(is_lab=True), AHEAD_MOST_S + 1)):
        with pytest.raises(RuleBroken):
            clock.move(ahead_s)
        assert clock.ahead_s == 0
