"""Availability as JSON for people's tools."""

from typing import Any

from openadr_core.model.availability import OptStep, Scope, Span
from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.handlers.availability_views import AvailabilityView, QualificationView, ScheduleView

Object = dict[str, Any]


def schedule_view_json(view: ScheduleView) -> Object:
    schedule = view.stored.schedule
    return {
        "party_id": view.party.id,
        "party": view.party.name,
        "opt_id": schedule.id,
        "type": schedule.opt_type.value,
        "reason": schedule.reason,
        "status": view.status,
        "scope": scope_json(schedule.scope),
        "spans": [_span_json(span) for span in schedule.spans],
        "created_at": moment_text(schedule.created_at),
        "received_at": moment_text(view.stored.received_at),
        "cancelled_at": None if schedule.cancelled_at is None else moment_text(schedule.cancelled_at),
    }


def availability_view_json(view: AvailabilityView) -> Object:
    return {
        "party_id": view.party.id,
        "party": view.party.name,
        "steps": [_step_json(step) for step in view.steps],
    }


def qualification_view_json(view: QualificationView) -> Object:
    said = view.said
    return {
        "party_id": view.party.id,
        "party": view.party.name,
        "opt_id": said.id,
        "type": said.opt_type.value,
        "reason": said.reason,
        "version": said.version,
        "scope": scope_json(said.scope),
        "created_at": moment_text(said.created_at),
    }


def scope_json(scope: Scope) -> Object:
    """Empty lists and an empty context: all that the party has, under every program."""
    return {
        "targets": sorted([target.kind.value, target.name] for target in scope.targets),
        "device_classes": sorted(scope.device_classes),
        "market_context": scope.market_context,
    }


def _span_json(span: Span) -> Object:
    ends_at = span.ends_at
    return {"starts_at": moment_text(span.starts_at), "ends_at": None if ends_at is None else moment_text(ends_at)}


def _step_json(step: OptStep) -> Object:
    schedule = step.state.schedule
    return {
        "starts_at": moment_text(step.starts_at),
        "type": step.state.opt_type.value,
        "opt_id": None if schedule is None else schedule.id,
        "reason": None if schedule is None else schedule.reason,
    }
