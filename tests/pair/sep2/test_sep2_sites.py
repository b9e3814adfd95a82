"""An aggregator's sites: what is asked of each EndDevice is what dispatch asks of the devices behind it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_core.model.event import SignalKind
from openadr_core.model.target import Target, TargetKind
from openadr_ven.protocols.sep2.memory import AskedMode, AskedSignal, KnownControl, Memory
from openadr_ven.protocols.sep2.telling import tell
from tests.ven.application.world import ENVELOPE, World, store_at
from tests.ven.fleet.synthetic import fleet_of
from tests.vtn.protocols.sep2.sep2_bench import a_lfdi

NOON = datetime(2030, 7, 1, 12, tzinfo=UTC)
BATTERIES = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SITES, LIMIT_W, OPEN_W = 40, 1500.0, 9_000.0


def a_limit(mrid: str, device: str, mode: str, kind: SignalKind, watts: float) -> KnownControl:
    signal = AskedSignal(kind=kind, value=watts)
    start = int(NOON.timestamp())
    return KnownControl(
        mrid=mrid, device=device, program="P", primacy=1, created=start, start=start, duration_s=3600,
        modes=(AskedMode(name=mode, signals=(signal,)),),
    )  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Two batteries behind each site."""
    fleet = fleet_of(2 * SITES, seed=3, mix=BATTERIES)
    world = World(await store_at(tmp_path), NOON, fleet=replace(fleet, vendor=(fleet.gateway % 4).astype(np.uint32)))
    world.envelope = replace(ENVELOPE, ramp_w_per_s=600_000, step_max_w=600_000, release_ramp_w_per_s=600_000)
    await world.start()
    await world.second(12)
    return world


@pytest.mark.ieee2030_5("C12")
async def test_each_site_keeps_to_its_own_limit_while_the_fleet_does_what_is_asked_of_it(world: World) -> None:
    """All is asked to feed in 200 kW; every second site may feed in 1.5 kW at most."""
    names = [str(name) for name in world.fleet.site_names]
    targets = {a_lfdi(number): (Target(kind=TargetKind.RESOURCE, name=name),) for number, name in enumerate(names)}
    limits = {lfdi: LIMIT_W if number % 2 else OPEN_W for number, lfdi in enumerate(targets)}
    known = [a_limit("A" * 32, lfdi, "opModExpLimW", SignalKind.EXPORT_LIMIT, watts) for lfdi, watts in limits.items()]
    whole = a_limit("B" * 32, "OWN", "opModTargetW", SignalKind.NET_POWER, -200_000.0)
    memory = Memory(known=(*known, whole))
    memory, said = tell(memory, own="OWN", targets_of=lambda lfdi: targets.get(lfdi, ()), now=world.now)
    assert len(said) == len(names) + 1
    await world.running.heed(said, now=world.now)
    await world.second(40)
    by_site = -np.bincount(world.fleet.site, weights=world.town.state.power_w, minlength=len(names))
    most = np.array(list(limits.values()))
    assert (by_site <= most * 1.02).all()
    assert by_site.sum() > 0.9 * min(200_000.0, most.sum())
