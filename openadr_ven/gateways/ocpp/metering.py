"""What stations measure: sampled values of all three versions, read into power and state of charge. Pure.

1.6 writes numbers as texts with a unit, 2.x as numbers with a unit and a power of ten. What is signed, not a
number, or of a unit that we do not know is left out; nothing is guessed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LATE = timedelta(seconds=60)
"""Stations keep what they measure while they are offline, and send it later: that says nothing of now."""
SCALES = {"W": 1.0, "kW": 1e3, "Wh": 1.0, "kWh": 1e3, "Percent": 0.01}
UNITS = {"Power.Active": "W", "Energy.Active": "Wh", "SoC": "Percent"}
"""Where a sample names none (OCPP's defaults)."""
DEFAULT_MEASURAND = "Energy.Active.Import.Register"
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """At one moment; None for what was not told."""

    at: datetime
    power_w: float | None
    energy_wh: float | None
    """Net, of the meter's registers."""
    soc: float | None


def measured(meter_values: Sequence[Mapping[str, Any]], now: datetime) -> Measured | None:
    """The newest of a message's meter values; None if none is of now, or none tells anything."""
    newest: Measured | None = None
    for value in meter_values:
        at = _moment(value.get("timestamp"))
        if at is None or abs(now - at) > LATE:
            continue
        samples = list(_samples(value.get("sampled_value", ())))
        found = Measured(
            at=at,
            power_w=_net(samples, "Power.Active.Import", "Power.Active.Export"),
            energy_wh=_net(samples, "Energy.Active.Import.Register", "Energy.Active.Export.Register"),
            soc=_one(samples, "SoC"),
        )
        if newest is None or found.at >= newest.at:
            newest = found
    return newest


def power_w(now: Measured, before: Measured | None) -> float | None:
    """As it was told, or else as the register moved since the reading before."""
    if now.power_w is not None or now.energy_wh is None:
        return now.power_w
    if before is None or before.energy_wh is None or now.at <= before.at:
        return None
    return (now.energy_wh - before.energy_wh) * HOUR_S / (now.at - before.at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    measurand: str
    phase: str
    value: float


def _samples(sampled_values: Sequence[Mapping[str, Any]]) -> Iterator[_Sample]:
    for one in sampled_values:
        measurand = str(one.get("measurand", DEFAULT_MEASURAND))
        told = one.get("unit_of_measure") or {}
        unit = one.get("unit") or told.get("unit") or next(
            (unit for start, unit in UNITS.items() if measurand.startswith(start)), ""
        )  # fmt: skip
        if one.get("format") == "SignedData" or unit not in SCALES:
            continue
        try:
            value = float(one["value"]) * 10.0 ** int(told.get("multiplier", 0))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        if abs(value) < 1e12:  # also false for what is not a number
            yield _Sample(measurand=measurand, phase=str(one.get("phase", "")), value=value * SCALES[unit])


def _one(samples: Sequence[_Sample], measurand: str) -> float | None:
    """Of all phases together: as one value, or as their sum."""
    mine = [one for one in samples if one.measurand == measurand]
    whole = [one.value for one in mine if not one.phase]
    if whole:
        return whole[-1]
    phases = {one.phase.removesuffix("-N"): one.value for one in mine if one.phase.startswith("L")}
    return sum(phases.values()) if phases else None


def _net(samples: Sequence[_Sample], imported: str, exported: str) -> float | None:
    drawn, fed = _one(samples, imported), _one(samples, exported)
    return None if drawn is None and fed is None else (drawn or 0.0) - (fed or 0.0)


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
