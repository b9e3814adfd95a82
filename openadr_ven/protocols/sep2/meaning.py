"""What the control modes of IEEE 2030.5 and CSIP-AUS ask of the fleet behind a device.

A device counts what it gives (generation, discharge) as positive; here net import is, as everywhere in the agent.
docs/ven-ieee2030_5.md tells people the same table.

Interpretation: of a fleet, per cents are of the sum of what its devices are set to; a limit on the device's
generation or load (CSIP-AUS), or its disconnection, is one on the devices of the classes that can generate, or draw.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields

from openadr_core.errors import RuleBroken
from openadr_core.model.event import SignalKind
from openadr_core.sep2.base import Link
from openadr_core.sep2.controls import DERControlBase, DERCurve
from openadr_core.sep2.names import wire_name
from openadr_core.sep2.power import magnitude
from openadr_core.sep2.quantities import ActivePower
from openadr_core.sep2.translate_grid_support import FUNCTIONS, support_of
from openadr_ven.protocols.sep2.memory import AskedMode, AskedSignal

GENERATORS = ("Generation_Systems", "Storage")
STORAGE = ("Storage",)
LOADS = ("Electric_Vehicle", "Managed_Commercial_and_Industrial_Loads", "Storage", "Thermostat", "Water_Heater")
"""Classes of OpenADR 2.0b (R111), by which the fleet's devices are found."""

SETPOINT_MODES = frozenset({"opModFixedW", "opModTargetW", "opModStorageTargetW"})
"""They say a power to hold: a device holds one at a time."""
_WHOLE = 10_000
"""Hundredths of a per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What a device is set to, in watts: setMaxW, setMaxChargeRateW and setMaxDischargeRateW."""

    max_w: float
    charge_max_w: float = 0.0
    discharge_max_w: float = 0.0
    energy_wh: float = 0.0
    """What it can store."""
    der_type: int = 83
    """DERType: 4 photovoltaic, 80 storage, 82 EV charging, 83 photovoltaic with storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """What a control asks of a device."""

    followed: tuple[AskedMode, ...] = ()
    not_read: tuple[str, ...] = ()
    """Modes that nothing behind it can act on."""
    invalid: tuple[str, ...] = ()
    """Modes that say what cannot be."""


Reader = Callable[[object, Ratings], tuple[AskedSignal, ...]]


def modes_of(
    base: DERControlBase, ratings: Ratings, *, functions: int = 0, curves: Mapping[str, DERCurve] | None = None
) -> Modes:
    """``functions`` are what the device does for the grid when it is told (bits); ``curves`` by their links."""
    followed: list[AskedMode] = []
    not_read: list[str] = []
    invalid: list[str] = []
    for name, given in _given(base):
        reader, function = READERS.get(name), FUNCTIONS.get(name)
        signals = () if reader is None else reader(given, ratings)
        does_itself = function is not None and functions >> function & 1 and given is not True
        if function is not None and does_itself:
            try:
                curve = (curves or {}).get(given.href) if isinstance(given, Link) else None
                support = support_of(function, given, curve)
            except (ValueError, RuleBroken):
                invalid.append(name)
                continue
            signals = (*signals, AskedSignal(kind=SignalKind.GRID_SUPPORT, value=0.0, support=support))
        if reader is None and not does_itself:
            not_read.append(name)
        else:
            followed.append(AskedMode(name=name, signals=signals))
    return Modes(followed=tuple(followed), not_read=tuple(not_read), invalid=tuple(invalid))


def curve_links(base: DERControlBase) -> Iterable[str]:
    """Where the curves are that it refers to."""
    return [given.href for _, given in _given(base) if isinstance(given, Link)]


def wants_functions(base: DERControlBase) -> bool:
    """Whether it asks for anything that only some devices know."""
    return any(name in FUNCTIONS and name not in READERS for name, _ in _given(base))


def _given(base: DERControlBase) -> Iterable[tuple[str, object]]:
    for field in fields(base):
        given = getattr(base, field.name)
        if given is not None and field.name != "ramp_tms":
            yield wire_name(field.name), given


def _hold(watts: float, classes: tuple[str, ...] = ()) -> tuple[AskedSignal, ...]:
    """Give this power: below zero, take it."""
    return (AskedSignal(kind=SignalKind.NET_POWER, value=0.0 - watts, device_classes=classes),)


def _export(most_w: float, classes: tuple[str, ...] = ()) -> tuple[AskedSignal, ...]:
    return (AskedSignal(kind=SignalKind.EXPORT_LIMIT, value=max(0.0, most_w), device_classes=classes),)


def _import(most_w: float, classes: tuple[str, ...] = ()) -> tuple[AskedSignal, ...]:
    return (AskedSignal(kind=SignalKind.IMPORT_LIMIT, value=max(0.0, most_w), device_classes=classes),)


def _watts(given: object) -> float:
    if not isinstance(given, ActivePower):
        raise TypeError(f"{type(given).__name__} is no ActivePower")
    return magnitude(given)


def _fixed_w(given: object, ratings: Ratings) -> tuple[AskedSignal, ...]:
    """Below zero a share of the charge rate, else of the discharge rate, or of setMaxW where nothing is stored."""
    share = int(str(given)) / _WHOLE
    if share < 0.0:
        return _hold(share * ratings.charge_max_w)
    return _hold(share * (ratings.discharge_max_w or ratings.max_w))


def _connect(given: object, _ratings: Ratings) -> tuple[AskedSignal, ...]:
    return () if given else (*_export(0.0, GENERATORS), *_import(0.0, GENERATORS))


def _energize(given: object, _ratings: Ratings) -> tuple[AskedSignal, ...]:
    """Cease to energise: nothing is given; what the site draws goes on.

    Interpretation: of this and opModConnect, what a device does anyway needs no word; one that knows the word is told
    it besides the limits, which hold for all.
    """
    return () if given else _export(0.0, GENERATORS)


READERS: Mapping[str, Reader] = {
    "opModConnect": _connect,
    "opModEnergize": _energize,
    "opModFixedW": _fixed_w,
    "opModMaxLimW": lambda given, ratings: _export(int(str(given)) / _WHOLE * ratings.max_w),
    "opModTargetW": lambda given, _ratings: _hold(_watts(given)),
    "opModImpLimW": lambda given, _ratings: _import(_watts(given)),
    "opModExpLimW": lambda given, _ratings: _export(_watts(given)),
    "opModGenLimW": lambda given, _ratings: _export(_watts(given), GENERATORS),
    "opModLoadLimW": lambda given, _ratings: _import(_watts(given), LOADS),
    "opModStorageTargetW": lambda given, _ratings: _hold(_watts(given), STORAGE),
}
"""By element. The others are ``FUNCTIONS``: they go to devices that know them (curves, vars, power factors)."""
