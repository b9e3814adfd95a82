"""Which event the fleet follows, and for how much."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import SignalKind
from openadr_core.model.opt import OptType
from openadr_core.oadr2.market_context import normalised
from openadr_ven.application.asking import LEVELS, Ask, asked_w, asks_at, filled
from openadr_ven.domain.held import HeldEvent
from tests.ven.domain.test_held_events import HOUR, MINUTE, STARTS, an_event, held, relief

NOW = STARTS + MINUTE


def ask_at(events: Iterable[HeldEvent], now: datetime, *, act_on_tests: bool = False) -> Ask | None:
    """The first in precedence."""
    return next(iter(asks_at(events, now, act_on_tests=act_on_tests)), None)


def named(event_id: str, *, kind: SignalKind = SignalKind.RELIEF, priority: int | None = None) -> HeldEvent:
    event = replace(an_event(relief(1.0, kind=kind)), id=event_id, priority=priority)
    return held(event)


def test_watts_outrank_levels_whatever_their_priority() -> None:
    level = named("level", kind=SignalKind.LEVEL, priority=0)
    net, watts = named("net", kind=SignalKind.NET_POWER, priority=1), named("watts", priority=9)
    for events, expected in (((level, net, watts), "watts"), ((level, net), "net"), ((level,), "level")):
        ask = ask_at(events, NOW)
        assert ask is not None
        assert ask.held.event.id == expected


def test_among_equals_the_timeline_decides() -> None:
    ask = ask_at((named("b", priority=2), named("a", priority=1)), NOW)
    assert ask is not None
    assert ask.held.event.id == "a"


@pytest.mark.openadr20b("R31")
@pytest.mark.parametrize("now", [STARTS - MINUTE, STARTS + HOUR])
def test_before_and_after_nothing_is_asked(now: datetime) -> None:
    assert ask_at((named("a"),), now) is None


@pytest.mark.openadr20b("R30", "N6")
def test_a_delayed_event_begins_later() -> None:
    late = replace(named("a"), delay_fraction=0.5)
    late = replace(late, event=replace(late.event, start_after=10 * MINUTE))
    assert ask_at((late,), STARTS + 4 * MINUTE) is None
    ask = ask_at((late,), STARTS + 5 * MINUTE)
    assert ask is not None
    assert ask.since == STARTS + 5 * MINUTE


def test_an_event_that_came_late_counts_from_when_it_came() -> None:
    ask = ask_at((replace(named("a"), received_at=STARTS + 30 * timedelta(seconds=1)),), NOW)
    assert ask is not None
    assert ask.since == STARTS + timedelta(seconds=30)


@pytest.mark.openadr20b("R6", "N9")
def test_tests_and_what_we_are_out_of_ask_for_nothing() -> None:
    test = named("t")
    test = replace(test, event=replace(test.event, test=True))
    assert ask_at((test, held(an_event(), OptType.OUT)), NOW) is None
    assert ask_at((test,), NOW, act_on_tests=True) is not None


@pytest.mark.parametrize(
    ("kind", "value", "expected_w"),
    [
        (SignalKind.RELIEF, 5e6, 5e6),
        (SignalKind.NET_POWER, 1e6, 2e6),
        (SignalKind.BASELINE_SHARE, 0.8, 0.6e6),
        (SignalKind.LEVEL, 0, 0.0),
        (SignalKind.LEVEL, 1, LEVELS[1] * 8e6),
        (SignalKind.LEVEL, 3, 8e6),
    ],
)
def test_each_kind_in_watts(kind: SignalKind, value: float, expected_w: float) -> None:
    ask = ask_at((held(an_event(relief(value, kind=kind))),), NOW)
    assert ask is not None
    assert asked_w(ask.segment, baseline_w=3e6, available_w=8e6, levels={}) == pytest.approx(expected_w)


def test_a_program_may_have_levels_of_its_own() -> None:
    ask = ask_at((held(an_event(relief(1, kind=SignalKind.LEVEL))),), NOW)
    assert ask is not None
    assert asked_w(ask.segment, baseline_w=0, available_w=100.0, levels={"http://p/": (0, 0.1, 0.2, 0.3)}) == 10.0


def test_programs_are_owed_each_its_own() -> None:
    other = replace(named("other", priority=0).event, market_context="http://example.org/other")
    mine, second = named("mine", priority=3), named("second", priority=5)
    asks = asks_at((second, mine, held(other)), NOW)
    assert [ask.held.event.id for ask in asks] == ["other", "mine"]


def test_a_price_comes_after_every_dispatch() -> None:
    price = replace(named("price", kind=SignalKind.ELECTRICITY_PRICE, priority=0).event, market_context="urn:other")
    asks = asks_at((held(price), named("watts", priority=9)), NOW)
    assert [ask.held.event.id for ask in asks] == ["watts", "price"]


@given(wanted_w=st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=5), total_w=st.floats(-3e7, 3e7))
def test_shares_add_up_and_the_first_is_served_first(wanted_w: list[float], total_w: float) -> None:
    shares = filled(wanted_w, total_w)
    assert sum(shares) == pytest.approx(total_w, abs=1e-6)
    way = -1.0 if next((watts for watts in wanted_w if watts), 0.0) < 0.0 else 1.0
    for place, (wanted, share) in enumerate(zip(wanted_w, shares, strict=True)):
        if place < len(shares) - 1 and way * total_w >= 0.0:
            assert 0.0 <= way * share <= max(way * wanted, 0.0) + 1e-6
        if way * share < way * wanted - 1e-6 and way * total_w >= 0.0:
            assert all(abs(later) <= 1e-6 for later in shares[place + 1 :]), "nobody is served before it is"


@pytest.mark.parametrize(
    ("kind", "value", "margin"),
    [
        (SignalKind.ELECTRICITY_PRICE, 0.5, 0.2),
        (SignalKind.ENERGY_PRICE_CHANGE, -0.1, -0.1),
        (SignalKind.ELECTRICITY_PRICE_FACTOR, 3.0, 0.6),
    ],
)
def test_a_price_is_worth_its_margin_over_the_usual(kind: SignalKind, value: float, margin: float) -> None:
    ask = ask_at((held(an_event(relief(value, kind=kind))),), NOW)
    assert ask is not None
    reference = {normalised(ask.segment.event.market_context): 0.3}
    asked = asked_w(
        ask.segment, baseline_w=0.0, available_w=0.0, levels={}, worth=lambda at: 1e6 * at, reference=reference
    )
    assert asked == pytest.approx(1e6 * margin)
