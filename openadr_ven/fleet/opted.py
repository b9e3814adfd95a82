"""Which devices opt schedules take out: the rules of ``openadr_core.model.availability`` over columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from openadr_core.model.availability import OptRules, OptSchedule, Precedence
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_ven.fleet.columns import Fleet, Mask
from openadr_ven.fleet.naming import rows_in

SILENT = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoken:
    """Who speaks for each device under one program; made once, and asked each round."""

    schedules: tuple[OptSchedule, ...]
    newest: Mapping[OptType, NDArray[np.int32]]
    """By type and row: the place of the one schedule that speaks for it, or SILENT (2.0b R203)."""


def spoken(fleet: Fleet, schedules: Sequence[OptSchedule], *, market_context: str, fleet_name: str) -> Spoken:
    """``schedules`` in the order in which they were said; ``market_context`` normalised."""
    newest = {opt_type: np.full(fleet.size, SILENT, dtype=np.int32) for opt_type in OptType}
    for place, schedule in enumerate(schedules):
        if schedule.scope.market_context in {"", market_context}:
            newest[schedule.opt_type][rows_in(fleet, schedule.scope, fleet_name=fleet_name)] = place
    return Spoken(schedules=tuple(schedules), newest=newest)


def opted_out(said: Spoken, rules: OptRules, at: datetime) -> Mask:
    """The devices that are out at this moment."""
    # One entry more, at the place that SILENT means: it says nothing.
    says = np.array([*(schedule.says(at) for schedule in said.schedules), False], dtype=np.bool_)
    into, out = said.newest[OptType.IN], said.newest[OptType.OUT]
    is_in, is_out = says[into], says[out]
    both = is_in & is_out
    wins_out = out > into if rules.precedence is Precedence.NEWEST else rules.precedence is Precedence.OPT_OUT
    result: Mask = (is_out & ~is_in) | (both & wins_out)
    if rules.default is OptType.OUT:
        result |= ~is_in & ~is_out
    return result


def qualified_out(fleet: Fleet, said: Sequence[Qualification], out: Mask, *, fleet_name: str) -> Mask:
    """The devices that are out of one event: ``out`` by schedule, but for what was said to the event (2.0b R206)."""
    result = out.copy()
    for one in said:
        result[rows_in(fleet, one.scope, fleet_name=fleet_name)] = one.opt_type is OptType.OUT
    return result
