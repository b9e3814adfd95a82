"""The safety envelope: the last word on watts, which nothing that a VTN sends can widen.

``admit`` stands between what is wanted and what is planned. It is a pure function on whole watts,
called about once a second for as long as the agent lives, also when nothing is wanted; its state is
stored with each round, so a restart continues where it stopped. What comes out of it obeys every
limit for every sequence of calls: wrong events, cancelled ones, a clock that jumps.

Two things are not decided here, because they need devices: the floor of the state of charge and the
limit per feeder, which ``plan_round`` takes from the same ``Envelope``.
"""

from dataclasses import dataclass, replace
from enum import Enum

HOUR_MS = 3_600_000
DAY_MINUTES = 1_440

CREDIT_MAX_MS = 2_000
"""Time that one call may turn into ramp. A stalled process, or a clock set forward, earns no leap."""


class OnBreach(Enum):
    """What becomes of an event beyond the envelope."""

    CLAMP = "clamp"
    """It is followed as far as the envelope goes."""
    REFUSE = "refuse"
    """It is not followed at all: what it wants counts as nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The limits of one fleet, chosen by its operator. The explanations below are for the same reader."""

    event_max_w: int
    ramp_w_per_s: int
    release_ramp_w_per_s: int
    step_max_w: int
    reversals_per_hour: int
    reversal_deadband_w: int
    notice_min_s: int = 0
    window_start_minute: int = 0
    window_end_minute: int = DAY_MINUTES
    soc_floor: float = 0.2
    feeder_max_w: int | None = None
    on_breach: OnBreach = OnBreach.CLAMP


EXPLANATIONS: dict[str, str] = {
    "event_max_w": "the most relief, or extra load, that all events together may ask of the fleet",
    "ramp_w_per_s": "how fast relief may grow",
    "release_ramp_w_per_s": "how fast relief may end, also on cancel and Stop: the load comes back this slowly "
    "(if the agent itself dies and stays dead, leases end by themselves, together)",
    "step_max_w": "the largest change between two rounds (about a second), whatever the ramp allows",
    "reversals_per_hour": "how often relief may turn from growing to shrinking or back: an attacker who can "
    "switch load on and off in rhythm can shake a grid; two are one event, out and back",
    "reversal_deadband_w": "changes smaller than this are corrections, not reversals",
    "notice_min_s": "nothing is asked of devices sooner than this after the event was first seen",
    "window_start_minute": "events act only from this minute of the day (UTC) …",
    "window_end_minute": "… to this one; 0 and 1440 mean the whole day",
    "soc_floor": "no battery or vehicle is discharged below this share of its capacity, whoever asks",
    "feeder_max_w": "the most relief below any one feeder; empty for no limit",
    "on_breach": "'clamp': an event beyond the envelope is followed as far as it goes; 'refuse': not at all",
}
"""What each limit means, for the operator who must choose it."""

CAUTIOUS = Envelope(
    event_max_w=1_000_000,
    ramp_w_per_s=50_000,
    release_ramp_w_per_s=20_000,
    step_max_w=100_000,
    reversals_per_hour=4,
    reversal_deadband_w=50_000,
    notice_min_s=60,
    soc_floor=0.3,
)
"""Where to start with an unknown fleet: a megawatt, reached in 20 s, after a minute's notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """What the guard remembers. All integers: a record of it is exact."""

    allowed_w: int = 0
    seen_ms: int | None = None
    """Our clock at the last call, in milliseconds since 1970."""
    elapsed_ms: int = 0
    """The guard's own time, which only grows: reversals are dated by it."""
    growing: bool | None = None
    """Which way relief last moved by more than the deadband; None before it ever did."""
    extreme_w: int = 0
    """The largest relief since it grows, or the smallest since it shrinks (magnitude)."""
    side: int = 0
    """1 or -1: whether relief or extra load was last given; 0 before either ever was."""
    turned_ms: tuple[int, ...] = ()
    """Reversals of the last hour, in the guard's own time."""
    wanted_since_ms: int | None = None
    """When something was first wanted, in the guard's own time; None while nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be asked of the fleet now, and the state for the next call."""

    allowed_w: int
    state: GuardState
    tripped: tuple[str, ...]
    """Limits that made ``allowed_w`` differ from what was wanted, by their field in ``Envelope``."""


def admit(
    envelope: Envelope, state: GuardState, wanted_w: int, now_s: float, *, known_since_s: float | None = None
) -> Verdict:
    """How much of ``wanted_w`` (relief; negative for extra load) the fleet may be asked for now.

    ``known_since_s`` is when the event was first seen; without it, notice runs from the first call
    that wanted anything.
    """
    now_ms = round(now_s * 1000)
    passed_ms = 0 if state.seen_ms is None else max(0, now_ms - state.seen_ms)
    state = replace(state, seen_ms=now_ms, elapsed_ms=state.elapsed_ms + passed_ms)
    state = _with_notice(state, wanted_w, now_ms, known_since_s)
    goal_w, tripped = _goal(envelope, state, wanted_w, now_ms)
    allowed_w, slowed = _ramped(envelope, state.allowed_w, goal_w, min(passed_ms, CREDIT_MAX_MS))
    state = replace(state, turned_ms=tuple(at for at in state.turned_ms if at > state.elapsed_ms - HOUR_MS))
    held_w = _without_new_excursion(envelope, state, allowed_w)
    if held_w != allowed_w:
        slowed = (*slowed, "reversals_per_hour")
    return Verdict(allowed_w=held_w, state=_moved(envelope, state, held_w), tripped=(*tripped, *slowed))


def after_absence(state: GuardState, now_s: float) -> GuardState:
    """The guard's own time has gone on without it; an absence earns no ramp."""
    now_ms = round(now_s * 1000)
    away_ms = 0 if state.seen_ms is None else max(0, now_ms - state.seen_ms)
    return replace(state, seen_ms=now_ms, elapsed_ms=state.elapsed_ms + away_ms)


def beside_leases(envelope: Envelope, allowed_w: int, leased_w: float) -> float:
    """What may be asked of devices in reach while others, out of reach, may still follow leases of ``leased_w``.

    A device that is cut off goes on to the end of its lease. Whoever takes over its part before then does so only
    within what the envelope allows for all of them together.
    """
    room_w = max(envelope.event_max_w - abs(leased_w), 0.0)
    return float(_signed(1, allowed_w)) * min(float(abs(allowed_w)), room_w)


def breaches(
    envelope: Envelope, *, peak_w: int, notice_s: float, starts_s: float, duration_s: float
) -> tuple[str, ...]:
    """Which limits an event would break, before it is answered; names of fields of ``Envelope``."""
    found = []
    if abs(peak_w) > envelope.event_max_w:
        found.append("event_max_w")
    if notice_s < envelope.notice_min_s:
        found.append("notice_min_s")
    if not (_in_window(envelope, starts_s) and _in_window(envelope, starts_s + max(0.0, duration_s - 60.0))):
        found.append("window_start_minute")
    return tuple(found)


def _with_notice(state: GuardState, wanted_w: int, now_ms: int, known_since_s: float | None) -> GuardState:
    if wanted_w == 0:
        return replace(state, wanted_since_ms=None)
    if known_since_s is not None:
        age_ms = max(0, now_ms - round(known_since_s * 1000))
        return replace(state, wanted_since_ms=state.elapsed_ms - age_ms)
    return state if state.wanted_since_ms is not None else replace(state, wanted_since_ms=state.elapsed_ms)


def _goal(envelope: Envelope, state: GuardState, wanted_w: int, now_ms: int) -> tuple[int, tuple[str, ...]]:
    """What is wanted, as far as its size and its moment are allowed."""
    if wanted_w == 0:
        return 0, ()
    if not _in_window(envelope, now_ms / 1000):
        return 0, ("window_start_minute",)
    since_ms = state.elapsed_ms if state.wanted_since_ms is None else state.wanted_since_ms
    if state.elapsed_ms - since_ms < envelope.notice_min_s * 1000:
        return 0, ("notice_min_s",)
    if abs(wanted_w) <= envelope.event_max_w:
        return wanted_w, ()
    if envelope.on_breach is OnBreach.REFUSE:
        return 0, ("event_max_w",)
    return _signed(envelope.event_max_w, wanted_w), ("event_max_w",)


def _in_window(envelope: Envelope, at_s: float) -> bool:
    minute = int(at_s // 60) % DAY_MINUTES
    start, end = envelope.window_start_minute, envelope.window_end_minute
    return start <= minute < end if start <= end else minute >= start or minute < end


def _ramped(envelope: Envelope, from_w: int, goal_w: int, credit_ms: int) -> tuple[int, tuple[str, ...]]:
    """As far towards the goal as ramps and step allow. A change of sign stops at zero for a round."""
    if from_w and goal_w and (from_w > 0) != (goal_w > 0):
        goal_w = 0
    shrinking = abs(goal_w) < abs(from_w)
    rule = "release_ramp_w_per_s" if shrinking else "ramp_w_per_s"
    reach_w: int = getattr(envelope, rule) * credit_ms // 1000
    if reach_w > envelope.step_max_w:
        rule, reach_w = "step_max_w", envelope.step_max_w
    change_w = goal_w - from_w
    if abs(change_w) <= reach_w:
        return goal_w, ()
    return from_w + _signed(reach_w, change_w), (rule,)


def _without_new_excursion(envelope: Envelope, state: GuardState, allowed_w: int) -> int:
    """Hold where growth would begin an excursion whose return the hour no longer has room for.

    Shrinking is never refused: whatever happened before, the fleet can be let go.
    """
    room = envelope.reversals_per_hour - len(state.turned_ms)
    if _crosses(state, allowed_w) and room < 2:
        return 0
    if state.growing or room >= (1 if state.growing is None else 2):
        return allowed_w
    ceiling_w = max(state.extreme_w + envelope.reversal_deadband_w, abs(state.allowed_w))
    return _signed(min(abs(allowed_w), ceiling_w), allowed_w)


def _moved(envelope: Envelope, state: GuardState, allowed_w: int) -> GuardState:
    """Remember the move, and whether it turned."""
    size_w = abs(allowed_w)
    crossed = _crosses(state, allowed_w)
    side = _signed(1, allowed_w) if allowed_w else state.side
    state = replace(state, allowed_w=allowed_w, side=side)
    if crossed:
        return replace(state, growing=True, extreme_w=size_w, turned_ms=(*state.turned_ms, state.elapsed_ms))
    if state.growing is None:
        return replace(state, growing=True, extreme_w=size_w) if size_w > envelope.reversal_deadband_w else state
    leading = max if state.growing else min
    extreme_w = leading(state.extreme_w, size_w)
    if abs(size_w - extreme_w) <= envelope.reversal_deadband_w:
        return replace(state, extreme_w=extreme_w)
    turned_ms = (*state.turned_ms, state.elapsed_ms)
    return replace(state, growing=not state.growing, extreme_w=size_w, turned_ms=turned_ms)


def _crosses(state: GuardState, allowed_w: int) -> bool:
    """Whether relief becomes extra load, or the other way round: a turn, however small."""
    return state.side * allowed_w < 0


def _signed(size_w: int, like_w: int) -> int:
    return -size_w if like_w < 0 else size_w
