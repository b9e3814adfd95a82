"""What the town's inverters, batteries and two-way vehicles do for the grid: at once, whatever they are told."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from openadr_core.model.grid_support import EVERY_FUNCTION, GridSupport
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.gateways.contract import Report, SupportFrame
from openadr_ven.gateways.edge.driver import Adjusted, Reading
from openadr_ven.gateways.edge.support import Support

KNOWING = (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.SOLAR_INVERTER)


class Inverters:
    """By gateway."""

    def __init__(self, fleet: Fleet, gateways: Mapping[str, object], started_at: datetime) -> None:
        knowing = np.isin(fleet.device_class, KNOWING)
        self._behind: dict[str, Support] = {}
        for code, gateway in enumerate(fleet.gateway_names):
            rows = np.flatnonzero(knowing & (fleet.gateway == code))
            if gateway in gateways and rows.size:
                slots = zip(fleet.device_id[rows].tolist(), fleet.slot[rows].tolist(), strict=True)
                support = self._behind[gateway] = Support(gateway, {str(one): slot for one, slot in slots})
                support.hear(
                    Reading(device_id=str(one), at=started_at, power_w=0.0, functions=EVERY_FUNCTION)
                    for one in fleet.device_id[rows].tolist()
                )

    def receive(self, frame: SupportFrame, now: datetime) -> list[Report]:
        """What a gateway answers, and what its devices have done by then."""
        support = self._behind.get(frame.gateway)
        return [] if support is None else [*support.receive(frame, now), *_live(support, now)]

    def tick(self, gateway: str, now: datetime) -> list[Report]:
        """What a gateway has to say now."""
        support = self._behind.get(gateway)
        if support is None:
            return []
        said = [*support.tick(now), *_live(support, now)]
        ability = support.ability(now)
        return said if ability is None else [*said, ability]

    def told(self) -> dict[str, tuple[GridSupport, ...]]:
        """How each device that was told anything is set."""
        return {one: set_so for support in self._behind.values() for one, set_so in support.told().items()}


def _live(support: Support, now: datetime) -> list[Report]:
    return [*support.settled([Adjusted(adjustment=one) for one in support.due(now)], now)]
