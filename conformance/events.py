"""An event as a procedure wants it: of the VTN under test, through its operator; or told to the VEN under test."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from conformance.queries import WIRE_TIME
from conformance.yaml_nodes import Section


class ResponseRequired(StrEnum):
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalWish:
    name: str = "SIMPLE"
    type: str = "level"
    values: tuple[float, ...] = (1.0,)
    durations_s: tuple[int, ...] = ()
    """Of the intervals, one for each value; empty: the event's."""
    unit: str = ""
    """The item base's element: ``powerReal``, ``currencyPerKWh``; empty for none."""
    scale: str = "none"
    """siScaleCode: ``k`` for kilo."""
    device_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineWish:
    values: tuple[float, ...]
    durations_s: tuple[int, ...]
    unit: str = "powerReal"
    scale: str = "k"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Whom it is for, by templates of names; nothing of this: the VEN itself."""

    resources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    everybody: bool = False
    """Whoever takes part in its market context; no names beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWish:
    starts_in_s: float = 3600.0
    """From now; negative is past."""
    starts_at: str = ""
    """A template of the moment instead, for an event that keeps it."""
    durations_s: tuple[int, ...] = (600,)
    """Of its intervals; 0 for one without end."""
    signals: tuple[SignalWish, ...] = (SignalWish(),)
    baseline: BaselineWish | None = None
    targets: Targets = field(default_factory=Targets)
    market: str = ""
    """Which of the programs that the tester has prepared; empty for the usual one, ``other`` for a second one."""
    priority: int = 0
    """0 is none."""
    start_after_s: int = 0
    ramp_up_s: int = 0
    notification_s: int = 0
    recovery_s: int = 0
    response_required: ResponseRequired = ResponseRequired.ALWAYS
    test_event: str = ""
    comment: str = ""

    def document(self, now: datetime, render: Callable[[str], str]) -> dict[str, Any]:
        """As a hook is told it: JSON values, a start in UTC instead of a distance, and names instead of templates."""
        told = asdict(self)
        for kind, names in told["targets"].items():
            if kind != "everybody":
                told["targets"][kind] = [render(name) for name in names]
        del told["starts_in_s"], told["starts_at"]
        for signal in told["signals"]:
            signal["durations_s"] = signal["durations_s"] or told["durations_s"]
        return {"start": self.start(now, render), **told}

    def start(self, now: datetime, render: Callable[[str], str]) -> str:
        """In UTC, to the second."""
        if self.starts_at:
            return render(self.starts_at)
        return (now + timedelta(seconds=self.starts_in_s)).strftime(WIRE_TIME)


def read_wish(section: Section) -> EventWish:
    """The event in a step; ``values`` alone is short for one SIMPLE signal of these levels."""
    durations_s = _whole(section, "durations_s", (600,))
    signals = tuple(_read_signal(inner) for inner in section.sections("signals"))
    if "values" in section or not signals:
        signals = (SignalWish(values=section.numbers("values", (1.0,))), *signals)
    wish = EventWish(
        starts_in_s=section.number("starts_in_s", 3600.0),
        starts_at=section.text("starts_at", ""),
        durations_s=durations_s,
        signals=signals,
        baseline=_read_baseline(section.section("baseline")) if "baseline" in section else None,
        targets=_read_targets(section.section("targets")) if "targets" in section else Targets(),
        market=section.text("market", ""),
        priority=int(section.number("priority", 0)),
        start_after_s=int(section.number("start_after_s", 0)),
        ramp_up_s=int(section.number("ramp_up_s", 0)),
        notification_s=int(section.number("notification_s", 0)),
        recovery_s=int(section.number("recovery_s", 0)),
        response_required=section.choice("response_required", ResponseRequired, ResponseRequired.ALWAYS),
        test_event=section.text("test_event", ""),
        comment=section.text("comment", ""),
    )
    for signal in wish.signals:
        if len(signal.values) != len(signal.durations_s or durations_s):
            raise section.fault("signals", f"{signal.name}: there must be as many values as durations_s")
    return wish


def _read_signal(section: Section) -> SignalWish:
    signal = SignalWish(
        name=section.text("name"),
        type=section.text("type"),
        values=section.numbers("values"),
        durations_s=_whole(section, "durations_s", ()),
        unit=section.text("unit", ""),
        scale=section.text("scale", "none"),
        device_classes=section.texts("device_classes", ()),
    )
    section.finish()
    return signal


def _read_baseline(section: Section) -> BaselineWish:
    baseline = BaselineWish(values=section.numbers("values"), durations_s=_whole(section, "durations_s", (600,)))
    section.finish()
    return baseline


def _read_targets(section: Section) -> Targets:
    targets = Targets(
        resources=section.texts("resources", ()),
        groups=section.texts("groups", ()),
        parties=section.texts("parties", ()),
        everybody=section.flag("everybody", default=False),
    )
    section.finish()
    return targets


def _whole(section: Section, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(number) for number in section.numbers(key, default))
