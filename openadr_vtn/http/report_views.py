"""A party's reports as JSON for people's tools: canonical units, RFC 3339, durations in seconds."""

from datetime import datetime, timedelta
from typing import Any

from openadr_core.model.report import DataPoint, ReportOffer
from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.handlers.compliance import PartyCompliance
from openadr_vtn.application.handlers.report_views import ReportsOfParty, RequestView
from openadr_vtn.application.said_ports import StoredReading, StoredStatus

Object = dict[str, Any]


def offer_json(offer: ReportOffer) -> Object:
    return {
        "specifier": offer.specifier_id,
        "name": offer.report_name,
        "buffered_s": offer.buffered.total_seconds(),
        "points": [_point_json(point) for point in offer.data_points],
    }


def request_json(view: RequestView) -> Object:
    requested, request = view.requested, view.requested.request
    return {
        "id": request.id,
        "specifier": request.specifier_id,
        "points": list(request.r_ids),
        "granularity_s": request.granularity.total_seconds(),
        "report_back_s": request.report_back.total_seconds(),
        "starts_at": moment_text(request.starts_at),
        "duration_s": None if request.duration is None else request.duration.total_seconds(),
        "history": request.history,
        "state": requested.state.value,
        "refusal": requested.refusal,
        "asked_at": moment_text(requested.asked_at),
        "confirmed_at": _moment(requested.confirmed_at),
        "received_at": _moment(requested.received_at),
        "covered_until": _moment(requested.covered_until),
        "quality": None if requested.quality is None else requested.quality.value,
        "cancel_asked_at": _moment(requested.cancel_asked_at),
        "to_follow": requested.to_follow,
        "ended_at": _moment(requested.ended_at),
        "late_by_s": _whole_s(view.late_by),
    }


def reading_json(stored: StoredReading) -> Object:
    reading = stored.reading
    return {
        "measurand": stored.measurand.value,
        "source": stored.source,
        "point": reading.r_id,
        "starts_at": moment_text(reading.starts_at),
        "duration_s": reading.duration.total_seconds(),
        "value": reading.value,
        "unit": stored.unit,
        "quality": reading.quality.value,
        "cause": reading.cause,
        "confidence": reading.confidence,
        "accuracy": reading.accuracy,
        "received_at": moment_text(stored.received_at),
    }


def status_json(stored: StoredStatus) -> Object:
    status = stored.status
    return {
        "source": stored.source,
        "point": status.r_id,
        "at": moment_text(status.at),
        "online": status.status.online,
        "manual_override": status.status.manual_override,
        "controls": {
            control.value: {
                "current": value.current,
                "min": value.minimum,
                "max": value.maximum,
                "normal": value.normal,
            }
            for control, value in status.status.controls.items()
        },
        "quality": status.quality.value,
        "cause": status.cause,
        "received_at": moment_text(stored.received_at),
    }


def reports_json(found: ReportsOfParty) -> Object:
    """Everything on the party's page; ``power`` rows are start, seconds, kW, baseline kW."""
    usual_w = {one.starts_at: one.value for one in found.baseline if one.quality.is_usable}
    return {
        "party_id": found.party.id,
        "party": found.party.name,
        "offers": [offer_json(offer) for offer in found.offers],
        "requests": [request_json(view) for view in found.requests],
        "newest": [reading_json(stored) for stored in found.newest],
        "statuses": [status_json(stored) for stored in found.statuses],
        "power": [
            [moment_text(one.starts_at), one.duration.total_seconds(), _kw(one.value), _kw(usual_w.get(one.starts_at))]
            for one in found.usage
            if one.quality.is_usable
        ],
    }


def compliance_json(one: PartyCompliance, now: datetime) -> Object:
    told = one.performance
    return {
        "party_id": one.party.id,
        "party": one.party.name,
        "late_by_s": _whole_s(one.late_by(now)),
        "reports": [
            {
                "payload_type": owed.payload_type,
                "number": owed.number,
                "due_at": moment_text(owed.due_at),
                "complete_at": _moment(owed.complete_at),
                "intervals": owed.intervals,
                "covered": owed.covered,
                "poor": owed.poor,
                "standing": owed.standing.value,
                "late_by_s": _whole_s(owed.late_by(now)),
            }
            for owed in one.owed
        ],
        "missing": [[moment_text(start), moment_text(end)] for start, end in told.missing] if told else [],
    }


def _point_json(point: DataPoint) -> Object:
    return {
        "id": point.r_id,
        "measurand": point.measurand.value,
        "unit": point.unit,
        "source": point.source.label,
        "market_context": point.source.market_context,
        "min_period_s": point.min_period.total_seconds(),
        "max_period_s": point.max_period.total_seconds(),
        "on_change": point.on_change,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)


def _whole_s(length: timedelta) -> int:
    return int(length.total_seconds())


def _kw(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w / 1000, 3)
