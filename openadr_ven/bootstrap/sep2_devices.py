"""Devices that a 2030.5 agent answers for one by one: what of the fleet they are, and what they are set to."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from openadr_core.errors import ConfigError
from openadr_core.model.target import Target, TargetKind
from openadr_core.sep2.mrid import LFDI_HEX_DIGITS
from openadr_ven.application.device_metering import DeviceMeters
from openadr_ven.application.observation import Observation
from openadr_ven.fleet.columns import DeviceClass, Fleet, Rows
from openadr_ven.fleet.naming import CLASSES_20B, Names
from openadr_ven.protocols.sep2 import WHOLE_FLEET, ManagedDevice, Ratings
from openadr_ven.protocols.sep2.load import CATEGORY_BITS
from openadr_ven.settings import Settings

STORES = (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL)
PHOTOVOLTAIC, STORAGE, CHARGERS, PHOTOVOLTAIC_AND_STORAGE = 4, 80, 82, 83
"""DERType."""
COLUMNS = ("lfdi", "name")
NMI, NMI_CHARS_MAX = "nmi", 32
"""A column that may be left out (CSIP-AUS: ConnectionPoint)."""


def ratings_of(fleet: Fleet) -> Ratings:
    """What the fleet, or some of it, is set to: the sums of what its devices can feed in, and can store or give back.

    Interpretation: what never feeds in has no part in setMaxW, which says what a generator gives.
    """
    stores = np.isin(fleet.device_class, STORES)
    return Ratings(
        max_w=float(fleet.export_max_w.sum()),
        charge_max_w=float(fleet.import_max_w[stores].sum()),
        discharge_max_w=float(fleet.export_max_w[stores].sum()),
        energy_wh=float(fleet.energy_wh[stores].sum()),
        der_type=_der_type(fleet),
    )


def load_classes_of(fleet: Fleet) -> tuple[str, ...]:
    """What loads there are, by classes of OpenADR 2.0b."""
    there = set(fleet.device_class.tolist())
    return tuple(name for name in CATEGORY_BITS if any(name in CLASSES_20B[DeviceClass(one)] for one in there))


def _der_type(fleet: Fleet) -> int:
    """What people would call it."""
    there = set(fleet.device_class.tolist())
    if DeviceClass.SOLAR_INVERTER in there:
        return PHOTOVOLTAIC if there.isdisjoint(STORES) else PHOTOVOLTAIC_AND_STORAGE
    return CHARGERS if there.isdisjoint(STORES) and DeviceClass.EV_CHARGER in there else STORAGE


def managed_devices(path: Path, fleet: Fleet, fleet_name: str) -> dict[str, ManagedDevice]:
    """By LFDI; ConfigError names the line that is wrong. Lines with the same LFDI make one device together."""
    names: dict[str, list[str]] = {}
    nmis: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            if not set(COLUMNS) <= set(lines.fieldnames or ()):
                raise ConfigError(f"sep2.devices: {path} needs the columns {' and '.join(COLUMNS)}")
            for number, line in enumerate(lines, 2):
                lfdi, name = ((line[column] or "").strip() for column in COLUMNS)
                if len(lfdi) != LFDI_HEX_DIGITS or set(lfdi.upper()) - set("0123456789ABCDEF"):
                    raise ConfigError(f"sep2.devices: {path}, line {number}: an LFDI has {LFDI_HEX_DIGITS} hex digits")
                names.setdefault(lfdi.upper(), []).append(name)
                nmi = (line.get(NMI) or "").strip()
                if len(nmi) > NMI_CHARS_MAX or nmis.setdefault(lfdi.upper(), nmi) != nmi:
                    raise ConfigError(f"sep2.devices: {path}, line {number}: a device has one {NMI}, of 32 characters")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"sep2.devices: {path} cannot be read: {error}") from None
    index = Names(fleet, fleet_name)
    found = {lfdi: _managed(path, lfdi, mine, fleet, index) for lfdi, mine in names.items()}
    return {lfdi: replace(one, nmi=nmis[lfdi]) for lfdi, one in found.items()}


def managed_rows(path: Path, fleet: Fleet, fleet_name: str) -> dict[str, Rows]:
    """What of the fleet each of them is."""
    index = Names(fleet, fleet_name)
    managed = managed_devices(path, fleet, fleet_name)
    return {lfdi: index.rows([target.name for target in one.targets]) for lfdi, one in managed.items()}


def device_meters(settings: Settings, seen: Observation) -> DeviceMeters:
    """Of each device that the utility knows, or of the fleet where it knows no other."""
    fleet, chosen = seen.fleet, settings.sep2
    devices: Mapping[str, Rows] = {WHOLE_FLEET: np.arange(fleet.size)}
    if chosen is not None and chosen.devices is not None:
        devices = managed_rows(chosen.devices, fleet, settings.fleet.name)
    return DeviceMeters(seen=seen, devices=devices, soc_floor=settings.envelope.soc_floor)


def _managed(path: Path, lfdi: str, names: list[str], fleet: Fleet, index: Names) -> ManagedDevice:
    rows = index.rows(names)
    if not rows.size:
        raise ConfigError(f"sep2.devices: {path}: nothing of the fleet is called {', '.join(names)} ({lfdi})")
    mine = fleet.take(rows)
    targets = tuple(Target(kind=TargetKind.RESOURCE, name=name) for name in names)
    return ManagedDevice(ratings=ratings_of(mine), targets=targets, load_classes=load_classes_of(mine))
