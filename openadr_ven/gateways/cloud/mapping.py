"""A vendor's API as data: which requests an order is, and where in an answer readings are. Pure.

In templates a text that is just ``{name}`` becomes that value, a number where it is one; inside a longer
text, or a path, the value is written out. Places in answers are JSON pointers (RFC 6901).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.edge.driver import Order, Reading

PLACEHOLDER = re.compile(r"\{(\w+)\}")
NAMES = frozenset({"device", "setpoint_w", "draw_w", "feed_w", "export_w", "until", "seconds", "each"})
"""``draw_w`` and ``feed_w`` are the two sides of the setpoint, none below zero, and ``export_w`` is the setpoint of
those who count what is fed as positive; ``each`` is the list of a batch."""
NAN = float("nan")


class When(StrEnum):
    """For which setpoints a request is made."""

    ALWAYS = "always"
    FEEDS = "feeds"
    DRAWS = "draws"
    """It draws, or does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTemplate:
    method: str
    path: str
    body: Any = None
    each: Any = None
    """With it one request is for a batch of devices: their list stands in the body where that says ``{each}``."""
    refused: str = ""
    """Pointer to the list of those devices, in the answer to a batch, that did not take it."""
    when: When = When.ALWAYS

    def fits(self, order: Order) -> bool:
        feeds = order.mode is Mode.SETPOINT and order.setpoint_w < 0.0
        return self.when is When.ALWAYS or feeds == (self.when is When.FEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTemplate:
    method: str
    path: str
    each: str
    """Pointer to a list with an entry for each device; empty: one request for each, and its answer is the entry."""
    device: str
    """Pointer, in an entry, to the vendor's name of the device."""
    power_w: str
    """Pointer in an entry, as those below; empty where the vendor has no such thing."""
    power_scale: float
    """To watts of net import: -1 where the vendor counts feeding as positive, 1000 for kilowatts."""
    soc: str
    soc_scale: float
    temperature_c: str
    plugged: str
    online: str
    override: str
    truths: tuple[Any, ...]
    """What is taken for yes in the three above."""

    def reading(self, device_id: str, entry: Any, now: datetime) -> Reading | None:
        """None where there is no power in it: nothing is guessed."""
        power = number(at(entry, self.power_w))
        if power is None:
            return None
        soc, warmth = (number(at(entry, place)) if place else None for place in (self.soc, self.temperature_c))
        return Reading(
            device_id=device_id,
            at=now,
            power_w=power * self.power_scale,
            soc=NAN if soc is None else soc * self.soc_scale,
            temperature_c=NAN if warmth is None else warmth,
            plugged=self._says(entry, self.plugged, default=True),
            online=self._says(entry, self.online, default=True),
            override=self._says(entry, self.override, default=False),
        )

    def _says(self, entry: Any, place: str, *, default: bool) -> bool:
        return at(entry, place) in self.truths if place else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to make, and the devices that it is for."""

    template: RequestTemplate
    path: str
    body: Any
    device_ids: tuple[str, ...]


def calls(
    templates: Sequence[RequestTemplate], orders: Sequence[Order], devices: Mapping[str, str], now: datetime
) -> list[Call]:
    """The requests that orders of one mode are, in the order in which they are to be made.

    ``devices`` are the vendor's names by ours. Orders that no template fits are in none.
    """
    found = []
    for template in templates:
        fitting = [order for order in orders if template.fits(order)]
        if template.each is None:
            found += [_call(template, (order,), devices, now) for order in fitting]
        elif fitting:
            found.append(_call(template, tuple(fitting), devices, now))
    return found


def _call(template: RequestTemplate, orders: tuple[Order, ...], devices: Mapping[str, str], now: datetime) -> Call:
    values = [values_of(order, devices[order.device_id], now) for order in orders]
    each = [filled(template.each, one) for one in values] if template.each is not None else None
    mine = values[0] | {"each": each}
    return Call(
        template=template,
        path=PLACEHOLDER.sub(lambda found: quote(str(mine[found[1]]), safe=""), template.path),
        body=filled(template.body, mine),
        device_ids=tuple(order.device_id for order in orders),
    )


def values_of(order: Order, device: str, now: datetime) -> dict[str, Any]:
    """What placeholders stand for, ``each`` apart."""
    return {
        "device": device,
        "setpoint_w": round(order.setpoint_w),
        "draw_w": round(max(order.setpoint_w, 0.0)),
        "feed_w": round(max(-order.setpoint_w, 0.0)),
        "export_w": round(-order.setpoint_w),
        "until": order.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": max(1, round((order.until - now).total_seconds())),
    }


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled."""
    if isinstance(template, Mapping):
        return {name: filled(value, values) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    return values[whole[1]] if whole else PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)


def placeholders(template: Any) -> Iterator[str]:
    """Every name that a template asks for."""
    if isinstance(template, Mapping):
        template = list(template.values())
    if isinstance(template, list | tuple):
        for value in template:
            yield from placeholders(value)
    elif isinstance(template, str):
        yield from PLACEHOLDER.findall(template)


def at(document: Any, pointer: str) -> Any:
    """What is there; None if nothing is."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def number(value: Any) -> float | None:
    """None for what is none, and for what no meter shows."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e12 else None
