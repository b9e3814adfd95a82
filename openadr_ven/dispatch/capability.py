"""What the fleet is good for: the most relief it can hold flat, by duration, and which profiles it can serve.

A number of megawatts means nothing without a duration and a probability. Storage is exact, if it is not
recharged within the event and no network limit binds (max-flow min-cut; the discrete twin of the E-p
transform of Evans, Tindemans and Angeli, 2020); houses are in turns (``dispatch/cohorts.py``). Both are
upper bounds where the network or departures of vehicles bind. How much of it is firm comes from the
fleet's own history, without a distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.cohorts import REBOUND_SHARE, Groups, flat_of
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mask, Rows
from openadr_ven.fleet.headroom import HORIZON_MIN_S, headroom
from openadr_ven.fleet.model import HOT_DAY_C, HOUR_S, Headroom, Outlook
from openadr_ven.fleet.thermostat import answer

DURATIONS_S = (900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 14_400.0, 18_000.0, 21_600.0)
LATENCIES_S = (10.0, 60.0, 300.0)
"""A command acts within these, or later."""
CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capability:
    """Watts of relief that can be held flat, by duration (the last axis)."""

    durations_s: Floats
    by_class: Floats
    by_feeder: Floats
    by_latency: Floats
    """Acting within 10 s, within a minute but not sooner, within five minutes, and later."""
    devices: int
    """That can be asked now."""
    network_w: float | None
    """The most that the network carries; None where it was not asked."""
    derate: float | None
    """What of a promise comes in nine events out of ten; None while there is too little history."""

    @property
    def flat_w(self) -> Floats:
        """Of all together, as far as the network carries it."""
        total_w = self.by_class.sum(axis=0)
        return np.asarray(total_w if self.network_w is None else np.minimum(total_w, self.network_w))

    @property
    def firm_w(self) -> Floats | None:
        """What can be promised; None while nobody knows."""
        return None if self.derate is None else self.flat_w * self.derate

    @property
    def within_w(self) -> Floats:
        """What can arrive within each latency, for the shortest duration."""
        return np.asarray(np.cumsum(self.by_latency[: len(LATENCIES_S), 0]))


class CapabilityModel:
    """What of a fleet does not change with telemetry, computed once when it is loaded."""

    def __init__(
        self, fleet: Fleet, *, outdoor_c: float = HOT_DAY_C, rebound_share: float = REBOUND_SHARE
    ) -> None:  # fmt: skip
        """``rebound_share`` of their normal load is what houses may take on top of it after an event."""
        self._rebound_share = rebound_share
        self._fleet = fleet
        self._outdoor_c = outdoor_c
        self._houses: Rows = fleet.rows_of(DeviceClass.THERMOSTAT)
        self._rest: Rows = np.flatnonzero(fleet.device_class != DeviceClass.THERMOSTAT)
        self._rest_fleet = fleet.take(self._rest)
        self._groups = Groups.of(answer(fleet, self._houses, outdoor_c))
        speed = np.searchsorted(LATENCIES_S, fleet.latency_s, side="left").astype(np.uint8)
        self._rest_speed, self._speeds = speed[self._rest], len(LATENCIES_S) + 1
        groups = self._groups.number.size
        self._house_feeder = fleet.feeder[self._houses].astype(np.int64) * groups + self._groups.of_house
        self._house_speed = speed[self._houses].astype(np.int64) * groups + self._groups.of_house

    def now(
        self,
        state: FleetState,
        usable: Mask,
        *,
        now_s: float,
        soc_floor: float = 0.0,
        baseline_w: Floats | None = None,
        network_w: float | None = None,
        ratios: Sequence[float] = (),
    ) -> Capability:
        """The fleet as it stands: its newest state, and the devices that can be asked.

        ``baseline_w`` is what they would take, what they take now if it is not given, and ``ratios`` what
        earlier events delivered of what was planned.
        """
        feeders, durations_s = len(self._fleet.feeder_names), np.array(DURATIONS_S)
        by_class = np.zeros((len(DeviceClass), durations_s.size))
        by_feeder = np.zeros((feeders, durations_s.size))
        by_latency = np.zeros((self._speeds, durations_s.size))
        outlook = Outlook(now_s=now_s, horizon_s=HORIZON_MIN_S, soc_floor=soc_floor, outdoor_c=self._outdoor_c)
        takes_w = (state.power_w if baseline_w is None else baseline_w)[self._rest]
        could = headroom(self._rest_fleet, state.take(self._rest), takes_w, outlook)
        power_w = could.power_w * usable[self._rest]
        for place, duration_s in enumerate(durations_s):
            watts = power_w * np.minimum(could.endurance_s / duration_s, 1.0)
            by_class[:, place] = _sums(self._rest_fleet.device_class, watts, len(DeviceClass))
            by_feeder[:, place] = _sums(self._rest_fleet.feeder, watts, feeders)
            by_latency[:, place] = _sums(self._rest_speed, watts, self._speeds)
        self._add_houses(usable[self._houses], by_class, by_feeder, by_latency)
        return Capability(
            durations_s=durations_s,
            by_class=by_class,
            by_feeder=by_feeder,
            by_latency=by_latency,
            devices=int(usable.sum()),
            network_w=network_w,
            derate=derate(ratios),
        )

    def _add_houses(self, usable: Mask, by_class: Floats, by_feeder: Floats, by_latency: Floats) -> None:
        """Houses by group: what one of each gives, times how many there are."""
        groups, feeders = self._groups.number.size, by_feeder.shape[0]
        by_speed = _counts(self._house_speed[usable], self._speeds * groups).reshape(self._speeds, groups)
        number = by_speed.sum(axis=0)
        if number.sum() == 0.0:
            return
        in_feeder = _counts(self._house_feeder[usable], feeders * groups).reshape(feeders, groups)
        for place, duration_s in enumerate(DURATIONS_S):
            flat = flat_of(self._groups.only(number), duration_s, rebound_share=self._rebound_share)
            each_w = flat.each_w * (flat.level_w / max(float(flat.each_w @ number), 1e-9))
            by_class[DeviceClass.THERMOSTAT, place] = flat.level_w
            by_feeder[:, place] += in_feeder @ each_w
            by_latency[:, place] += by_speed @ each_w


def derate(ratios: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """The share of a promise that the next event keeps with this confidence, if it is like those before.

    The ⌊(1 − confidence)(n + 1)⌋-th smallest of n ratios delivered/planned: no distribution is assumed, only
    that events are exchangeable. None while there are too few to say anything: nine, for nine in ten.
    """
    place = int((1.0 - confidence) * (len(ratios) + 1) + 1e-9)
    return None if place == 0 else float(min(max(sorted(ratios)[place - 1], 0.0), 1.0))


def energy_within_wh(power_w: Floats, energy_wh: Floats, duration_s: float) -> float:
    """The most energy that can leave in a time, each device at its power until it is empty."""
    return float(np.minimum(energy_wh, power_w * duration_s / HOUR_S).sum())


def flat_w(headroom: Headroom, durations_s: Sequence[float]) -> Floats:
    """The most relief that can be held flat over each duration."""
    return np.array(
        [
            float(np.minimum(headroom.power_w, headroom.power_w * headroom.endurance_s / duration_s).sum())
            for duration_s in durations_s
        ]
    )


def can_serve(profile_w: Floats, slot_s: float, power_w: Floats, energy_wh: Floats) -> bool:
    """Whether any dispatch serves the profile: its k largest slots never need more than k slots can give."""
    largest_wh = np.cumsum(np.sort(profile_w)[::-1]) * slot_s / HOUR_S
    reach_wh = [energy_within_wh(power_w, energy_wh, slot_s * count) for count in range(1, profile_w.size + 1)]
    return bool((largest_wh <= np.array(reach_wh) * (1.0 + 1e-12)).all())


def _sums(codes: NDArray[np.unsignedinteger], watts: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(codes, weights=watts, minlength=size), dtype=np.float64)


def _counts(codes: NDArray[np.int64], size: int) -> Floats:
    return np.bincount(codes, minlength=size).astype(np.float64)
