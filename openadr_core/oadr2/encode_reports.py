"""Writers of the EiReport payloads."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.writing import (
    element,
    optional,
    payload,
    write_feed,
    write_payload_float,
    write_response,
    write_target,
    write_unit,
)
from openadr_core.xml.fields import boolean_text, date_time_text, duration_text, float_text


def register_report(message: m.RegisterReport) -> str:
    return payload(
        "oadrRegisterReport",
        element("pyld:requestID", message.request_id),
        *map(_report, message.reports),
        optional("ei:venID", message.ven_id),
        optional("ei:reportRequestID", message.report_request_id),
    )


def registered_report(message: m.RegisteredReport) -> str:
    return payload(
        "oadrRegisteredReport",
        write_response(message.response),
        *map(_report_request, message.report_requests),
        optional("ei:venID", message.ven_id),
    )


def create_report(message: m.CreateReport) -> str:
    return payload(
        "oadrCreateReport",
        element("pyld:requestID", message.request_id),
        *map(_report_request, message.report_requests),
        optional("ei:venID", message.ven_id),
    )


def created_report(message: m.CreatedReport) -> str:
    return payload(
        "oadrCreatedReport",
        write_response(message.response),
        _pending(message.pending_report_request_ids),
        optional("ei:venID", message.ven_id),
    )


def update_report(message: m.UpdateReport) -> str:
    return payload(
        "oadrUpdateReport",
        element("pyld:requestID", message.request_id),
        *map(_report, message.reports),
        optional("ei:venID", message.ven_id),
    )


def updated_report(message: m.UpdatedReport) -> str:
    return payload(
        "oadrUpdatedReport",
        write_response(message.response),
        "" if message.cancel_report is None else cancel_report(message.cancel_report),
        optional("ei:venID", message.ven_id),
    )


def cancel_report(message: m.CancelReport) -> str:
    return payload(
        "oadrCancelReport",
        element("pyld:requestID", message.request_id),
        *(element("ei:reportRequestID", text) for text in message.report_request_ids),
        element("pyld:reportToFollow", boolean_text(message.report_to_follow)),
        optional("ei:venID", message.ven_id),
    )


def canceled_report(message: m.CanceledReport) -> str:
    return payload(
        "oadrCanceledReport",
        write_response(message.response),
        _pending(message.pending_report_request_ids),
        optional("ei:venID", message.ven_id),
    )


def _pending(request_ids: Iterable[str]) -> str:
    inner = "".join(element("ei:reportRequestID", text) for text in request_ids)
    return f"<oadr:oadrPendingReports>{inner}</oadr:oadrPendingReports>"


def _report(found: m.Report) -> str:
    intervals = "".join(map(_interval, found.intervals))
    return (
        "<oadr:oadrReport>"
        + _start(found.dtstart)
        + _duration("xcal:duration", found.duration)
        + (f"<strm:intervals>{intervals}</strm:intervals>" if intervals else "")
        + optional("ei:eiReportID", found.report_id)
        + "".join(map(_description, found.descriptions))
        + element("ei:reportRequestID", found.report_request_id)
        + element("ei:reportSpecifierID", found.report_specifier_id)
        + optional("ei:reportName", found.report_name)
        + element("ei:createdDateTime", date_time_text(found.created_date_time))
        + "</oadr:oadrReport>"
    )


def _interval(found: m.ReportInterval) -> str:
    uid = "" if found.uid is None else f"<xcal:uid>{element('xcal:text', found.uid)}</xcal:uid>"
    return (
        "<ei:interval>"
        + _start(found.dtstart)
        + _duration("xcal:duration", found.duration)
        + uid
        + "".join(map(_payload, found.payloads))
        + "".join(write_feed("oadr:oadrGBPayload", feed) for feed in found.green_button)
        + "</ei:interval>"
    )


def _payload(found: m.ReportPayload) -> str:
    value = found.value
    return (
        "<oadr:oadrReportPayload>"
        + element("ei:rID", found.r_id)
        + optional("ei:confidence", None if found.confidence is None else str(found.confidence))
        + optional("ei:accuracy", None if found.accuracy is None else float_text(found.accuracy))
        + (_status(value) if isinstance(value, m.ResourceStatus) else write_payload_float(value))
        + optional("oadr:oadrDataQuality", found.data_quality)
        + "</oadr:oadrReportPayload>"
    )


def _status(found: m.ResourceStatus) -> str:
    state = (
        _load_control_value("oadr:oadrCapacity", found.capacity)
        + _load_control_value("oadr:oadrLevelOffset", found.level_offset)
        + _load_control_value("oadr:oadrPercentOffset", found.percent_offset)
        + _load_control_value("oadr:oadrSetPoint", found.set_point)
    )
    return (
        "<oadr:oadrPayloadResourceStatus>"
        + element("oadr:oadrOnline", boolean_text(found.online))
        + element("oadr:oadrManualOverride", boolean_text(found.manual_override))
        + (f"<oadr:oadrLoadControlState>{state}</oadr:oadrLoadControlState>" if state else "")
        + "</oadr:oadrPayloadResourceStatus>"
    )


def _load_control_value(name: str, found: m.LoadControlValue | None) -> str:
    if found is None:
        return ""
    values = (
        ("oadr:oadrMin", found.minimum),
        ("oadr:oadrMax", found.maximum),
        ("oadr:oadrCurrent", found.current),
        ("oadr:oadrNormal", found.normal),
    )
    inner = "".join(element(inner_name, float_text(value)) for inner_name, value in values if value is not None)
    return f"<{name}>{inner}</{name}>"


def _description(found: m.ReportDescription) -> str:
    rate = found.sampling_rate
    return (
        "<oadr:oadrReportDescription>"
        + element("ei:rID", found.r_id)
        + ("" if found.report_subject is None else write_target("ei:reportSubject", found.report_subject))
        + ("" if found.report_data_source is None else write_target("ei:reportDataSource", found.report_data_source))
        + element("ei:reportType", found.report_type)
        + write_unit(found.item_base)
        + ("" if found.green_button is None else write_feed("oadr:oadrGBDataDescription", found.green_button))
        + element("ei:readingType", found.reading_type)
        + optional("emix:marketContext", found.market_context)
        + ("" if rate is None else _sampling_rate(rate))
        + "</oadr:oadrReportDescription>"
    )


def _sampling_rate(found: m.SamplingRate) -> str:
    return (
        "<oadr:oadrSamplingRate>"
        + element("oadr:oadrMinPeriod", duration_text(found.min_period))
        + element("oadr:oadrMaxPeriod", duration_text(found.max_period))
        + element("oadr:oadrOnChange", boolean_text(found.on_change))
        + "</oadr:oadrSamplingRate>"
    )


def _report_request(found: m.ReportRequest) -> str:
    specifier = found.specifier
    interval = ""
    if specifier.dtstart is not None and specifier.duration is not None:
        properties = _start(specifier.dtstart) + _duration("xcal:duration", specifier.duration)
        interval = f"<ei:reportInterval><xcal:properties>{properties}</xcal:properties></ei:reportInterval>"
    return (
        "<oadr:oadrReportRequest>"
        + element("ei:reportRequestID", found.report_request_id)
        + "<ei:reportSpecifier>"
        + element("ei:reportSpecifierID", specifier.report_specifier_id)
        + _duration("xcal:granularity", specifier.granularity)
        + _duration("ei:reportBackDuration", specifier.report_back_duration)
        + interval
        + "".join(map(_specifier_payload, specifier.payloads))
        + "</ei:reportSpecifier></oadr:oadrReportRequest>"
    )


def _specifier_payload(found: m.SpecifierPayload) -> str:
    return (
        "<ei:specifierPayload>"
        + element("ei:rID", found.r_id)
        + write_unit(found.item_base)
        + element("ei:readingType", found.reading_type)
        + "</ei:specifierPayload>"
    )


def _start(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return f"<xcal:dtstart><xcal:date-time>{date_time_text(moment)}</xcal:date-time></xcal:dtstart>"


def _duration(name: str, length: timedelta | None) -> str:
    return "" if length is None else f"<{name}><xcal:duration>{duration_text(length)}</xcal:duration></{name}>"
