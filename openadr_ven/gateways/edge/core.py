"""The edge: what a gateway answers, tells its devices and measures. Pure: it is told the time.

A command is acknowledged RECEIVED when it is taken, and STARTED, or COMPLETED, only when its device does it;
what a device refuses is REJECTED, and dropped. Which device holds what is in ``record``, kept before a
device is told: after a restart whatever may still be held is told anew, or let go.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mask, Mode
from openadr_ven.gateways.contract import (
    ALARMS_FROM_BIT,
    ALARMS_MAX,
    AckFrame,
    AckState,
    CommandFrame,
    GatewayState,
    Reason,
    Report,
    StatusFrame,
    TelemetryFlag,
    TelemetryFrame,
    telemetry_rows,
)
from openadr_ven.gateways.edge.driver import DriverTraits, Order, Outcome, Reading
from openadr_ven.gateways.edge.leases import Leases
from openadr_ven.gateways.edge.support import Support

UNKNOWN = 255
"""In the place of a mode: the process ended while the device may have been told something."""
SETPOINT_STEP_W = 1.0
"""A setpoint that moved less is the same."""
RENEWED_BELOW_S = 15.0
"""A device that lets go by itself is told the new end of its lease when so much, or half of it, is left."""
DONE = (AckState.STARTED, AckState.COMPLETED)
VEHICLES = (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)


class Edge:
    """One gateway's devices."""

    def __init__(self, fleet: Fleet, gateway: str, traits: DriverTraits) -> None:
        """ConfigError if the fleet has no such gateway, or nothing behind it."""
        if gateway not in fleet.gateway_names:
            raise ConfigError(f"gateway: the fleet has no {gateway!r}")
        behind = np.flatnonzero(fleet.gateway == fleet.gateway_names.index(gateway))
        if behind.size == 0:
            raise ConfigError(f"gateway: no device of the fleet is behind {gateway!r}")
        self.gateway = gateway
        self.fleet = fleet.take(behind[np.argsort(fleet.slot[behind])])
        self.leases = Leases(self.fleet)
        self.state = FleetState.unheard(self.fleet.size)
        self._traits = traits
        self._import_max_w: list[float] = np.nan_to_num(self.fleet.import_max_w).tolist()
        self._export_max_w: list[float] = np.nan_to_num(self.fleet.export_max_w).tolist()
        self._row = {str(one): row for row, one in enumerate(self.fleet.device_id.tolist())}
        self.support = Support(gateway, dict(zip(self._row, self.fleet.slot.tolist(), strict=True)))
        size = self.fleet.size
        names = "\n".join(f"{slot} {one}" for one, slot in zip(self._row, self.fleet.slot.tolist(), strict=True))
        self._digest = np.frombuffer(hashlib.sha256(names.encode()).digest(), dtype=np.uint8)
        self._mode = np.full(size, Mode.RELEASE, dtype=np.uint8)
        """What each device has confirmed last."""
        self._setpoint_w = np.zeros(size)
        self._until_s = np.zeros(size)
        self._alarms = np.zeros(size, dtype=np.int64)
        self._in_flight = np.zeros(size, dtype=np.bool_)
        self._unanswered = np.zeros(size, dtype=np.bool_)
        """Its command was acknowledged RECEIVED, and what became of it is still to be said."""
        self._turn = 0
        """Grows with every frame and every round of orders."""
        self._asked, self._ordered, self._confirmed = (np.zeros(size, dtype=np.int64) for _ in range(3))
        """Turns of each device's newest unanswered command, newest order, and newest order that it carried out."""
        self._tried_s = np.full(size, -np.inf)
        self._failed = np.zeros(size, dtype=np.bool_)
        self._sequence = np.zeros(size, dtype=np.int64)
        """The newest command that each device's last reading has seen."""
        self._telemetry_sequence = 0

    @property
    def device_ids(self) -> frozenset[str]:
        return frozenset(self._row)

    def status(self, state: GatewayState, now: datetime) -> StatusFrame:
        """What is said on connecting, or in the last will."""
        return StatusFrame(
            gateway=self.gateway,
            at=now,
            state=state,
            slot_count=int(self.fleet.slot.max()) + 1,
            command_sequence=self.leases.sequence(self.gateway),
        )

    # -- commands ----------------------------------------------------------------------

    def command(self, frame: CommandFrame, now: datetime) -> list[Report]:
        """Take a frame; the acknowledgements that can be given at once."""
        if frame.gateway != self.gateway:
            return []
        self._turn += 1
        return list(self._said(self.leases.receive(frame, self.state, now).acks, now))

    def due(self, now: datetime) -> list[Order]:
        """What devices are to be told now; until ``settled`` hears of each, it is told nothing else."""
        now_s = now.timestamp()
        mode, setpoint_w = self.leases.in_force(self.state, now)
        held, ends_s = self._held(now_s), self.leases.ends_s()
        turns = held != mode
        moves = (mode == Mode.SETPOINT) & (np.abs(setpoint_w - self._setpoint_w) >= SETPOINT_STEP_W)
        left_s = self._until_s - now_s
        ends = left_s < np.minimum(RENEWED_BELOW_S, (ends_s - now_s) / 2)
        renew = self._traits.lets_go & (mode != Mode.RELEASE) & ends & (ends_s > self._until_s)
        waited_s = now_s - self._tried_s
        pause_s = np.where(self._failed, self._traits.retry_s, np.where(turns, 0.0, self._traits.pace_s))
        again = (mode != Mode.RELEASE) & (waited_s >= self._traits.repeat_s)
        wanted = (turns | moves | renew | again) & ((mode == Mode.RELEASE) | (ends_s > now_s))
        rows = np.flatnonzero(wanted & (waited_s >= pause_s) & ~self._in_flight & self.state.online)
        self._turn += 1
        self._in_flight[rows], self._tried_s[rows], self._ordered[rows] = True, now_s, self._turn
        return [
            self._order(row, Mode(mode[row]), float(setpoint_w[row]), float(ends_s[row]), now) for row in rows.tolist()
        ]

    def settled(self, outcomes: Iterable[Outcome], now: datetime) -> list[Report]:
        """What became of orders; what there is to say of them."""
        refused: dict[Reason | None, list[int]] = {}
        for outcome in outcomes:
            order, row = outcome.order, self._row[outcome.order.device_id]
            self._in_flight[row] = False
            if outcome.reason is Reason.NONE and not outcome.opted_out:
                self._failed[row], self._confirmed[row] = False, self._ordered[row]
                self._mode[row], self._setpoint_w[row] = order.mode, order.setpoint_w
                self._until_s[row] = order.until.timestamp()
            elif self._asked[row] <= self._ordered[row]:
                self._failed[row], self._unanswered[row] = True, False
                refused.setdefault(None if outcome.opted_out else outcome.reason, []).append(row)
            # Else something else has been commanded meanwhile: that is tried.
        said = [ack for reason, rows in refused.items() for ack in self.leases.refuse(np.array(rows), reason, now)]
        return [*said, *self._answers(now)]

    # -- what is measured --------------------------------------------------------------

    def hear(self, readings: Iterable[Reading]) -> None:
        """Take in what devices said; of a device that is not ours nothing is taken."""
        readings = list(readings)
        self.support.hear(readings)
        for reading in readings:
            row = self._row.get(reading.device_id)
            if row is None or reading.at.timestamp() < self.state.measured_at_s[row]:
                continue
            state = self.state
            if reading.online and not state.online[row]:
                # It was away: what it holds now is what it does by itself, unless we say otherwise.
                self._tried_s[row], self._failed[row] = -np.inf, False
                self._mode[row] = self._mode[row] if self._mode[row] == Mode.RELEASE else UNKNOWN
            state.power_w[row], state.soc[row] = reading.power_w, reading.soc
            state.temperature_c[row] = reading.temperature_c
            state.plugged[row], state.online[row] = reading.plugged, reading.online
            state.override[row] = reading.override
            self._alarms[row] = reading.alarms & ALARMS_MAX
            state.measured_at_s[row] = state.heard_at_s[row] = reading.at.timestamp()

    def tick(self, now: datetime) -> list[Report]:
        """Live until ``now``: what begins and ends, and what is known of the devices."""
        acks = self._said(self.leases.advance(self.state, now), now)
        ability = self.support.ability(now)
        support = [*self.support.tick(now), *(() if ability is None else (ability,))]
        return [*acks, *self._answers(now), *self._telemetry(now), *support]

    def _telemetry(self, now: datetime) -> Iterator[TelemetryFrame]:
        """One frame for the devices that have seen the newest command, and one for each older one."""
        now_s, state = now.timestamp(), self.state
        known = now_s - state.measured_at_s <= self._traits.reading_lasts_s
        settled = known & self._agrees(now) & ~self._in_flight & (state.measured_at_s > self._tried_s)
        self._sequence[settled] = self.leases.sequence(self.gateway)
        flags = self._flags(now_s)
        for sequence in np.unique(self._sequence[known])[::-1].tolist():
            rows = np.flatnonzero(known & (self._sequence == sequence))
            self._telemetry_sequence += 1
            yield TelemetryFrame(
                gateway=self.gateway,
                telemetry_sequence=self._telemetry_sequence,
                measured_at=now,
                command_sequence=sequence,
                rows=telemetry_rows(
                    self.fleet.slot[rows], state.power_w[rows], state.soc[rows], state.temperature_c[rows], flags[rows]
                ),
            )

    def _flags(self, now_s: float) -> NDArray[np.uint16]:
        vehicle = np.isin(self.fleet.device_class, VEHICLES)
        flags = np.where(vehicle & self.state.plugged, int(TelemetryFlag.PLUGGED), 0)
        flags |= np.where(self.state.online, int(TelemetryFlag.ONLINE), 0)
        flags |= np.where(self.state.override, int(TelemetryFlag.OVERRIDE), 0)
        flags |= np.where(self._held(now_s) != Mode.RELEASE, int(TelemetryFlag.HELD), 0)
        flags |= self._alarms << ALARMS_FROM_BIT
        return flags.astype(np.uint16)

    # -- over restarts -----------------------------------------------------------------

    def record(self) -> dict[str, NDArray[Any]]:
        """All that must outlive the process."""
        touched = self._in_flight | (self._mode != Mode.RELEASE)
        support = np.frombuffer(self.support.record().encode(), dtype=np.uint8)
        mine = {"fleet": self._digest, "touched": touched, "until_s": self._until_s, "support": support}
        return mine | {f"leases.{name}": column for name, column in self.leases.record().items()}

    def restore(self, record: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a record; one of other devices is left aside."""
        if not np.array_equal(record["fleet"], self._digest):
            return
        self.leases.restore(
            {name.removeprefix("leases."): record[name] for name in record if name.startswith("leases.")}
        )
        if "support" in record:  # one of before there was any has none
            self.support.restore(record["support"].tobytes().decode())
        self._mode[record["touched"]] = UNKNOWN
        # How long an order that was under way may last, nobody has told us: as long as its lease.
        self._until_s = np.maximum(record["until_s"], np.where(record["touched"], self.leases.ends_s(), 0.0))

    # -- what is true ------------------------------------------------------------------

    def _held(self, now_s: float) -> NDArray[np.uint8]:
        """What each device follows, as far as we know: those that let go by themselves have, at the end."""
        over = self._traits.lets_go & (self._until_s <= now_s)
        return np.where(over, np.uint8(Mode.RELEASE), self._mode)

    def _agrees(self, now: datetime) -> Mask:
        """Whether each device does what it should; on a ramp, or between two setpoints, the mode is enough."""
        mode, _ = self.leases.in_force(self.state, now)
        return np.asarray(self._held(now.timestamp()) == mode)

    def _said(self, acks: Iterable[AckFrame], now: datetime) -> Iterator[AckFrame]:
        """Acknowledgements as far as devices bear them out; the rest has been received, and is answered later."""
        for ack in acks:
            if ack.state not in DONE:
                yield ack
                continue
            rows = np.searchsorted(self.fleet.slot, ack.slots)
            done = self._agrees(now)[rows] & self._told_so(rows, now)
            self._unanswered[rows[~done]], self._asked[rows[~done]] = True, self._turn
            if done.any():
                yield replace(ack, slots=ack.slots[done])
            if not done.all():
                yield replace(ack, state=AckState.RECEIVED, slots=ack.slots[~done])

    def _told_so(self, rows: NDArray[np.intp], now: datetime) -> Mask:
        """Whether the setpoint in force is what the device was told."""
        mode, setpoint_w = self.leases.in_force(self.state, now)
        near: Floats = np.abs(setpoint_w[rows] - self._setpoint_w[rows])
        return np.asarray((mode[rows] != Mode.SETPOINT) | (near < SETPOINT_STEP_W))

    def _answers(self, now: datetime) -> Sequence[AckFrame]:
        """What can now be said of commands that were only received."""
        done = (self._confirmed > self._asked) | self._told_so(np.arange(self.fleet.size), now)
        rows = np.flatnonzero(self._unanswered & done & self._agrees(now) & ~self._in_flight)
        self._unanswered[rows] = False
        return self.leases.report(rows, now) if rows.size else []

    def _order(self, row: int, mode: Mode, setpoint_w: float, ends_s: float, now: datetime) -> Order:
        until = now if mode is Mode.RELEASE else datetime.fromtimestamp(ends_s, UTC)
        return Order(
            device_id=str(self.fleet.device_id[row]),
            mode=mode,
            setpoint_w=setpoint_w if mode is Mode.SETPOINT else 0.0,
            until=until,
            import_max_w=self._import_max_w[row],
            export_max_w=self._export_max_w[row],
        )
