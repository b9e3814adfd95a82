"""What an event asks for, as people read it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openadr_core.model.event import Alert, DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.grid_support import (
    Curve,
    CurvePoint,
    GridFunction,
    GridSupport,
    PowerFactor,
    Reference,
    VarShare,
)
from openadr_core.model.unit import KILOWATTS, Measure, Unit
from openadr_core.model.wording import asked_text, support_text

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOLLARS = Unit(measure=Measure.CURRENCY_PER_KWH, currency="USD")
ENERGY = Unit(measure=Measure.REAL_ENERGY, scale="k")


def an_event(*signals: Signal) -> DrEvent:
    return DrEvent(
        id="e", program_id="p", market_context="urn:x:p", version=0, starts_at=NOW, duration=timedelta(hours=1),
        signals=signals, created_at=NOW, modified_at=NOW,
    )  # fmt: skip


def a_signal(kind: SignalKind, *values: float, unit: Unit | None = None, classes: tuple[str, ...] = ()) -> Signal:
    intervals = tuple(SignalInterval(duration=timedelta(hours=1) / len(values), value=value) for value in values)
    return Signal(id="s", kind=kind, intervals=intervals, unit=unit, device_classes=classes)


@pytest.mark.parametrize(
    ("signal", "text"),
    [
        (a_signal(SignalKind.RELIEF, 5e6), "relief 5,000 kW"),
        (a_signal(SignalKind.NET_POWER, 1500.0, -250.0), "net power -0.25 to 1.5 kW"),
        (a_signal(SignalKind.LEVEL, 1.0, 3.0, 1.0), "level 1 to 3"),
        (a_signal(SignalKind.ELECTRICITY_PRICE, 3.14, unit=DOLLARS), "electricity price 3.14 USD/kWh"),
        (
            a_signal(SignalKind.ELECTRICITY_PRICE_CHANGE, 0.00002, unit=DOLLARS),
            "electricity price change 2e-05 USD/kWh",
        ),
        (a_signal(SignalKind.BASELINE_SHARE, 0.8), "baseline share 0.8"),
        (a_signal(SignalKind.CHARGE, 13_500.0, unit=ENERGY), "charge 13.5 kWh"),
        (a_signal(SignalKind.LOAD_CAPACITY, 0.0, classes=("Thermostat",)), "load capacity 0 (Thermostat)"),
    ],
)
def test_a_signal_in_words(signal: Signal, text: str) -> None:
    assert asked_text(an_event(signal)) == text


def test_several_signals_stand_beside_each_other() -> None:
    both = an_event(a_signal(SignalKind.RELIEF, 1000.0), a_signal(SignalKind.LEVEL, 2.0))
    assert asked_text(both) == "relief 1 kW, level 2"


def test_gaps_ask_nothing_and_alerts_are_their_own_words() -> None:
    limit = Signal(
        id="l",
        kind=SignalKind.IMPORT_LIMIT,
        intervals=(
            SignalInterval(duration=HOUR, value=5e3),
            SignalInterval(duration=HOUR, value=0.0, asks=False),
            SignalInterval(duration=HOUR, value=7e3),
        ),
        unit=KILOWATTS,
    )
    alert = Alert(kind="ALERT_FLEX_ALERT", text="save power", starts_at=NOW, ends_at=None)
    assert (
        asked_text(replace(an_event(limit), alerts=(alert, alert))) == "import limit 5 to 7 kW, flex alert: save power"
    )
    assert asked_text(an_event()) == ""


@pytest.mark.parametrize(
    ("support", "text"),
    [
        (GridSupport(function=GridFunction.CONNECT, on=False), "connect off"),
        (
            GridSupport(
                function=GridFunction.FIXED_PF_INJECT, power_factor=PowerFactor(displacement=0.95, absorbs=True)
            ),
            "fixed pf inject 0.95 absorbing vars",
        ),
        (
            GridSupport(
                function=GridFunction.FIXED_VAR, var_share=VarShare(percent=-30.0, reference=Reference.MAX_VAR)
            ),
            "fixed var -30 % of max var",
        ),
        (GridSupport(function=GridFunction.TARGET_VAR, power_var=1_500.0), "target var 1,500 var"),
        (
            GridSupport(
                function=GridFunction.VOLT_WATT,
                curve=Curve(points=(CurvePoint(x=106.0, y=100.0), CurvePoint(x=110.0, y=0.0))),
            ),
            "volt watt (106, 100) (110, 0)",
        ),
    ],
)
def test_what_devices_do_by_themselves_is_said_with_its_numbers(support: GridSupport, text: str) -> None:
    assert support_text(support) == text
