"""What a device does for the grid by itself once it was told how: curves, droop, reactive power, ride-through.

In physical units, and in no protocol's words. Functions are numbered as IEEE 2030.5 numbers them (DERControlType),
so that a set of them is the same mask everywhere. Voltages are per cent of the nominal (reference) voltage.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import pairwise

POINTS_MAX = 10
"""IEEE 2030.5: of CurveData in a DERCurve."""


class GridFunction(IntEnum):
    """The numbers are bits of IEEE 2030.5's DERControlType."""

    CONNECT = 2
    """Galvanic connection, or none."""
    ENERGIZE = 3
    """Feeding in, or not (cease to energise)."""
    FIXED_PF_ABSORB = 4
    """A power factor to hold while active power is drawn."""
    FIXED_PF_INJECT = 5
    """… while it is given."""
    FIXED_VAR = 6
    """Reactive power as a share of something."""
    FREQ_DROOP = 8
    FREQ_WATT = 9
    """Active power (per cent) by frequency (Hz)."""
    HFRT_MAY_TRIP = 10
    """Ride-through, here and below: seconds by frequency (Hz), or voltage (per cent)."""
    HFRT_MUST_TRIP = 11
    HVRT_MAY_TRIP = 12
    HVRT_MOMENTARY_CESSATION = 13
    HVRT_MUST_TRIP = 14
    LFRT_MAY_TRIP = 15
    LFRT_MUST_TRIP = 16
    LVRT_MAY_TRIP = 17
    LVRT_MOMENTARY_CESSATION = 18
    LVRT_MUST_TRIP = 19
    TARGET_VAR = 21
    """Reactive power in vars; positive is given."""
    VOLT_VAR = 23
    """Reactive power (per cent) by voltage (per cent)."""
    VOLT_WATT = 24
    """The most active power (per cent) by voltage (per cent)."""
    WATT_PF = 25
    """Power factor by active power (per cent)."""
    WATT_VAR = 26
    """Reactive power (per cent) by active power (per cent)."""


_F = GridFunction
TRIPS = frozenset({
    _F.HFRT_MAY_TRIP, _F.HFRT_MUST_TRIP, _F.HVRT_MAY_TRIP, _F.HVRT_MOMENTARY_CESSATION, _F.HVRT_MUST_TRIP,
    _F.LFRT_MAY_TRIP, _F.LFRT_MUST_TRIP, _F.LVRT_MAY_TRIP, _F.LVRT_MOMENTARY_CESSATION, _F.LVRT_MUST_TRIP,
})  # fmt: skip
CURVED = TRIPS | {_F.FREQ_WATT, _F.VOLT_VAR, _F.VOLT_WATT, _F.WATT_PF, _F.WATT_VAR}
SWITCHES = frozenset({_F.CONNECT, _F.ENERGIZE})
POWER_FACTORS = frozenset({_F.FIXED_PF_ABSORB, _F.FIXED_PF_INJECT})


class Reference(StrEnum):
    """What per cents of power are of."""

    MAX_W = "max_w"
    MAX_VAR = "max_var"
    AVAILABLE_VAR = "available_var"
    """What it could give then."""
    MAX_CHARGE_W = "max_charge_w"
    MAX_DISCHARGE_W = "max_discharge_w"
    AVAILABLE_W = "available_w"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """In the units that its function has; of a ride-through curve ``x`` is the time in seconds."""

    x: float
    y: float
    absorbs: bool | None = None
    """Vars, at this power factor: WATT_PF alone says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Straight lines between points; before the first and after the last it goes on level."""

    points: tuple[CurvePoint, ...]
    """x grows."""
    reference: Reference | None = None
    """What y is per cent of; None where it is no per cent of power."""
    open_loop_s: float | None = None
    """In which the device comes to 90 per cent of where the curve takes it; 0: at once, None: as it does by itself."""
    ramp_up_percent_per_s: float | None = None
    """Of ``reference``; None: as it ramps by itself."""
    ramp_down_percent_per_s: float | None = None
    ramp_pt1_s: float | None = None
    """In which a low pass before the curve settles to 95 per cent of a step."""
    v_ref_percent: float | None = None
    """VOLT_VAR, as the next two: the voltage that the curve is placed by, and whether, and how fast, that follows."""
    v_ref_autonomous: bool | None = None
    v_ref_time_constant_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Droop:
    """Active power by frequency, beyond a dead band (IEEE 1547-2018, 6.5.2.7)."""

    over_deadband_hz: float
    under_deadband_hz: float
    over_slope: float
    """Change of frequency, as a share of nominal, that changes power by all of it: 0.05 is five per cent."""
    under_slope: float
    open_loop_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactor:
    displacement: float
    """0 to 1."""
    absorbs: bool
    """Vars (under-excited), or injects them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VarShare:
    percent: float
    """-100 to 100; positive is given."""
    reference: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSupport:
    """One function and how it is set: of the members after ``function`` exactly the one that it has.

    ValueError names what is missing, too much, or no number that can be.
    """

    function: GridFunction
    curve: Curve | None = None
    droop: Droop | None = None
    power_factor: PowerFactor | None = None
    var_share: VarShare | None = None
    power_var: float | None = None
    on: bool | None = None
    """Connected, or energised."""

    def __post_init__(self) -> None:
        given = {name for name in _SHAPES if getattr(self, name) is not None}
        if given != {shape := shape_of(self.function)}:
            raise ValueError(f"{self.function.name} is set by {shape}, and by nothing else")
        if not all(math.isfinite(number) for number in _numbers(self)):
            raise ValueError(f"{self.function.name}: what is no number")
        if self.curve is not None:
            _check_curve(self.function, self.curve)
        if self.power_factor is not None and not 0.0 <= self.power_factor.displacement <= 1.0:
            raise ValueError("a power factor is between 0 and 1")
        if self.var_share is not None and not -100.0 <= self.var_share.percent <= 100.0:
            raise ValueError("a share of vars is between -100 and 100 per cent")


_SHAPES = ("curve", "droop", "power_factor", "var_share", "power_var", "on")


def shape_of(function: GridFunction) -> str:
    """The member of ``GridSupport`` that says how this function is set."""
    if function in CURVED:
        return "curve"
    if function in SWITCHES:
        return "on"
    if function in POWER_FACTORS:
        return "power_factor"
    return {_F.FREQ_DROOP: "droop", _F.FIXED_VAR: "var_share", _F.TARGET_VAR: "power_var"}[function]


def mask_of(functions: Iterable[GridFunction]) -> int:
    """Their bits."""
    return sum(1 << one for one in frozenset(functions))


EVERY_FUNCTION = mask_of(GridFunction)


def functions_in(mask: int) -> frozenset[GridFunction]:
    """Bits that are no function of ours are left aside."""
    return frozenset(one for one in GridFunction if mask >> one & 1)


def _check_curve(function: GridFunction, curve: Curve) -> None:
    if not 1 <= len(curve.points) <= POINTS_MAX:
        raise ValueError(f"a curve has 1 to {POINTS_MAX} points")
    if any(later.x <= earlier.x for earlier, later in pairwise(curve.points)):
        raise ValueError("the x values of a curve grow from point to point")
    if any((point.absorbs is not None) != (function is _F.WATT_PF) for point in curve.points):
        raise ValueError("points of WATT_PF say whether vars are absorbed, and no others")
    references = (curve.v_ref_percent, curve.v_ref_autonomous, curve.v_ref_time_constant_s)
    if function is not _F.VOLT_VAR and any(one is not None for one in references):
        raise ValueError("only VOLT_VAR has a reference voltage")


def _numbers(support: GridSupport) -> Iterable[float]:
    if support.power_var is not None:
        yield support.power_var
    for part in (support.curve, support.droop, support.power_factor, support.var_share):
        for name in () if part is None else part.__dataclass_fields__:
            value = getattr(part, name)
            if isinstance(value, float | int):
                yield value
    for point in () if support.curve is None else support.curve.points:
        yield from (point.x, point.y)
