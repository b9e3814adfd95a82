"""What the devices measure, as it comes in: the newest state of each row, and the recent past.

Two memories, both by the second in which a device measured, not in which we heard it: each row's
power over the last minute (from which a baseline is taken), and each gateway's sum over the last
hour (from which reports are made). So telemetry that a broker kept while we were down still lands
where it belongs.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from openadr_ven.application.patience import SILENT_MIN_S, STALE_S, Patience
from openadr_ven.dispatch.baseline import meter_before
from openadr_ven.domain.held import Metered
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mask, Rows, gateways
from openadr_ven.fleet.headroom import SILENT_AFTER_S
from openadr_ven.gateways.contract import (
    ALARMS_FROM_BIT,
    AckFrame,
    AckState,
    CommandFrame,
    TelemetryFlag,
    TelemetryFrame,
)

VEHICLES = (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)
RING_SPARE_S = 30
"""A baseline may be taken so long after the moment that it ends at: samples come late, and so may we."""
CLOCK_AHEAD_MAX_S = 5.0
"""A gateway's clock may be ahead of ours by so much."""
PLAUSIBLE, PLAUSIBLE_W = 1.1, 50.0
"""Over its rating by a tenth, and what its own electronics take, a reading is a meter's inaccuracy."""
QUARANTINE_S = 3_600.0
"""A device whose meter once told what cannot be is planned without for so long; its readings are kept."""
ALL = slice(None)
SUMS_S = 3_600
"""Longer than a VEN is down in any outage that still leaves a report worth filling."""


class Observation:
    """The fleet as telemetry shows it."""

    def __init__(self, fleet: Fleet, *, baseline_s: float, started_s: float) -> None:
        self.fleet = fleet
        self.state = FleetState.unheard(fleet.size)
        self.started_s = started_s
        self.held = np.zeros(fleet.size, dtype=np.bool_)
        """The device says that it follows a command."""
        self.alarms = np.zeros(fleet.size, dtype=np.uint16)
        """By row, what the device says is wrong with it (``gateways.contract.ALARMS_MAX``)."""
        self.sequence = np.zeros(fleet.size, dtype=np.int64)
        """The newest command that the row's last sample had seen."""
        self._quarantined_until_s = np.full(fleet.size, -np.inf)
        self._newly_quarantined = 0
        self._gateways = gateways(fleet)
        self._vehicle = np.isin(fleet.device_class, VEHICLES)
        self._middle_w = (fleet.import_max_w - fleet.export_max_w) / 2
        self._span_w = (fleet.import_max_w + fleet.export_max_w) / 2 * PLAUSIBLE + PLAUSIBLE_W
        self._code = {name: code for code, name in enumerate(fleet.gateway_names)}
        self._baseline_s = baseline_s
        self._ring_s = int(baseline_s) + RING_SPARE_S
        self._ring = np.full((self._ring_s, fleet.size), np.nan, dtype=np.float32)
        self._ring_second = np.full(self._ring_s, -1, dtype=np.int64)
        self._sums = np.full((SUMS_S, len(fleet.gateway_names)), np.nan)
        self._sums_second = np.full(SUMS_S, -1, dtype=np.int64)
        self._unsaved: set[int] = set()
        self.measured_until_s = np.full(len(fleet.gateway_names), -np.inf)
        """By gateway, the newest moment it has measured."""
        self._heard_s = np.full(len(fleet.gateway_names), -np.inf)
        self.patience = Patience(len(fleet.gateway_names))
        """Which gateways are silent."""
        self._has_devices = np.bincount(fleet.gateway, minlength=len(fleet.gateway_names)) > 0

    def receive(self, frame: TelemetryFrame, *, now: datetime) -> str:
        """Take in what a gateway measured; the text says what of it was not, empty if all was."""
        code = self._code.get(frame.gateway)
        if code is None:
            return "no gateway of ours"
        measured_s = frame.measured_at.timestamp()
        if measured_s > now.timestamp() + CLOCK_AHEAD_MAX_S:
            # One clock ahead would wipe everybody's ring of seconds.
            return "measured in the future"
        behind = self._gateways.rows(code)
        rows = self._gateways.at(code, frame.rows["slot"])
        ours = rows >= 0
        # No device takes or feeds more than it is rated for; a meter that says so is not believed at all.
        plausible = ours & (np.abs(frame.rows["power_w"] - self._middle_w[rows]) <= self._span_w[rows])
        self._quarantine(rows[ours & ~plausible], now.timestamp())
        samples, rows = frame.rows[plausible], rows[plausible]
        self._remember(int(measured_s), code, rows, samples["power_w"], behind)
        is_new = measured_s > self.measured_until_s[code]
        self.patience.measured(code, sequence=frame.command_sequence, is_new=is_new, now_s=now.timestamp())
        self.measured_until_s[code] = max(self.measured_until_s[code], measured_s)
        self._heard_s[code] = now.timestamp()
        newest = self.state.measured_at_s[rows] <= measured_s
        self._update(rows[newest], samples[newest], measured_s, now.timestamp())
        self.sequence[rows[newest]] = frame.command_sequence
        return "" if plausible.all() else "implausible power" if ours.all() else "slots of no device of ours"

    def measured_at(self) -> dict[str, datetime]:
        """By gateway, the newest sample that is in the columns."""
        until = zip(self.fleet.gateway_names, self.measured_until_s.tolist(), strict=True)
        return {name: datetime.fromtimestamp(second, UTC) for name, second in until if second > 0.0}

    def quarantined(self, now_s: float) -> Mask:
        """Devices that told of more power than they have, lately (security T07): no command is planned on them."""
        return self._quarantined_until_s > now_s

    def newly_quarantined(self) -> int:
        """How many there are since this was last asked."""
        count, self._newly_quarantined = self._newly_quarantined, 0
        return count

    def _quarantine(self, rows: NDArray[np.intp], now_s: float) -> None:
        self._newly_quarantined += int((self._quarantined_until_s[rows] <= now_s).sum())
        self._quarantined_until_s[rows] = now_s + QUARANTINE_S

    def acknowledged(self, frame: AckFrame, *, now: datetime) -> None:
        """A gateway spoke of a command: it is there, whatever became of it."""
        code = self._code.get(frame.gateway)
        if code is not None:
            has_begun = frame.state is not AckState.RECEIVED
            self.patience.answered(code, sequence=frame.sequence, has_begun=has_begun, now_s=now.timestamp())

    def told(self, frames: Iterable[CommandFrame], *, now: datetime, again: bool = False) -> None:
        """The broker has taken these, which are of one round unless they are told ``again``."""
        codes: dict[int, list[int]] = {}
        for frame in frames:
            codes.setdefault(frame.sequence, []).append(self._code[frame.gateway])
        for sequence, which in codes.items():
            self.patience.told(np.array(which), sequence=sequence, now_s=now.timestamp(), again=again)

    def judged(self, now: datetime) -> Patience:
        """Once a round: which gateways are silent, and which have not answered in time."""
        self.patience.judge(now.timestamp())
        return self.patience

    def reached(self, now_s: float) -> Mask:
        """Devices that can be asked: spoken of by a gateway that is not silent, online, at home, not taken back.

        A device is silent when its gateway goes on without it, a gateway as ``Patience`` judges. Whose samples are
        late, or whose clock is behind, is only slow, up to ``STALE_S``.
        """
        state, until_s = self.state, self.measured_until_s
        stale = until_s < min(now_s, float(until_s.max(initial=-np.inf))) - STALE_S
        out = self.patience.silent | stale | ~np.isfinite(until_s)
        needed_s = np.where(out, np.inf, until_s - SILENT_MIN_S)
        spoken_of = state.measured_at_s >= needed_s[self.fleet.gateway]
        return np.asarray(spoken_of & state.online & state.plugged & ~state.override)

    def live(self, now: datetime, rows: Rows | slice = ALL) -> Mask:
        """Rows whose last sample is young enough to act on."""
        now_s, state = now.timestamp(), self.state
        silent = np.maximum(now_s - state.heard_at_s[rows], now_s - state.measured_at_s[rows]) > SILENT_AFTER_S
        return np.asarray(state.online[rows] & ~silent)

    def meter_before(self, before: datetime) -> Floats:
        """Each row's mean over the baseline window that ended then."""
        return meter_before(
            self._ring_second.astype(np.float64), self._ring, before.timestamp(), window_s=self._baseline_s
        )  # fmt: skip

    def has_measured_before(self, before: datetime) -> bool:
        """Whether any second that ended by then is in the ring."""
        seconds = self._ring_second
        return bool(((seconds >= 0) & (seconds < before.timestamp())).any())

    def fleet_power_w(self, second: int, *, silent_w: Floats) -> tuple[float, float]:
        """The whole fleet's power in a second, and the share of gateways that had measured it.

        A gateway that skipped a second is taken to have gone on as before, as long as that is no silence;
        ``silent_w`` stands in, by gateway, for those that are silent.
        """
        sums = self._sums_of(second)
        missing = np.isnan(sums)
        share = float((~missing[self._has_devices]).mean()) if self._has_devices.any() else 0.0
        for earlier in range(second - 1, second - 1 - int(SILENT_AFTER_S), -1):
            sums = np.where(np.isnan(sums), self._sums_of(earlier), sums)
        return float(np.where(np.isnan(sums), silent_w, sums).sum()), share

    def _sums_of(self, second: int) -> Floats:
        """By gateway; not a number for what was not measured in that second."""
        place = second % SUMS_S
        known = self._sums_second[place] == second
        return np.asarray(self._sums[place] if known else np.full(self._sums.shape[1], np.nan))

    def unsaved(self) -> list[Metered]:
        """The seconds that telemetry has added to and that ``saved`` has not been told of."""
        seconds = sorted(second for second in self._unsaved if self._sums_second[second % SUMS_S] == second)
        return [
            Metered(at=datetime.fromtimestamp(second, UTC), power_w=self._sums[second % SUMS_S].tobytes())
            for second in seconds
        ]

    def saved(self, metered: Iterable[Metered]) -> None:
        """These are stored as they are now."""
        for one in metered:
            second = int(one.at.timestamp())
            if self._sums[second % SUMS_S].tobytes() == one.power_w:
                self._unsaved.discard(second)

    def restore(self, metered: Iterable[Metered]) -> None:
        """Take back what was stored; a fleet of other gateways since then has nothing to take."""
        for one in metered:
            sums, second = np.frombuffer(one.power_w), int(one.at.timestamp())
            if sums.size == self._sums.shape[1]:
                self._sums[second % SUMS_S], self._sums_second[second % SUMS_S] = sums, second

    def by_gateway(self, power_w: Floats) -> Floats:
        """The rows' powers summed by gateway."""
        sums = np.bincount(self.fleet.gateway, weights=power_w, minlength=len(self.fleet.gateway_names))
        return sums.astype(np.float64)

    def has_heard_all(self) -> bool:
        """Whether every gateway has been heard since we began."""
        return bool(np.isfinite(self._heard_s[self._has_devices]).all())

    def has_heard_any(self) -> bool:
        """Whether any gateway has been heard since we began."""
        return bool(np.isfinite(self._heard_s[self._has_devices]).any())

    def complete_until(self, now: datetime) -> datetime | None:
        """The moment, to the second, up to which every gateway that is heard of late has measured; None if none is."""
        live = now.timestamp() - self._heard_s <= SILENT_AFTER_S
        return datetime.fromtimestamp(int(self.measured_until_s[live].min()), UTC) if live.any() else None

    def has_caught_up(self, until: datetime, *, now: datetime) -> bool:
        """Whether every gateway that is heard of late has measured up to a moment; false if none is heard."""
        live = now.timestamp() - self._heard_s <= SILENT_AFTER_S
        return bool(live.any() and (self.measured_until_s[live] >= until.timestamp()).all())

    def _update(self, rows: NDArray[np.intp], samples: NDArray[np.void], measured_s: float, heard_s: float) -> None:
        state, flags = self.state, samples["flags"]
        state.power_w[rows] = samples["power_w"]
        state.soc[rows] = samples["soc"]
        state.temperature_c[rows] = samples["temperature_c"]
        # The flag is a vehicle's; everything else is always where its plug is.
        state.plugged[rows] = (flags & TelemetryFlag.PLUGGED != 0) | ~self._vehicle[rows]
        state.online[rows] = flags & TelemetryFlag.ONLINE != 0
        state.override[rows] = flags & TelemetryFlag.OVERRIDE != 0
        self.held[rows] = flags & TelemetryFlag.HELD != 0
        self.alarms[rows] = flags >> ALARMS_FROM_BIT
        state.measured_at_s[rows] = measured_s
        state.heard_at_s[rows] = heard_s

    def _remember(
        self, second: int, code: int, rows: NDArray[np.intp], power_w: NDArray[np.float32], behind: NDArray[np.intp]
    ) -> None:
        place = second % SUMS_S
        if self._sums_second[place] > second:
            return  # older than the hour we keep
        if self._sums_second[place] < second:
            self._sums_second[place] = second
            self._sums[place] = np.nan
        unmeasured = self.state.power_w[behind].sum() - self.state.power_w[rows].sum()
        self._unsaved.add(second)
        self._sums[place, code] = power_w.sum(dtype=np.float64) + unmeasured
        place = second % self._ring_s
        if self._ring_second[place] > second:
            return
        if self._ring_second[place] < second:
            self._ring_second[place] = second
            self._ring[place] = np.nan
        self._ring[place, rows] = power_w
