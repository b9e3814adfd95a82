"""What devices are called besides their ids: by where they are, whose they are, and the classes of OpenADR 2.0b."""

from collections.abc import Collection

import numpy as np

from openadr_core.model.availability import Scope
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mask

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
