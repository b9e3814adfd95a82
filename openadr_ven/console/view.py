"""The agent's state as the pages' data: plain values, rounded for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from openadr_ven.application.agent import Agent
from openadr_ven.dispatch.plan import transformer_loading
from openadr_ven.domain.delivered import delivered_over
from openadr_ven.domain.held import Delivery, Notice
from openadr_ven.fleet.columns import DeviceClass, Floats, Mask, Mode

TRANSFORMERS_SHOWN = 12
View = dict[str, Any]


def live_view(agent: Agent, notices: Sequence[Notice], now: datetime) -> View:
    """What changes every second."""
    tick, engaged = agent.last, agent.control.engaged
    state, live = agent.seen.state, agent.seen.live(now)
    return {
        "now": now.isoformat(),
        "upstream": agent.upstream,
        "event": None if engaged is None else _event(engaged.held.event.id, engaged.held.event.version),
        "asked_kw": _kw(tick.asked_w if tick else 0.0),
        "allowed_kw": _kw(tick.allowed_w if tick else 0.0),
        "commanded_kw": _kw(tick.plan.planned_w if tick and tick.plan else 0.0),
        "delivered_kw": _kw(float(tick.given_w.sum()) if tick and tick.plan else 0.0),
        "tripped": list(tick.tripped) if tick else [],
        "shortfall_kw": {
            cause.value: _kw(watts)
            for cause, watts in (tick.plan.shortfall_by_cause if tick and tick.plan else {}).items()
        },
        "fleet_kw": _kw(float(state.power_w.sum())),
        "online": int(live.sum()),
        "devices": int(live.size),
        "commands": agent.control.commands.counts(),
        "trace": [
            [round(point.at.timestamp(), 1), _kw(point.asked_w), _kw(point.allowed_w), _kw(point.delivered_w)]
            for point in agent.trace
        ],
        "events": [
            {
                "id": held.event.id,
                "version": held.event.version,
                "status": held.event.status_at(now).value,
                "starts_at": held.event.starts_at.isoformat(),
                "opt": held.opt.opt_type.value,
                "reason": held.opt.reason,
            }
            for held in agent.held.values()
        ],
        "notices": [
            {"at": one.at.isoformat(), "kind": one.kind, "text": one.text, "event": one.event_id, "alarm": one.alarm}
            for one in notices
        ],
    }


def fleet_view(agent: Agent, now: datetime) -> View:
    """The fleet by class and by vendor, and its transformers by loading."""
    fleet, state = agent.seen.fleet, agent.seen.state
    live = agent.seen.live(now)
    told = agent.control.commands.mode != Mode.RELEASE
    classes = [_group(one.name.lower(), fleet.device_class == one, state.power_w, live, told) for one in DeviceClass]
    vendors = [
        _group(name, fleet.vendor == code, state.power_w, live, told) for code, name in enumerate(fleet.vendor_names)
    ]
    loading = transformer_loading(fleet, state.power_w, np.zeros(len(fleet.transformer_names)))
    loading = np.where(np.isfinite(loading), loading, 0.0)
    fullest = np.argsort(loading)[::-1][:TRANSFORMERS_SHOWN]
    return {
        "classes": classes,
        "vendors": vendors,
        "transformers": [
            {
                "name": fleet.transformer_names[code],
                "loading": round(float(loading[code]), 3),
                "limit_kw": _kw(float(fleet.transformer_limit_w[code])),
            }
            for code in fullest
        ],
    }


def event_view(deliveries: Sequence[Delivery]) -> View:
    """One event's account."""
    total = delivered_over(deliveries)
    if total is None:
        return {"seconds": 0, "causes": {}}
    return {
        "seconds": total.seconds,
        "asked_kw": _kw(total.asked_w),
        "allowed_kw": _kw(total.allowed_w),
        "commanded_kw": _kw(total.commanded_w),
        "acknowledged_kw": _kw(total.acknowledged_w),
        "delivered_kw": _kw(total.delivered_w),
        "causes": {cause: _kw(watts) for cause, watts in total.shortfall_w.items()},
    }


def _group(name: str, rows: Mask, power_w: Floats, live: Mask, told: Mask) -> View:
    return {
        "name": name,
        "devices": int(rows.sum()),
        "online": int((rows & live).sum()),
        "commanded": int((rows & told).sum()),
        "power_kw": _kw(float(power_w[rows].sum())),
    }


def _event(event_id: str, version: int) -> View:
    return {"id": event_id, "version": version}


def _kw(watts: float) -> float | None:
    return round(watts / 1e3, 1) if np.isfinite(watts) else None
