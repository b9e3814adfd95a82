"""What the town takes besides its flexible devices, and what meters on its transformers and feeder head would show."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import Fleet, Floats

SITE_LOADS_HEADER = ("site", "transformer", "load_w")
SPREAD = 0.1
"""Of a household's load around its mean: a kettle here, an oven there."""
FORGETS_S = 300.0
"""How long such a deviation lasts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SiteLoads:
    """The load of each site that no gateway commands."""

    transformer_names: tuple[str, ...]
    transformer: NDArray[np.intp]
    """By site, an index into the names."""
    load_w: Floats
    """By site, its mean at the scenario's hour."""

    @classmethod
    def none(cls) -> Self:
        return cls(transformer_names=(), transformer=np.zeros(0, dtype=np.intp), load_w=np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Real power at one second, net import in watts, as it really was."""

    time_s: float
    """Seconds since 1970."""
    feeder_w: float
    """Every site and every device; losses of the lines are left out."""
    transformer_w: Floats
    device_w: Floats


def load_site_loads(path: Path) -> SiteLoads:
    """Read a CSV file with the header ``site,transformer,load_w``; ConfigError names a line that is wrong."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = set(SITE_LOADS_HEADER) - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(f"{path}: no column {', '.join(sorted(missing))}")
        return _site_loads(path, ((reader.line_num, row) for row in reader))


def _site_loads(path: Path, rows: Iterable[tuple[int, Mapping[str, str]]]) -> SiteLoads:
    codes: dict[str, int] = {}
    transformer, load_w = [], []
    for line, row in rows:
        try:
            watts = float(row["load_w"])
        except (TypeError, ValueError):
            watts = float("nan")
        if not 0.0 <= watts < float("inf"):
            raise ConfigError(f"{path}: line {line}: load_w is {row['load_w']!r}")
        transformer.append(codes.setdefault(row["transformer"], len(codes)))
        load_w.append(watts)
    return SiteLoads(
        transformer_names=tuple(codes),
        transformer=np.array(transformer, dtype=np.intp),
        load_w=np.array(load_w, dtype=np.float64),
    )


class Feeder:
    """Sums devices and sites where meters are. Pure: given its dice, told how much time has passed."""

    def __init__(self, fleet: Fleet, loads: SiteLoads, *, rng: np.random.Generator) -> None:
        only_loads = [name for name in loads.transformer_names if name not in set(fleet.transformer_names)]
        self.transformer_names = (*fleet.transformer_names, *only_loads)
        self.transformer_limit_w = np.concatenate((fleet.transformer_limit_w, np.full(len(only_loads), np.inf)))
        places = {name: code for code, name in enumerate(self.transformer_names)}
        renamed = np.array([places[name] for name in loads.transformer_names], dtype=np.intp)
        self._site_transformer = renamed[loads.transformer]
        self._device_transformer = fleet.transformer
        self._load_w = loads.load_w
        self._rng = rng
        self._deviation = rng.normal(0.0, SPREAD, loads.load_w.size)

    def measure(self, device_w: Floats, *, time_s: float, dt_s: float) -> Sample:
        """What the meters show after another ``dt_s``, with the devices at these powers."""
        kept = np.exp(-dt_s / FORGETS_S)
        fresh = self._rng.normal(0.0, SPREAD, self._load_w.size)
        self._deviation = kept * self._deviation + np.sqrt(1.0 - kept**2) * fresh
        site_w = self._load_w * np.maximum(1.0 + self._deviation, 0.0)
        count = len(self.transformer_names)
        sites_w = np.bincount(self._site_transformer, weights=site_w, minlength=count)
        devices_w = np.bincount(self._device_transformer, weights=device_w, minlength=count)
        return Sample(
            time_s=time_s,
            feeder_w=float(site_w.sum() + device_w.sum()),
            transformer_w=(sites_w + devices_w).astype(np.float64),
            device_w=device_w.copy(),
        )
