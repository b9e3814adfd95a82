"""What each device that the agent answers for by itself does: its meter, and how it stands (IEEE 2030.5).

A device here is what a utility knows as one, and may be several rows of the fleet. Its power is looked at every
few seconds, all devices at once, and kept for as long as a report may still be made of it.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from openadr_core.model.report import Quality, Reading
from openadr_ven.application.observation import Observation
from openadr_ven.application.reporting import CAUSES, DueReport, is_finished, next_end
from openadr_ven.domain.held import WantedReport
from openadr_ven.fleet.columns import Floats, Rows
from openadr_ven.fleet.headroom import headroom
from openadr_ven.fleet.model import Outlook

DEVICES = "fleet_devices"
"""Specifier of a report that has one reading for each device, under its name."""
SAMPLE = timedelta(seconds=5)
KEPT = timedelta(minutes=31)
"""The longest interval that is asked for, and a minute in which it may still be made."""
READINGS_MAX = 1_000
"""In one report: more are several."""
OFFERED_FOR_S = 900.0
"""What is available could be held for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNow:
    """How a device stands."""

    online: bool
    """Something of it can be reached."""
    overridden: bool = False
    """Its owner's hand is on all that can be reached of it."""
    alarms: int = 0
    """Bits of IEEE 2030.5's alarmStatus."""
    charge: float | None = None
    """Share of full of what it stores, from 0 to 1; None where nobody knows, or nothing is stored."""
    available_w: float | None = None
    """The relief that it could hold for a quarter of an hour; None where it cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    at: datetime
    power_w: NDArray[np.float32]
    """By device."""
    live: NDArray[np.float32]
    """Share of its rows that were heard of lately."""


@dataclass(slots=True, kw_only=True)
class DeviceMeters:
    seen: Observation
    devices: Mapping[str, Rows]
    """Rows of the fleet by the device's name."""
    soc_floor: float = 0.0
    _log: deque[_Sample] = field(default_factory=lambda: deque(maxlen=int(KEPT / SAMPLE)))
    _rows: Rows = field(init=False)
    _group: Rows = field(init=False)

    def __post_init__(self) -> None:
        sizes = [rows.size for rows in self.devices.values()]
        self._rows = np.concatenate([*self.devices.values(), np.zeros(0, dtype=np.intp)]).astype(np.intp)
        self._group = np.repeat(np.arange(len(sizes)), sizes)

    def look(self, now: datetime) -> None:
        """Once a second; it looks when it is time."""
        if self.devices and (not self._log or now >= self._log[-1].at + SAMPLE):
            live = self.seen.live(now, self._rows)
            power_w = self.seen.state.power_w[self._rows]
            share = self._sum(live.astype(np.float64)) / np.maximum(self._sum(np.ones(live.size)), 1.0)
            self._log.append(
                _Sample(at=now, power_w=self._sum(power_w).astype(np.float32), live=share.astype(np.float32))
            )

    def due(self, wanted: WantedReport, *, now: datetime) -> Iterator[DueReport]:
        """The reports that can be made now, oldest first; what was never heard of has no reading in them."""
        oldest = now - KEPT
        if wanted.reported_until < oldest:
            wanted = replace(wanted, reported_until=oldest.replace(microsecond=0))
        while (ends_at := next_end(wanted)) <= now:
            readings = tuple(self._readings(wanted.reported_until, ends_at))
            finished = wanted.last_one or is_finished(wanted.request, ends_at)
            last = max(0, len(readings) - 1) // READINGS_MAX * READINGS_MAX
            for first in range(0, last, READINGS_MAX):
                # Only the last part counts as the report: who is stopped between two makes all of it again.
                part = readings[first : first + READINGS_MAX]
                yield DueReport(wanted=wanted, readings=part, finished=False)
            wanted = replace(wanted, reported_until=ends_at)
            yield DueReport(wanted=wanted, readings=readings[last:], finished=finished)
            if finished:
                return

    def now(self, name: str, at: datetime) -> DeviceNow:
        """Of one of the devices; KeyError for another name."""
        rows, seen = self.devices[name], self.seen
        state, fleet = seen.state.take(rows), seen.fleet.take(rows)
        live = seen.live(at, rows)
        if not live.any():
            return DeviceNow(online=False, alarms=_all_bits(seen.alarms[rows]))
        stores = live & np.isfinite(state.soc) & (np.nan_to_num(fleet.energy_wh) > 0.0)
        full_wh = float(fleet.energy_wh[stores].sum())
        outlook = Outlook(now_s=at.timestamp(), horizon_s=OFFERED_FOR_S, soc_floor=self.soc_floor)
        could = headroom(fleet, state, state.power_w, outlook).relief_w * (live & ~state.override)
        return DeviceNow(
            online=True,
            overridden=bool(state.override[live].all()),
            alarms=_all_bits(seen.alarms[rows]),
            charge=float((fleet.energy_wh * state.soc)[stores].sum()) / full_wh if full_wh else None,
            available_w=float(could.sum()),
        )

    def _readings(self, starts_at: datetime, ends_at: datetime) -> Iterator[Reading]:
        samples = [one for one in self._log if starts_at <= one.at < ends_at]
        if not samples:
            return
        power_w = np.mean([one.power_w for one in samples], axis=0)
        live = np.array([one.live for one in samples])
        good, known = live.min(axis=0) >= 1.0, live.max(axis=0) > 0.0
        for place, name in enumerate(self.devices):
            if known[place]:
                quality = Quality.GOOD if good[place] else Quality.ESTIMATED
                yield Reading(
                    r_id=name, starts_at=starts_at, duration=ends_at - starts_at, value=float(power_w[place]),
                    quality=quality, cause=CAUSES.get(quality, ""),
                )  # fmt: skip

    def _sum(self, values: Floats) -> Floats:
        return np.bincount(self._group, weights=values, minlength=len(self.devices)).astype(np.float64)


def _all_bits(alarms: NDArray[np.uint16]) -> int:
    return int(np.bitwise_or.reduce(alarms, initial=0))
