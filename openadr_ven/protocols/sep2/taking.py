"""What the server's lists of controls mean to what we know: new, changed in status, gone.

A published control never changes but for its status; one that comes again under its mRID is known by it.
"""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from openadr_core.sep2.controls import DefaultDERControl, DERControl, DERControlBase, DERCurve, DERProgram
from openadr_core.sep2.drlc import DemandResponseProgram, EndDeviceControl
from openadr_core.sep2.names import Status
from openadr_ven.protocols.sep2.load import load_modes_of
from openadr_ven.protocols.sep2.meaning import Modes, Ratings, modes_of, wants_functions
from openadr_ven.protocols.sep2.memory import Gradient, KnownControl, KnownDefault, Memory

CATEGORY_BASE = 16
HUNDREDTHS = 100
WHOLE = 10_000
"""Hundredths of a per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProgram:
    """A program with what lies under it, as it was read."""

    program: DERProgram | DemandResponseProgram
    controls: tuple[DERControl | EndDeviceControl, ...] = ()
    default: DefaultDERControl | None = None
    curves: Mapping[str, DERCurve] = field(default_factory=dict)
    """By their links, those that its default, and controls that were not known, refer to."""
    watchable: tuple[str, ...] = ()
    """Of these resources, the server tells who subscribes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An EndDevice that we answer for, and its programs."""

    lfdi: str
    ratings: Ratings
    category: int = 0
    """Bits of its deviceCategory; 0: it has said none, and is meant by all."""
    load_classes: tuple[str, ...] = ()
    """Of the loads behind it."""
    functions: int | None = 0
    """What it does for the grid when it is told: bits of ``GridFunction``; None: not known yet."""
    programs: tuple[ListedProgram, ...] = ()


def take_programs(memory: Memory, devices: Sequence[Device], *, now: int, dice: random.Random) -> Memory:
    """With what the server lists now (seconds of its clock)."""
    before = {one.key: one for one in memory.known}
    known: dict[tuple[str, str], KnownControl] = {}
    # The same control is drawn for once, whichever of our devices it comes by: the fleet is moved as one.
    drawn = {one.mrid: one for one in memory.known}
    assigned: dict[str, set[str]] = {}
    for device in devices:
        assigned[device.lfdi] = {listed.program.mrid.upper() for listed in device.programs}
        for listed in device.programs:
            for control in listed.controls:
                if _is_for(device, control) and not _is_awaited(device, control):
                    taken = _taken(control, listed, device, before, drawn, now=now, dice=dice)
                    known[taken.key] = taken
                    drawn.setdefault(taken.mrid, taken)
    there = frozenset(known)
    for key, lost in before.items():
        if key not in known:
            known[key] = _lost(lost, left=lost.program not in assigned.get(lost.device, set()), now=now)
    defaults = tuple(one for device in devices for one in _defaults(device))
    gradients = tuple(one for device in devices if (one := _gradient(device)) is not None)
    kept = tuple(_worth_keeping(known.values(), there, now))
    return replace(memory, known=kept, defaults=defaults, gradients=gradients)


def awaited(devices: Sequence[Device]) -> bool:
    """Whether anything that is asked waits until somebody says what devices can."""
    return any(
        (listed.default is not None and wants_functions(listed.default.der_control_base))
        or any(_is_awaited(device, control) for control in listed.controls)
        for device in devices
        if device.functions is None
        for listed in device.programs
    )


def understood(memory: Memory) -> frozenset[str]:
    """MRIDs of controls whose curves need not be read again: a published control never changes, nor do they.

    Interpretation: the curves of a default may; they are read with each poll.
    """
    doubtful = {one.mrid for one in memory.known if one.not_read or one.invalid}
    return frozenset(one.mrid for one in memory.known) - doubtful


def _is_awaited(device: Device, control: DERControl | EndDeviceControl) -> bool:
    is_asking = isinstance(control, DERControl) and wants_functions(control.der_control_base)
    return device.functions is None and is_asking


def _is_for(device: Device, control: DERControl | EndDeviceControl) -> bool:
    """One for other categories of devices is neither followed nor answered."""
    wanted = int(control.device_category or "0", CATEGORY_BASE)
    return not wanted or not device.category or bool(wanted & device.category)


def _taken(
    control: DERControl | EndDeviceControl,
    listed: ListedProgram,
    device: Device,
    before: Mapping[tuple[str, str], KnownControl],
    drawn: Mapping[str, KnownControl],
    *,
    now: int,
    dice: random.Random,
) -> KnownControl:
    mrid = control.mrid.upper()
    status = control.event_status
    known = before.get((mrid, device.lfdi))
    if known is None:
        twin = drawn.get(mrid)
        modes = _modes_of(control, listed, device, twin)
        known = KnownControl(
            mrid=mrid, device=device.lfdi, program=listed.program.mrid.upper(), primacy=listed.program.primacy,
            created=control.creation_time, start=control.interval.start, duration_s=control.interval.duration,
            randomize_start_s=control.randomize_start or 0, randomize_duration_s=control.randomize_duration or 0,
            start_fraction=dice.random() if twin is None else twin.start_fraction,
            duration_fraction=dice.random() if twin is None else twin.duration_fraction,
            stop_fraction=dice.random() if twin is None else twin.stop_fraction,
            modes=modes.followed, not_read=modes.not_read, invalid=modes.invalid,
            ramp_s=0.0 if isinstance(control, EndDeviceControl) else _ramp_s(control.der_control_base),
            description=control.description or "", is_load=isinstance(control, EndDeviceControl),
            reply_to=control.reply_to or "", response_required=int(control.response_required or "0", CATEGORY_BASE),
            first_seen=now,
        )  # fmt: skip
    return replace(
        known,
        primacy=listed.program.primacy,
        status=Status(min(status.current_status, Status.SUPERSEDED)),
        status_at=known.status_at if known.status == status.current_status else status.date_time,
        gone_at=None,
        left_program=False,
    )


def _modes_of(
    control: DERControl | EndDeviceControl, listed: ListedProgram, device: Device, twin: KnownControl | None
) -> Modes:
    if isinstance(control, EndDeviceControl):
        followed, not_read = load_modes_of(control, device.load_classes)
        return Modes(followed=followed, not_read=not_read)
    functions = device.functions or 0
    modes = modes_of(control.der_control_base, device.ratings, functions=functions, curves=listed.curves)
    if twin is None or not modes.invalid:
        return modes
    # Another of our devices has it: its curves were read then.
    known = {one.name: one for one in twin.modes}
    return replace(
        modes,
        followed=(*modes.followed, *(known[name] for name in modes.invalid if name in known)),
        invalid=tuple(name for name in modes.invalid if name not in known),
    )


def _lost(known: KnownControl, *, left: bool, now: int) -> KnownControl:
    """No longer listed. Interpretation: one that goes before it could end has been taken back, without a word.

    The server drops what is over by its own draws at the latest; ours ends earlier or at the same time.
    """
    if known.gone_at is not None or now >= known.planned_end:
        return known
    return replace(known, gone_at=now, left_program=left)


def _defaults(device: Device) -> Iterable[KnownDefault]:
    """For each mode that of the program with the lowest primacy that sets it."""
    found: dict[str, KnownDefault] = {}
    for listed in sorted(device.programs, key=lambda one: one.program.primacy):
        if listed.default is None:
            continue
        base, functions = listed.default.der_control_base, device.functions or 0
        for mode in modes_of(base, device.ratings, functions=functions, curves=listed.curves).followed:
            program = listed.program.mrid.upper()
            held = KnownDefault(device=device.lfdi, program=program, mode=mode, ramp_s=_ramp_s(base))
            found.setdefault(mode.name, held)
    return found.values()


def _gradient(device: Device) -> Gradient | None:
    """Of the program with the lowest primacy whose default says it."""
    for listed in sorted(device.programs, key=lambda one: one.program.primacy):
        default = listed.default
        if default is not None and default.set_grad_w is not None:
            share = default.set_grad_w / WHOLE
            return Gradient(
                device=device.lfdi, w_per_s=share * device.ratings.max_w or None, set_grad_w=default.set_grad_w,
                set_soft_grad_w=default.set_soft_grad_w,
            )  # fmt: skip
    return None


def _ramp_s(base: DERControlBase) -> float:
    return (base.ramp_tms or 0) / HUNDREDTHS


def _worth_keeping(
    known: Iterable[KnownControl], listed: Collection[tuple[str, str]], now: int
) -> list[KnownControl]:  # fmt: skip
    """Without what is over, is not listed any more, and has taken nothing from an event of its program that still runs.

    What the server still lists would else be new each time: it is answered once, be it that it came too late.
    """
    there = list(known)
    running = [one for one in there if now < one.planned_end]
    return [
        one
        for one in there
        if now < one.planned_end
        or one.key in listed
        or any(
            (other.device, other.program) == (one.device, one.program) and other.begins < one.ends for other in running
        )
    ]
