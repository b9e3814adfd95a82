"""The fleet: one row per device, one array per property.

Rows are in network order (substation, feeder, transformer, site, device id), so that the devices
below any node of the network are one slice. Every function of the VEN that touches devices takes these
columns whole; nothing holds an object per device, and nine million rows are only longer arrays.

Power is net import in watts everywhere: positive draws from the grid, negative feeds it.
A column that means nothing for a row's class holds NaN there.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from functools import cache
from itertools import takewhile
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openadr_ven.fleet.terms import Terms

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
"""Row numbers of a fleet, ascending."""
Codes = NDArray[np.uint32]
"""For each row, an index into a table of names."""
Texts = NDArray[Any]
"""Variable-width strings (NumPy's StringDType)."""


Found = TypeVar("Found")
Part = TypeVar("Part")
_here = threading.local()
CHUNK = 1 << 17
WORKERS = os.cpu_count() or 1


class DeviceClass(IntEnum):
    """What a device is; the physics of each is a module of its own beside this one."""

    BATTERY = 0
    EV_BIDIRECTIONAL = 1
    EV_CHARGER = 2
    THERMOSTAT = 3
    SOLAR_INVERTER = 4
    WATER_HEATER = 5
    DATA_CENTRE = 6


DISCRETE_CLASSES = (DeviceClass.EV_CHARGER, DeviceClass.THERMOSTAT, DeviceClass.WATER_HEATER)
"""They run or they do not: a command sheds them whole. The others take any setpoint."""


IS_DISCRETE = np.isin(np.arange(256), DISCRETE_CLASSES)
"""By class."""


class Mode(IntEnum):
    """What a command asks of a device."""

    RELEASE = 0
    """Back to what it does by itself."""
    SETPOINT = 1
    """Hold this net power."""
    SHED = 2
    """Draw nothing that comfort, or a departure, does not need."""
    LOAD_UP = 3
    """Draw all that comfort, or a full cell, has room for."""


class Direction(IntEnum):
    """Which way an event bends the fleet's net import from its baseline."""

    RELIEF = 1
    """Less: what a peak asks for."""
    LOAD = -1
    """More: what a surplus asks for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """What does not change while an event runs."""

    device_id: Texts
    device_class: NDArray[np.uint8]
    vendor: Codes
    gateway: Codes
    slot: NDArray[np.uint16]
    """The device's number inside its gateway: 0, 1, 2, …; frames are addressed by it."""
    site: Codes
    transformer: Codes
    feeder: Codes
    latency_s: NDArray[np.float32]
    """From a command to its effect, by whatever way it travels."""

    import_max_w: Floats
    """The most it can draw."""
    export_max_w: Floats
    """The most it can feed; 0 for what only draws."""
    energy_wh: Floats
    """Storage when new and full: batteries and vehicles; for a data centre, the work that it can put off."""
    charge_efficiency: Floats
    discharge_efficiency: Floats
    reserve: Floats
    """State of charge that the owner keeps, 0 to 1; nothing of ours discharges below it."""
    departure_s: Floats
    """Vehicles: second of the day (UTC) at which it must hold ``target_soc``."""
    target_soc: Floats
    resistance_c_per_w: Floats
    """House, or tank, to its surroundings: R of the thermal model."""
    capacity_wh_per_c: Floats
    """C of the thermal model."""
    cop: Floats
    """Heat moved per unit of electricity: about 3 for cooling, 1 for an element."""
    gain_w: Floats
    """Heat that flows in regardless: people and appliances; negative for a tank's average draw."""
    setpoint_c: Floats
    deadband_c: Floats
    comfort_c: Floats
    """How far an event may let the temperature drift from the setpoint."""
    ask_per_kwh: Floats
    """What the owner wants for a kWh of relief, in the programme's currency."""

    terms: Terms
    """What their owners have agreed to."""

    vendor_names: tuple[str, ...]
    gateway_names: tuple[str, ...]
    site_names: Texts
    transformer_names: Texts
    feeder_names: tuple[str, ...]
    substation_names: tuple[str, ...]
    feeder_substation: Codes
    """By feeder code, the substation that it leaves."""
    site_limit_w: Floats
    """By site code: what its meter may feed or draw, infinite if unknown."""
    transformer_limit_w: Floats
    """By transformer code: its rating, infinite if unknown."""
    feeder_limit_w: Floats
    """By feeder code, likewise."""
    substation_limit_w: Floats
    """By substation code, likewise."""
    vendor_limit_w: Floats
    """By vendor code: the most that may be asked of its cloud at once, infinite if it sets no quota."""

    @property
    def size(self) -> int:
        return int(self.device_class.size)

    @property
    def power_max_w(self) -> Floats:
        """The larger of what it can draw and what it can feed: its rating, as a list shows it."""
        return np.maximum(self.import_max_w, self.export_max_w)

    def rows_of(self, device_class: int) -> Rows:
        return np.flatnonzero(self.device_class == device_class)

    def discrete(self) -> Mask:
        """True for devices that are shed whole."""
        return np.asarray(IS_DISCRETE[self.device_class])

    @property
    def substation(self) -> Codes:
        """By row, as the feeder above it has it."""
        return self.feeder_substation[self.feeder]

    def take(self, rows: ArrayLike | slice) -> Self:
        """The same fleet with only these rows, in this order; names and limits stay. A slice copies nothing."""
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        return replace(
            self, terms=self.terms.take(chosen), **{name: getattr(self, name)[chosen] for name in ROW_COLUMNS}
        )


ROW_COLUMNS = tuple(takewhile(lambda name: name != "terms", (field.name for field in fields(Fleet))))
"""The columns with one value per device, the owners' terms apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetState:
    """What telemetry tells of each row, and, in the simulator, what is true of it."""

    power_w: Floats
    soc: Floats
    """0 to 1; NaN where there is no storage or nothing was heard."""
    temperature_c: Floats
    plugged: Mask
    """A vehicle is at its charger; true for everything that is not a vehicle."""
    online: Mask
    """Its gateway says that it can be reached."""
    override: Mask
    """Its owner took it back: it is left alone."""
    measured_at_s: Floats
    """By the device's clock, seconds since 1970."""
    heard_at_s: Floats
    """By our clock: when the last telemetry of this row came in."""

    @classmethod
    def unheard(cls, size: int) -> Self:
        """Before any telemetry: nothing is known, so nothing can be dispatched."""
        return cls(
            power_w=np.zeros(size),
            soc=np.full(size, np.nan),
            temperature_c=np.full(size, np.nan),
            plugged=np.zeros(size, dtype=np.bool_),
            online=np.zeros(size, dtype=np.bool_),
            override=np.zeros(size, dtype=np.bool_),
            measured_at_s=np.full(size, -np.inf),
            heard_at_s=np.full(size, -np.inf),
        )

    def take(self, rows: ArrayLike | slice) -> Self:
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gateways:
    """Which rows are behind which gateway, in the order of their slots."""

    by_slot: Rows
    """Gateway after gateway, slot after slot: the row of each, or -1 for a slot that the fleet does not know."""
    starts: Rows
    """By gateway code, where its slots begin in ``by_slot``; one more entry ends the last."""

    def rows(self, gateway: int) -> Rows:
        """The fleet's rows behind a gateway."""
        slots = self.by_slot[self.starts[gateway] : self.starts[gateway + 1]]
        return slots[slots >= 0]

    def at(self, gateway: int, slots: ArrayLike) -> Rows:
        """The row at each of these slots of a gateway's frame; -1 for one that is not in the fleet."""
        slot = np.asarray(slots, dtype=np.intp)
        first, end = self.starts[gateway], self.starts[gateway + 1]
        known = slot < end - first
        return np.where(known, self.by_slot[first + np.where(known, slot, 0)] if end > first else -1, -1)


def gateways(fleet: Fleet) -> Gateways:
    """The fleet's rows by gateway; computed once, when a fleet is loaded."""
    slots = np.zeros(len(fleet.gateway_names), dtype=np.intp)
    np.maximum.at(slots, fleet.gateway, fleet.slot.astype(np.intp) + 1)
    starts = np.concatenate(([0], np.cumsum(slots)))
    by_slot = np.full(int(starts[-1]), -1, dtype=np.intp)
    by_slot[starts[fleet.gateway] + fleet.slot] = np.arange(fleet.size)
    return Gateways(by_slot=by_slot, starts=starts)


def in_network_order(fleet: Fleet) -> Fleet:
    """The fleet with its rows sorted by the network's nodes from the top, and by id, as every function here expects."""
    order = (fleet.device_id, fleet.site, fleet.transformer, fleet.feeder, fleet.substation)
    return fleet.take(np.lexsort(order))


def chunks(size: int) -> Iterator[slice]:
    """The rows in stretches whose temporaries stay in the processor's cache (a third faster than whole columns)."""
    return (slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))


def over_chunks(work: Callable[[slice], Found], size: int) -> list[Found]:
    """What ``work`` finds in each stretch of the rows, in their order, on every processor.

    NumPy lets go of the interpreter while it computes, so threads are enough. What is found of a stretch must
    depend on that stretch alone: then it is the same however many processors there are.
    """
    return over(work, list(chunks(size)))


def over(work: Callable[[Part], Found], parts: Sequence[Part]) -> list[Found]:
    """What ``work`` finds of each part, in their order, on every processor."""
    # A worker that waited for others of its kind could wait for ever: what it is given, it does by itself.
    if len(parts) < 2 or getattr(_here, "is_worker", False):
        return [work(part) for part in parts]
    found: dict[int, Found] = {}
    places = iter(range(len(parts)))

    def labour() -> None:
        _here.is_worker = True
        for place in places:  # whoever is free takes the next: to hand each out by itself costs more than many take
            found[place] = work(parts[place])

    labouring = [_workers().submit(labour) for _ in range(min(WORKERS, len(parts)))]
    wait(labouring)
    for one in labouring:
        one.result()
    return [found[place] for place in range(len(parts))]


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="columns")


def texts(values: Sequence[str]) -> Texts:
    """Strings as a column."""
    return np.array(values, dtype=np.dtypes.StringDType())
