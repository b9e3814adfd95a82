"""Values to rows and back: the one place that knows both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import Certificate, Party, PartyState, Registration, SignatureRule
from openadr_core.model.program import Program, ReliefSign
from openadr_core.model.report import (
    Control,
    ControlValue,
    DataPoint,
    DataSource,
    Measurand,
    Quality,
    Reading,
    ReportOffer,
    ReportRequest,
    ResourceStatus,
    StatusReading,
)
from openadr_vtn.adapters.sql.event_columns import (
    baseline_json,
    baseline_of,
    signal_json,
    signal_of,
    target_json,
    target_of,
)
from openadr_vtn.adapters.sql.opt_repository import rules_json, rules_of
from openadr_vtn.application.ports import StoredEvent, StoredProgram
from openadr_vtn.application.said_ports import StoredReading, StoredStatus
from openadr_vtn.domain.delivery import over_at
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport, late_at

Columns = Mapping[str, Any]


def program_row(stored: StoredProgram) -> dict[str, Any]:
    program = stored.program
    return {
        "id": program.id,
        "name": program.name,
        "market_context": program.market_context,
        "relief_sign": program.relief_sign.value if program.relief_sign else None,
        "targets": list(program.targets),
        "opt_rules": None if program.opt_rules is None else rules_json(program.opt_rules),
        "overlap_allowed": program.overlap_allowed,
        "document": stored.document,
        "created_at": stored.created_at,
        "modified_at": stored.modified_at,
    }


def program_of(row: Columns) -> StoredProgram:
    program = Program(
        id=row["id"],
        name=row["name"],
        market_context=row["market_context"],
        relief_sign=_sign(row["relief_sign"]),
        targets=tuple(row["targets"]),
        opt_rules=None if row["opt_rules"] is None else rules_of(row["opt_rules"]),
        overlap_allowed=row["overlap_allowed"],
    )
    return StoredProgram(
        program=program, document=row["document"], created_at=row["created_at"], modified_at=row["modified_at"]
    )


def event_row(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        "id": event.id,
        "program_id": event.program_id,
        "market_context": event.market_context,
        "version": event.version,
        "starts_at": event.starts_at,
        "duration_s": _seconds(event.duration),
        "signals": [signal_json(signal) for signal in event.signals],
        "baseline": None if event.baseline is None else baseline_json(event.baseline),
        "priority": event.priority,
        "relief_sign": event.relief_sign.value if event.relief_sign else None,
        "targets": [target_json(target) for target in event.targets],
        "ramp_up_s": event.ramp_up.total_seconds(),
        "recovery_s": event.recovery.total_seconds(),
        "notification_s": event.notification.total_seconds(),
        "start_after_s": event.start_after.total_seconds(),
        "response_required": event.response_required,
        "test": event.test,
        "comment": event.comment,
        "modification_reason": event.modification_reason,
        "not_read": list(event.not_read),
        "created_at": event.created_at,
        "modified_at": event.modified_at,
        "cancelled_at": event.cancelled_at,
        "document": stored.document,
        "over_at": over_at(event),
    }


def event_of(row: Columns) -> StoredEvent:
    event = DrEvent(
        id=row["id"],
        program_id=row["program_id"],
        market_context=row["market_context"],
        version=row["version"],
        starts_at=row["starts_at"],
        duration=_length(row["duration_s"]),
        signals=tuple(signal_of(signal) for signal in row["signals"]),
        baseline=None if row["baseline"] is None else baseline_of(row["baseline"]),
        priority=row["priority"],
        relief_sign=_sign(row["relief_sign"]),
        targets=tuple(target_of(target) for target in row["targets"]),
        ramp_up=timedelta(seconds=row["ramp_up_s"]),
        recovery=timedelta(seconds=row["recovery_s"]),
        notification=timedelta(seconds=row["notification_s"]),
        start_after=timedelta(seconds=row["start_after_s"]),
        response_required=row["response_required"],
        test=row["test"],
        comment=row["comment"],
        modification_reason=row["modification_reason"],
        not_read=tuple(row["not_read"]),
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        cancelled_at=row["cancelled_at"],
    )
    return StoredEvent(event=event, document=row["document"], removed_at=row.get("removed_at"))


def party_row(party: Party) -> dict[str, Any]:
    return {
        "id": party.id,
        "name": party.name,
        "state": party.state.value,
        "first_seen_at": party.first_seen_at,
        "targets": list(party.targets),
        "poll_interval_s": party.poll_interval.total_seconds(),
        "signatures": None if party.signatures is None else party.signatures.value,
        "enrolled_w": party.enrolled_w,
        "client_id": party.client_id,
        "document": party.document,
        "modified_at": party.modified_at,
    }


def certificate_rows(party: Party) -> list[dict[str, Any]]:
    return [
        {
            "sha256": certificate.sha256,
            "party_id": party.id,
            "fingerprint_20b": certificate.fingerprint_20b,
            "lfdi": certificate.lfdi,
            "subject": certificate.subject,
            "first_seen_at": certificate.first_seen_at,
            "ends_at": certificate.ends_at,
        }
        for certificate in party.certificates
    ]


def registration_row(party_id: str, registration: Registration) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "registration_id": registration.registration_id,
        "profile": registration.profile,
        "transport": registration.transport,
        "pull": registration.pull,
        "report_only": registration.report_only,
        "xml_signature": registration.xml_signature,
        "registered_at": registration.registered_at,
        "transport_address": registration.transport_address,
    }


def party_of(
    row: Columns, certificates: Sequence[Columns], registration: Columns | None, resource_targets: Sequence[str]
) -> Party:
    return Party(
        id=row["id"],
        name=row["name"],
        state=PartyState(row["state"]),
        certificates=tuple(
            Certificate(**{**_without(certificate, "party_id"), "denied": bool(certificate["denied"])})
            for certificate in certificates
        ),
        first_seen_at=row["first_seen_at"],
        targets=tuple(row["targets"]),
        registration=None if registration is None else Registration(**_without(registration, "party_id")),
        poll_interval=timedelta(seconds=row["poll_interval_s"]),
        signatures=None if row["signatures"] is None else SignatureRule(row["signatures"]),
        enrolled_w=row["enrolled_w"],
        client_id=row["client_id"],
        resource_targets=tuple(resource_targets),
        document=row["document"],
        modified_at=row["modified_at"],
    )


def opt_row(party_id: str, opt: Opt) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "event_id": opt.event_id,
        "version": opt.version,
        "opt_type": opt.opt_type.value,
        "at": opt.at,
        "reason": opt.reason,
        "code": opt.code,
    }


def opt_of(row: Columns) -> Opt:
    return Opt(
        event_id=row["event_id"],
        version=row["version"],
        opt_type=OptType(row["opt_type"]),
        at=row["at"],
        reason=row["reason"],
        code=row["code"],
    )


def offer_row(party_id: str, offer: ReportOffer) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "specifier_id": offer.specifier_id,
        "report_name": offer.report_name,
        "buffered_s": offer.buffered.total_seconds(),
    }


def data_point_rows(party_id: str, offered: OfferedReport) -> list[dict[str, Any]]:
    return [
        {
            "party_id": party_id,
            "specifier_id": offered.offer.specifier_id,
            "r_id": point.r_id,
            "position": position,
            "measurand": point.measurand.value,
            "unit": point.unit,
            "source_names": list(point.source.names),
            "device_classes": list(point.source.device_classes),
            "market_context": point.source.market_context,
            "min_period_s": point.min_period.total_seconds(),
            "max_period_s": point.max_period.total_seconds(),
            "on_change": point.on_change,
            "factor": offered.factors[point.r_id],
        }
        for position, point in enumerate(offered.offer.data_points)
    ]


def offer_of(row: Columns, points: Sequence[Columns]) -> OfferedReport:
    offer = ReportOffer(
        specifier_id=row["specifier_id"],
        report_name=row["report_name"],
        buffered=timedelta(seconds=row["buffered_s"]),
        data_points=tuple(_data_point_of(point) for point in points),
    )
    return OfferedReport(offer=offer, factors={point["r_id"]: point["factor"] for point in points})


def _data_point_of(row: Columns) -> DataPoint:
    return DataPoint(
        r_id=row["r_id"],
        measurand=Measurand(row["measurand"]),
        unit=row["unit"],
        source=DataSource(
            names=tuple(row["source_names"]),
            device_classes=tuple(row["device_classes"]),
            market_context=row["market_context"],
        ),
        min_period=timedelta(seconds=row["min_period_s"]),
        max_period=timedelta(seconds=row["max_period_s"]),
        on_change=row["on_change"],
    )


def request_row(party_id: str, requested: RequestedReport) -> dict[str, Any]:
    request = requested.request
    return {
        "party_id": party_id,
        "id": request.id,
        "specifier_id": request.specifier_id,
        "r_ids": list(request.r_ids),
        "granularity_s": request.granularity.total_seconds(),
        "report_back_s": request.report_back.total_seconds(),
        "starts_at": request.starts_at,
        "duration_s": _seconds(request.duration),
        "history": request.history,
        "asked_at": requested.asked_at,
        "confirmed_at": requested.confirmed_at,
        "refusal": requested.refusal,
        "received_at": requested.received_at,
        "covered_until": requested.covered_until,
        "quality": None if requested.quality is None else requested.quality.value,
        "cancel_asked_at": requested.cancel_asked_at,
        "to_follow": requested.to_follow,
        "followed_at": requested.followed_at,
        "ended_at": requested.ended_at,
        "late_at": late_at(requested),
    }


def request_of(row: Columns) -> RequestedReport:
    request = ReportRequest(
        id=row["id"],
        specifier_id=row["specifier_id"],
        r_ids=tuple(row["r_ids"]),
        granularity=timedelta(seconds=row["granularity_s"]),
        report_back=timedelta(seconds=row["report_back_s"]),
        starts_at=row["starts_at"],
        duration=_length(row["duration_s"]),
        history=row["history"],
    )
    return RequestedReport(
        request=request,
        asked_at=row["asked_at"],
        confirmed_at=row["confirmed_at"],
        refusal=row["refusal"],
        received_at=row["received_at"],
        covered_until=row["covered_until"],
        quality=None if row["quality"] is None else Quality(row["quality"]),
        cancel_asked_at=row["cancel_asked_at"],
        to_follow=row["to_follow"],
        followed_at=row["followed_at"],
        ended_at=row["ended_at"],
    )


def reading_row(party_id: str, point: DataPoint, reading: Reading, received_at: datetime) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "measurand": point.measurand.value,
        "source": point.source.label,
        "starts_at": reading.starts_at,
        "r_id": reading.r_id,
        "unit": point.unit,
        "duration_s": reading.duration.total_seconds(),
        "value": reading.value,
        "quality": reading.quality.value,
        "cause": reading.cause,
        "confidence": reading.confidence,
        "accuracy": reading.accuracy,
        "received_at": received_at,
    }


def reading_of(row: Columns) -> Reading:
    return Reading(
        r_id=row["r_id"],
        starts_at=row["starts_at"],
        duration=timedelta(seconds=row["duration_s"]),
        value=row["value"],
        quality=Quality(row["quality"]),
        cause=row["cause"],
        confidence=row["confidence"],
        accuracy=row["accuracy"],
    )


def stored_reading_of(row: Columns) -> StoredReading:
    return StoredReading(
        measurand=Measurand(row["measurand"]),
        unit=row["unit"],
        source=row["source"],
        reading=reading_of(row),
        received_at=row["received_at"],
    )


def status_row(party_id: str, point: DataPoint, status: StatusReading, received_at: datetime) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "source": point.source.label,
        "at": status.at,
        "r_id": status.r_id,
        "online": status.status.online,
        "manual_override": status.status.manual_override,
        "controls": {control.value: asdict(value) for control, value in status.status.controls.items()},
        "quality": status.quality.value,
        "cause": status.cause,
        "received_at": received_at,
    }


def stored_status_of(row: Columns) -> StoredStatus:
    status = ResourceStatus(
        online=row["online"],
        manual_override=row["manual_override"],
        controls={Control(name): ControlValue(**value) for name, value in row["controls"].items()},
    )
    reading = StatusReading(
        r_id=row["r_id"], at=row["at"], status=status, quality=Quality(row["quality"]), cause=row["cause"]
    )
    return StoredStatus(source=row["source"], status=reading, received_at=row["received_at"])


def _sign(value: str | None) -> ReliefSign | None:
    return None if value is None else ReliefSign(value)


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _length(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _without(row: Columns, name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}
