"""Answers to what only OpenADR 3 says: limits, words for people, reports alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.model.event import Alert, DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_ven.application.heeding import Heeding
from openadr_ven.dispatch.guard import CAUTIOUS
from openadr_ven.domain.alerting import conditions_at
from openadr_ven.domain.held import Condition, HeldEvent
from openadr_ven.domain.indications import EventChanged, EventReceived
from openadr_ven.domain.opt_policy import OptPolicy, decide

NOON = datetime(2030, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def event_of(*signals: Signal, not_read: tuple[str, ...] = (), alerts: tuple[Alert, ...] = ()) -> DrEvent:
    return DrEvent(
        id="e", program_id="p", market_context="urn:p", version=0, starts_at=NOON, duration=HOUR, signals=signals,
        created_at=NOON, modified_at=NOON, not_read=not_read, alerts=alerts,
    )  # fmt: skip


LIMIT = Signal(id="l", kind=SignalKind.IMPORT_LIMIT, intervals=(SignalInterval(duration=HOUR, value=5e3),))
FIRE = Alert(kind="ALERT_FIRE", text="leave the valley", starts_at=NOON, ends_at=NOON + HOUR)


@pytest.mark.parametrize(
    ("event", "opt_type", "reason"),
    [
        (event_of(LIMIT), OptType.IN, ""),
        (event_of(), OptType.IN, ""),
        (event_of(alerts=(FIRE,)), OptType.IN, ""),
        (event_of(alerts=(FIRE,), not_read=("GHG: no",)), OptType.IN, "not followed: GHG: no"),
        (event_of(not_read=("GHG: no", "CURVE: no")), OptType.OUT, "this fleet cannot act on GHG: no; CURVE: no"),
        (event_of(LIMIT, not_read=("GHG: no",)), OptType.IN, "not followed: GHG: no"),
    ],
)
def test_the_answer_says_what_is_followed(event: DrEvent, opt_type: OptType, reason: str) -> None:
    opt = decide(OptPolicy(refuse_breaches=False), event, breaches=(), now=NOON)
    assert (opt.opt_type, opt.reason) == (opt_type, reason)


def test_batteries_are_kept_while_an_alert_of_a_storm_lasts() -> None:
    opt = Opt(event_id="e", version=0, opt_type=OptType.IN, at=NOON)
    warned = HeldEvent(event=event_of(alerts=(FIRE,)), opt=opt, received_at=NOON)
    flex = replace(warned, event=event_of(alerts=(replace(FIRE, kind="ALERT_FLEX_ALERT"),)))
    out = replace(warned, opt=replace(opt, opt_type=OptType.OUT))
    called_off = replace(warned, event=replace(warned.event, cancelled_at=NOON))
    assert conditions_at((), [warned], NOON) == {Condition.STORM}
    assert conditions_at((), [warned], NOON - HOUR) == conditions_at((), [warned], NOON + HOUR) == frozenset()
    assert conditions_at((), [flex, out, called_off], NOON) == frozenset()
    assert conditions_at((Condition.STORM,), [], NOON) == {Condition.STORM}


@pytest.mark.openadr3("R7.13")
def test_an_alert_is_an_alarm_once() -> None:
    heeding = Heeding(CAUTIOUS)
    event = event_of(alerts=(FIRE,))
    (first,) = (
        one for one in heeding.take([EventReceived(event=event, delay_fraction=0)], now=NOON).notices if one.alarm
    )
    assert first.text == "ALERT_FIRE: leave the valley (2030-07-01 12:00 to 2030-07-01 13:00 UTC)"
    more = replace(event, version=1, alerts=(FIRE, replace(FIRE, text="come back")))
    changed = heeding.take([EventChanged(event=more, delay_fraction=0)], now=NOON).notices
    assert [one.text.split(" (")[0] for one in changed if one.alarm] == ["ALERT_FIRE: come back"]
