"""The edge against the contract's words for grid support: applied once, in order, and let go of at the end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference, mask_of
from openadr_ven.gateways.contract import AckState, Reason, SupportAckFrame, SupportFrame
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, Reading
from openadr_ven.gateways.edge.support import COMPLETED, RECEIVED, RETRY, SAYS_AGAIN_EVERY, STARTED, Support

VOLT_VAR, WATT_VAR = GridFunction.VOLT_VAR, GridFunction.WATT_VAR
SLOTS = {"a": 0, "b": 4}


def second(count: float) -> timedelta:
    return timedelta(seconds=count)


def curve(y: float = 44.0, function: GridFunction = VOLT_VAR) -> GridSupport:
    points = (CurvePoint(x=92.0, y=y), CurvePoint(x=108.0, y=-y))
    return GridSupport(function=function, curve=Curve(points=points, reference=Reference.MAX_VAR))


def frame(
    now: datetime, sequence: int = 1, *, support: GridSupport | None = None, release: bool = False,
    function: GridFunction = VOLT_VAR, slots: Sequence[int] = (0, 4), after_s: float = 0.0, lasts_s: float = 600.0,
    event_id: str = "e",
) -> SupportFrame:  # fmt: skip
    start = now + second(after_s)
    wanted = None if release else support or curve(function=function)
    return SupportFrame(
        gateway="g", event_id=event_id, event_version=0, sequence=sequence, issued_at=now, start=start,
        end=start + second(lasts_s), slots=np.array(slots, dtype=np.uint16), function=function, support=wanted,
    )  # fmt: skip


def hear(
    support: Support, now: datetime, *, online: bool = True, functions: Sequence[GridFunction] = (VOLT_VAR,)
) -> None:
    mask = mask_of(functions)
    support.hear(Reading(device_id=one, at=now, power_w=0.0, online=online, functions=mask) for one in SLOTS)


def ready(now: datetime) -> Support:
    support = Support("g", SLOTS)
    hear(support, now)
    return support


def said(acks: Sequence[SupportAckFrame]) -> list[tuple[tuple[AckState, Reason], tuple[int, ...]]]:
    return [((one.state, one.reason), tuple(one.slots.tolist())) for one in acks]


def done(
    support: Support, told: Sequence[Adjustment], now: datetime, reason: Reason = Reason.NONE
) -> list[SupportAckFrame]:
    return support.settled([Adjusted(adjustment=one, reason=reason) for one in told], now)


def test_started_is_said_when_the_device_is_set_so(now: datetime) -> None:
    support = ready(now)
    assert said(support.receive(frame(now), now)) == [(RECEIVED, (0, 4))]
    told = support.due(now)
    assert [(one.device_id, one.support, one.until) for one in sorted(told, key=lambda one: one.device_id)] == [
        ("a", curve(), now + second(600)), ("b", curve(), now + second(600)),
    ]  # fmt: skip
    assert support.due(now) == [], "one at a time"
    assert said(support.tick(now)) == [], "nothing is said of what is under way"
    assert said(done(support, told, now)) == [(STARTED, (0, 4))]
    assert said(support.receive(frame(now), now)) == [(STARTED, (0, 4))], "said again when asked"
    assert support.due(now + second(1)) == []


def test_what_is_late_or_unknown_is_refused_and_undoes_nothing(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now, 5), now)
    done(support, support.due(now), now)
    assert said(support.receive(frame(now, 4, support=curve(10.0)), now)) == [
        ((AckState.REJECTED, Reason.SUPERSEDED), (0, 4))
    ]
    assert said(support.receive(frame(now, 5, event_id="other"), now)) == [
        ((AckState.REJECTED, Reason.SUPERSEDED), (0, 4))
    ]
    assert said(support.receive(frame(now, 6, lasts_s=0.0), now)) == [((AckState.REJECTED, Reason.EXPIRED), (0, 4))]
    assert said(support.receive(frame(now, 6, function=WATT_VAR), now)) == [
        ((AckState.REJECTED, Reason.UNSUPPORTED_MODE), (0, 4))
    ]
    assert said(support.receive(frame(now, 6, slots=(9,)), now)) == [((AckState.REJECTED, Reason.UNKNOWN_SLOT), (9,))]
    assert support.due(now) == []
    assert support.told() == {"a": (curve(),), "b": (curve(),)}


def test_functions_have_sequences_of_their_own(now: datetime) -> None:
    support = Support("g", SLOTS)
    hear(support, now, functions=(VOLT_VAR, WATT_VAR))
    support.receive(frame(now, 5), now)
    assert said(support.receive(frame(now, 4, function=WATT_VAR), now)) == [(RECEIVED, (0, 4))]
    assert len(support.due(now)) == 4


def test_at_the_end_the_device_is_back_and_completed_is_said_then(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    done(support, support.due(now), now)
    end = now + second(600)
    assert said(support.tick(end)) == []
    told = support.due(end)
    assert [one.support for one in told] == [None, None]
    assert said(done(support, told, end)) == [(COMPLETED, (0, 4))]
    assert support.due(end + second(60)) == []
    assert support.told() == {}


def test_a_release_is_a_frame_like_any_other(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    done(support, support.due(now), now)
    assert said(support.receive(frame(now, 2, release=True), now)) == [(RECEIVED, (0, 4))]
    assert said(done(support, support.due(now), now)) == [(COMPLETED, (0, 4))]
    assert said(support.receive(frame(now, 3, release=True), now)) == [(COMPLETED, (0, 4))], "nothing is held"


def test_what_begins_later_waits_and_what_is_held_goes_on_until_then(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    done(support, support.due(now), now)
    assert said(support.receive(frame(now, 2, support=curve(10.0), after_s=30.0), now)) == [(RECEIVED, (0, 4))]
    assert support.due(now) == []
    assert said(support.tick(now + second(30))) == []
    assert said(done(support, support.due(now + second(30)), now + second(30))) == [(STARTED, (0, 4))]
    assert support.told()["a"] == (curve(10.0),)


def test_what_a_device_refuses_is_rejected_dropped_and_the_old_setting_let_go(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    done(support, support.due(now), now)
    support.receive(frame(now, 2, support=curve(90.0)), now)
    refused = done(support, support.due(now), now, Reason.OUT_OF_RANGE)
    assert said(refused) == [((AckState.REJECTED, Reason.OUT_OF_RANGE), (0, 4))]
    assert [one.support for one in support.due(now)] == [None, None], "not what was asked before: its own default"


def test_a_lease_is_renewed_at_the_device_before_it_runs_out(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    done(support, support.due(now), now)
    assert said(support.receive(frame(now, 2, lasts_s=1_200.0), now)) == [(STARTED, (0, 4))]
    assert support.due(now + second(500)) == []
    assert {one.until for one in support.due(now + second(540))} == {now + second(1_200)}


def test_a_device_that_is_away_is_told_when_it_is_back(now: datetime) -> None:
    support = ready(now)
    hear(support, now, online=False)
    assert said(support.receive(frame(now), now)) == [(RECEIVED, (0, 4))]
    assert support.due(now) == []
    hear(support, now + second(5))
    told = support.due(now + second(5))
    assert said(done(support, told, now + second(5))) == [(STARTED, (0, 4))]
    hear(support, now + second(6), online=False)
    hear(support, now + second(7))
    assert [one.support for one in support.due(now + second(7))] == [curve(), curve()], "it may have forgotten it"


def test_one_that_does_not_answer_is_told_again_later(now: datetime) -> None:
    support = ready(now)
    support.receive(frame(now), now)
    assert said(done(support, support.due(now), now, Reason.UNREACHABLE)) == []
    assert support.due(now + RETRY / 2) == []
    assert len(support.due(now + RETRY)) == 2


def test_before_a_device_has_said_what_it_knows_it_is_unreachable(now: datetime) -> None:
    support = Support("g", SLOTS)
    assert said(support.receive(frame(now), now)) == [((AckState.REJECTED, Reason.UNREACHABLE), (0, 4))]


def test_what_devices_know_and_hold_is_said_when_it_changes_and_now_and_then(now: datetime) -> None:
    support = Support("g", SLOTS)
    assert support.ability(now) is None
    hear(support, now)
    first = support.ability(now)
    assert first is not None
    assert (first.sequence, first.rows.tolist()) == (0, [(0, 0, 1 << 23, 0), (4, 0, 1 << 23, 0)])
    assert support.ability(now + second(1)) is None
    support.receive(frame(now, 8, slots=(4,)), now)
    done(support, support.due(now), now)
    second_one = support.ability(now + second(2))
    assert second_one is not None
    assert (second_one.sequence, second_one.rows["holds"].tolist()) == (8, [0, 1 << 23])
    assert support.ability(now + second(3)) is None
    assert support.ability(now + second(2) + SAYS_AGAIN_EVERY) is not None


@pytest.mark.parametrize("was_answered", [True, False])
def test_over_a_restart_what_may_be_held_is_told_anew_or_let_go(now: datetime, was_answered: bool) -> None:
    before = ready(now)
    before.receive(frame(now), now)
    told = before.due(now)
    if was_answered:
        done(before, told, now)
    after = Support("g", SLOTS)
    after.restore(before.record())
    assert said(after.receive(frame(now), now)) == [(RECEIVED, (0, 4))], "known by its sequence"
    hear(after, now)
    assert [one.support for one in after.due(now)] == [curve(), curve()]
    over = Support("g", SLOTS)
    over.restore(before.record())
    end = now + second(601)
    hear(over, end)
    over.tick(end)
    assert [one.support for one in over.due(end)] == [None, None]
