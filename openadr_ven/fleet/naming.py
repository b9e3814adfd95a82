"""What devices are called besides their ids: by where they are, whose they are, and the classes of OpenADR 2.0b."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from openadr_core.model.availability import Scope
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mask, Rows

CLASSES_20B: dict[DeviceClass, frozenset[str]] = {
    DeviceClass.BATTERY: frozenset({"Storage", "RESU"}),
    DeviceClass.EV_BIDIRECTIONAL: frozenset({"Electric_Vehicle", "EVSE", "Storage"}),
    DeviceClass.EV_CHARGER: frozenset({"Electric_Vehicle", "EVSE"}),
    DeviceClass.THERMOSTAT: frozenset({"Thermostat"}),
    DeviceClass.SOLAR_INVERTER: frozenset({"Smart_Inverter", "Generation_Systems"}),
    DeviceClass.WATER_HEATER: frozenset({"Water_Heater"}),
    DeviceClass.DATA_CENTRE: frozenset({"Managed_Commercial_and_Industrial_Loads"}),
}
"""2.0b R111. Interpretation: it lists names and explains none; what a device can be taken for, it is."""


def class_resource(fleet_name: str, device_class: DeviceClass) -> str:
    """The resource that all devices of a class make together."""
    return f"{fleet_name}-{device_class.name.lower().replace('_', '-')}"


class Names:
    """A fleet's rows by name: looked up, not searched for, since a utility may name ten thousand of them one by one.

    A name means the devices that are called so, are behind a gateway, site, transformer, feeder or substation, or of
    a vendor or class that is called so; or all, if the fleet is.
    """

    def __init__(self, fleet: Fleet, fleet_name: str) -> None:
        self._fleet = fleet
        self._everything = fleet_name
        self._row = {str(name): row for row, name in enumerate(fleet.device_id.tolist())}
        self._tables = [
            _Table.of(codes, table)
            for codes, table in (
                (fleet.gateway, fleet.gateway_names),
                (fleet.site, fleet.site_names),
                (fleet.transformer, fleet.transformer_names),
                (fleet.feeder, fleet.feeder_names),
                (fleet.substation, fleet.substation_names),
                (fleet.vendor, fleet.vendor_names),
            )
        ]
        resources = {class_resource(fleet_name, each): frozenset({each}) for each in DeviceClass}
        classes = {name for each in CLASSES_20B.values() for name in each}
        self._classes = {**{name: _classes_of(name) for name in classes}, **resources}

    def rows(self, names: Collection[str]) -> Rows:
        """Ascending."""
        if self._everything in names:
            return np.arange(self._fleet.size)
        found = [np.array([self._row[name]]) for name in names if name in self._row]
        found += [table.rows(name) for table in self._tables for name in names if name in table.code]
        classes = {each for name in names for each in self._classes.get(name, ())}
        if classes:
            found.append(np.flatnonzero(np.isin(self._fleet.device_class, list(classes))))
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Rows by code, and codes by name."""

    code: Mapping[str, int]
    order: Rows
    starts: Rows

    @classmethod
    def of(cls, codes: np.ndarray, names: Collection[str]) -> Self:
        counts = np.bincount(codes, minlength=len(names)) if len(names) else np.zeros(0, dtype=np.intp)
        return cls(
            code={str(name): code for code, name in enumerate(names)},
            order=np.argsort(codes, kind="stable"),
            starts=np.concatenate(([0], np.cumsum(counts))).astype(np.intp),
        )

    def rows(self, name: str) -> Rows:
        code = self.code[name]
        return self.order[self.starts[code] : self.starts[code + 1]]


def _classes_of(name: str) -> frozenset[DeviceClass]:
    return frozenset(each for each, classes in CLASSES_20B.items() if name in classes)


def rows_in(fleet: Fleet, scope: Scope, *, fleet_name: str) -> Mask:
    """Which devices a scope speaks for, whatever its market context.

    A name means the devices that are called so, are behind a gateway, site, transformer, feeder or
    substation, or of a vendor or class that is called so; or all, if the fleet is.
    """
    rows = np.ones(fleet.size, dtype=np.bool_)
    if scope.targets:
        rows = _named(fleet, scope.names, fleet_name)
    if scope.device_classes:
        rows &= _of_classes(fleet, scope.device_classes)
    return rows


def _named(fleet: Fleet, names: Collection[str], fleet_name: str) -> Mask:
    if fleet_name in names:
        return np.ones(fleet.size, dtype=np.bool_)
    rows = np.isin(fleet.device_id, np.array(sorted(names), dtype=np.dtypes.StringDType()))
    rows |= _coded(fleet.gateway, fleet.gateway_names, names)
    rows |= _coded(fleet.site, fleet.site_names, names)
    rows |= _coded(fleet.transformer, fleet.transformer_names, names)
    rows |= _coded(fleet.feeder, fleet.feeder_names, names)
    rows |= _coded(fleet.substation, fleet.substation_names, names)
    rows |= _coded(fleet.vendor, fleet.vendor_names, names)
    resources = [each for each in DeviceClass if class_resource(fleet_name, each) in names]
    return rows | np.isin(fleet.device_class, resources) | _of_classes(fleet, names)


def _coded(codes: np.ndarray, table: Collection[str], names: Collection[str]) -> Mask:
    """Rows whose code stands for one of these names."""
    wanted = np.fromiter((str(name) in names for name in table), dtype=np.bool_, count=len(table))
    found: Mask = wanted[codes] if wanted.any() else np.zeros(codes.size, dtype=np.bool_)
    return found


def _of_classes(fleet: Fleet, names: Collection[str]) -> Mask:
    wanted = [each for each, classes in CLASSES_20B.items() if not classes.isdisjoint(names)]
    return np.isin(fleet.device_class, wanted)
