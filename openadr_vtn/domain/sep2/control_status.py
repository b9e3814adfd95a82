"""How the controls of one IEEE 2030.5 program stand at a moment: derived from the time, never stored.

EventStatus of the standard: 0 scheduled, 1 active, 2 cancelled, 3 cancelled with randomisation,
4 superseded. Times are whole seconds of the server's clock (UTC epoch). A control stays listed until
its latest possible end, whatever became of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openadr_core.sep2.names import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What decides over a control's status; published, it is never changed, only cancelled."""

    mrid: str
    creation_time: int
    start: int
    duration_s: int
    asks: frozenset[str]
    """The modes that it sets (DERControl), or the kinds of reduction (EndDeviceControl)."""
    categories: frozenset[int] = frozenset()
    """Bits of deviceCategory that it is for; none: all."""
    randomize_start_s: int = 0
    """Each device begins so much later at most; earlier, if it is below zero."""
    randomize_duration_s: int = 0
    cancelled_at: int | None = None
    cancelled_randomly: bool = False

    @property
    def earliest_start(self) -> int:
        return self.start + min(0, self.randomize_start_s)

    @property
    def latest_end(self) -> int:
        return self.start + self.duration_s + max(0, self.randomize_start_s) + max(0, self.randomize_duration_s)

    @property
    def is_random(self) -> bool:
        """Whether devices vary when it begins, or how long it lasts."""
        return bool(self.randomize_start_s or self.randomize_duration_s)

    @property
    def begins_at(self) -> int:
        """When it can first be acted on: one that is made after its start is active at once."""
        return max(self.earliest_start, self.creation_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    status: Status
    since: int
    """The moment of the change; never in the future."""
    potentially_superseded_at: int | None = None
    """Since when a later control asks for some of the same of some of the same devices, at the same time."""


def standings(controls: Iterable[Control], now: int) -> Mapping[str, Standing]:
    """Those that are listed at ``now``, by mRID.

    Interpretation: a control supersedes an earlier one of its program if it asks for all that the
    other asks for, of all the devices that the other is for; the words "the same control set" leave
    open what a greater set does, and nothing of the other would be left. If it asks for some of it,
    the other is potentially superseded. What has been superseded does not come back when its
    superseder is cancelled.
    """
    return {mrid: one for cluster in _clusters(controls) for mrid, one in _standings(cluster, now)}


def _clusters(controls: Iterable[Control]) -> Iterator[list[Control]]:
    """No control of one is at the same time as one of another: a day of them, end to end, is looked at one by one."""
    cluster: list[Control] = []
    ends_at = 0
    for control in sorted(controls, key=lambda one: one.earliest_start):
        if cluster and control.earliest_start >= ends_at:
            yield cluster
            cluster = []
        ends_at = max(ends_at, control.latest_end) if cluster else control.latest_end
        cluster.append(control)
    if cluster:
        yield cluster


def _standings(controls: Iterable[Control], now: int) -> Iterator[tuple[str, Standing]]:
    superseded_at: dict[str, int] = {}
    later: list[Control] = []
    for control in sorted(controls, key=lambda one: (one.creation_time, one.mrid), reverse=True):
        rivals = [one for one in later if one.creation_time <= now and _overlap(one, control)]
        ends = [one.begins_at for one in rivals if _covers(one, control) and _comes_to_act(one, superseded_at)]
        if ends:
            superseded_at[control.mrid] = max(min(ends), control.creation_time)
        later.append(control)
        if control.creation_time <= now < control.latest_end:
            yield control.mrid, _standing(control, rivals, superseded_at.get(control.mrid), now)


def next_change(controls: Sequence[Control], now: int) -> int | None:
    """The first moment after ``now`` at which the standing of one may be another; None if none will.

    Until then whatever was written about them holds.
    """
    moments = (
        moment
        for control in controls
        for moment in (control.creation_time, control.begins_at, control.latest_end, control.cancelled_at)
        if moment is not None and moment > now
    )
    return min(moments, default=None)


def _standing(control: Control, rivals: Sequence[Control], superseded_at: int | None, now: int) -> Standing:
    partly = [one.creation_time for one in rivals if _shares(one, control) and not _covers(one, control)]
    marked = min(partly, default=None)
    ended = _ended(control, superseded_at, now)
    if ended is not None:
        return Standing(status=ended[0], since=ended[1], potentially_superseded_at=marked)
    if control.begins_at <= now:
        return Standing(status=Status.ACTIVE, since=control.begins_at, potentially_superseded_at=marked)
    return Standing(status=Status.SCHEDULED, since=control.creation_time, potentially_superseded_at=marked)


def _ended(control: Control, superseded_at: int | None, now: int) -> tuple[Status, int] | None:
    """What ended it first, and when; None if nothing has yet."""
    cancelled_at = control.cancelled_at
    if superseded_at is not None and superseded_at <= now and (cancelled_at is None or superseded_at < cancelled_at):
        return Status.SUPERSEDED, superseded_at
    if cancelled_at is None or cancelled_at > now:
        return None
    is_random = control.cancelled_randomly and control.is_random
    return (Status.CANCELLED_WITH_RANDOMISATION if is_random else Status.CANCELLED), cancelled_at


def _comes_to_act(control: Control, superseded_at: Mapping[str, int]) -> bool:
    """Whether it is still wanted when it begins."""
    was_cancelled = control.cancelled_at is not None and control.cancelled_at <= control.begins_at
    return not was_cancelled and superseded_at.get(control.mrid, control.begins_at + 1) > control.begins_at


def _overlap(one: Control, other: Control) -> bool:
    return one.begins_at < other.latest_end and other.earliest_start < one.latest_end


def _covers(one: Control, other: Control) -> bool:
    same_devices = not one.categories or (bool(other.categories) and one.categories >= other.categories)
    return same_devices and one.asks >= other.asks


def _shares(one: Control, other: Control) -> bool:
    same_devices = not one.categories or not other.categories or not one.categories.isdisjoint(other.categories)
    return same_devices and not one.asks.isdisjoint(other.asks)
