"""Where the fleet in use is kept: a store of versions, or, for few devices, one CSV or Parquet file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_files import load_fleet, write_fleet
from openadr_ven.adapters.fleet_store import FleetStore
from openadr_ven.fleet.columns import Fleet, FleetState

FILES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFleet:
    fleet: Fleet
    sha256: str
    """Of its columns, or of its file: another one is another fleet."""
    version: int | None
    """None for a file."""


def is_file(path: Path) -> bool:
    """Whether the name is a file's; everything else is a store's folder."""
    return path.suffix in FILES


def open_fleet(path: Path) -> KeptFleet:
    """The fleet that is kept there; ConfigError if none is."""
    if not path.exists():
        raise ConfigError(f"fleet.file: {path} is not there; `openadr-ven fleet load FILE` makes it")
    if is_file(path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return KeptFleet(fleet=load_fleet(path).fleet, sha256=digest, version=None)
    store = FleetStore(path)
    version = store.current()
    return KeptFleet(fleet=store.load(version.number), sha256=version.sha256, version=version.number)


def keep_fleet(fleet: Fleet, path: Path, *, note: str) -> None:
    """In place of the fleet that was there; a store keeps the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_file(path):
        write_fleet(fleet, path)
    else:
        FleetStore(path).save(fleet, note=note)


def keep_state(state: FleetState, path: Path, version: int | None) -> None:
    """What telemetry shows, beside its version; a file has no place for it."""
    if version is not None:
        FleetStore(path).save_state(state, number=version)


def last_state(path: Path) -> FleetState | None:
    """What was kept of it; None if nothing was."""
    return None if is_file(path) else FleetStore(path).load_state()
