"""oadrDistributeEvent as the harness writes it, from events that a procedure describes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance import openadr20b
from conformance.queries import WIRE_TIME, rendered
from conformance.ven.steps import ToldEvent

_TEMPLATES = Environment(
    loader=PackageLoader("conformance", "procedures/openadr20b/ven"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def distribution(
    events: Sequence[ToldEvent],
    variables: Mapping[str, str],
    *,
    began: datetime,
    now: datetime,
    asked: str | None,
) -> bytes:
    """The whole message; ``asked`` is the requestID that it answers, None if it comes on a poll or is pushed."""
    payload = _TEMPLATES.get_template("distribute.xml.j2").render(
        events=[_told(event, variables, began) for event in events],
        vtn_id=variables["vtn_id"],
        request_id=variables["request_id"],
        asked=asked or "",
        created=now.strftime(WIRE_TIME),
    )
    return openadr20b.envelope(payload).encode()


def _told(event: ToldEvent, variables: Mapping[str, str], began: datetime) -> dict[str, Any]:
    """What the template wants to know of an event."""
    wish = event.wish
    signals = [
        {
            "name": signal.name,
            "type": signal.type,
            "unit": signal.unit,
            "scale": signal.scale,
            "device_classes": signal.device_classes,
            "intervals": _intervals(signal.values, signal.durations_s or wish.durations_s, event.uids),
        }
        for signal in wish.signals
    ]
    baseline = wish.baseline and {
        "unit": wish.baseline.unit,
        "scale": wish.baseline.scale,
        "duration_s": sum(wish.baseline.durations_s),
        "intervals": _intervals(wish.baseline.values, wish.baseline.durations_s, ()),
    }
    return {
        "wish": wish,
        "id": rendered(event.id, variables),
        "number": event.number,
        "status": event.status,
        "market_context": rendered(event.market_context, variables),
        "target": rendered(event.target, variables, xml=True),
        "start": wish.start(began, lambda template: rendered(template, variables)),
        "period_s": sum(wish.durations_s) if event.period_s is None else event.period_s,
        "signals": signals,
        "baseline": baseline,
    }


def _intervals(values: Sequence[float], durations_s: Sequence[int], uids: Sequence[str]) -> list[dict[str, Any]]:
    numbered = uids or [str(index) for index in range(len(values))]
    return [
        {"value": value, "duration_s": duration_s, "uid": uid}
        for value, duration_s, uid in zip(values, durations_s, numbered, strict=True)
    ]
