"""A canonical event as controls of IEEE 2030.5: which mode says which signal, when, and why another is not said.

Power that is to be held, and what may be drawn or fed in, are modes of a DERControl; what loads do is an
EndDeviceControl. A device follows a number as its own, so a number that is one party's in all is for one device of
it alone (:attr:`Wanted.in_all`).

Interpretation: no document of either standard says how the one is said in the other. What would be a guess is not
said, and the reason is for the operator: a device that is told nothing stays at its default, one that is told the
wrong thing acts on it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from openadr_core.errors import LocalProtocolError
from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.target import TargetKind
from openadr_core.model.unit import Measure
from openadr_core.sep2.power import active_power

Members = Mapping[str, Any]
"""By the standard's names, as :mod:`.json_values` reads them."""
Kind = Literal["DERControl", "EndDeviceControl"]
DutyCycles = tuple[int, int, int]
"""For which part of the time a load may run at level 1, 2 and 3, in per cent."""

NO_TIME = timedelta(0)
HUNDREDTH = timedelta(milliseconds=10)
FOR_EVER_S = 2**32 - 1
"""An interval has a length in 32 bits: 136 years, and a control can be cancelled."""
SPREAD_MOST_S = 3600
"""OneHourRangeType. Interpretation: of a wider start tolerance a device uses the first hour."""
CONTROLS_MAX = 288
"""Of one event: a day in steps of five minutes. CSIP asks clients to hold 24 of a program."""
RAMP_MOST = timedelta(seconds=655.35)
"""rampTms counts hundredths of a second in sixteen bits."""
PER_CENT = 100
"""PerCent counts hundredths."""

CATEGORIES: Mapping[str, int] = {
    "Thermostat": 0, "Strip_Heater": 1, "Baseboard_Heater": 2, "Water_Heater": 3, "Pool_Pump": 4, "Sauna": 5,
    "Hot_tub": 6, "Smart_Appliance": 7, "Irrigation_Pump": 8, "Managed_Commercial_and_Industrial_Loads": 9,
    "Simple_Residential_On_Off_Loads": 10, "Exterior_Lighting": 11, "Interior_Lighting": 12,
    "Load_Control_Switch": 13, "Energy_Management_System": 14, "Smart_Energy_Module": 15, "Electric_Vehicle": 16,
    "EVSE": 17, "Generation_Systems": 24, "Storage": 25,
}  # fmt: skip
"""Bits of deviceCategory by 2.0b's device classes (R111)."""
SEVERAL: Mapping[str, frozenset[int]] = {"Smart_Inverter": frozenset({18, 21, 23}), "RESU": frozenset({23, 25})}
"""Interpretation: of these classes a device may be any of several categories."""
LOADS = frozenset(range(18))
"""Whom an EndDeviceControl is for, where the event says no class: it must name some (1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One control."""

    kind: Kind
    members: Members
    starts_at: int
    """Seconds since 1970."""
    duration_s: int
    randomize_start_s: int = 0
    randomize_duration_s: int = 0
    categories: frozenset[int] = frozenset()
    """Bits of deviceCategory; none: all devices."""
    in_all: bool = False
    """The numbers are for all that a party has together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What of an event IEEE 2030.5 can say."""

    controls: tuple[Wanted, ...] = ()
    """By start; those of one kind, for the same devices, are never at the same time."""
    not_told: tuple[str, ...] = ()
    """Each signal, ramp or recovery that it cannot say, with the reason."""


class _Untold(Exception):
    """Why a signal is not said."""


Say = Callable[[float, DutyCycles | None], Members | None]
"""What a value is in the standard's words; None: nothing, for it asks for nothing."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a kind of signal is said."""

    kind: Kind
    mode: str
    """What it sets; of two signals that would set the same, the first does."""
    say: Say
    in_all: bool = False


@dataclass(frozen=True, slots=True)
class _Layer:
    """Controls of one kind for the same devices: what several signals ask of them at a time stands in one."""

    kind: Kind
    categories: frozenset[int]
    in_all: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    starts_at: timedelta
    """After the event's start."""
    ends_at: timedelta | None
    members: Members = field(hash=False)


def told(event: DrEvent, duty_cycles: DutyCycles | None = None) -> Told:
    """What devices can be told of the event; ``duty_cycles`` is what its program declares levels to be."""
    if event.test:
        return Told(not_told=("a test event: devices would act on it, for a control has no word for a test",))
    layers: dict[_Layer, list[_Piece]] = {}
    not_told = list(event.not_read)
    taken: set[str] = set()
    for signal in event.signals:
        try:
            way = _way(signal)
            if way.mode in taken:
                raise _Untold("another signal of the event sets the same already")
            layer = _Layer(way.kind, _categories(event, signal, way), way.in_all)
            pieces = _pieces(event, signal, way.say, duty_cycles)
        except _Untold as reason:
            not_told.append(f"{signal.id}: {reason}")
            continue
        taken.add(way.mode)
        layers.setdefault(layer, []).extend(pieces)
    laid_out = {layer: _laid_out(pieces) for layer, pieces in layers.items()}
    not_told += _ramps_untold(event, laid_out)
    controls = [one for layer, pieces in laid_out.items() for one in _controls(event, layer, pieces)]
    if len(controls) > CONTROLS_MAX:
        too_many = f"it would be {len(controls):,} controls, and {CONTROLS_MAX} are the most"
        return Told(not_told=(*not_told, too_many))
    return Told(controls=tuple(sorted(controls, key=lambda one: one.starts_at)), not_told=tuple(not_told))


def category_hex(categories: Iterable[int]) -> str:
    """deviceCategory: its bits as an even number of digits."""
    number = sum(1 << bit for bit in categories)
    return f"{number:0{max(2, (number.bit_length() + 7) // 8 * 2)}X}"


# -- which mode says what --------------------------------------------------------------


def _mode(name: str, *, sign: int = 1, in_all: bool = False) -> _Way:
    def say(value: float, _levels: DutyCycles | None) -> Members:
        try:
            active_power(value)
        except LocalProtocolError as error:
            raise _Untold(str(error)) from None
        return {name: sign * value + 0.0}

    return _Way("DERControl", name, say, in_all)


def _load(*, forward: bool = False, **reduction: Any) -> Members:
    return {"drProgramMandatory": False, "loadShiftForward": forward, **reduction}


def _duty(value: float, _levels: DutyCycles | None) -> Members:
    return _load(DutyCycle={"normalValue": round(value * PER_CENT)})


def _level(value: float, levels: DutyCycles | None) -> Members | None:
    if levels is None:
        raise _Untold("its program does not declare what levels ask of loads (SIMPLE_DUTY_CYCLE)")
    return None if value < 1 else _load(DutyCycle={"normalValue": levels[int(value) - 1]})


def _offset(value: float, _levels: DutyCycles | None) -> Members | None:
    if abs(value) > PER_CENT:
        raise _Untold(f"{value:g} is more than 100 per cent")
    hundredths = round(abs(value) * PER_CENT)
    return _load(forward=value > 0, Offset={"loadAdjustmentPercentageOffset": hundredths}) if hundredths else None


REDUCTION = "reduction"
"""What an EndDeviceControl asks of a load: it is one thing at a time."""
WAYS: Mapping[SignalKind, _Way] = {
    # A resource injects what is above zero; net import is the other way round.
    SignalKind.NET_POWER: _mode("opModTargetW", sign=-1, in_all=True),
    SignalKind.IMPORT_LIMIT: _mode("opModImpLimW"),
    SignalKind.EXPORT_LIMIT: _mode("opModExpLimW"),
    SignalKind.LEVEL: _Way("EndDeviceControl", REDUCTION, _level),
    SignalKind.LOAD_CAPACITY: _Way("EndDeviceControl", REDUCTION, _duty),
    SignalKind.LOAD_PERCENT_OFFSET: _Way("EndDeviceControl", REDUCTION, _offset),
}

_BASELINE = "no mode is relative to a baseline, and TargetReduction is a threshold of consumption"
_PRICE = "prices are of another function set, which is not served"
_BID = "what a resource has bid asks for nothing"
_CHARGE = "no control sets a state of charge"
_SUPPORT = "what devices do for the grid by themselves an operator sets as a control of its own"
_CAPACITY = "what holds where no limit does is a program's default, not a control for a time"
WHY_NOT: Mapping[SignalKind, str] = {
    SignalKind.RELIEF: _BASELINE,
    SignalKind.BASELINE_SHARE: _BASELINE,
    SignalKind.DISPATCH_LEVEL: "its steps mean what the program says, and no mode has steps",
    SignalKind.LOAD_LEVEL_OFFSET: "its steps mean what the program says, and no mode has steps",
    SignalKind.LOAD_SETPOINT: "a set point is one for cooling or one for heating, and it does not say which",
    SignalKind.GRID_SUPPORT: _SUPPORT,
    **dict.fromkeys((SignalKind.CHARGE, SignalKind.CHARGE_CHANGE, SignalKind.CHARGE_SHARE), _CHARGE),
    **dict.fromkeys((SignalKind.BID_PRICE, SignalKind.BID_LOAD, SignalKind.BID_ENERGY), _BID),
    **dict.fromkeys(
        (SignalKind.IMPORT_SUBSCRIPTION, SignalKind.EXPORT_SUBSCRIPTION, SignalKind.IMPORT_RESERVATION,
         SignalKind.EXPORT_RESERVATION), _CAPACITY,
    ),
}  # fmt: skip
"""Of the kinds that are no price."""


def _way(signal: Signal) -> _Way:
    way = WAYS.get(signal.kind)
    if way is None:
        raise _Untold(WHY_NOT.get(signal.kind, _PRICE))
    if way.kind == "DERControl" and signal.unit is not None and signal.unit.measure is not Measure.REAL_POWER:
        raise _Untold(f"the mode counts real power, not {signal.unit.measure}")
    return way


def _categories(event: DrEvent, signal: Signal, way: _Way) -> frozenset[int]:
    """Of the signal's classes those that the event is for."""
    asked = {target.name for target in event.targets if target.kind is TargetKind.DEVICE_CLASS}
    sets = [_bits(names) for names in (signal.device_classes, asked) if names]
    found = frozenset.intersection(*sets) if sets else frozenset()
    if sets and not found:
        raise _Untold("the event is for none of the classes of devices that the signal is for")
    return found or (LOADS if way.kind == "EndDeviceControl" else found)


def _bits(names: Iterable[str]) -> frozenset[int]:
    found: set[int] = set()
    for name in names:
        bits = SEVERAL.get(name) or {bit for key, bit in CATEGORIES.items() if key == name}
        if not bits:
            raise _Untold(f"no category of devices is {name}")
        found |= bits
    return frozenset(found)


# -- when ------------------------------------------------------------------------------


def _pieces(event: DrEvent, signal: Signal, say: Say, levels: DutyCycles | None) -> list[_Piece]:
    """What the signal asks, round by round where it repeats."""
    if event.lap is not None and event.duration is None:
        raise _Untold("it repeats for ever")
    if event.lap is not None and event.duration is not None and event.duration > event.lap * CONTROLS_MAX:
        raise _Untold(f"it repeats more often than {CONTROLS_MAX} controls can say")
    found: list[_Piece] = []
    lap: timedelta = NO_TIME
    while True:
        at: timedelta | None = lap
        for interval in signal.intervals:
            if at is None or (event.duration is not None and at >= event.duration):
                break
            until = None if interval.duration is None else at + interval.duration
            if event.duration is not None:
                until = event.duration if until is None else min(until, event.duration)
            members = say(interval.value, levels) if interval.asks else None
            if members is not None:
                _append(found, _Piece(at, until, members))
            if len(found) > CONTROLS_MAX:
                raise _Untold(f"it asks for something else more often than {CONTROLS_MAX} controls can say")
            at = until
        if event.lap is None or event.duration is None or (lap := lap + event.lap) >= event.duration:
            return found


def _laid_out(pieces: Sequence[_Piece]) -> list[_Piece]:
    """One after the other, each with all that is asked at the time."""
    edges = sorted({edge for one in pieces for edge in (one.starts_at, one.ends_at) if edge is not None})
    found: list[_Piece] = []
    for index, start in enumerate(edges):
        end = edges[index + 1] if index + 1 < len(edges) else None
        over = [one for one in pieces if one.starts_at <= start and (one.ends_at is None or start < one.ends_at)]
        members = {name: value for one in over for name, value in one.members.items()}
        if members:
            _append(found, _Piece(start, end, members))
    return found


def _append(found: list[_Piece], piece: _Piece) -> None:
    """Equal neighbours are one."""
    if found and found[-1].ends_at == piece.starts_at and found[-1].members == piece.members:
        piece = _Piece(found.pop().starts_at, piece.ends_at, piece.members)
    found.append(piece)


def _controls(event: DrEvent, layer: _Layer, pieces: Sequence[_Piece]) -> Iterator[Wanted]:
    """Interpretation: 2.0b delays an event as a whole, 2030.5 each control by itself.

    So the first is begun, and the last ended, at random; between them devices go from one to the next together.
    """
    ramp = _ramp(event, layer, pieces)
    spread = min(_seconds(event.start_after), SPREAD_MOST_S)
    begins_at = int(event.starts_at.timestamp())
    for index, one in enumerate(pieces):
        start = begins_at + _seconds(one.starts_at)
        is_first, is_last = index == 0, index == len(pieces) - 1
        yield Wanted(
            kind=layer.kind,
            members={**one.members, "rampTms": ramp // HUNDREDTH} if is_first and ramp else one.members,
            starts_at=start,
            duration_s=FOR_EVER_S if one.ends_at is None else min(_seconds(one.ends_at - one.starts_at), FOR_EVER_S),
            randomize_start_s=spread if is_first else 0,
            randomize_duration_s=spread if is_last and not is_first else 0,
            categories=layer.categories,
            in_all=layer.in_all,
        )


def _ramp(event: DrEvent, layer: _Layer, pieces: Sequence[_Piece]) -> timedelta:
    """How long devices take to go over to the first of these, from its start on.

    A ramp below zero lies inside the event (2.0b R13). Interpretation: one before it is not said. A control that began
    before its event would supersede what is asked until then, and one that began with it would be late.
    """
    begins = bool(pieces) and pieces[0].starts_at == NO_TIME
    is_said = layer.kind == "DERControl" and begins and -RAMP_MOST <= event.ramp_up < NO_TIME
    return -event.ramp_up if is_said else NO_TIME


def _ramps_untold(event: DrEvent, laid_out: Mapping[_Layer, Sequence[_Piece]]) -> Iterator[str]:
    """What is said of how devices go over to the event and come back from it, and no control says."""
    if not any(laid_out.values()):
        return
    if event.ramp_up > NO_TIME:
        yield "ramp: it lies before the event, and a control begins with it: devices go over at once"
    elif event.ramp_up < -RAMP_MOST:
        yield f"ramp: a control has one of {RAMP_MOST.total_seconds():g} s at most: devices go over at once"
    elif event.ramp_up and not any(_ramp(event, layer, pieces) for layer, pieces in laid_out.items()):
        yield "ramp: loads have none, and no other device is asked for anything as the event begins"
    if event.recovery:
        yield "recovery: no control says how devices return: they do as their program's default has it (setGradW)"


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)
