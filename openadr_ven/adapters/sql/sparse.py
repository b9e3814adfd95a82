"""Columns of the fleet as their rows in the store have them: without the devices that have nothing in them.

Most follow no setpoint, and most were not asked for anything yet. Which have something another column says, that is
stored whole. Columns that earlier versions stored whole are as long as their fleet, and are taken as they are.
"""

from dataclasses import replace

import numpy as np

from openadr_ven.domain.held import Round, UsedTerms
from openadr_ven.fleet.columns import Mask, Mode


def packed_round(made: Round) -> Round:
    """Setpoints of those alone that follow one."""
    return replace(made, setpoint_w=_packed(made.setpoint_w, _follow(made)))


def whole_round(stored: Round) -> Round:
    return replace(stored, setpoint_w=_whole(stored.setpoint_w, _follow(stored)))


def packed_usage(used: UsedTerms) -> UsedTerms:
    """Seconds of those alone that were in an event this season: nobody else has any."""
    took_part = _took_part(used)
    return replace(used, event_s=_packed(used.event_s, took_part), season_s=_packed(used.season_s, took_part))


def whole_usage(stored: UsedTerms) -> UsedTerms:
    took_part = _took_part(stored)
    return replace(stored, event_s=_whole(stored.event_s, took_part), season_s=_whole(stored.season_s, took_part))


def _follow(made: Round) -> Mask:
    return np.asarray(np.frombuffer(made.mode, dtype=np.uint8) == Mode.SETPOINT)


def _took_part(used: UsedTerms) -> Mask:
    return np.asarray(np.frombuffer(used.season_events, dtype=np.uint16) != 0)


def _packed(column: bytes, present: Mask) -> bytes:
    return bytes(np.frombuffer(column, dtype=np.float32)[present].data)


def _whole(stored: bytes, present: Mask) -> bytes:
    values = np.frombuffer(stored, dtype=np.float32)
    if values.size == present.size:
        return stored
    column = np.zeros(present.size, dtype=np.float32)
    column[present] = values
    return column.tobytes()
