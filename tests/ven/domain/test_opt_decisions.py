"""What the fleet says to an event, with the code and the reason that an operator reads on both sides."""

from dataclasses import replace

import pytest

from openadr_core.model.event import DrEvent, Signal, SignalKind
from openadr_core.model.opt import OptType
from openadr_core.model.unit import Measure, Unit
from openadr_ven.domain.opt_policy import NO_PRICE, OptPolicy, decide
from tests.ven.domain.test_held_events import STARTS, an_event, relief

CONTEXT = "http://p/"
PRICE = Unit(measure=Measure.CURRENCY_PER_KWH, currency="USD")
VARS = Unit(measure=Measure.REACTIVE_POWER)


def a(kind: SignalKind, unit: Unit | None = None, *classes: str) -> Signal:
    return replace(relief(1.0, kind=kind), unit=unit, id=kind, device_classes=classes)


def said(event: DrEvent, *, priced: bool = False, here: bool = True, classes: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Opt, code and reason, by a fleet that has devices of these classes if it is meant at all."""

    def meets(_: DrEvent, signal: Signal | None) -> bool:
        return here and (signal is None or not signal.device_classes or bool({*classes} & {*signal.device_classes}))

    policy = OptPolicy(refuse_breaches=False, priced=frozenset({CONTEXT} if priced else ()))
    opt = decide(policy, event, breaches=(), now=STARTS, meets=meets)
    return opt.opt_type.value, opt.code, opt.reason


@pytest.mark.openadr20b("R106", "R109", "R510", "N11")
@pytest.mark.parametrize(
    ("signals", "priced", "expected"),
    [
        ([a(SignalKind.RELIEF)], False, ("optIn", "200", "")),
        ([a(SignalKind.LEVEL), a(SignalKind.NET_POWER)], False, ("optIn", "200", "")),
        ([a(SignalKind.LEVEL), a(SignalKind.BID_PRICE, PRICE)], False, ("optIn", "200", "not followed: bid price")),
        ([a(SignalKind.ELECTRICITY_PRICE, PRICE)], True, ("optIn", "200", "")),
        ([a(SignalKind.ELECTRICITY_PRICE_CHANGE, PRICE)], False, ("optIn", "200", "")),
        ([a(SignalKind.DISPATCH_LEVEL)], False, ("optOut", "460", "this fleet cannot act on dispatch level")),
        ([a(SignalKind.NET_POWER, VARS)], False, ("optOut", "460", "this fleet cannot act on net power")),
        (
            [a(SignalKind.BID_LOAD), a(SignalKind.DEMAND_CHARGE, PRICE)],
            True,
            ("optOut", "460", "this fleet cannot act on bid load, demand charge"),
        ),
        (
            [a(SignalKind.ENERGY_PRICE, PRICE)],
            False,
            ("optIn", "200", f"not followed: energy price ({NO_PRICE})"),
        ),
    ],
)
def test_signals_that_can_be_followed_and_those_that_cannot(
    signals: list[Signal], priced: bool, expected: tuple[str, ...]
) -> None:
    assert said(an_event(*signals), priced=priced) == expected


@pytest.mark.openadr20b("R48", "R112", "N11")
def test_what_is_not_here_has_its_code() -> None:
    heaters = a(SignalKind.RELIEF, None, "Water_Heater", "Sauna")
    assert said(an_event(heaters), here=False) == ("optOut", "462", "no target of this event is here")
    assert said(an_event(heaters)) == (
        "optOut", "469", "no device of this event's target is of the class Water_Heater, Sauna",
    )  # fmt: skip
    assert said(an_event(heaters), classes=("Sauna",)) == ("optIn", "200", "")
    one_of_two = an_event(heaters, a(SignalKind.NET_POWER, None, "Storage"))
    assert said(one_of_two, classes=("Storage",)) == ("optIn", "200", "")


def test_what_could_not_be_read_is_told_beside_what_is_followed() -> None:
    event = replace(an_event(relief(1.0)), not_read=("x-ours level is not in the signal table",))
    assert said(event) == ("optIn", "200", "not followed: x-ours level is not in the signal table")


def test_what_we_are_in_for_only_as_far_as_the_envelope_goes_is_said_first() -> None:
    event = an_event(a(SignalKind.LEVEL), a(SignalKind.BID_PRICE, PRICE))
    opt = decide(OptPolicy(refuse_breaches=False), event, breaches=["too large"], now=STARTS)
    assert opt.opt_type is OptType.IN
    assert opt.reason == "within the safety envelope only: too large; not followed: bid price"
