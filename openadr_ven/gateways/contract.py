"""The gateway contract: what a device gateway and the VEN say to each other over MQTT.

This module and ``codec.py`` are the reference; ``docs/gateway-contract.md`` is the same for a
maker of gateways, byte by byte.

Topics. A gateway stands before up to 65,536 devices of a fleet, numbered by *slot* from 0.

    der/v1/<fleet>/<gateway>/command     VEN → gateway
    der/v1/<fleet>/<gateway>/ack         gateway → VEN
    der/v1/<fleet>/<gateway>/telemetry   gateway → VEN
    der/v1/<fleet>/<gateway>/status      gateway → VEN, retained; the last will says OFFLINE
    der/v1/<fleet>/<gateway>/support     VEN → gateway
    der/v1/<fleet>/<gateway>/support_ack gateway → VEN
    der/v1/<fleet>/<gateway>/ability     gateway → VEN, retained

MQTT 3.1.1, QoS 1 both ways, persistent sessions (``clean session`` 0, a fixed client id). One
MQTT message is one frame; a frame is for, or from, the gateway that its topic names.

What a gateway promises:

* A command is a lease. A device acts on a row from ``start`` and at ``end`` it goes back to its
  own default, whether or not anybody can be reached. Nothing is held without an end.
* A row is applied if and only if its frame's sequence is greater than the last one applied to
  that slot. So a frame that comes twice does nothing the second time, and one that comes late
  cannot undo a newer one. Either way it is acknowledged again, from what is true now.
* A slot that a frame does not name keeps what it has: a frame holds only what changed or what
  is to be held longer.
* Sequences grow for ever, per fleet. A VEN that lost its memory begins above the greatest
  ``command_sequence`` that telemetry or status shows it.
* Power is net import in watts at the device: positive consumes, negative exports.
* Grid support (curves, droop, vars, power factors) goes beside commands, in frames and with sequences of its own: a
  device follows a setpoint and a volt-var curve at the same time. Each of its leases is of a slot and a function. A
  gateway that knows none of these words never hears of them.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openadr_core.errors import MalformedMessage
from openadr_core.model.grid_support import GridFunction, GridSupport

TOPIC_ROOT = "der/v1"
TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Fleet and gateway names: no level separator, no wildcard, and no dot, which brokers may map."""


class Channel(IntEnum):
    """The last level of a topic, and the kind byte of the frames on it."""

    COMMAND = 1
    ACK = 2
    TELEMETRY = 3
    STATUS = 4
    SUPPORT = 5
    SUPPORT_ACK = 6
    ABILITY = 7


class Fallback(IntEnum):
    """What a device does after ``end``. One value: any other would be a command without an end."""

    DEFAULT = 0


class AckState(IntEnum):
    """What became of a command on the devices that the acknowledgement names."""

    RECEIVED = 1
    """Taken, and waiting for ``start``."""
    STARTED = 2
    """The device acts on it."""
    COMPLETED = 3
    """Its end passed, or it was a RELEASE and the device is back at its default."""
    REJECTED = 4
    OPTED_OUT = 5
    """The owner has overridden the device."""


class Reason(IntEnum):
    """Why a command was rejected; NONE with every other state."""

    NONE = 0
    UNKNOWN_SLOT = 1
    SUPERSEDED = 2
    """A greater sequence was applied to the slot before."""
    EXPIRED = 3
    """It came after its own end."""
    OUT_OF_RANGE = 4
    UNSUPPORTED_MODE = 5
    UNREACHABLE = 6
    """The gateway cannot reach the device."""


class TelemetryFlag(IntFlag):
    """What a telemetry row says besides its numbers."""

    PLUGGED = 1
    ONLINE = 2
    OVERRIDE = 4
    """The owner's hand is on the device: commands do not act."""
    HELD = 8
    """The device follows a command now; cleared when it is back at its default."""


ALARMS_FROM_BIT = 5
ALARMS_MAX = 0x7FF
"""The bits above are the device's alarms, in the order of IEEE 2030.5's alarmStatus: over-current, over- and
under-voltage, over- and under-frequency, voltage and current imbalance, emergency (local, remote), low input power,
phase rotation."""


class GatewayState(IntEnum):
    OFFLINE = 0
    ONLINE = 1


COMMAND_ROW = np.dtype([("slot", "<u2"), ("mode", "u1"), ("flags", "u1"), ("setpoint_w", "<f4")])
"""Eight bytes a device. ``mode`` is a ``Mode`` of the fleet: RELEASE back to the device's own default, SETPOINT
follow ``setpoint_w``, SHED use as little as comfort allows, LOAD_UP as much; the setpoint counts with SETPOINT only.
``flags`` is 0 when sent, and ignored when received."""
TELEMETRY_ROW = np.dtype(
    [("slot", "<u2"), ("flags", "<u2"), ("power_w", "<f4"), ("soc", "<f4"), ("temperature_c", "<f4")]
)
"""Sixteen bytes a device. ``soc`` (0 to 1) and ``temperature_c`` are NaN where a device has none."""
ABILITY_ROW = np.dtype([("slot", "<u2"), ("reserved", "<u2"), ("knows", "<u4"), ("holds", "<u4")])
"""Twelve bytes a device. ``knows`` and ``holds`` are bits of ``GridFunction``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommandFrame:
    """Commands of one event, in one round, for one gateway."""

    gateway: str
    event_id: str
    event_version: int
    sequence: int
    """Greater in every round of the fleet, also across restarts."""
    issued_at: datetime
    start: datetime
    end: datetime
    """When every device named here lets go, unless a newer frame says otherwise."""
    ramp_s: float
    """Seconds from ``start`` in which a device moves evenly from its power then to its setpoint."""
    rows: NDArray[np.void]
    """Of ``COMMAND_ROW``, slots rising."""
    fallback: Fallback = Fallback.DEFAULT

    @property
    def command_id(self) -> bytes:
        """Sixteen bytes that name this frame everywhere: ledger, acknowledgement, device log."""
        return command_id_of(self.event_id, self.event_version, self.sequence, self.gateway)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AckFrame:
    """What became of one command on some of its devices."""

    gateway: str
    command_id: bytes
    sequence: int
    at: datetime
    state: AckState
    slots: NDArray[np.uint16]
    """Rising. On the wire a bitmap."""
    reason: Reason = Reason.NONE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TelemetryFrame:
    """What the devices of a gateway measured at one moment."""

    gateway: str
    telemetry_sequence: int
    """Grows with every telemetry frame of the gateway: a gap is a loss."""
    measured_at: datetime
    command_sequence: int
    """The greatest command sequence that the gateway had applied then; 0 for none."""
    rows: NDArray[np.void]
    """Of ``TELEMETRY_ROW``, slots rising; a slot that is missing was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFrame:
    """A gateway is there, or is gone."""

    gateway: str
    at: datetime
    """When the gateway said so; in a last will, when it had connected."""
    state: GatewayState
    slot_count: int
    command_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SupportFrame:
    """One function, set in one way, for some of a gateway's devices."""

    gateway: str
    event_id: str
    event_version: int
    sequence: int
    """Greater than any before it that named a function of these slots, also across restarts; not a command's."""
    issued_at: datetime
    start: datetime
    end: datetime
    """When every device named here is back at its own default, unless a newer frame says otherwise."""
    slots: NDArray[np.uint16]
    """Rising."""
    function: GridFunction
    support: GridSupport | None
    """None: back to the device's own default at ``start``."""
    fallback: Fallback = Fallback.DEFAULT

    @property
    def command_id(self) -> bytes:
        return support_id_of(self.event_id, self.event_version, self.sequence, self.gateway, self.function)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SupportAckFrame:
    """What became of one support frame on some of its devices."""

    gateway: str
    function: GridFunction
    command_id: bytes
    sequence: int
    at: datetime
    state: AckState
    slots: NDArray[np.uint16]
    reason: Reason = Reason.NONE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AbilityFrame:
    """Which functions the devices of a gateway know, and which they were told and hold now."""

    gateway: str
    at: datetime
    sequence: int
    """The greatest of any support frame that was taken; 0 for none."""
    rows: NDArray[np.void]
    """Of ``ABILITY_ROW``, slots rising; a slot that is missing knows nothing."""


Frame = CommandFrame | AckFrame | TelemetryFrame | StatusFrame | SupportFrame | SupportAckFrame | AbilityFrame
Report = AckFrame | TelemetryFrame | StatusFrame | SupportAckFrame | AbilityFrame
"""What a gateway sends."""
CHANNEL_OF: dict[type, Channel] = {
    CommandFrame: Channel.COMMAND,
    AckFrame: Channel.ACK,
    TelemetryFrame: Channel.TELEMETRY,
    StatusFrame: Channel.STATUS,
    SupportFrame: Channel.SUPPORT,
    SupportAckFrame: Channel.SUPPORT_ACK,
    AbilityFrame: Channel.ABILITY,
}


def command_id_of(event_id: str, event_version: int, sequence: int, gateway: str) -> bytes:
    """The first 16 bytes of the SHA-256 over sequence, version and both texts, as the header lays them out."""
    event, name = event_id.encode(), gateway.encode()
    key = struct.pack("<QIBB", sequence, event_version, len(event), len(name)) + event + name
    return hashlib.sha256(key).digest()[:16]


def support_id_of(event_id: str, event_version: int, sequence: int, gateway: str, function: GridFunction) -> bytes:
    """As a command's id, with the function behind it: the same numbers are another frame."""
    event, name = event_id.encode(), gateway.encode()
    key = struct.pack("<QIBB", sequence, event_version, len(event), len(name)) + event + name + bytes((function,))
    return hashlib.sha256(key).digest()[:16]


def command_rows(slot: ArrayLike, mode: ArrayLike, setpoint_w: ArrayLike) -> NDArray[np.void]:
    """Rows for a command frame from three columns, sorted by slot."""
    rows = np.zeros(np.size(slot), dtype=COMMAND_ROW)
    rows["slot"], rows["mode"], rows["setpoint_w"] = slot, mode, setpoint_w
    return rows[np.argsort(rows["slot"], kind="stable")]


def telemetry_rows(
    slot: ArrayLike, power_w: ArrayLike, soc: ArrayLike, temperature_c: ArrayLike, flags: ArrayLike
) -> NDArray[np.void]:
    """Rows for a telemetry frame from five columns whose slots rise."""
    rows = np.zeros(np.size(slot), dtype=TELEMETRY_ROW)
    rows["slot"], rows["flags"], rows["power_w"] = slot, flags, power_w
    rows["soc"], rows["temperature_c"] = soc, temperature_c
    return rows


def ability_rows(slot: ArrayLike, knows: ArrayLike, holds: ArrayLike) -> NDArray[np.void]:
    """Rows for an ability frame from columns whose slots rise."""
    rows = np.zeros(np.size(slot), dtype=ABILITY_ROW)
    rows["slot"], rows["knows"], rows["holds"] = slot, knows, holds
    return rows


def topic_of(fleet: str, gateway: str, channel: Channel) -> str:
    """Where frames of this kind travel; ``+`` as gateway subscribes to all of a fleet."""
    return f"{TOPIC_ROOT}/{fleet}/{gateway}/{channel.name.lower()}"


def parse_topic(topic: str) -> tuple[str, str, Channel]:
    """Fleet, gateway and channel of a topic; MalformedMessage if it is none of this contract."""
    root, _, rest = topic.partition(f"{TOPIC_ROOT}/")
    levels = rest.split("/")
    channels = {channel.name.lower(): channel for channel in Channel}
    if root or len(levels) != 3 or levels[2] not in channels or not all(map(TOPIC_NAME.fullmatch, levels[:2])):
        raise MalformedMessage(f"no topic of the gateway contract: {topic[:200]!r}")
    return levels[0], levels[1], channels[levels[2]]
