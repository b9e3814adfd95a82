"""Readers of the EiReport payloads."""

from datetime import datetime, timedelta

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.parts import (
    child,
    clark,
    maybe_child,
    read_feed,
    read_response,
    read_target,
    read_unit,
    required,
    text,
    texts,
)
from openadr_core.xml.fields import boolean_of, date_time_of, duration_of, float_of, integer_of, text_of, token_of
from openadr_core.xml.parse import Element


def register_report(payload: Element) -> m.RegisterReport:
    return m.RegisterReport(
        request_id=required(payload, "pyld:requestID"),
        reports=_reports(payload),
        ven_id=text(payload, "ei:venID"),
        report_request_id=text(payload, "ei:reportRequestID"),
    )


def registered_report(payload: Element) -> m.RegisteredReport:
    return m.RegisteredReport(
        response=read_response(payload),
        report_requests=_report_requests(payload),
        ven_id=text(payload, "ei:venID"),
    )


def create_report(payload: Element) -> m.CreateReport:
    return m.CreateReport(
        request_id=required(payload, "pyld:requestID"),
        report_requests=_report_requests(payload),
        ven_id=text(payload, "ei:venID"),
    )


def created_report(payload: Element) -> m.CreatedReport:
    return m.CreatedReport(
        response=read_response(payload),
        pending_report_request_ids=_pending(payload),
        ven_id=text(payload, "ei:venID"),
    )


def update_report(payload: Element) -> m.UpdateReport:
    return m.UpdateReport(
        request_id=required(payload, "pyld:requestID"),
        reports=_reports(payload),
        ven_id=text(payload, "ei:venID"),
    )


def updated_report(payload: Element) -> m.UpdatedReport:
    cancel = maybe_child(payload, "oadr:oadrCancelReport")
    return m.UpdatedReport(
        response=read_response(payload),
        cancel_report=None if cancel is None else cancel_report(cancel),
        ven_id=text(payload, "ei:venID"),
    )


def cancel_report(payload: Element) -> m.CancelReport:
    return m.CancelReport(
        request_id=required(payload, "pyld:requestID"),
        report_request_ids=texts(payload, "ei:reportRequestID"),
        report_to_follow=boolean_of(child(payload, "pyld:reportToFollow")),
        ven_id=text(payload, "ei:venID"),
    )


def canceled_report(payload: Element) -> m.CanceledReport:
    return m.CanceledReport(
        response=read_response(payload),
        pending_report_request_ids=_pending(payload),
        ven_id=text(payload, "ei:venID"),
    )


def _pending(payload: Element) -> tuple[str, ...]:
    return texts(child(payload, "oadr:oadrPendingReports"), "ei:reportRequestID")


def _reports(payload: Element) -> tuple[m.Report, ...]:
    return tuple(_report(report) for report in payload.iterchildren(clark("oadr:oadrReport")))


def _report(element: Element) -> m.Report:
    intervals = maybe_child(element, "strm:intervals")
    name = maybe_child(element, "ei:reportName")
    return m.Report(
        dtstart=_moment(element),
        duration=_length(element),
        intervals=() if intervals is None else tuple(_interval(interval) for interval in intervals),
        report_id=text(element, "ei:eiReportID"),
        descriptions=tuple(_description(found) for found in element.iterchildren(clark("oadr:oadrReportDescription"))),
        report_request_id=required(element, "ei:reportRequestID"),
        report_specifier_id=required(element, "ei:reportSpecifierID"),
        report_name=None if name is None else token_of(name),
        created_date_time=date_time_of(child(element, "ei:createdDateTime")),
    )


def _interval(element: Element) -> m.ReportInterval:
    uid = maybe_child(element, "xcal:uid")
    return m.ReportInterval(
        dtstart=_moment(element),
        duration=_length(element),
        uid=None if uid is None else text_of(uid[0]),
        payloads=tuple(_payload(found) for found in element.iterchildren(clark("oadr:oadrReportPayload"))),
        green_button=tuple(read_feed(found) for found in element.iterchildren(clark("oadr:oadrGBPayload"))),
    )


def _payload(element: Element) -> m.ReportPayload:
    confidence = maybe_child(element, "ei:confidence")
    accuracy = maybe_child(element, "ei:accuracy")
    quality = maybe_child(element, "oadr:oadrDataQuality")
    status = maybe_child(element, "oadr:oadrPayloadResourceStatus")
    return m.ReportPayload(
        r_id=required(element, "ei:rID"),
        confidence=None if confidence is None else integer_of(confidence),
        accuracy=None if accuracy is None else float_of(accuracy),
        value=float_of(child(element, "ei:payloadFloat")[0]) if status is None else _status(status),
        data_quality=None if quality is None else token_of(quality),
    )


def _status(element: Element) -> m.ResourceStatus:
    state = maybe_child(element, "oadr:oadrLoadControlState")

    def value(name: str) -> m.LoadControlValue | None:
        found = None if state is None else maybe_child(state, name)
        return None if found is None else _load_control_value(found)

    return m.ResourceStatus(
        online=boolean_of(child(element, "oadr:oadrOnline")),
        manual_override=boolean_of(child(element, "oadr:oadrManualOverride")),
        capacity=value("oadr:oadrCapacity"),
        level_offset=value("oadr:oadrLevelOffset"),
        percent_offset=value("oadr:oadrPercentOffset"),
        set_point=value("oadr:oadrSetPoint"),
    )


def _load_control_value(element: Element) -> m.LoadControlValue:
    def optional(name: str) -> float | None:
        found = maybe_child(element, name)
        return None if found is None else float_of(found)

    return m.LoadControlValue(
        minimum=optional("oadr:oadrMin"),
        maximum=optional("oadr:oadrMax"),
        current=float_of(child(element, "oadr:oadrCurrent")),
        normal=optional("oadr:oadrNormal"),
    )


def _description(element: Element) -> m.ReportDescription:
    subject = maybe_child(element, "ei:reportSubject")
    source = maybe_child(element, "ei:reportDataSource")
    feed = maybe_child(element, "oadr:oadrGBDataDescription")
    rate = maybe_child(element, "oadr:oadrSamplingRate")
    return m.ReportDescription(
        r_id=required(element, "ei:rID"),
        report_subject=None if subject is None else read_target(subject),
        report_data_source=None if source is None else read_target(source),
        report_type=token_of(child(element, "ei:reportType")),
        item_base=read_unit(element),
        green_button=None if feed is None else read_feed(feed),
        reading_type=token_of(child(element, "ei:readingType")),
        market_context=text(element, "emix:marketContext"),
        sampling_rate=None
        if rate is None
        else m.SamplingRate(
            min_period=duration_of(child(rate, "oadr:oadrMinPeriod")),
            max_period=duration_of(child(rate, "oadr:oadrMaxPeriod")),
            on_change=boolean_of(child(rate, "oadr:oadrOnChange")),
        ),
    )


def _report_requests(payload: Element) -> tuple[m.ReportRequest, ...]:
    return tuple(_report_request(request) for request in payload.iterchildren(clark("oadr:oadrReportRequest")))


def _report_request(element: Element) -> m.ReportRequest:
    specifier = child(element, "ei:reportSpecifier")
    interval = specifier.find(f"{clark('ei:reportInterval')}/{clark('xcal:properties')}")
    return m.ReportRequest(
        report_request_id=required(element, "ei:reportRequestID"),
        specifier=m.ReportSpecifier(
            report_specifier_id=required(specifier, "ei:reportSpecifierID"),
            granularity=duration_of(child(specifier, "xcal:granularity")[0]),
            report_back_duration=duration_of(child(specifier, "ei:reportBackDuration")[0]),
            dtstart=None if interval is None else _moment(interval),
            duration=None if interval is None else _length(interval),
            payloads=tuple(
                m.SpecifierPayload(
                    r_id=required(found, "ei:rID"),
                    item_base=read_unit(found),
                    reading_type=token_of(child(found, "ei:readingType")),
                )
                for found in specifier.iterchildren(clark("ei:specifierPayload"))
            ),
        ),
    )


def _moment(element: Element) -> datetime | None:
    found = maybe_child(element, "xcal:dtstart")
    return None if found is None else date_time_of(found[0])


def _length(element: Element) -> timedelta | None:
    found = maybe_child(element, "xcal:duration")
    return None if found is None else duration_of(found[0])
