"""What EndDeviceControls ask of the loads of the fleet (DRLC), class by class.

Interpretation: a fleet has no duty cycles nor offsets of its own; a share of the time that loads may run, and a
percentage by which they are to change, are shares of what they usually draw. Where a control names several
categories, each class is asked by itself, so that a later control for one of them takes over that one alone.
"""

from collections.abc import Collection, Mapping

from openadr_core.model.event import SignalKind
from openadr_core.sep2.drlc import EndDeviceControl
from openadr_ven.protocols.sep2.memory import AskedMode, AskedSignal

CATEGORY_BITS: Mapping[str, frozenset[int]] = {
    "Thermostat": frozenset({0}),
    "Water_Heater": frozenset({3}),
    "Managed_Commercial_and_Industrial_Loads": frozenset({9}),
    "Electric_Vehicle": frozenset({16, 17}),
}
"""Bits of deviceCategory by the classes that loads of a fleet are found by (OpenADR 2.0b R111)."""
NOT_FOLLOWED = ("appliance_load_reduction", "set_point", "target_reduction")
WHOLE = 10_000
PER_CENT = 100


def load_modes_of(control: EndDeviceControl, classes: Collection[str]) -> tuple[tuple[AskedMode, ...], tuple[str, ...]]:
    """What of the control the fleet can follow, and what it cannot; ``classes`` are those of its loads."""
    meant = int(control.device_category, 16)
    share = _share(control)
    others = tuple(name for name in NOT_FOLLOWED if getattr(control, name) is not None)
    if share is None:
        return (), others or ("EndDeviceControl",)
    modes = tuple(
        AskedMode(
            name=f"load.{name}",
            signals=(AskedSignal(kind=SignalKind.BASELINE_SHARE, value=share, device_classes=(name,)),),
        )
        for name, bits in CATEGORY_BITS.items()
        if name in classes and any(meant >> bit & 1 for bit in bits)
    )
    return modes, others


def categories_of(classes: Collection[str]) -> int:
    """Bits of deviceCategory."""
    return sum(1 << bit for name, bits in CATEGORY_BITS.items() if name in classes for bit in bits)


def _share(control: EndDeviceControl) -> float | None:
    """Of what the loads usually draw; None where the control says nothing of it."""
    if control.duty_cycle is not None:
        return min(control.duty_cycle.normal_value, PER_CENT) / PER_CENT
    offset = control.offset
    if offset is None or offset.load_adjustment_percentage_offset is None:
        return None
    way = 1.0 if control.load_shift_forward else -1.0
    return 1.0 + way * offset.load_adjustment_percentage_offset / WHOLE
