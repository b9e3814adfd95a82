"""The edge's own setpoints: from a feeder's price to the frame that the agent would send, to the bit. Pure.

What comes of it is an ordinary command frame, with the sequence of the round that the bulletin is of: the agent's own
frame of that round, whichever comes first, says the same, and the second does nothing.
"""

from collections import deque
from datetime import datetime

import numpy as np

from openadr_ven.dispatch.bulletin import Bulletin, told
from openadr_ven.dispatch.plan import relief_to_commands
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Mode
from openadr_ven.gateways.contract import CommandFrame, TelemetryFlag, TelemetryFrame, command_rows

SAMPLES_MAX = 60
"""A minute of telemetry: the agent's book is made of one of these."""
VEHICLES = (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)


class Follower:
    """The devices of one gateway."""

    def __init__(self, fleet: Fleet, gateway: str, *, fleet_sha256: str) -> None:
        """``fleet`` is all of it, of that digest: rows in bulletins are its."""
        self._rows = np.flatnonzero(fleet.gateway == fleet.gateway_names.index(gateway))
        self._fleet = fleet.take(self._rows)
        self._gateway = gateway
        self._fleet_sha256 = fleet_sha256
        self._place = np.full(int(self._fleet.slot.max()) + 1, -1, dtype=np.intp)
        self._place[self._fleet.slot] = np.arange(self._rows.size)
        self._vehicle = np.isin(self._fleet.device_class, VEHICLES)
        self._samples: deque[tuple[datetime, FleetState]] = deque(maxlen=SAMPLES_MAX)

    @property
    def feeders(self) -> frozenset[str]:
        """Whose bulletins are for these devices."""
        return frozenset(self._fleet.feeder_names[code] for code in np.unique(self._fleet.feeder).tolist())

    def measured(self, frame: TelemetryFrame) -> None:
        """What was told the agent: it plans with the same."""
        before = self._samples[-1][1] if self._samples else FleetState.unheard(self._rows.size)
        rows, flags = self._place[frame.rows["slot"]], frame.rows["flags"]
        soc, warmth, plugged = before.soc.copy(), before.temperature_c.copy(), before.plugged.copy()
        soc[rows], warmth[rows] = frame.rows["soc"], frame.rows["temperature_c"]
        plugged[rows] = (flags & TelemetryFlag.PLUGGED != 0) | ~self._vehicle[rows]
        state = FleetState(
            power_w=before.power_w, soc=soc, temperature_c=warmth, plugged=plugged, online=before.online,
            override=before.override, measured_at_s=before.measured_at_s, heard_at_s=before.heard_at_s,
        )  # fmt: skip
        self._samples.append((frame.measured_at, state))

    def frame(self, bulletin: Bulletin, now: datetime) -> CommandFrame | None:
        """What these devices are told by it; None if it is over, is of another fleet, or of a sample that is gone."""
        state = next((seen for at, seen in self._samples if at == bulletin.measured_at.get(self._gateway)), None)
        if state is None or bulletin.fleet_sha256 != self._fleet_sha256 or bulletin.ends_at <= now:
            return None
        place = self._rows - bulletin.first_row
        mine = np.flatnonzero((place >= 0) & (place < bulletin.follows.size))
        mine = mine[bulletin.follows[place[mine]]]
        if mine.size == 0:
            return None
        baseline_w = np.zeros(bulletin.follows.size)
        baseline_w[bulletin.follows] = bulletin.baseline_w
        some, usual_w = self._fleet.take(mine), baseline_w[place[mine]]
        relief_w = told(bulletin.following, some, state.take(mine), usual_w, self._rows[mine])
        mode, setpoint_w = relief_to_commands(some, usual_w, relief_w)
        asked = mode == Mode.SETPOINT
        return CommandFrame(
            gateway=self._gateway,
            event_id=bulletin.event_id,
            event_version=bulletin.event_version,
            sequence=bulletin.sequence,
            issued_at=bulletin.issued_at,
            start=bulletin.issued_at,
            end=bulletin.ends_at,
            ramp_s=0.0,
            rows=command_rows(some.slot[asked], mode[asked], setpoint_w[asked]),
        )
