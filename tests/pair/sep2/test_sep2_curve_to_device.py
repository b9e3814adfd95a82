"""A utility's curve, to the last point, at an inverter of the aggregator's: both ways through IEEE 2030.5.

Utility's server → our client → the agent's side of the gateway contract → a gateway's edge → its server, over TLS → a
device with a client of its own. Only the broker between agent and gateway is left out: another test has it.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_core.model.grid_support import GridFunction, GridSupport, mask_of
from openadr_ven.application.supporting import Supporting
from openadr_ven.fleet.aiming import Aim
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.protocols.sep2.answering import Said
from openadr_vtn.application.handlers import sep2_controls, sep2_rates
from tests.core.shell.lab import Lab
from tests.pair.sep2.sep2_client import ClientEnd, client_of
from tests.ven.gateways.sep2_device import SmartDevice, connected
from tests.ven.gateways.test_gateway_process import GATEWAY
from tests.ven.gateways.test_sep2_southbound import BATTERY, FLEET, USUAL_W, Running, chosen, running
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Sep2Bench

POINTS = [(8_950, 4_400), (9_715, 125), (10_285, -125), (11_000, -4_400)]
"""Hundredths of a per cent of voltage and of vars."""
KNOWN = mask_of({GridFunction.VOLT_VAR, GridFunction.FIXED_PF_INJECT})
WAIT_S = 30.0


class Chain:
    """Everything between the utility and the device."""

    def __init__(self, bench: Sep2Bench, gateway: Running) -> None:
        self.bench, self.gateway = bench, gateway
        bench.now = datetime.now(UTC)
        self.supporting = Supporting(FLEET, rows_of=Aim(FLEET, fleet_name="fleet").rows, now=bench.now)
        self.edge = Edge(FLEET, GATEWAY, gateway.driver.traits)
        rows = np.arange(FLEET.size)
        self.client: ClientEnd = client_of(bench, functions=lambda _lfdi: self.supporting.functions(rows, bench.now))
        self._heard = 0

    async def live(self) -> None:
        """A moment of everybody's life."""
        now = self.bench.now = datetime.now(UTC)
        heard, self._heard = self.gateway.readings[self._heard :], len(self.gateway.readings)
        self.edge.hear(heard)
        said = list(self.edge.support.tick(now))
        if adjustments := self.edge.support.due(now):
            outcomes = [one async for one in self.gateway.driver.adjust(adjustments)]
            said += self.edge.support.settled(outcomes, now)
        ability = self.edge.support.ability(now)
        for report in (*said, *(() if ability is None else (ability,))):
            self.supporting.heard(report)
        await self.client.run()
        for frame in self.supporting.frames(dict(self.client.held), now):
            if frame.gateway == GATEWAY:
                for ack in self.edge.support.receive(frame, now):
                    self.supporting.heard(ack)

    async def until_set(self, device: SmartDevice, count: int) -> dict[GridFunction, GridSupport]:
        async with asyncio.timeout(WAIT_S):
            while len(set_so := device.supports(datetime.now(UTC))) != count:
                await self.live()
                await asyncio.sleep(0.05)
        return set_so


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[tuple[Lab, Running]]:
    folder = tmp_path / "southbound"
    folder.mkdir()
    lab = Lab(folder=folder, now=datetime.now(UTC))
    async with running(chosen(lab, folder, BATTERY)) as there:
        yield lab, there


@pytest.mark.ieee2030_5("C10", "M4")
async def test_a_curve_is_at_the_device_to_its_last_point_and_gone_when_the_control_is(
    bench: Sep2Bench, gateway: tuple[Lab, Running]
) -> None:
    lab, there = gateway
    chain = Chain(bench, there)
    await bench.device("one", "feeder")
    await sep2_rates.save_rate(bench.store, "DERProgramList", 1, actor=ACTOR, now=bench.now)
    wanted = {
        "curveType": 11, "xMultiplier": -2, "yMultiplier": -2, "yRefType": 2, "openLoopTms": 523, "vRef": 9_900,
        "autonomousVRefEnable": True, "autonomousVRefTimeConstant": 30_000,
        "CurveData": [{"xvalue": x, "yvalue": y} for x, y in POINTS],
    }  # fmt: skip
    curve = await sep2_controls.add_curve(bench.store, "feeder", wanted, maker=bench.maker, actor=ACTOR, now=bench.now)
    link = {"href": f"/derp/{curve.group_id}/dc/{curve.id}"}
    factor = {"displacement": 925, "excitation": True, "multiplier": -3}
    stored = await bench.control("feeder", opModVoltVar=link, opModFixedPFInjectW=factor)
    async with connected(lab, there.url, FLEET, BATTERY, USUAL_W, functions=KNOWN) as device:
        set_so = await chain.until_set(device, 2)
        said = set_so[GridFunction.VOLT_VAR].curve
        assert said is not None
        assert [(point.x, point.y) for point in said.points] == [(x / 100, y / 100) for x, y in POINTS]
        assert (said.open_loop_s, said.v_ref_percent, said.v_ref_time_constant_s) == (5.23, 99.0, 300.0)
        assert said.v_ref_autonomous is True
        power_factor = set_so[GridFunction.FIXED_PF_INJECT].power_factor
        assert power_factor is not None
        assert (power_factor.displacement, power_factor.absorbs) == (0.925, True)
        await sep2_controls.cancel_control(
            bench.store, stored.control.mrid, randomly=False, actor=ACTOR, now=datetime.now(UTC)
        )
        assert await chain.until_set(device, 0) == {}
    assert await chain.client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.CANCELLED]
