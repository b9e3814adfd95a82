"""Grid support in SunSpec's models: 704 (vars, power factors), 705, 706, 712 (curves), 707 to 710 (trips), 711 (droop).

A model of curves has several places: the first is what the device does, and is written by adopting another. Ours is
the second; what the device did by itself is copied to the last before we adopt anything, and it reverts to that
(RvrtCrv) after its timer, or when it is told to. Trips have no timer: the edge lets go of them.

Interpretation: unlike a setpoint, a curve may be told without a timer, since it is bounded by what it says, and what
was there before is still in the device. Where there is no place to keep that, the curve is not told.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openadr_core.model.grid_support import Curve, Droop, GridFunction, GridSupport, Reference, VarShare, mask_of
from openadr_ven.gateways.contract import Reason

ENABLED, DISABLED = 1, 0
READ_WRITE = 0
COMPLETED, FAILED = 1, 2
"""Of AdptCrvRslt."""
WORK, OURS = 1, 2
"""The second place, by Python's count and by SunSpec's."""
OWN_PLACES_MIN = 3
OVER_EXCITED, UNDER_EXCITED = 0, 1
VARS = 4
"""Of VarSetMod."""
ADOPT_LOOKS, ADOPT_LOOK_S = 20, 0.1
NOT_COPIED = frozenset({"ReadOnly", "VRefAuto"})
"""Of a place: who may write it, and what the device has found itself."""
PRECISION = 1e-3
"""A scale factor that moves a number by more than this share of it would make another curve of it."""
WHOLE_PERCENT = 100.0

_F, _R = GridFunction, Reference
VAR_REFERENCES: Mapping[Reference, int] = {_R.MAX_W: 0, _R.MAX_VAR: 1, _R.AVAILABLE_VAR: 2}
WATT_REFERENCES: Mapping[Reference, int] = {_R.MAX_W: 0, _R.AVAILABLE_W: 1}
POWER_FACTORS = {_F.FIXED_PF_ABSORB: "PFWAbs", _F.FIXED_PF_INJECT: "PFWInj"}
VAR_POINTS = {_F.FIXED_VAR: "VarSetPct", _F.TARGET_VAR: "VarSet"}
CONTROLS = 704

Find = Callable[[int], Any | None]
"""A device's model by its number; None if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where a function is in its model."""

    number: int
    x: str = ""
    y: str = ""
    references: Mapping[Reference, int] = field(default_factory=dict)
    part: str = ""
    """The group of its points in each place; empty: the place itself."""
    rows: str = "Crv"
    request: str = "AdptCrvReq"
    result: str = "AdptCrvRslt"
    reversion: str = "RvrtCrv"


def _trips(number: int, prefix: str, y: str) -> dict[GridFunction, Shape]:
    parts = {"MUST_TRIP": "MustTrip", "MAY_TRIP": "MayTrip", "MOMENTARY_CESSATION": "MomCess"}
    return {
        GridFunction[name]: Shape(number=number, x="Tms", y=y, part=part)
        for kind, part in parts.items()
        if (name := f"{prefix}_{kind}") in GridFunction.__members__
    }


SHAPES: Mapping[GridFunction, Shape] = {
    _F.VOLT_VAR: Shape(number=705, x="V", y="Var", references=VAR_REFERENCES),
    _F.VOLT_WATT: Shape(number=706, x="V", y="W", references=WATT_REFERENCES),
    _F.WATT_VAR: Shape(number=712, x="W", y="Var", references=VAR_REFERENCES),
    _F.FREQ_DROOP: Shape(number=711, rows="Ctl", request="AdptCtlReq", result="AdptCtlRslt", reversion="RvrtCtl"),
    **_trips(707, "LVRT", "V"),
    **_trips(708, "HVRT", "V"),
    **_trips(709, "LFRT", "Hz"),
    **_trips(710, "HFRT", "Hz"),
}


class Imprecise(Exception):
    """The device's scale factors cannot hold a number."""


def known(find: Find) -> int:
    """What the device can be told: bits of ``GridFunction``."""
    return mask_of(_known(find))


def _known(find: Find) -> Iterator[GridFunction]:
    for function, shape in SHAPES.items():
        rows = [] if (model := find(shape.number)) is None else getattr(model, shape.rows)
        if len(rows) > WORK and rows[WORK].ReadOnly.value == READ_WRITE:
            yield function
    if (controls := find(CONTROLS)) is not None:
        for function, prefix in POWER_FACTORS.items():
            if _has(controls, f"{prefix}Ena") and _has(controls, f"{prefix}RvrtTms"):
                yield function
        if _has(controls, "VarSetEna") and _has(controls, "VarSetRvrtTms"):
            yield from (one for one, point in VAR_POINTS.items() if _has(controls, point))


class GridModels:
    """Of one device; its methods wait."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._kept: set[int] = set()
        """Models in which what the device did by itself is in the last place."""

    def adjust(self, function: GridFunction, support: GridSupport | None, lasts_s: int, *, held: bool) -> Reason:
        """Set it, for so long, or let it go. ``held``: the device may be set by us, though we do not remember it."""
        shape = SHAPES.get(function)
        model = self._find(CONTROLS if shape is None else shape.number)
        if model is None or not known(self._find) >> function & 1:
            return Reason.UNSUPPORTED_MODE
        model.read()
        try:
            if shape is None:
                return _let_go(model, function) if support is None else _set(model, support, lasts_s)
            is_ours = shape.number in self._kept or (held and _is_ours(model, shape))
            if support is None:
                return self._release(model, shape) if is_ours else Reason.NONE
            if not is_ours and not _keep(model, shape):
                return Reason.UNSUPPORTED_MODE
            self._kept.add(shape.number)
            return _adopt_ours(model, shape, support, lasts_s)
        except Imprecise:
            return Reason.OUT_OF_RANGE

    def _release(self, model: Any, shape: Shape) -> Reason:
        """Back to what the device did by itself; of trips, in this part."""
        rows = getattr(model, shape.rows)
        if shape.part:
            _copy(rows[0], rows[WORK])
            _copy(getattr(rows[-1], shape.part), getattr(rows[WORK], shape.part))
            if _content(rows[WORK]) != _content(rows[-1]):
                return _adopt(model, shape, OURS)
        self._kept.discard(shape.number)
        if not shape.part and _has(model, shape.reversion) and not getattr(model, shape.reversion).value:
            model.Ena.value = DISABLED
            model.write()
            return Reason.NONE
        return _adopt(model, shape, len(rows))


# -- curves, trips and droop -----------------------------------------------------------


def _is_ours(model: Any, shape: Shape) -> bool:
    rows = getattr(model, shape.rows)
    return _content(rows[0]) == _content(rows[WORK])


def _keep(model: Any, shape: Shape) -> bool:
    """Put what the device does by itself in the last place, and have it revert to that; whether there is one."""
    rows = getattr(model, shape.rows)
    has_own = bool(shape.part) or model.Ena.value == ENABLED
    if has_own and len(rows) < OWN_PLACES_MIN:
        return False
    if has_own:
        _copy(rows[0], rows[-1])
    if _has(model, shape.reversion):
        getattr(model, shape.reversion).value = len(rows) if has_own else 0
    model.write()
    return True


def _adopt_ours(model: Any, shape: Shape, support: GridSupport, lasts_s: int) -> Reason:
    rows = getattr(model, shape.rows)
    work = rows[WORK]
    _copy(rows[0], work)
    if support.droop is not None:
        _write_droop(work, support.droop)
    elif support.curve is not None and not _write_curve(work, shape, support.curve):
        return Reason.OUT_OF_RANGE
    if _has(model, "RvrtTms"):
        model.RvrtTms.value = lasts_s
    model.write()
    reason = _adopt(model, shape, OURS)
    if reason is Reason.NONE and model.Ena.value != ENABLED:
        model.Ena.value = ENABLED
        model.write()
    return reason


def _adopt(model: Any, shape: Shape, place: int) -> Reason:
    """Ask the device to do what is in that place, and wait until it does; OUT_OF_RANGE if it will not.

    Interpretation: the result may be that of the last time until the device has looked, so what it does counts too.
    """
    getattr(model, shape.request).value = place
    model.write()
    for _ in range(ADOPT_LOOKS):
        time.sleep(ADOPT_LOOK_S)
        model.read()
        rows, result = getattr(model, shape.rows), getattr(model, shape.result).value
        if result == COMPLETED and _content(rows[0]) == _content(rows[place - 1]):
            return Reason.NONE
    return Reason.OUT_OF_RANGE if result in {COMPLETED, FAILED} else Reason.UNREACHABLE


def _write_curve(work: Any, shape: Shape, curve: Curve) -> bool:
    """Whether the model has the words for it."""
    place = getattr(work, shape.part) if shape.part else work
    if len(curve.points) > len(place.Pt) or (shape.references and curve.reference not in shape.references):
        return False
    place.ActPt.value = len(curve.points)
    for point, one in zip(place.Pt, curve.points, strict=False):
        _write(getattr(point, shape.x), one.x)
        _write(getattr(point, shape.y), one.y)
    if shape.references and curve.reference is not None:
        place.DeptRef.value = shape.references[curve.reference]
    if curve.open_loop_s is not None and "RspTms" in place.points:
        _write(place.RspTms, curve.open_loop_s)
    if "VRef" in place.points and _has(place, "VRef"):
        _write(place.VRef, WHOLE_PERCENT if curve.v_ref_percent is None else curve.v_ref_percent)
    if "VRefAutoEna" in place.points and _has(place, "VRefAutoEna"):
        # 2030.5: who cannot follow the voltage by itself follows the curve without.
        place.VRefAutoEna.value = ENABLED if curve.v_ref_autonomous else DISABLED
        if curve.v_ref_time_constant_s is not None:
            place.VRefAutoTms.value = round(curve.v_ref_time_constant_s)
    return True


def _write_droop(work: Any, droop: Droop) -> None:
    for point, value in (
        (work.DbOf, droop.over_deadband_hz), (work.DbUf, droop.under_deadband_hz), (work.KOf, droop.over_slope),
        (work.KUf, droop.under_slope), (work.RspTms, droop.open_loop_s),
    ):  # fmt: skip
        _write(point, value)


def _copy(source: Any, target: Any) -> None:
    """What is implemented of it, point by point."""
    for name, point in source.points.items():
        if name not in NOT_COPIED and point.value is not None:
            getattr(target, name).value = point.value
    for name, groups in source.groups.items():
        pairs = (
            zip(groups, getattr(target, name), strict=True)
            if isinstance(groups, list)
            else [(groups, getattr(target, name))]
        )
        for mine, theirs in pairs:
            _copy(mine, theirs)


def _content(row: Any) -> dict[str, Any]:
    """What a place says, without who may write it."""
    return {name: value for name, value in row.get_dict().items() if name not in NOT_COPIED}


# -- 704 -------------------------------------------------------------------------------


def _set(controls: Any, support: GridSupport, lasts_s: int) -> Reason:
    """A power factor, or vars, with their timers."""
    if support.power_factor is not None:
        prefix, factor = POWER_FACTORS[support.function], support.power_factor
        group = getattr(controls, prefix)
        _write(group.PF, factor.displacement)
        group.Ext.value = UNDER_EXCITED if factor.absorbs else OVER_EXCITED
    else:
        prefix = "VarSet"
        mode = _var_mode(support.var_share)
        if mode is None:
            return Reason.OUT_OF_RANGE
        controls.VarSetMod.value = mode
        if support.var_share is not None:
            _write(controls.VarSetPct, support.var_share.percent)
        elif support.power_var is not None:
            _write(controls.VarSet, support.power_var)
    if _has(controls, f"{prefix}EnaRvrt"):
        getattr(controls, f"{prefix}EnaRvrt").value = DISABLED
    getattr(controls, f"{prefix}RvrtTms").value = lasts_s
    controls.write()
    getattr(controls, f"{prefix}Ena").value = ENABLED
    controls.write()
    return Reason.NONE


def _let_go(controls: Any, function: GridFunction) -> Reason:
    prefix = POWER_FACTORS.get(function, "VarSet")
    is_another = prefix == "VarSet" and (controls.VarSetMod.value == VARS) != (function is GridFunction.TARGET_VAR)
    if not is_another:
        getattr(controls, f"{prefix}Ena").value = DISABLED
        controls.write()
    return Reason.NONE


def _var_mode(share: VarShare | None) -> int | None:
    return VARS if share is None else VAR_REFERENCES.get(share.reference)


# -- points ----------------------------------------------------------------------------


def _has(group: Any, point: str) -> bool:
    """Whether the device has implemented it."""
    return getattr(group, point, None) is not None and getattr(group, point).value is not None


def _write(point: Any, value: float) -> None:
    point.cvalue = value
    if abs(float(point.cvalue) - value) > PRECISION * max(1.0, abs(value)):
        raise Imprecise(point.pdef["name"])
