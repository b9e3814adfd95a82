"""Seconds of dispatch for a million devices, beside one bare pass of NumPy over the same columns, and how it grows."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from openadr_ven.dispatch.caps import Level, capped, node_caps
from openadr_ven.dispatch.clear import Offers, clear
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, plan_round
from openadr_ven.dispatch.policy import Occasion, endurance
from openadr_ven.fleet.columns import Fleet, FleetState, Mask, Mode
from openadr_ven.fleet.headroom import headroom, only, reachable
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.physics import evening_state
from tests.bench.pairing import Paired, cpu_s
from tests.bench.tables import Table
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, fleet_of

pytestmark = pytest.mark.bench

SIZES = (10_000, 100_000, 1_000_000)
BARE = "bare pass"
SHARE = 0.6
"""Of what the fleet has: far from both ends of the search."""
FEEDER_MAX_W = 120e3
"""About what the devices of a feeder could give: more than half of them reach it."""
OUTLOOK = Outlook(now_s=EVENING_S, horizon_s=3600.0, outdoor_c=OUTDOOR_C)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A fleet on a July evening, under its transformers and feeders."""

    fleet: Fleet
    state: FleetState
    levels: tuple[Level, ...]
    offers: Offers
    """Before the network limits them."""
    held: Offers
    """After."""
    target_w: float

    @classmethod
    def of(cls, size: int) -> "Scene":
        fleet = fleet_of(size)
        state = evening_state(fleet, now_s=EVENING_S, outdoor_c=OUTDOOR_C, rng=np.random.default_rng(1))
        levels = network(fleet, state.power_w, feeder_max_w=FEEDER_MAX_W)
        can = only(headroom(fleet, state, state.power_w, OUTLOOK), reachable(state, EVENING_S))
        offers = endurance(fleet, can, Occasion(horizon_s=OUTLOOK.horizon_s))
        target_w = SHARE * _plan(fleet, state, levels, np.inf).available_w
        return cls(
            fleet=fleet, state=state, levels=levels, offers=offers, held=capped(offers, levels), target_w=target_w
        )

    def plan(self, held_before: Mask | None = None) -> Plan:
        return _plan(self.fleet, self.state, self.levels, self.target_w, held_before)

    def measured(self) -> Paired:
        first = self.plan()
        assert first.planned_w == pytest.approx(self.target_w, rel=1e-6)
        assert not first.shortfall_by_cause
        transformers, feeders = self.levels
        return cpu_s(
            {
                BARE: partial(_bare_pass, self.held),
                "clear": partial(clear, self.held, self.target_w),
                "transformer caps": partial(capped, self.offers, (transformers,)),
                "feeder caps": partial(capped, capped(self.offers, (transformers,)), (feeders,)),
                "first round": self.plan,
                "later round": partial(self.plan, first.mode == Mode.SHED),
            },
            rounds=5,
        )


def test_a_round_over_a_million_devices(tables: list[Table]) -> None:
    scenes = [Scene.of(size) for size in SIZES]
    found = [scene.measured() for scene in scenes]
    largest = found[-1]
    rows = [
        [
            name,
            *(_ms(one.median(name)) for one in found),
            f"{_slope([one.median(name) for one in found]):.2f}",
            f"{largest.ratio(name, BARE):.1f}",
        ]
        for name in largest.rounds
    ]
    transformers, feeders = (_binding(scenes[-1].offers, level) for level in scenes[-1].levels)
    tables.append(
        Table(
            title="λ-dispatch, ms of CPU",
            header=("", *(f"{size:,} devices" for size in SIZES), "slope", f"÷ {BARE}"),
            rows=rows,
            notes=(
                f"{BARE}: clip(h·(λ − c), 0, u).sum(), once. slope: of log time over log devices. The last column is",
                f"for the largest fleet, with {transformers} transformers and {feeders} feeders at their",
                "limits. A round: headroom, policy, caps, clearing, whole devices drawn, commands made; a later one",
                "keeps what is shed.",
            ),
        )
    )


def _binding(offers: Offers, level: Level) -> str:
    return f"{int((node_caps(offers, level) < np.inf).sum()):,} of {level.starts.size:,}"


def _plan(
    fleet: Fleet, state: FleetState, levels: tuple[Level, ...], target_w: float, held_before: Mask | None = None
) -> Plan:
    return plan_round(fleet, state, state.power_w, target_w, outlook=OUTLOOK, levels=levels, held_before=held_before)


def _bare_pass(offers: Offers) -> float:
    """What any clearing must do at least once, written as NumPy invites to."""
    return float(np.clip(offers.slope * (1.0 - offers.cost), 0.0, offers.upper_w).sum())


def _slope(seconds: list[float]) -> float:
    return float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"
