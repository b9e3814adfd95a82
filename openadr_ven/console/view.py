"""The agent's state as the pages' data: plain values in kilowatts, rounded for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from openadr_core.model.opt import Opt
from openadr_core.model.wording import asked_text, support_text
from openadr_ven.application.agent import Agent
from openadr_ven.dispatch.plan import transformer_loading
from openadr_ven.domain.delivered import delivered_over
from openadr_ven.domain.held import Delivery, HeldEvent, Notice
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.shard_stand import ShardStand
from openadr_ven.fleet.columns import DeviceClass, Floats, Mask, Mode

TRANSFORMERS_SHOWN = 10
OPTS_SHOWN = 20
View = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How we and the VTN reach each other, and what the VTN's operator knows us by."""

    vtn: str
    protocol: str
    """What we speak with it, for people."""
    pushed_at: str
    """Our own address, if the VTN comes to us; empty where we poll."""
    fingerprint: str
    """Of our certificate, as OpenADR 2.0b writes it (10.5.1); empty where we show none."""
    certificate_ends_at: datetime | None


def link_view(link: Link) -> View:
    return {
        "vtn": link.vtn,
        "protocol": link.protocol,
        "pushed_at": link.pushed_at or None,
        "fingerprint": link.fingerprint,
        "certificate_ends_at": link.certificate_ends_at.isoformat() if link.certificate_ends_at else None,
    }


def now_view(agent: Agent, notices: Sequence[Notice], now: datetime) -> View:
    """What changes every second."""
    tick, engaged = agent.last, agent.control.engaged
    plan = tick.plan if tick is not None else None
    live = agent.seen.live(now)
    return {
        "upstream": agent.upstream,
        "event": None if engaged is None else engaged.held.event.id,
        "asked_kw": _kw(tick.asked_w if tick else 0.0),
        "allowed_kw": _kw(tick.allowed_w if tick else 0.0),
        "commanded_kw": _kw(plan.planned_w if plan else 0.0),
        "delivered_kw": _kw(float(tick.given_w.sum()) if tick and plan else 0.0),
        "available_kw": _kw(plan.available_w) if plan else None,
        "limited_by": [name.replace("_", " ") for name in tick.tripped] if tick else [],
        "shortfall": _causes({cause.value: watts for cause, watts in plan.shortfall_by_cause.items()} if plan else {}),
        "terms": [{"term": term.value, "devices": count} for term, count in tick.bound.items()] if tick else [],
        "support": [
            {
                "event": one.event_id,
                "sets": support_text(one.support),
                "devices": one.devices,
                "set": one.acting,
                "refused": one.refused,
            }
            for one in agent.supporting.standing()
        ],
        "conditions": [condition.value for condition in agent.control.conditions],
        "fleet_kw": _kw(float(agent.seen.state.power_w.sum())),
        "devices": int(live.size),
        "online": int(live.sum()),
        "commands": [{"state": state, "devices": count} for state, count in agent.control.commands.counts().items()],
        "trace": [
            [round(point.at.timestamp() * 1000), _kw(point.asked_w), _kw(point.allowed_w), _kw(point.delivered_w)]
            for point in agent.trace
        ],
        "events": [_event(held, now) for held in reversed(agent.held.values())],
        "opts": [_order(order) for order in reversed(agent.control.opting.orders)][:OPTS_SHOWN],
        "notices": [_notice(one) for one in notices],
    }


def shards_view(agent: Agent, stands: Sequence[ShardStand]) -> list[View]:
    """Shards that compute and carry parts of the fleet, and what of the round is theirs."""
    commands, engaged = agent.control.commands, agent.control.engaged
    plan = agent.last.plan if agent.last is not None else None
    nothing = np.zeros(agent.seen.fleet.size)
    relief_w = nothing if engaged is None else commands.relief_w(engaged.baseline_w)
    asked_w = agent.seen.by_gateway(relief_w)
    taken_w = agent.seen.by_gateway(np.where(commands.acknowledged(), relief_w, 0.0))

    def sum_kw(watts: Floats, stand: ShardStand) -> float | None:
        return _kw(sum(float(watts[codes.start : codes.stop].sum()) for codes in stand.gateways))

    return [
        {
            "shard": None if one.number is None else f"{one.number} of {one.of}",
            "devices": one.rows,
            "parcels": len(one.parcels),
            "since": None if one.since is None else one.since.isoformat(),
            "alive": one.is_alive,
            "silent_s": round(one.silent_s, 1),
            "round": one.sequence or None,
            "price": None if plan is None else round(plan.price, 6),
            "asked_kw": sum_kw(asked_w, one),
            "committed_kw": sum_kw(taken_w, one),
            "lag_ms": None if one.lag_s is None else round(1e3 * one.lag_s),
        }
        for one in stands
    ]


def fleet_view(agent: Agent, now: datetime) -> View:
    """The fleet by class and by vendor, and its transformers by loading."""
    fleet, state = agent.seen.fleet, agent.seen.state
    live, told = agent.seen.live(now), agent.control.commands.mode != Mode.RELEASE
    classes = [
        _group(one.name.lower().replace("_", " "), fleet.device_class == one, state.power_w, live, told)
        for one in DeviceClass
    ]
    vendors = [
        _group(name, fleet.vendor == code, state.power_w, live, told) for code, name in enumerate(fleet.vendor_names)
    ]
    loading = transformer_loading(fleet, state.power_w, np.zeros(len(fleet.transformer_names)))
    loading = np.where(np.isfinite(loading), loading, 0.0)
    fullest = np.argsort(loading, kind="stable")[::-1][:TRANSFORMERS_SHOWN]
    return {
        "classes": classes,
        "vendors": vendors,
        "transformers": [
            {
                "name": fleet.transformer_names[code],
                "loading": round(float(loading[code]), 4),
                "limit_kw": _kw(float(fleet.transformer_limit_w[code])),
                "devices": int((fleet.transformer == code).sum()),
            }
            for code in fullest
        ],
    }


def event_view(
    held: HeldEvent, opts: Sequence[Opt], deliveries: Sequence[Delivery], notices: Sequence[Notice], now: datetime
) -> View:
    """One event's account."""
    total = delivered_over(deliveries)
    return {
        **_event(held, now),
        "opts": [_opt(opt) for opt in opts],
        "account": None if total is None else {
            "seconds": total.seconds,
            "asked_kw": _kw(total.asked_w),
            "allowed_kw": _kw(total.allowed_w),
            "commanded_kw": _kw(total.commanded_w),
            "acknowledged_kw": _kw(total.acknowledged_w),
            "delivered_kw": _kw(total.delivered_w),
        },
        "shortfall": _causes(total.shortfall_w if total else {}),
        "series": [
            [round(one.at.timestamp() * 1000), _kw(one.asked_w), _kw(one.allowed_w), _kw(one.delivered_w)]
            for one in deliveries
        ],
        "notices": [_notice(one) for one in notices],
    }  # fmt: skip


def _event(held: HeldEvent, now: datetime) -> View:
    event = held.event
    return {
        "id": event.id,
        "version": event.version,
        "status": event.status_at(now).value,
        "asks": asked_text(event),
        "program": event.market_context,
        "starts_at": event.starts_at.isoformat(),
        "ends_at": None if event.ends_at is None else event.ends_at.isoformat(),
        "opt": _opt(held.opt),
    }


def _opt(opt: Opt) -> View:
    return {
        "type": opt.opt_type.value, "code": opt.code, "reason": opt.reason, "version": opt.version,
        "at": opt.at.isoformat(),
    }  # fmt: skip


def _order(order: OptOrder) -> View:
    """What the operator said, and what the VTN made of it."""
    said = order.schedule or order.qualification
    spans = order.schedule.spans if order.schedule is not None else ()
    return {
        "id": order.opt_id,
        "type": said.opt_type.value if said is not None else None,
        "for": sorted((*said.scope.names, *said.scope.device_classes)) if said is not None else [],
        "event": order.qualification.event_id if order.qualification is not None else None,
        "spans": [[span.starts_at.isoformat(), span.ends_at.isoformat() if span.ends_at else None] for span in spans],
        "reason": said.reason if said is not None else "",
        "said_at": order.said_at.isoformat(),
        "told_at": None if order.told_at is None else order.told_at.isoformat(),
        "refused": f"{order.code} {order.description}".strip() if order.is_refused else None,
    }


def _notice(notice: Notice) -> View:
    return {
        "at": notice.at.isoformat(), "kind": notice.kind, "text": notice.text, "event": notice.event_id,
        "alarm": notice.alarm,
    }  # fmt: skip


def _causes(shortfall_w: Mapping[str, float]) -> list[View]:
    return [{"cause": cause.replace("_", " "), "kw": _kw(watts)} for cause, watts in shortfall_w.items()]


def _group(name: str, rows: Mask, power_w: Floats, live: Mask, told: Mask) -> View:
    return {
        "name": name,
        "devices": int(rows.sum()),
        "online": int((rows & live).sum()),
        "commanded": int((rows & told).sum()),
        "power_kw": _kw(float(power_w[rows].sum())),
    }


def _kw(watts: float) -> float | None:
    return round(watts / 1e3, 1) if np.isfinite(watts) else None
