"""A driver to copy: devices that are in this process, and do at once what they are told.

It is whole, and serves as the devices of the edge's tests. To drive something real:

1. ``traits``: does the device end an order by itself? How often may it be told, how long does a reading count?
2. ``tell``: turn an ``Order`` into the device's own words, and its answer into an ``Outcome``. Only what the
   device has taken is an outcome without a reason; say UNSUPPORTED_MODE or OUT_OF_RANGE for what it cannot do.
3. ``run``: keep the connection, and ``hear`` what the device measures, with the moment it was measured at.
4. ``adjust``, if devices know functions of grid support (curves, droop, vars): say which in their readings, and set
   them so. A driver without it is never asked.
5. ``bootstrap/gateway.py`` and ``gateways/settings.py``: a table of settings, and a line that makes it.

``gateways/ocpp`` (devices call us), ``gateways/sunspec.py`` (we ask devices), ``gateways/cloud`` (somebody
else's cloud is between) and ``gateways/topics.py`` (a broker is) are the shapes that there are.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from openadr_core.model.grid_support import GridFunction, GridSupport, mask_of
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, DriverTraits, Hear, Order, Outcome, Reading

MEASURES_EVERY_S = 1.0


@dataclass(slots=True)
class Device:
    """One device, as it stands."""

    usual_w: float
    """What it draws by itself."""
    order: Order | None = None
    functions: frozenset[GridFunction] = frozenset()
    """What of grid support it knows …"""
    support: dict[GridFunction, GridSupport] = field(default_factory=dict)
    """… and how it was set."""

    def power_w(self, now: datetime) -> float:
        order = self.order
        if order is None or order.mode is Mode.RELEASE or order.until <= now:
            return self.usual_w
        return {Mode.SETPOINT: order.setpoint_w, Mode.SHED: 0.0, Mode.LOAD_UP: order.import_max_w}[order.mode]


@dataclass(slots=True)
class Blueprint:
    """Devices by id."""

    devices: dict[str, Device]
    now: Callable[[], datetime]
    traits: DriverTraits = field(default_factory=lambda: DriverTraits(lets_go=True, reading_lasts_s=3.0))

    async def run(self, hear: Hear) -> None:
        while True:
            now = self.now()
            hear(
                [
                    Reading(device_id=one, at=now, power_w=device.power_w(now), functions=mask_of(device.functions))
                    for one, device in self.devices.items()
                ]
            )
            await asyncio.sleep(MEASURES_EVERY_S)

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        for order in orders:
            if not -order.export_max_w <= order.setpoint_w <= order.import_max_w:
                yield Outcome(order=order, reason=Reason.OUT_OF_RANGE)
                continue
            self.devices[order.device_id].order = order
            yield Outcome(order=order)

    async def adjust(self, adjustments: Sequence[Adjustment]) -> AsyncIterator[Adjusted]:
        for one in adjustments:
            support = self.devices[one.device_id].support
            if one.support is None:
                support.pop(one.function, None)
            else:
                support[one.function] = one.support
            yield Adjusted(adjustment=one)
