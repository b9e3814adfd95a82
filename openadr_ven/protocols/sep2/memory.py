"""What a 2030.5 session remembers, as one frozen value: stored, it survives the process.

Times are seconds of the server's clock, unless they are datetimes, which are our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from openadr_core.model.event import DrEvent, SignalKind
from openadr_core.model.grid_support import GridSupport
from openadr_core.model.opt import Opt
from openadr_core.sep2.names import Status
from openadr_ven.protocols.sep2.schedule import Entry, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSignal:
    """One thing that a control mode asks of the fleet, in the canonical vocabulary."""

    kind: SignalKind
    value: float
    """Watts of net import where it is a power, a bound below zero never."""
    device_classes: tuple[str, ...] = ()
    support: GridSupport | None = None
    """Of what devices do by themselves, how it is to be set; the value means nothing then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMode:
    """One control mode, by its element's name; one that asks for what is normal has no signals."""

    name: str
    signals: tuple[AskedSignal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownControl:
    """A control as one of our devices has it."""

    mrid: str
    device: str
    """The LFDI of the EndDevice that it is for."""
    program: str
    """The program's mRID."""
    primacy: int
    created: int
    start: int
    duration_s: int
    randomize_start_s: int = 0
    randomize_duration_s: int = 0
    start_fraction: float = 0.0
    """Drawn once, from 0 to 1, as the next two."""
    duration_fraction: float = 0.0
    stop_fraction: float = 0.0
    modes: tuple[AskedMode, ...] = ()
    not_read: tuple[str, ...] = ()
    """Modes that these devices cannot act on."""
    invalid: tuple[str, ...] = ()
    """Modes that say what cannot be: a curve that is not there, or is none."""
    ramp_s: float = 0.0
    """In which the device comes to it (rampTms); 0: it does not say."""
    description: str = ""
    is_load: bool = False
    """An EndDeviceControl, and not a DERControl."""
    status: Status = Status.SCHEDULED
    status_at: int = 0
    gone_at: int | None = None
    """When the server no longer listed it, before its end."""
    left_program: bool = False
    """It went because the program is no longer ours."""
    reply_to: str = ""
    """Where responses go; empty if none are wanted."""
    response_required: int = 0
    first_seen: int = 0
    said: tuple[int, ...] = ()
    """Responses that were given, in order."""

    @property
    def key(self) -> tuple[str, str]:
        return self.mrid, self.device

    @property
    def begins(self) -> int:
        """The effective start: drawn once (1.5)."""
        return self.start + round(self.randomize_start_s * self.start_fraction)

    @property
    def planned_end(self) -> int:
        lasts = self.duration_s + round(self.randomize_duration_s * self.duration_fraction)
        return self.begins + max(0, lasts)

    @property
    def stopped_at(self) -> int | None:
        """When it was, or will be, ended from outside; None if nothing but its end ends it."""
        if self.status is Status.CANCELLED_WITH_RANDOMISATION and self.status_at > self.begins:
            most_s = max(abs(self.randomize_start_s), abs(self.randomize_duration_s))
            return self.status_at + round(most_s * self.stop_fraction)
        if self.status >= Status.CANCELLED:
            return self.status_at
        return self.gone_at

    @property
    def ends(self) -> int:
        """The effective end; before ``begins`` there is none."""
        stop = self.stopped_at
        return self.planned_end if stop is None else max(self.begins, min(stop, self.planned_end))

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody took it back, so that it does not run to its end."""
        is_off = self.gone_at is not None or self.status in {Status.CANCELLED, Status.CANCELLED_WITH_RANDOMISATION}
        return is_off and self.ends < self.planned_end

    @property
    def entry(self) -> Entry:
        return Entry(
            mrid=self.mrid, program=self.program, primacy=self.primacy, created=self.created,
            span=Span(begins=self.begins, ends=self.ends), modes=frozenset(mode.name for mode in self.modes),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDefault:
    """What holds for a device in one mode where no event does."""

    device: str
    program: str
    mode: AskedMode
    ramp_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """How fast a device may change what it gives, as its best default that says so has it."""

    device: str
    w_per_s: float | None
    """None: without limit."""
    set_grad_w: int
    """Hundredths of a per cent of setMaxW a second; 0: without limit."""
    set_soft_grad_w: int | None
    """The same, after it was out of service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as the agent knows it: one for each mode of a control, and of each default."""

    event: DrEvent
    opt: Opt | None = None
    """None until the agent has decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A Response on its way to the server."""

    reply_to: str
    subject: str
    device: str
    status: int
    at: int
    is_load: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarmed:
    device: str
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    offset_s: int = 0
    """The server's clock less ours."""
    own_href: str = ""
    """Of our EndDevice, as it was last found."""
    mirror_href: str = ""
    """Of our MirrorUsagePoint; empty where there is none."""
    mirror_rate_s: int = 0
    """How often it wants readings, as the agent was told; 0: it was not."""
    devices_rate_s: int = 0
    """The same of the meters of devices that we answer for."""
    alarms: tuple[Alarmed, ...] = ()
    """Of devices with something wrong, as the server was told (LogEvent)."""
    known: tuple[KnownControl, ...] = ()
    defaults: tuple[KnownDefault, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    told: tuple[Told, ...] = ()
    replies: tuple[Reply, ...] = ()
    """Oldest first."""

    def alarms_of(self, device: str) -> int:
        return next((one.bits for one in self.alarms if one.device == device), 0)

    def with_alarms(self, told: Mapping[str, int]) -> Self:
        """With what the server was told of these devices."""
        bits = {one.device: one.bits for one in self.alarms} | dict(told)
        alarms = tuple(Alarmed(device=device, bits=some) for device, some in bits.items() if some)
        return self if alarms == self.alarms else replace(self, alarms=alarms)

    def told_of(self, event_id: str) -> Told | None:
        return next((one for one in self.told if one.event.id == event_id), None)

    def with_told(self, told: Told) -> Self:
        """With this event added, or in place of its earlier version."""
        return replace(self, told=(*(one for one in self.told if one.event.id != told.event.id), told))
