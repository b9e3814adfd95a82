"""Whom and what an event is for: parties by name, and parts of what is behind them by kind.

OpenADR 3 knows names alone, 2.0b thirteen kinds of them; a party is granted plain names by its
operator (:attr:`Party.targets`), which stand for whatever kind they are asked for by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class TargetKind(StrEnum):
    """In the order of 2.0b's eiTarget, which every protocol is written in."""

    NAME = "name"
    """Any name at all: a party's own, or one that it was granted (OpenADR 3)."""
    AGGREGATED_PNODE = "aggregated_pnode"
    DEVICE_CLASS = "device_class"
    """2.0b endDeviceAsset: every device of a class, wherever it is."""
    METER = "meter"
    """2.0b meterAsset."""
    PNODE = "pnode"
    SERVICE_AREA = "service_area"
    """A polygon: longitudes and latitudes, as 2.0b's posList has them."""
    SERVICE_DELIVERY_POINT = "service_delivery_point"
    SERVICE_LOCATION = "service_location"
    """A polygon, likewise."""
    TRANSPORT_INTERFACE = "transport_interface"
    """From a node to another: the names joined by :data:`TO`."""
    GROUP = "group"
    """2.0b groupID."""
    GROUP_NAME = "group_name"
    RESOURCE = "resource"
    VEN = "ven"
    """A party by its id, and all that is behind it."""
    PARTY = "party"
    """2.0b partyID."""


TO = " > "
"""Between the point of receipt and the point of delivery of a transport interface."""

WHOLE_PARTY = frozenset({TargetKind.NAME, TargetKind.VEN})
"""They say who; the others say which part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    kind: TargetKind
    name: str


DEVICE_CLASSES = frozenset(
    {
        "Thermostat", "Strip_Heater", "Baseboard_Heater", "Water_Heater", "Pool_Pump", "Sauna", "Hot_tub",
        "Smart_Appliance", "Irrigation_Pump", "Managed_Commercial_and_Industrial_Loads",
        "Simple_Residential_On_Off_Loads", "Exterior_Lighting", "Interior_Lighting", "Electric_Vehicle",
        "Generation_Systems", "Load_Control_Switch", "Smart_Inverter", "EVSE", "RESU", "Energy_Management_System",
        "Smart_Energy_Module", "Storage",
    }
)  # fmt: skip
"""OpenADR 2.0b R111; others begin with ``x-``."""


def is_device_class(name: str) -> bool:
    return name in DEVICE_CLASSES or (name.startswith("x-") and len(name) > len("x-"))


def by_name(*names: str) -> tuple[Target, ...]:
    """Targets as OpenADR 3 says them."""
    return tuple(Target(kind=TargetKind.NAME, name=name) for name in names)


def audience_of(targets: Iterable[Target]) -> tuple[str, ...]:
    """The names that say whom an event is for, whatever kind of name they are; a device class says what of theirs."""
    return tuple(dict.fromkeys(target.name for target in targets if target.kind is not TargetKind.DEVICE_CLASS))


def names_of(targets: Iterable[Target]) -> tuple[str, ...]:
    """The names that OpenADR 3 knows."""
    return tuple(target.name for target in targets if target.kind is TargetKind.NAME)
