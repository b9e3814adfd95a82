"""The final card: the demo's promises against the meter's record, the devices' log and the operator's view."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from demo.judge import (
    BASELINE_S,
    INTERVAL_S,
    NINETY_PERCENT,
    TOLERANCE,
    Promise,
    Series,
    delivered_w,
    interval_errors,
    seconds_to_ninety_percent,
    seconds_to_released,
    tracking,
)
from demo.scenario import SILENT_VENDOR, STOP_AT_S, STRANGER, TARGET_KW, Evening, opts_of
from openadr_ven.adapters.fleet_files import load_fleet
from openadr_ven.dispatch.policy import shares
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.fleet.headroom import headroom
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.simulator.device_log import Entry, applied_twice, read_device_log
from openadr_ven.simulator.meter import MeterRecord, read_meter

TARGET_W = TARGET_KW * 1000.0
TO_NINETY_WITHIN_S = 10.0
RELEASED_WITHIN_S = 20.0
TAKING_PART_W = 100.0
"""Less is the noise of a home, not relief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is shown at the end; the exit status is whether every promise was kept."""

    promises: tuple[Promise, ...]
    figures: tuple[tuple[str, str], ...]

    @property
    def kept(self) -> bool:
        return all(promise.kept for promise in self.promises)

    def text(self) -> str:
        width = max(len(name) for name, _ in self.figures)
        lines = [f"{'✔' if promise.kept else '✘'} {promise.text}: {promise.seen}" for promise in self.promises]
        lines += ["", *(f"{name:<{width}}  {value}" for name, value in self.figures)]
        return "\n".join(lines)


def judge(evening: Evening) -> Card:
    """Read what everybody wrote down, and compare it with what was promised."""
    record = read_meter(evening.lab.meter)
    relief_w = delivered_w(record.time_s, record.device_w.sum(axis=1, dtype=np.float64), evening.posted_s)
    shown = evening.lab.operator_json("event", "show", evening.event_id)
    simple = evening.lab.operator_json("event", "show", evening.simple_event_id)
    loading = _transformer_loading(record, evening)
    return Card(
        promises=(
            _speed(record, relief_w, evening),
            tracking(
                interval_errors(
                    record.time_s,
                    relief_w,
                    posted_s=evening.posted_s,
                    until_s=evening.posted_s + STOP_AT_S,
                    target_w=TARGET_W,
                    faults_s=(evening.fault_s, evening.killed_s),
                )
            ),
            _held_while_killed(record, relief_w, evening),
            _once(read_device_log(evening.lab.meter)),
            _gap_filled(shown, evening),
            _released(record, relief_w, evening),
            _answered(simple),
            Promise(text="no service transformer above its rating", kept=loading <= 1.0, seen=f"{loading:.0%} at most"),
        ),
        figures=(
            ("delivered", _delivered(record, relief_w, shown, evening)),
            ("transformers", _compared(record, evening, loading)),
            ("one household", _household(record, evening)),
            ("devices", _devices(record, evening)),
        ),
    )


def _speed(record: MeterRecord, relief_w: Series, evening: Evening) -> Promise:
    seconds = seconds_to_ninety_percent(record.time_s, relief_w, evening.posted_s, TARGET_W)
    return Promise(
        text=f"from the POST to {NINETY_PERCENT:.0%} of the target at the meter in under {TO_NINETY_WITHIN_S:.0f} s",
        kept=seconds < TO_NINETY_WITHIN_S,
        seen=f"{seconds:.1f} s",
    )


def _held_while_killed(record: MeterRecord, relief_w: Series, evening: Evening) -> Promise:
    gone = (record.time_s >= evening.killed_s) & (record.time_s <= evening.restarted_s + INTERVAL_S)
    least = float(relief_w[gone].min() / TARGET_W) if gone.any() else float("nan")
    return Promise(
        text="power does not drop while the VEN is dead and starts again", kept=least >= 1 - 2 * TOLERANCE,
        seen=f"{least:.0%} of the target at least",
    )  # fmt: skip


def _once(entries: list[Entry]) -> Promise:
    twice = applied_twice(entries)
    commands = sum(entry.applied for entry in entries)
    frames = len({entry.command for entry in entries if entry.rows})
    return Promise(
        text="no device applied a command twice", kept=commands > 0 and not twice,
        seen=f"{frames:,} frames, {commands:,} commands, {len(twice)} applied twice",
    )  # fmt: skip


def _gap_filled(shown: dict[str, Any], evening: Evening) -> Promise:
    """The operator's series has no hole between the POST and Stop, though its reporter was dead for a while."""
    starts = sorted(datetime.fromisoformat(row[0]).timestamp() for row in shown["delivered"])
    inside = [start for start in starts if evening.posted_s <= start < evening.stopped_s - INTERVAL_S]
    wanted = int((evening.stopped_s - INTERVAL_S - evening.posted_s) // INTERVAL_S)
    widest = max(np.diff(inside), default=float("inf")) if inside else float("inf")
    return Promise(
        text="the report has no gap", kept=len(inside) >= wanted and widest <= INTERVAL_S + 1,
        seen=f"{len(inside)} intervals of {INTERVAL_S:.0f} s, {wanted} wanted",
    )  # fmt: skip


def _released(record: MeterRecord, relief_w: Series, evening: Evening) -> Promise:
    until = record.time_s <= evening.stopped_s + RELEASED_WITHIN_S + INTERVAL_S
    seconds = seconds_to_released(record.time_s[until], relief_w[until], evening.stopped_s, TARGET_W)
    return Promise(
        text=f"Stop: a ramped release, finished in {RELEASED_WITHIN_S:.0f} s",
        kept=seconds <= RELEASED_WITHIN_S,
        seen=f"{seconds:.0f} s",
    )


def _answered(simple: dict[str, Any]) -> Promise:
    opts = opts_of(simple)
    return Promise(
        text="both VENs opted in to event 2, the stranger's too",
        kept=set(opts.values()) == {"optIn"} and STRANGER in opts and len(opts) == 2,
        seen=", ".join(f"{name} {opt}" for name, opt in sorted(opts.items())),
    )


def _delivered(record: MeterRecord, relief_w: Series, shown: dict[str, Any], evening: Evening) -> str:
    settled = (record.time_s > evening.posted_s + 10) & (record.time_s <= evening.posted_s + STOP_AT_S)
    metered_kw = float(relief_w[settled].mean()) / 1000
    reported = [
        row[2]
        for row in shown["delivered"]
        if 10 <= datetime.fromisoformat(row[0]).timestamp() - evening.posted_s <= STOP_AT_S - INTERVAL_S
    ]
    reported_kw = float(np.mean(reported)) if reported else float("nan")
    difference = reported_kw / metered_kw - 1
    return (
        f"{metered_kw:,.0f} kW by the meter and {reported_kw:,.0f} kW by the VTN ({difference:+.1%}), "
        f"of {TARGET_KW:,} kW asked, mean from +10 s to Stop"
    )


def _transformer_loading(record: MeterRecord, evening: Evening) -> float:
    during = (record.time_s > evening.posted_s) & (record.time_s <= evening.stopped_s)
    return float((np.abs(record.transformer_w[during]) / record.transformer_limit_w).max())


def _compared(record: MeterRecord, evening: Evening, loading: float) -> str:
    """What sharing the same target in proportion to headroom, blind to the network, would have loaded."""
    fleet = load_fleet(evening.lab.folder / "fleet" / "fleet.csv").fleet
    before = (record.time_s > evening.posted_s - BASELINE_S) & (record.time_s <= evening.posted_s)
    columns = _columns(record, fleet)
    baseline_w = record.device_w[before][:, columns].mean(axis=0, dtype=np.float64)
    state = evening_state(fleet, now_s=evening.posted_s, outdoor_c=33.0, rng=np.random.default_rng(0))
    outlook = Outlook(now_s=evening.posted_s, horizon_s=120.0, soc_floor=0.2, outdoor_c=33.0)
    relief_w = shares(headroom(fleet, state, baseline_w, outlook), TARGET_W)
    by_name = {name: code for code, name in enumerate(record.transformer_names)}
    codes = np.array([by_name[name] for name in fleet.transformer_names])[fleet.transformer]
    taken_w = np.bincount(codes, weights=relief_w, minlength=len(record.transformer_names))
    drawn_w = record.transformer_w[before].mean(axis=0, dtype=np.float64)
    proportional = np.abs(drawn_w - taken_w) / record.transformer_limit_w
    return (
        f"{loading:.0%} of rating at most; sharing in proportion to headroom, blind to the network, "
        f"{proportional.max():.0%} with {int((proportional > 1).sum())} above rating"
    )


def _household(record: MeterRecord, evening: Evening) -> str:
    """The battery that gave the most: what it gave, and what that was of its capacity."""
    fleet = load_fleet(evening.lab.folder / "fleet" / "fleet.csv").fleet
    columns = _columns(record, fleet)
    during = (record.time_s > evening.posted_s) & (record.time_s <= evening.stopped_s + RELEASED_WITHIN_S)
    before = (record.time_s > evening.posted_s - BASELINE_S) & (record.time_s <= evening.posted_s)
    watts = record.device_w[:, columns].astype(np.float64)
    relief_w = watts[before].mean(axis=0) - watts[during]
    batteries = fleet.rows_of(DeviceClass.BATTERY)
    given_wh = relief_w[:, batteries].sum(axis=0) / 3600
    row = batteries[int(np.argsort(given_wh)[given_wh.size * 3 // 4])]
    wh = float(relief_w[:, row].sum()) / 3600
    return (
        f"{fleet.site_names[fleet.site[row]]}: its {fleet.energy_wh[row] / 1000:.1f} kWh battery gave up to "
        f"{relief_w[:, row].max() / 1000:.1f} kW and {wh / 1000:.2f} kWh, {wh / fleet.energy_wh[row]:.1%} of it; "
        f"its {max(fleet.reserve[row], 0.2):.0%} reserve was never asked for"
    )


def _devices(record: MeterRecord, evening: Evening) -> str:
    """How many took part, and how each of the fleet's devices ended."""
    fleet = load_fleet(evening.lab.folder / "fleet" / "fleet.csv").fleet
    during = (record.time_s > evening.posted_s) & (record.time_s <= evening.stopped_s)
    before = (record.time_s > evening.posted_s - BASELINE_S) & (record.time_s <= evening.posted_s)
    relief_w = record.device_w[before].mean(axis=0) - record.device_w[during]
    took_part = int((relief_w.max(axis=0) > TAKING_PART_W).sum())
    silent = int((fleet.vendor == fleet.vendor_names.index(SILENT_VENDOR)).sum())
    refused = sum(sum(entry.refused.values()) for entry in read_device_log(evening.lab.meter))
    return (
        f"{len(record.device_ids):,} in all: {took_part:,} gave relief, {refused:,} commands were refused, "
        f"{silent} fell silent with {SILENT_VENDOR}, the rest were released"
    )


def _columns(record: MeterRecord, fleet: Fleet) -> np.ndarray:
    """The meter's column of each of the fleet's rows."""
    place = {device_id: column for column, device_id in enumerate(record.device_ids)}
    return np.array([place[str(device_id)] for device_id in fleet.device_id])
