"""When an event is acted on: randomised starts and stops, cancels, answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_ven.domain.held import HeldEvent
from openadr_ven.domain.opt_policy import OptPolicy, decide, peak_relief_w

STARTS = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def relief(*watts: float, kind: SignalKind = SignalKind.RELIEF) -> Signal:
    return Signal(
        id="s", kind=kind, intervals=tuple(SignalInterval(duration=HOUR / len(watts), value=value) for value in watts)
    )


def an_event(*signals: Signal, duration: timedelta | None = HOUR, start_after: timedelta = timedelta(0)) -> DrEvent:
    return DrEvent(
        id="e", program_id="p", market_context="http://p", version=2, starts_at=STARTS, duration=duration,
        signals=signals or (relief(5e6),), created_at=STARTS, modified_at=STARTS, start_after=start_after,
    )  # fmt: skip


def held(event: DrEvent, opt_type: OptType = OptType.IN, **draws: float) -> HeldEvent:
    opt = Opt(event_id=event.id, version=event.version, opt_type=opt_type, at=STARTS)
    return HeldEvent(event=event, opt=opt, received_at=STARTS - MINUTE, **draws)


@pytest.mark.openadr20b("R30", "R31", "N6")
@given(st.floats(0, 1), st.integers(0, 3600))
def test_a_randomised_event_is_shifted_whole_and_only_later(fraction: float, start_after_s: int) -> None:
    one = held(an_event(start_after=timedelta(seconds=start_after_s)), delay_fraction=fraction)
    assert timedelta(0) <= one.delay <= timedelta(seconds=start_after_s)
    assert one.stops_at == STARTS + HOUR + one.delay


@pytest.mark.openadr20b("R65", "N7")
@given(st.floats(0, 1), st.integers(-600, 7200))
def test_a_cancel_stops_within_the_same_spread_and_never_after_the_end(fraction: float, after_s: int) -> None:
    """OpenADR 2.0b R65."""
    cancelled_at = STARTS + timedelta(seconds=after_s)
    event = replace(an_event(start_after=10 * MINUTE), cancelled_at=cancelled_at)
    one = held(event, stop_fraction=fraction)
    assert one.stops_at is not None
    assert one.stops_at <= min(cancelled_at + 10 * MINUTE, STARTS + HOUR + one.delay)
    before = one.as_acted_on(one.stops_at - timedelta(microseconds=1))
    assert before is not None
    assert before.cancelled_at is None  # it is still followed
    assert one.as_acted_on(one.stops_at) is None


def test_what_we_are_out_of_is_never_acted_on() -> None:
    assert held(an_event(), OptType.OUT).as_acted_on(STARTS) is None


@pytest.mark.openadr20b("R47")
def test_an_open_ended_event_lasts_until_it_is_cancelled() -> None:
    one = held(an_event(duration=None))
    assert one.stops_at is None
    assert not one.is_over(STARTS + 1000 * HOUR)
    assert replace(one, event=replace(one.event, cancelled_at=STARTS + HOUR)).is_over(STARTS + HOUR)


# -- the answer ----------------------------------------------------------------------


@pytest.mark.parametrize("refuse", [True, False])
@pytest.mark.parametrize("breaches", [(), ("event_max_w",), ("notice_min_s", "window_start_minute")])
def test_a_breach_is_refused_or_clamped_and_named(breaches: tuple[str, ...], refuse: bool) -> None:
    opt = decide(OptPolicy(refuse_breaches=refuse), an_event(), breaches=breaches, now=STARTS)
    assert opt.opt_type is (OptType.OUT if breaches and refuse else OptType.IN)
    assert (opt.event_id, opt.version, opt.at, opt.code) == ("e", 2, STARTS, "200")
    assert all(name in opt.reason for name in breaches)


def test_extra_load_is_answered_like_relief() -> None:
    event = an_event(relief(-5e6))
    assert decide(OptPolicy(refuse_breaches=True), event, breaches=(), now=STARTS).opt_type is OptType.IN
    assert decide(OptPolicy(refuse_breaches=True), event, breaches=("event_max_w",), now=STARTS).opt_type is OptType.OUT


@pytest.mark.openadr20b("R65", "N7")
def test_what_had_not_begun_when_it_was_cancelled_never_does() -> None:
    """The stop of a running event is drawn; one that waits for its own start has nothing to stop."""
    event = replace(an_event(), start_after=10 * MINUTE)
    waiting = replace(held(event), delay_fraction=0.5, stop_fraction=0.9)
    before = replace(waiting, event=replace(event, cancelled_at=STARTS + 4 * MINUTE))
    for minute in range(4, 60):
        assert before.as_acted_on(STARTS + minute * MINUTE) is None
    running = replace(waiting, event=replace(event, cancelled_at=STARTS + 6 * MINUTE))
    assert running.stops_at == STARTS + 15 * MINUTE


@pytest.mark.parametrize(
    ("signals", "peak_w"),
    [
        ((relief(1.0, 3.0, 2.0),), 3.0),
        ((relief(1.0, -3.0),), -3.0),
        ((relief(3.0, -1.0),), 3.0),
        ((relief(2.0, kind=SignalKind.LEVEL), relief(9e9, kind=SignalKind.NET_POWER)), 0.0),
    ],
)
def test_the_peak_is_what_the_signals_say_in_watts(signals: tuple[Signal, ...], peak_w: float) -> None:
    assert peak_relief_w(an_event(*signals)) == peak_w
