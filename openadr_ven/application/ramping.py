"""How fast what is asked may change: the ramps of events, inside those of the envelope, which goes before every event.

An event may say in which time the fleet is to come to what it asks, evenly (OpenADR 2.0b: a ramp-up inside the active
period; IEEE 2030.5: rampTms), or else how fast any change may be (setGradW).

Interpretation: a ramp leads from what the same was at before (the same mode of the same devices), and from nothing
where there was nothing. Where an event ends and nothing follows, the fleet is let go of as fast as the envelope, and
that event's gradient, allow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from openadr_core.model.event import DrEvent
from openadr_ven.application.asking import Ask, filled
from openadr_ven.dispatch.guard import CREDIT_MAX_MS, Envelope

NO_TIME = timedelta(0)
Channel = tuple[object, ...]
"""What follows one upon the other: a mode, or a program's signal, of the same devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How far a channel has come."""

    key: tuple[str, str, int]
    """Of the ask that it follows."""
    begins_at: datetime
    from_w: float
    """Where the ramp of that ask begins."""
    at_w: float
    at: datetime


@dataclass(slots=True)
class Ramps:
    """What goes on from round to round."""

    resumed_w: float | None = None
    """Relief that was allowed when the agent was stopped: until the first round, what channels have come to."""
    _ways: dict[Channel, _Way] = field(default_factory=dict)

    def limited(self, asks: Sequence[Ask], wants: Sequence[float], now: datetime) -> tuple[float, ...]:
        """As much of each as its ramp has come to by now."""
        resumed = (0.0,) * len(asks) if self.resumed_w is None else filled(wants, self.resumed_w)
        ways = [self._way(*one, now) for one in zip(asks, wants, resumed, strict=True)]
        self._ways = {_channel(ask): way for ask, way in zip(asks, ways, strict=True)}
        self.resumed_w = None
        return tuple(way.at_w for way in ways)

    def _way(self, ask: Ask, want_w: float, resumed_w: float, now: datetime) -> _Way:
        event, channel = ask.segment.event, _channel(ask)
        before = self._ways.get(channel)
        key = event.id, ask.segment.signal.id, ask.segment.index
        at_w = resumed_w if before is None else before.at_w
        # What was resumed is on its way since its ask began: where that way began is known to nobody any more.
        way = before
        if way is None or way.key != key:
            from_w = 0.0 if before is None else before.at_w
            way = _Way(key=key, begins_at=ask.since, from_w=from_w, at_w=at_w, at=now)
        at_w = _come_to(event, way, want_w, now)
        return replace(way, at_w=at_w, at=now)


def _come_to(event: DrEvent, way: _Way, want_w: float, now: datetime) -> float:
    ramp = -event.ramp_up
    if ramp > NO_TIME:
        share = min(max((now - way.begins_at) / ramp, 0.0), 1.0)
        return want_w if share >= 1.0 else way.from_w + (want_w - way.from_w) * share
    if event.gradient_w_per_s is None:
        return want_w
    passed_s = min(max((now - way.at).total_seconds(), 0.0), CREDIT_MAX_MS / 1000)
    reach_w = event.gradient_w_per_s * passed_s
    return min(max(want_w, way.at_w - reach_w), way.at_w + reach_w)


def released_by(envelope: Envelope, event: DrEvent) -> Envelope:
    """The envelope in which the fleet is let go of by an event: no faster than its gradient."""
    if event.gradient_w_per_s is None:
        return envelope
    gradient = max(1, math.floor(event.gradient_w_per_s))
    return replace(envelope, release_ramp_w_per_s=min(envelope.release_ramp_w_per_s, gradient))


def _channel(ask: Ask) -> Channel:
    event, signal = ask.segment.event, ask.segment.signal
    return event.market_context, event.targets, signal.kind, signal.device_classes
