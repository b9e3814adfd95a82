"""Bytes of a request's body to a report, as the VEN wrote it; what it measured is :mod:`.readings`."""

from openadr_core.oadr3.decode import (
    REPORT_DESCRIPTOR,
    SERVER_MEMBERS,
    document_of,
    interval_of,
    period_of,
    report_payload_descriptor,
)
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.messages import ReportPayloadDescriptor, ReportRequest, ResourceReport

OURS = SERVER_MEMBERS | {"clientID"}


def decode_report(body: bytes) -> ReportRequest:
    """A report; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    report = Fields.of(members, "")
    if report.members.get("resources") is None:
        raise report.wrong("resources", "is missing")
    report.optional("reportName", report.text)
    return ReportRequest(
        event_id=report.required("eventID", report.identifier),
        client_name=report.required("clientName", report.name),
        document=document_of(text, OURS),
        payload_descriptors=tuple(_descriptor(one) for one in report.objects("payloadDescriptors")),
        resources=tuple(_resource(one) for one in report.objects("resources")),
    )


def _resource(resource: Fields) -> ResourceReport:
    if resource.members.get("intervals") is None:
        raise resource.wrong("intervals", "is missing")
    return ResourceReport(
        name=resource.required("resourceName", resource.name),
        period=period_of(resource),
        intervals=tuple(interval_of(interval) for interval in resource.objects("intervals")),
    )


def _descriptor(descriptor: Fields) -> ReportPayloadDescriptor:
    """An absent objectType is taken for the only one there can be: the User Guide's samples leave it out."""
    if (descriptor.optional("objectType", descriptor.text) or REPORT_DESCRIPTOR) != REPORT_DESCRIPTOR:
        raise descriptor.wrong("objectType", f"must be {REPORT_DESCRIPTOR}")
    return report_payload_descriptor(descriptor)
