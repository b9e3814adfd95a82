"""What is known about parties and events, as JSON for people's tools: kW, RFC 3339, no names of ours inside."""

from datetime import datetime, timedelta
from typing import Any

from openadr_core.model.opt import Opt
from openadr_core.model.party import Party
from openadr_core.model.target import names_of
from openadr_core.model.wording import asked_text
from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.handlers.observe import (
    EventDetail,
    EventView,
    LedgerRow,
    PartyDetail,
    PartyPerformance,
    PartyView,
)
from openadr_vtn.application.handlers.preview import Preview, Reached
from openadr_vtn.application.ports import AuditEntry
from openadr_vtn.http.opt_views import qualification_view_json

Object = dict[str, Any]

ONLY_3 = "OpenADR 3 only"
"""What an event asks that no other protocol has words for; they stand in its document."""


def party_json(party: Party) -> Object:
    registration = party.registration
    return {
        "id": party.id,
        "name": party.name,
        "state": party.state.value,
        "client_id": party.client_id,
        "targets": list(party.targets),
        "first_seen_at": moment_text(party.first_seen_at),
        "registered_at": moment_text(registration.registered_at) if registration else None,
        "profile": registration.profile if registration else None,
        "report_only": registration.report_only if registration else None,
        "signatures": party.signatures.value if party.signatures else None,
        "poll_interval_s": whole_s(party.poll_interval),
        "enrolled_kw": _kw(party.enrolled_w),
        "certificates": [
            {
                "fingerprint": certificate.fingerprint_20b,
                "lfdi": certificate.lfdi,
                "sha256": certificate.sha256,
                "subject": certificate.subject,
                "ends_at": _moment(certificate.ends_at),
                "denied": certificate.denied,
            }
            for certificate in party.certificates
        ],
    }


def party_view_json(view: PartyView) -> Object:
    registration = view.party.registration
    return {
        **party_json(view.party),
        "last_seen_at": _moment(view.last_seen_at),
        "reports": len(view.reports),
        "report_late_by_s": whole_s(view.late_by),
        "resources": [{"id": one.id, "name": one.name, "targets": list(one.targets)} for one in view.resources],
        "transport": None if registration is None else "pull" if registration.pull else "push",
        "push": None
        if view.push is None
        else {
            "at": moment_text(view.push.at),
            "outcome": view.push.outcome,
            "failures": view.push.failures,
            "retry_at": _moment(view.push.retry_at),
        },
    }


def party_detail_json(detail: PartyDetail) -> Object:
    registration = detail.view.party.registration
    return {
        **party_view_json(detail.view),
        "registration": {
            "id": registration.registration_id,
            "transport": registration.transport,
            "pull": registration.pull,
            "xml_signature": registration.xml_signature,
            "transport_address": registration.transport_address,
        }
        if registration
        else None,
        "waiting": [
            {
                "kind": errand.kind.value,
                "made_at": moment_text(errand.made_at),
                "sent_at": _moment(errand.sent_at),
                "attempts": errand.attempts,
                "heard_at": _moment(errand.heard_at),
            }
            for errand in detail.waiting
        ],
    }


def event_view_json(view: EventView) -> Object:
    event = view.event
    return {
        "id": event.id,
        "program_id": event.program_id,
        "program": view.program_name,
        "name": event.comment,
        "status": view.status.value,
        "version": event.version,
        "priority": event.priority,
        "targets": list(names_of(event.targets)),
        "asks": asked_text(event) or ONLY_3,
        "not_told_to_2_0b": list(event.not_read),
        "starts_at": moment_text(event.starts_at),
        "ends_at": _moment(event.ends_at),
        "created_at": moment_text(event.created_at),
        "modified_at": moment_text(event.modified_at),
        "cancelled_at": _moment(event.cancelled_at),
        "entitled": view.entitled,
        "fetched": view.fetched,
        "opted_in": view.opted_in,
        "opted_out": view.opted_out,
    }


def event_detail_json(detail: EventDetail) -> Object:
    return {
        **event_view_json(detail.view),
        "not_told_to_2030_5": list(detail.not_told_to_devices),
        "versions": detail.versions,
        "target_kw": _kw(detail.target_w),
        "delivered_kw": _kw(detail.delivered_w),
        "target": [[moment_text(moment), _kw(value_w)] for moment, value_w in detail.target],
        "delivered": [
            [moment_text(one.starts_at), one.duration.total_seconds(), _kw(one.delivered_w), _kw(one.metered_w),
             _kw(one.baseline_w)]
            for one in detail.delivered
        ],
        "parties": [_performance_json(one) for one in detail.parties],
        "ledger": [ledger_json(row) for row in detail.ledger],
        "answers": [{"party_id": party.id, "party": party.name, **_answer_json(opt)} for party, opt in detail.answers],
        "notes": [note_json(entry) for entry in detail.notes],
        "qualifications": [qualification_view_json(one) for one in detail.qualifications],
    }  # fmt: skip


def preview_json(preview: Preview) -> Object:
    event, reached = preview.event, preview.reached
    return {
        "program": preview.program_name,
        "asks": asked_text(event) or ONLY_3,
        "starts_at": moment_text(event.starts_at),
        "ends_at": _moment(event.ends_at),
        "not_told_to_2_0b": list(event.not_read),
        "not_told_to_2030_5": list(preview.not_told_to_devices),
        "parties": [
            {
                "party_id": one.party.id,
                "party": one.party.name,
                "speaks": _speech(one),
                "devices": one.devices,
                "last_seen_at": _moment(one.last_seen_at),
                "offline": one.is_offline,
                "enrolled_kw": _kw(one.enrolled_w),
                "available_kw": _kw(one.available_w),
            }
            for one in reached
        ],
        "offline": sum(one.is_offline for one in reached),
        "enrolled_kw": _kw(sum(one.enrolled_w or 0.0 for one in reached)),
        "available_kw": _kw(sum(one.available_w or 0.0 for one in reached)),
    }


def _speech(one: Reached) -> str:
    """In what it would be told."""
    if not one.party.certificates:
        return "OpenADR 3"
    if not one.devices:
        return "OpenADR 2.0b"
    return "IEEE 2030.5" if one.party.registration is None else "OpenADR 2.0b, IEEE 2030.5"


def note_json(entry: AuditEntry) -> Object:
    return {"at": moment_text(entry.at), "by": entry.actor, "text": entry.detail}


def audit_json(entry: AuditEntry) -> Object:
    return {
        "at": moment_text(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
    }


def _performance_json(one: PartyPerformance) -> Object:
    latest = one.delivered[-1] if one.delivered else None
    return {
        "party_id": one.party.id,
        "party": one.party.name,
        "opt": _opt_json(one.opt),
        "delivered_kw": _kw(latest.delivered_w) if latest else None,
        "reported_until": moment_text(latest.starts_at + latest.duration) if latest else None,
        "report_late_by_s": whole_s(one.late_by),
        "missing": [[moment_text(start), moment_text(end)] for start, end in one.missing],
    }


def ledger_json(row: LedgerRow) -> Object:
    delivery = row.delivery
    return {
        "party_id": row.party.id,
        "party": row.party.name,
        "version": delivery.version,
        "withdrawn": delivery.withdrawn,
        "entitled_at": moment_text(delivery.entitled_at),
        "notified_at": _moment(delivery.notified_at),
        "fetched_at": _moment(delivery.fetched_at),
        "answered_at": _moment(delivery.answered_at),
        "reported_at": _moment(delivery.reported_at),
        "attempts": delivery.attempts,
        "given_up": row.given_up,
        "opt": _opt_json(row.opt),
    }


def _opt_json(opt: Opt | None) -> Object | None:
    return None if opt is None else _answer_json(opt)


def _answer_json(opt: Opt) -> Object:
    return {
        "type": opt.opt_type.value,
        "version": opt.version,
        "code": opt.code,
        "reason": opt.reason,
        "at": moment_text(opt.at),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)


def _kw(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w / 1000, 3)


def whole_s(length: timedelta) -> int:
    return int(length.total_seconds())
