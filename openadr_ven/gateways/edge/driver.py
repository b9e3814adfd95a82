"""What a kind of device must be able to do to stand behind a gateway; ``gateways/blueprint.py`` is one to copy.

The edge knows the contract with the VEN (leases, sequences, acknowledgements, telemetry), a driver knows
its devices. So a driver has two duties: to tell a device what to do, and to tell what it hears of devices.
"""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one device is to do from now on."""

    device_id: str
    mode: Mode
    setpoint_w: float
    """Net import at the device; counts with SETPOINT only."""
    until: datetime
    """When it must let go. A device that can be told so is told; the edge sends a RELEASE then in any case."""
    import_max_w: float
    export_max_w: float
    """Its ratings, as the fleet has them: none below zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order."""

    order: Order
    reason: Reason = Reason.NONE
    """NONE: the device does it. Else why it does not."""
    opted_out: bool = False
    """Its owner will not have it, whatever ``reason`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of one device at a moment. It counts until ``DriverTraits.reading_lasts_s`` are over."""

    device_id: str
    at: datetime
    power_w: float
    soc: float = float("nan")
    temperature_c: float = float("nan")
    plugged: bool = True
    online: bool = True
    override: bool = False
    alarms: int = 0
    """Bits of IEEE 2030.5's alarmStatus; 0: nothing is wrong, as far as anybody knows."""
    functions: int = 0
    """Bits of ``GridFunction``: what it can be told by ``Adjusts.adjust``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """How one function of a device is to be set from now on."""

    device_id: str
    function: GridFunction
    support: GridSupport | None
    """None: back to the device's own default. The edge sends it at ``until`` in any case."""
    until: datetime
    """When it must be back. A device that can be told so is told."""
    held: bool = False
    """The device was told something of it before, be it by a process that has ended since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """What became of it."""

    adjustment: Adjustment
    reason: Reason = Reason.NONE
    """NONE: the device is set so. Else why it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverTraits:
    """What the edge must know of a kind of device."""

    lets_go: bool
    """The device ends an order by itself at ``until``. If not, it is released by us, also after a restart."""
    pace_s: float = 1.0
    """Setpoints of one device are told no more often than this; a change of mode is always told at once."""
    repeat_s: float = math.inf
    """A device that forgets what it was told is told again so often."""
    retry_s: float = 5.0
    """After a refusal, before the device is told again."""
    reading_lasts_s: float = 60.0
    """Interpretation: the contract wants telemetry each second, and few devices measure so often. The edge repeats
    the last reading for so long; what is older is left out, and the VEN takes the device for silent."""


Hear = Callable[[Sequence[Reading]], None]


class Driver(Protocol):
    """Of one kind of device."""

    traits: DriverTraits

    async def run(self, hear: Hear) -> None:
        """Keep up connections and tell ``hear`` what devices say, until cancelled. An error ends the gateway."""

    def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        """Carry out orders, one at most for each device, and tell the outcome of each as it is known.

        Called while earlier orders of other devices are still carried out. What has no outcome in the end, and
        what an error (logged) leaves over, counts as UNREACHABLE.
        """


@runtime_checkable
class Adjusts(Protocol):
    """A driver whose devices know functions of grid support."""

    def adjust(self, adjustments: Sequence[Adjustment]) -> AsyncIterator[Adjusted]:
        """Carry them out; as ``tell`` otherwise. Several may be of one device, each of another function."""
