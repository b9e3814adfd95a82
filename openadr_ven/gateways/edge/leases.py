"""What the devices behind gateways were told: commands as leases, by the rules of the gateway contract.

Pure: told the time, and what is true of the devices. One row per device of the fleet; a second set
of rows holds commands whose start is still to come.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mask, Mode, Rows
from openadr_ven.fleet.columns import gateways as gateways_of
from openadr_ven.gateways.contract import AckFrame, AckState, CommandFrame, Reason

LEASE = np.dtype(
    [
        ("sequence", "<u8"), ("mode", "u1"), ("setpoint_w", "<f8"),
        ("start_s", "<f8"), ("end_s", "<f8"), ("ramp_s", "<f8"), ("from_w", "<f8"),
    ]
)  # fmt: skip
"""``from_w`` is what the device drew when it took the command: where its ramp begins."""

RATING_TOLERANCE = 1.001
"""A setpoint is refused beyond the rating by more than what single precision may add."""

ANSWERS: tuple[tuple[AckState, Reason], ...] = (
    (AckState.RECEIVED, Reason.NONE),
    (AckState.STARTED, Reason.NONE),
    (AckState.COMPLETED, Reason.NONE),
    (AckState.REJECTED, Reason.SUPERSEDED),
    (AckState.REJECTED, Reason.EXPIRED),
    (AckState.OPTED_OUT, Reason.NONE),
    (AckState.REJECTED, Reason.UNREACHABLE),
    (AckState.REJECTED, Reason.UNSUPPORTED_MODE),
    (AckState.REJECTED, Reason.OUT_OF_RANGE),
    (AckState.REJECTED, Reason.UNKNOWN_SLOT),
)
RECEIVED, STARTED, COMPLETED, SUPERSEDED, EXPIRED, OPTED_OUT, UNREACHABLE, UNSUPPORTED, OUT_OF_RANGE, UNKNOWN = range(
    len(ANSWERS)
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Receipt:
    """What came of one command frame."""

    frame: CommandFrame
    acks: tuple[AckFrame, ...]
    applied: int
    """Devices that took the command with this delivery."""
    repeated: int
    """Devices that had taken it before: it did nothing to them."""


class Leases:
    """The commands of a fleet, as its devices know them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._behind = gateways_of(fleet)
        self._code = {name: code for code, name in enumerate(fleet.gateway_names)}
        self._held = np.zeros(fleet.size, dtype=LEASE)
        self._waiting = np.zeros(fleet.size, dtype=LEASE)
        self._sequence = np.zeros(fleet.size, dtype=np.uint64)
        """The greatest that each device has taken; it never falls."""
        self._ids: list[dict[int, bytes]] = [{} for _ in fleet.gateway_names]
        """By gateway, the ids of the commands that its devices took last, by sequence."""
        self._takes_setpoint = ~fleet.discrete()
        self._takes_shed = fleet.discrete() | (fleet.device_class == DeviceClass.EV_BIDIRECTIONAL)

    def rows(self, gateway: str) -> Rows:
        """The fleet's rows behind a gateway, by slot."""
        return self._behind.rows(self._code[gateway])

    def sequence(self, gateway: str) -> int:
        """The greatest sequence that any device of a gateway has taken; 0 for none."""
        return int(self._sequence[self.rows(gateway)].max(initial=0))

    def held(self) -> Mask:
        """Devices that follow a command now."""
        return np.asarray(self._held["mode"] != Mode.RELEASE)

    def receive(self, frame: CommandFrame, state: FleetState, now: datetime) -> Receipt:
        """Apply what is to be applied of a frame, and answer for each of its slots."""
        at = self._behind.at(self._code[frame.gateway], frame.rows["slot"])
        known = at >= 0
        wanted, rows = frame.rows[known], at[known]
        answer = np.full(frame.rows.size, UNKNOWN)
        repeated = (self._sequence[rows] == frame.sequence) & self._is_known(frame)
        answer[known] = np.where(
            repeated, self._progress(rows, now), self._judge(frame, wanted, rows, state, now)
        )  # fmt: skip
        applied = known.copy()
        applied[known] = ~repeated & (answer[known] <= COMPLETED)
        self._apply(frame, frame.rows[applied], at[applied], state, now)
        return Receipt(
            frame=frame,
            acks=tuple(_acks(_key_of(frame), frame.rows["slot"], answer, now)),
            applied=int(applied.sum()),
            repeated=int(repeated.sum()),
        )

    def advance(self, state: FleetState, now: datetime) -> list[AckFrame]:
        """Begin what is due, and let go of what has ended; the acknowledgements that say so."""
        now_s = now.timestamp()
        due = np.flatnonzero((self._waiting["sequence"] > 0) & (self._waiting["start_s"] <= now_s))
        self._held[due] = self._waiting[due]
        self._held["from_w"][due] = state.power_w[due]
        self._waiting["sequence"][due] = 0
        ended = np.flatnonzero((self._held["mode"] != Mode.RELEASE) & (self._held["end_s"] <= now_s))
        self._held["mode"][ended] = Mode.RELEASE
        begun = due[self._held["mode"][due] != Mode.RELEASE]
        over = np.union1d(ended, due[self._held["mode"][due] == Mode.RELEASE])
        return [*self._report(begun, STARTED, now), *self._report(over, COMPLETED, now)]

    def in_force(self, state: FleetState, now: datetime) -> tuple[NDArray[np.uint8], Floats]:
        """Mode and setpoint of every device at a moment, ramps included; what its owner took back is released."""
        held, now_s = self._held, now.timestamp()
        ramp_s = held["ramp_s"]
        share = np.where(ramp_s > 0.0, (now_s - held["start_s"]) / np.where(ramp_s > 0.0, ramp_s, 1.0), 1.0)
        setpoint_w = held["from_w"] + (held["setpoint_w"] - held["from_w"]) * np.clip(share, 0.0, 1.0)
        mode = np.where(state.override, np.uint8(Mode.RELEASE), held["mode"])
        return mode, setpoint_w

    def ends_s(self) -> Floats:
        """When each device's command ends, in seconds since 1970."""
        return self._held["end_s"].copy()

    def sequences(self) -> NDArray[np.uint64]:
        """The greatest that each device has taken; 0 for none."""
        return self._sequence.copy()

    def report(self, rows: Rows, now: datetime) -> list[AckFrame]:
        """What is true now of the commands that these devices hold, or held last."""
        progress = self._progress(rows, now)
        return [
            ack
            for answer in np.unique(progress).tolist()
            for ack in self._report(rows[progress == answer], answer, now)
        ]

    def refuse(self, rows: Rows, reason: Reason | None, now: datetime) -> list[AckFrame]:
        """These devices did not do what they hold: it is dropped, and said to be. None: their owners opted out."""
        held = rows[self._held["mode"][rows] != Mode.RELEASE]
        answer = OPTED_OUT if reason is None else ANSWERS.index((AckState.REJECTED, reason))
        acks = list(self._report(held, answer, now))
        self.drop(held)
        return acks

    def record(self) -> dict[str, NDArray[np.generic]]:
        """All that must outlive the process, as columns."""
        ids = [(code, number, one) for code, known in enumerate(self._ids) for number, one in known.items()]
        return {
            "held": self._held,
            "waiting": self._waiting,
            "sequence": self._sequence,
            "id_keys": np.array([one[:2] for one in ids], dtype=np.uint64).reshape(-1, 2),
            "ids": np.frombuffer(b"".join(one for *_, one in ids), dtype=np.uint8).reshape(-1, 16),
        }

    def restore(self, record: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from what ``record`` told of the same fleet."""
        self._held, self._waiting = record["held"].astype(LEASE), record["waiting"].astype(LEASE)
        self._sequence = record["sequence"].astype(np.uint64)
        for (code, number), one in zip(record["id_keys"].tolist(), record["ids"], strict=True):
            self._ids[code][number] = one.tobytes()

    def drop(self, rows: Rows) -> None:
        """These devices have lost whoever speaks for them: they are back at their own default."""
        self._held["mode"][rows] = Mode.RELEASE
        self._waiting["sequence"][rows] = 0

    def _is_known(self, frame: CommandFrame) -> bool:
        return self._ids[self._code[frame.gateway]].get(frame.sequence) == frame.command_id

    def _progress(self, rows: Rows, now: datetime) -> NDArray[np.int_]:
        """What is true now of devices that have taken the command already."""
        waits = self._waiting["sequence"][rows] > 0
        over = (self._held["mode"][rows] == Mode.RELEASE) | (self._held["end_s"][rows] <= now.timestamp())
        return np.where(waits, RECEIVED, np.where(over, COMPLETED, STARTED))

    def _judge(
        self, frame: CommandFrame, wanted: NDArray[np.void], rows: Rows, state: FleetState, now: datetime
    ) -> NDArray[np.int_]:
        """What to answer to devices that have not taken the command; up to COMPLETED, they take it now."""
        fleet, mode, setpoint_w = self._fleet, wanted["mode"], wanted["setpoint_w"].astype(np.float64)
        refuses_mode = ((mode == Mode.SETPOINT) & ~self._takes_setpoint[rows]) | (
            (mode == Mode.SHED) & ~self._takes_shed[rows]
        )
        refuses_mode |= (mode == Mode.LOAD_UP) & self._takes_setpoint[rows]
        lowest_w, highest_w = -np.nan_to_num(fleet.export_max_w[rows]), np.nan_to_num(fleet.import_max_w[rows])
        beyond = (setpoint_w < lowest_w * RATING_TOLERANCE) | (setpoint_w > highest_w * RATING_TOLERANCE)
        taken = np.where(mode == Mode.RELEASE, COMPLETED, STARTED) if frame.start <= now else RECEIVED
        return np.select(
            [
                self._sequence[rows] >= frame.sequence,
                np.full(rows.size, frame.end <= now),
                ~state.online[rows],
                state.override[rows],
                refuses_mode,
                (mode == Mode.SETPOINT) & beyond,
            ],
            [SUPERSEDED, EXPIRED, UNREACHABLE, OPTED_OUT, UNSUPPORTED, OUT_OF_RANGE],
            taken,
        )

    def _apply(
        self, frame: CommandFrame, taken: NDArray[np.void], rows: Rows, state: FleetState, now: datetime
    ) -> None:
        lease = np.zeros(rows.size, dtype=LEASE)
        lease["sequence"], lease["mode"], lease["setpoint_w"] = frame.sequence, taken["mode"], taken["setpoint_w"]
        lease["start_s"], lease["end_s"] = frame.start.timestamp(), frame.end.timestamp()
        lease["ramp_s"], lease["from_w"] = frame.ramp_s, state.power_w[rows]
        self._sequence[rows] = frame.sequence
        if frame.start <= now:
            self._held[rows] = lease
            self._waiting["sequence"][rows] = 0
        else:
            self._waiting[rows] = lease
        code = self._code[frame.gateway]
        behind = self._behind.rows(code)
        in_use = set(np.unique(np.concatenate((self._sequence[behind], self._held["sequence"][behind]))).tolist())
        known = {**self._ids[code], frame.sequence: frame.command_id}
        self._ids[code] = {sequence: known[sequence] for sequence in in_use & known.keys()}

    def _report(self, rows: Rows, answer: int, now: datetime) -> Iterator[AckFrame]:
        """Acknowledgements for rows wherever they are, by the command that each holds."""
        keys = np.stack((self._fleet.gateway[rows].astype(np.uint64), self._held["sequence"][rows]), axis=1)
        for code, sequence in np.unique(keys, axis=0).tolist():
            slots = np.sort(self._fleet.slot[rows[(keys == (code, sequence)).all(axis=1)]])
            key = _Key(gateway=self._fleet.gateway_names[code], sequence=sequence, command_id=self._ids[code][sequence])
            yield from _acks(key, slots, np.full(slots.size, answer), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """Which command an acknowledgement answers."""

    gateway: str
    sequence: int
    command_id: bytes


def _key_of(frame: CommandFrame) -> _Key:
    return _Key(gateway=frame.gateway, sequence=frame.sequence, command_id=frame.command_id)


def _acks(key: _Key, slots: NDArray[np.uint16], answer: NDArray[np.int_], now: datetime) -> Iterator[AckFrame]:
    for code in np.unique(answer).tolist():
        state, reason = ANSWERS[code]
        yield AckFrame(
            gateway=key.gateway,
            command_id=key.command_id,
            sequence=key.sequence,
            at=now,
            state=state,
            reason=reason,
            slots=slots[answer == code],
        )
