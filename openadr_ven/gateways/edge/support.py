"""What devices behind a gateway were told of grid support: leases by device and function. Pure: told the time.

As the contract has it for commands: applied once and in order, acknowledged RECEIVED when taken and STARTED, or
COMPLETED, when the device says that it is set so, and over at the end. A device that is away is told when it is back.

Interpretation: an owner's hand on a device (override) is about its power; what it does for the grid goes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_ven.domain.records import from_record, to_record
from openadr_ven.gateways.contract import AbilityFrame, AckState, Reason, SupportAckFrame, SupportFrame, ability_rows
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, Reading

RETRY = timedelta(seconds=15)
"""After a device did not answer, or would not go back to its own default."""
RENEWED_BELOW = timedelta(seconds=60)
"""A device is told the new end of its lease when so much, or half of it, is left."""
SAYS_AGAIN_EVERY = timedelta(seconds=30)
"""A retained message can slip past a subscription that is made in the same moment."""
LONG_AGO, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Key = tuple[str, GridFunction]
"""A device and one of its functions."""
Answer = tuple[AckState, Reason]
Frame = tuple[int, str, GridFunction]
"""Its sequence, its id in hex, and its function."""
RECEIVED: Answer = (AckState.RECEIVED, Reason.NONE)
STARTED: Answer = (AckState.STARTED, Reason.NONE)
COMPLETED: Answer = (AckState.COMPLETED, Reason.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The newest frame of a device and function, as it was taken."""

    device_id: str
    function: GridFunction
    sequence: int
    command_id: str
    """In hex."""
    start: datetime
    end: datetime
    support: GridSupport | None
    """None: the device's own default; also after the end, or when the device would not have it."""
    refused: Reason = Reason.NONE

    @property
    def key(self) -> Key:
        return self.device_id, self.function


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a device has confirmed."""

    device_id: str
    function: GridFunction
    support: GridSupport
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    held: tuple[Lease, ...]
    waiting: tuple[Lease, ...]
    touched: tuple[Told, ...]
    knows: Mapping[str, int]


class Support:
    """Of one gateway's devices."""

    def __init__(self, gateway: str, slots: Mapping[str, int]) -> None:
        """``slots`` by device."""
        self._gateway = gateway
        self._slots = slots
        self._device = {slot: one for one, slot in slots.items()}
        self._knows: dict[str, int] = {}
        self._online: set[str] = set()
        self._held: dict[Key, Lease] = {}
        self._waiting: dict[Key, Lease] = {}
        self._told: dict[Key, Told] = {}
        self._doubtful: set[Key] = set()
        """What the device holds now is not known."""
        self._in_flight: set[Key] = set()
        self._not_before: dict[Key, datetime] = {}
        self._unanswered: set[Key] = set()
        """What was acknowledged RECEIVED, and what became of it is still to be said."""
        self._look_at = LONG_AGO
        self._said_at = LONG_AGO
        """When ``ability`` was last said; what changes makes it long ago."""

    # -- commands ----------------------------------------------------------------------

    def receive(self, frame: SupportFrame, now: datetime) -> list[SupportAckFrame]:
        """Apply what is to be applied, and answer for each slot."""
        answers: defaultdict[Answer, list[int]] = defaultdict(list)
        for slot in frame.slots.tolist():
            answers[self._answer(frame, self._device.get(slot), now)].append(slot)
        self._look_at = self._said_at = LONG_AGO
        return [
            self._ack((frame.sequence, frame.command_id.hex(), frame.function), answer, slots, now)
            for answer, slots in answers.items()
        ]

    def _answer(self, frame: SupportFrame, device_id: str | None, now: datetime) -> Answer:
        if device_id is None:
            return AckState.REJECTED, Reason.UNKNOWN_SLOT
        key = device_id, frame.function
        newest = self._waiting.get(key) or self._held.get(key)
        if newest is not None and frame.sequence == newest.sequence and frame.command_id.hex() == newest.command_id:
            return self._progress(key)
        superseded = newest is not None and frame.sequence <= newest.sequence
        refusal = Reason.SUPERSEDED if superseded else self._refusal(frame, device_id, now)
        if refusal is not Reason.NONE:
            return AckState.REJECTED, refusal
        lease = Lease(
            device_id=device_id, function=frame.function, sequence=frame.sequence, command_id=frame.command_id.hex(),
            start=frame.start, end=frame.end, support=frame.support,
        )  # fmt: skip
        if frame.start > now:
            self._waiting[key] = lease
            return RECEIVED
        self._begin(lease)
        answer = self._progress(key)
        if answer != RECEIVED:
            self._unanswered.discard(key)
        return answer

    def _refusal(self, frame: SupportFrame, device_id: str, now: datetime) -> Reason:
        if frame.end <= now:
            return Reason.EXPIRED
        if device_id not in self._knows:
            return Reason.UNREACHABLE  # it has not said yet what it knows
        return Reason.NONE if self._knows[device_id] >> frame.function & 1 else Reason.UNSUPPORTED_MODE

    def _begin(self, lease: Lease) -> None:
        self._waiting.pop(lease.key, None)
        self._held[lease.key] = lease
        self._unanswered.add(lease.key)

    def due(self, now: datetime) -> list[Adjustment]:
        """What devices are to be told now; until ``settled`` hears of it, a function is told nothing else."""
        if now < self._look_at:
            return []
        found: list[Adjustment] = []
        self._look_at = NEVER
        for key in self._held.keys() | self._doubtful:
            moment = self._due_at(key, now)
            if moment > now:
                self._look_at = min(self._look_at, moment)
                continue
            lease = self._held.get(key)
            support = None if lease is None else lease.support
            until = now if lease is None or support is None else lease.end
            held = key in self._told or key in self._doubtful
            found.append(Adjustment(device_id=key[0], function=key[1], support=support, until=until, held=held))
        self._in_flight.update((one.device_id, one.function) for one in found)
        return found

    def _due_at(self, key: Key, now: datetime) -> datetime:
        """When the device is to be told; ``NEVER`` while there is nothing to tell, or nobody to hear it."""
        if key in self._in_flight or key[0] not in self._online:
            return NEVER
        not_before = self._not_before.get(key, LONG_AGO)
        lease, told = self._held.get(key), self._told.get(key)
        wanted = None if lease is None else lease.support
        if key in self._doubtful or wanted != (None if told is None else told.support):
            return max(now, not_before)
        if lease is None or told is None or lease.end <= told.until:
            return NEVER
        return max(not_before, told.until - min(RENEWED_BELOW, (lease.end - now) / 2))

    def settled(self, outcomes: Iterable[Adjusted], now: datetime) -> list[SupportAckFrame]:
        """What became of adjustments; what there is to say of them."""
        for outcome in outcomes:
            one = outcome.adjustment
            key = one.device_id, one.function
            self._in_flight.discard(key)
            lease = self._held.get(key)
            if outcome.reason is Reason.NONE:
                self._confirmed(one, key)
            elif outcome.reason is Reason.UNREACHABLE or one.support is None:
                self._not_before[key] = now + RETRY
            elif lease is not None and lease.support == one.support:
                self._held[key] = replace(lease, support=None, refused=outcome.reason)
            # Else something else was asked meanwhile: that is tried.
        self._look_at = self._said_at = LONG_AGO
        return self._answers(now)

    def _confirmed(self, one: Adjustment, key: Key) -> None:
        self._doubtful.discard(key)
        self._not_before.pop(key, None)
        if one.support is None:
            self._told.pop(key, None)
        else:
            self._told[key] = Told(
                device_id=one.device_id, function=one.function, support=one.support, until=one.until
            )  # fmt: skip

    def tick(self, now: datetime) -> list[SupportAckFrame]:
        """Begin what is due, and let go of what has ended."""
        for lease in [one for one in self._waiting.values() if one.start <= now]:
            self._begin(lease)
            self._look_at = LONG_AGO
        for key, lease in self._held.items():
            if lease.support is not None and lease.end <= now:
                self._held[key] = replace(lease, support=None)
                self._unanswered.add(key)
                self._look_at = LONG_AGO
        return self._answers(now)

    # -- devices -----------------------------------------------------------------------

    def hear(self, readings: Iterable[Reading]) -> None:
        """What they know, and whether they are there."""
        for reading in readings:
            device_id = reading.device_id
            if device_id not in self._slots:
                continue
            if not reading.online:
                self._online.discard(device_id)
                continue
            if device_id not in self._online:
                # It was away: what it holds now is what it does by itself, unless we say otherwise.
                self._online.add(device_id)
                mine = [key for key in self._told if key[0] == device_id]
                self._doubtful.update(mine)
                for key in mine:
                    self._not_before.pop(key, None)
                self._look_at = LONG_AGO
            if self._knows.get(device_id) != reading.functions:
                self._knows[device_id] = reading.functions
                self._said_at = LONG_AGO

    def ability(self, now: datetime) -> AbilityFrame | None:
        """What is to be said now of what devices know and hold; None if nothing is, or none of them knows anything."""
        if now < self._said_at + SAYS_AGAIN_EVERY or not any(self._knows.values()):
            return None
        self._said_at = now
        holds: defaultdict[str, int] = defaultdict(int)
        for device_id, function in self._told:
            holds[device_id] |= 1 << function
        known = sorted(
            (self._slots[one], knows, holds[one]) for one, knows in self._knows.items() if knows or holds[one]
        )
        leases = (*self._held.values(), *self._waiting.values())
        return AbilityFrame(
            gateway=self._gateway,
            at=now,
            sequence=max((lease.sequence for lease in leases), default=0),
            rows=ability_rows(*zip(*known, strict=True)),
        )

    def told(self) -> Mapping[str, tuple[GridSupport, ...]]:
        """What each device has confirmed that it does."""
        found: defaultdict[str, tuple[GridSupport, ...]] = defaultdict(tuple)
        for one in self._told.values():
            found[one.device_id] = (*found[one.device_id], one.support)
        return found

    # -- over restarts -----------------------------------------------------------------

    def record(self) -> str:
        """All that must outlive the process."""
        flying = (self._held[key] for key in self._in_flight if key in self._held and key not in self._told)
        touched = [
            Told(device_id=one.device_id, function=one.function, support=one.support, until=one.end)
            for one in flying
            if one.support is not None
        ]
        return to_record(
            _Record(
                held=tuple(self._held.values()), waiting=tuple(self._waiting.values()),
                touched=(*self._told.values(), *touched), knows=self._knows,
            )
        )  # fmt: skip

    def restore(self, record: str) -> None:
        """Go on from a record; what devices may hold is told anew, or let go."""
        kept = from_record(_Record, record)
        self._held = {one.key: one for one in kept.held}
        self._waiting = {one.key: one for one in kept.waiting}
        self._told = {(one.device_id, one.function): one for one in kept.touched}
        self._doubtful = set(self._told)
        self._unanswered = {key for key in self._held if self._progress(key) == RECEIVED}
        self._knows = dict(kept.knows)

    # -- what is true ------------------------------------------------------------------

    def _progress(self, key: Key) -> Answer:
        """What is true now of the newest frame of a device and function."""
        if key in self._waiting:
            return RECEIVED
        lease, told = self._held[key], self._told.get(key)
        if lease.refused is not Reason.NONE:
            return AckState.REJECTED, lease.refused
        if key in self._doubtful or lease.support != (None if told is None else told.support):
            return RECEIVED
        return COMPLETED if lease.support is None else STARTED

    def _answers(self, now: datetime) -> list[SupportAckFrame]:
        """What can now be said of what was only received."""
        said: defaultdict[tuple[Answer, Frame], list[int]] = defaultdict(list)
        for key in list(self._unanswered):
            answer, lease = self._progress(key), self._held[key]
            if answer != RECEIVED:
                self._unanswered.discard(key)
                said[answer, (lease.sequence, lease.command_id, lease.function)].append(self._slots[key[0]])
        return [self._ack(frame, answer, slots, now) for (answer, frame), slots in said.items()]

    def _ack(self, frame: Frame, answer: Answer, slots: Iterable[int], now: datetime) -> SupportAckFrame:
        sequence, command_id, function = frame
        state, reason = answer
        return SupportAckFrame(
            gateway=self._gateway, function=function, command_id=bytes.fromhex(command_id), sequence=sequence,
            at=now, state=state, reason=reason, slots=np.array(sorted(slots), dtype=np.uint16),
        )  # fmt: skip
