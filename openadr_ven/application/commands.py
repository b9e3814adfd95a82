"""What each device was told, until when it holds it, and what its gateway said of it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from openadr_ven.application.patience import Patience
from openadr_ven.dispatch.network import starts_of
from openadr_ven.domain.held import Round
from openadr_ven.fleet.columns import Fleet, Floats, Mask, Mode, Rows, gateways, over_chunks
from openadr_ven.gateways.acknowledgement import INPUT_OF_ACK, CommandInput, CommandState, advance
from openadr_ven.gateways.contract import COMMAND_ROW, AckFrame, CommandFrame

SETPOINT_STEP_W = 1.0
"""A setpoint that moved less is the same: no meter of a home sees the difference."""


class Commands:
    """The command columns of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._gateways = gateways(fleet)
        self._code = {name: code for code, name in enumerate(fleet.gateway_names)}
        self.mode = np.full(fleet.size, Mode.RELEASE, dtype=np.uint8)
        self.setpoint_w = np.zeros(fleet.size, dtype=np.float32)
        self.state = np.full(fleet.size, CommandState.COMPLETED, dtype=np.uint8)
        self.sequence = np.zeros(fleet.size, dtype=np.int64)
        self.sent_s = np.full(fleet.size, -np.inf)
        self.leased_until_s = np.full(fleet.size, -np.inf)
        self._exposed_w = np.zeros(fleet.size)
        """Relief of the last command that asked for any (negative for load) …"""
        self._exposed_until_s = np.full(fleet.size, -np.inf)
        """… and the end of its lease, until which the device may follow it, whatever it was told since."""
        self._told: dict[int, Round] = {}
        """By sequence, rounds that let devices go which have not confirmed it, without their columns."""

    def restore(self, made: Round, *, now: datetime) -> None:
        """Take up where a round left off. Devices whose lease is over have let go by themselves."""
        self.mode = np.frombuffer(made.mode, dtype=np.uint8).copy()
        self.setpoint_w = np.frombuffer(made.setpoint_w, dtype=np.float32).copy()
        commanded = self.mode != Mode.RELEASE
        self.sequence[commanded] = made.sequence
        # Rows that an earlier round told hold a shorter lease; which, the round does not say: all are renewed.
        self.leased_until_s[commanded] = made.made_at.timestamp()
        self.sent_s[commanded] = made.made_at.timestamp()
        self.state[commanded] = CommandState.SENT
        if now >= made.ends_at:
            self.mode[:] = Mode.RELEASE
            self.setpoint_w[:] = 0
            self.state[:] = CommandState.COMPLETED

    def due(
        self,
        mode: NDArray[np.uint8],
        setpoint_w: NDArray[np.float32],
        *,
        renew_before: datetime,
        busy: Mask | None = None,
    ) -> Mask:
        """Rows to be told something: what changed, what must be held longer, what no broker has taken.

        Behind gateways that are ``busy`` only what is let go: the rest waits, and is what is wanted then.
        """
        due = np.empty(mode.size, dtype=np.bool_)
        waits = busy is not None and bool(busy.any())

        def look(part: slice) -> None:
            is_free = mode[part] == Mode.RELEASE
            changed = np.abs(setpoint_w[part] - self.setpoint_w[part]) >= SETPOINT_STEP_W
            changed |= mode[part] != self.mode[part]
            renew = ~is_free & (self.leased_until_s[part] < renew_before.timestamp())
            due[part] = changed | renew | (self.state[part] == CommandState.PLANNED)
            if busy is not None and waits:
                due[part] &= is_free | ~busy[self._fleet.gateway[part]]

        over_chunks(look, mode.size)
        return due

    def tell(
        self,
        rows: Mask,
        mode: NDArray[np.uint8],
        setpoint_w: NDArray[np.float32],
        *,
        sequence: int,
        now: datetime,
        ends_at: datetime,
        relief_w: Floats,
    ) -> None:
        """These rows are about to be told, for so much relief; ``frames`` has what to send."""

        def note(part: slice) -> None:
            told = np.flatnonzero(rows[part]) + part.start
            asked = told[mode[told] != Mode.RELEASE]
            # Until a device confirms, it may follow what it was told before: the larger of both counts.
            state, exposed_w, asked_w = self.state[asked], self._exposed_w[asked], relief_w[asked]
            open_yet = (state != CommandState.RECEIVED) & (state != CommandState.STARTED)
            open_yet &= self._exposed_until_s[asked] > now.timestamp()
            self._exposed_w[asked] = np.where(open_yet & (np.abs(exposed_w) > np.abs(asked_w)), exposed_w, asked_w)
            self._exposed_until_s[asked] = ends_at.timestamp()
            self.mode[told], self.setpoint_w[told] = mode[told], setpoint_w[told]
            self.sequence[told] = sequence
            self.sent_s[told] = now.timestamp()
            self.leased_until_s[told] = ends_at.timestamp()
            self.state[told] = CommandState.PLANNED

        over_chunks(note, rows.size)

    def sent(self, made: Round) -> None:
        """The broker has a round's frames."""
        self._advance(self.sequence == made.sequence, CommandInput.SEND)
        self._told[made.sequence] = replace(made, mode=b"", setpoint_w=b"", sent=b"", guard="", trim="")

    def sent_again(self, frames: Iterable[CommandFrame], now: datetime) -> None:
        """The broker has these, of ``again``."""
        for frame in frames:
            rows = self._gateways.at(self._code[frame.gateway], frame.rows["slot"])
            self._advance(rows, CommandInput.SEND)
            self.sent_s[rows] = now.timestamp()

    def heard(self, frame: AckFrame) -> None:
        """A gateway said what became of a command; about an older command than the last it says nothing."""
        code = self._code.get(frame.gateway)
        if code is None:
            return
        rows = self._gateways.at(code, frame.slots)
        rows = rows[rows >= 0]
        self._advance(rows[self.sequence[rows] == frame.sequence], INPUT_OF_ACK[frame.state])

    def seen(self, held: Mask, sequence: NDArray[np.int64]) -> None:
        """Telemetry confirms a release too: the device follows nothing, and has seen our last word."""
        free = (self.mode == Mode.RELEASE) & ~held & (sequence >= self.sequence)
        self.state[free] = CommandState.COMPLETED
        self._exposed_until_s[free] = -np.inf

    def time_out(self, now: datetime, patience: Patience) -> None:
        """Give up commands that were not acknowledged in the time that their gateways have for it."""
        waiting = np.flatnonzero(self.state == CommandState.SENT)
        self.sent_s[waiting] += patience.late_s
        overdue = now.timestamp() - self.sent_s[waiting] > patience.answer_s[self._fleet.gateway[waiting]]
        self._advance(waiting[overdue], CommandInput.TIME_OUT)
        # A device that never confirmed a release has let go at the end of its lease, whatever it heard.
        ends_s = np.maximum(self.leased_until_s, self._exposed_until_s)
        over = (self.mode == Mode.RELEASE) & (ends_s < now.timestamp())
        self.state[over] = CommandState.COMPLETED

    def unsent(self) -> Mask:
        """Rows whose last command no broker has taken: what the devices do instead is not known."""
        return np.asarray(self.state == CommandState.PLANNED)

    def acknowledged(self) -> Mask:
        """Rows whose gateway has taken their last command, and that hold it."""
        taken = (self.state == CommandState.RECEIVED) | (self.state == CommandState.STARTED)
        return np.asarray(taken & (self.mode != Mode.RELEASE))

    def expose(self, relief_w: Floats, until: datetime) -> None:
        """After a restart: what is commanded may be followed until then, for so much relief."""
        commanded = self.mode != Mode.RELEASE
        self._exposed_w[commanded] = relief_w[commanded]
        self._exposed_until_s[commanded] = until.timestamp()

    def leased_w(self, now: datetime, *, usable: Mask) -> Floats:
        """By row, relief of leases that may still be followed though nobody plans on the row; nothing elsewhere.

        ``usable`` rows are planned on; of the others, those count that hold something, or have not confirmed a release.
        """
        let_go = (self.mode == Mode.RELEASE) & (self.state != CommandState.COMPLETED)
        let_go |= (self.mode != Mode.RELEASE) & ~usable
        return np.where(let_go & (self._exposed_until_s > now.timestamp()), self._exposed_w, 0.0)

    def all_free(self) -> bool:
        """Nothing is commanded, and every release is confirmed or its lease over."""
        return bool(((self.mode == Mode.RELEASE) & (self.state == CommandState.COMPLETED)).all())

    def relief_w(self, baseline_w: Floats) -> Floats:
        """What the commands held now ask of each device."""
        relief_w = np.zeros(self.mode.size)

        def look(part: slice) -> None:
            rows = np.flatnonzero(self.mode[part] != Mode.RELEASE) + part.start
            mode, baseline = self.mode[rows], baseline_w[rows]
            relief_w[rows] = np.select(
                [mode == Mode.SETPOINT, mode == Mode.SHED],
                [baseline - self.setpoint_w[rows], np.maximum(baseline, 0.0)],
                np.minimum(baseline - self._fleet.import_max_w[rows], 0.0),
            )

        over_chunks(look, relief_w.size)
        return relief_w

    def counts(self) -> dict[str, int]:
        """Devices that are, or were last, under command, by state."""
        told = np.isfinite(self.sent_s)
        return {state.name.lower(): int((self.state[told] == state).sum()) for state in CommandState}

    def frames(self, made: Round) -> Iterator[CommandFrame]:
        """A round as frames, one for each gateway that it concerns; the same round gives the same frames."""
        sent = np.unpackbits(np.frombuffer(made.sent, dtype=np.uint8), count=self._fleet.size).view(np.bool_)
        by_slot = self._gateways.by_slot

        def sent_of(part: slice) -> Rows:
            rows = by_slot[part]
            return rows[sent[rows] & (rows >= 0)]

        rows = np.concatenate([np.zeros(0, dtype=np.intp), *over_chunks(sent_of, by_slot.size)])
        mode, setpoint_w = np.frombuffer(made.mode, dtype=np.uint8), np.frombuffer(made.setpoint_w, dtype=np.float32)
        return self._framed(made, rows, mode, setpoint_w)

    def again(self) -> Iterator[CommandFrame]:
        """Releases that were not confirmed in time, as they were told: who has heard them knows them by their ids."""
        if not self._told:
            return
        free = (self.mode == Mode.RELEASE) & (self.state != CommandState.COMPLETED)
        oldest = self.sequence.min(where=free, initial=np.iinfo(np.int64).max)
        self._told = {sequence: made for sequence, made in self._told.items() if sequence >= oldest}
        overdue = np.flatnonzero(free & (self.state == CommandState.TIMED_OUT))
        for sequence in np.unique(self.sequence[overdue]).tolist():
            rows = overdue[self.sequence[overdue] == sequence]
            rows = rows[np.lexsort((self._fleet.slot[rows], self._fleet.gateway[rows]))]
            yield from self._framed(self._told[sequence], rows, self.mode, self.setpoint_w)

    def _framed(
        self, made: Round, rows: Rows, mode: NDArray[np.uint8], setpoint_w: NDArray[np.float32]
    ) -> Iterator[CommandFrame]:
        """A round's frames for these rows, which are in the order of gateways and slots."""
        fleet = self._fleet
        told = np.zeros(rows.size, dtype=COMMAND_ROW)

        def fill(part: slice) -> None:
            some = rows[part]
            told["slot"][part], told["mode"][part] = fleet.slot[some], mode[some]
            told["setpoint_w"][part] = setpoint_w[some]

        over_chunks(fill, rows.size)
        starts = starts_of(fleet.gateway[rows])
        codes = fleet.gateway[rows[starts]].tolist()
        for code, start, end in zip(codes, starts.tolist(), [*starts[1:].tolist(), rows.size], strict=True):
            yield CommandFrame(
                gateway=fleet.gateway_names[code],
                event_id=made.event_id,
                event_version=made.event_version,
                sequence=made.sequence,
                issued_at=made.made_at,
                start=made.made_at,
                end=made.ends_at,
                ramp_s=made.ramp_s,
                rows=told[start:end],
            )

    def _advance(self, rows: Mask | Rows, given: CommandInput) -> None:
        self.state[rows], _ = advance(self.state[rows], given)


def lease_end(now: datetime, *, lease: timedelta, lets_go_at: datetime | None) -> datetime:
    """When these commands end by themselves: with the event and its release, or sooner."""
    end = now + lease
    return end if lets_go_at is None else max(now, min(end, lets_go_at))
