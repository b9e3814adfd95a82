"""Readers of the EiEvent payloads, and of oadrCreateOpt, which may qualify an event."""

from datetime import timedelta

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.parts import (
    child,
    clark,
    maybe_child,
    read_response,
    read_target,
    read_unit,
    required,
    text,
    texts,
)
from openadr_core.xml.fields import date_time_of, duration_of, float_of, integer_of, text_of, token_of
from openadr_core.xml.parse import Element


def request_event(payload: Element) -> m.RequestEvent:
    request = child(payload, "pyld:eiRequestEvent")
    limit = maybe_child(request, "pyld:replyLimit")
    return m.RequestEvent(
        request_id=required(request, "pyld:requestID"),
        ven_id=required(request, "ei:venID"),
        reply_limit=None if limit is None else integer_of(limit),
    )


def distribute_event(payload: Element) -> m.DistributeEvent:
    return m.DistributeEvent(
        response=None if maybe_child(payload, "ei:eiResponse") is None else read_response(payload),
        request_id=required(payload, "pyld:requestID"),
        vtn_id=required(payload, "ei:vtnID"),
        events=tuple(_event(event) for event in payload.iterchildren(clark("oadr:oadrEvent"))),
    )


def created_event(payload: Element) -> m.CreatedEvent:
    created = child(payload, "pyld:eiCreatedEvent")
    answers = maybe_child(created, "ei:eventResponses")
    return m.CreatedEvent(
        response=read_response(created),
        event_responses=None if answers is None else tuple(_event_response(answer) for answer in answers),
        ven_id=required(created, "ei:venID"),
    )


def create_opt(payload: Element) -> m.CreateOpt:
    availability = maybe_child(payload, "xcal:vavailability")
    event = maybe_child(payload, "ei:qualifiedEventID")
    device_class = maybe_child(payload, "oadr:oadrDeviceClass")
    return m.CreateOpt(
        request_id=required(payload, "pyld:requestID"),
        opt_id=required(payload, "ei:optID"),
        opt_type=token_of(child(payload, "ei:optType")),
        opt_reason=token_of(child(payload, "ei:optReason")),
        market_context=text(payload, "emix:marketContext"),
        ven_id=required(payload, "ei:venID"),
        availability=None
        if availability is None
        else tuple(_available(found) for found in availability.iter(clark("xcal:available"))),
        created_date_time=date_time_of(child(payload, "ei:createdDateTime")),
        event_id=None if event is None else required(event, "ei:eventID"),
        modification_number=None if event is None else integer_of(child(event, "ei:modificationNumber")),
        target=read_target(child(payload, "ei:eiTarget")),
        device_class=None if device_class is None else read_target(device_class),
    )


def read_baseline(element: Element) -> m.Baseline:
    return m.Baseline(
        dtstart=date_time_of(child(element, "xcal:dtstart")[0]),
        duration=duration_of(child(element, "xcal:duration")[0]),
        intervals=_intervals(element),
        baseline_id=required(element, "ei:baselineID"),
        resource_ids=texts(element, "ei:resourceID"),
        baseline_name=required(element, "ei:baselineName"),
        item_base=read_unit(element),
    )


def _event(element: Element) -> m.Event:
    event = child(element, "ei:eiEvent")
    signals = child(event, "ei:eiEventSignals")
    baseline = maybe_child(signals, "ei:eiEventBaseline")
    return m.Event(
        descriptor=_descriptor(child(event, "ei:eventDescriptor")),
        active_period=_active_period(child(event, "ei:eiActivePeriod")[0]),
        signals=tuple(_signal(signal) for signal in signals.iterchildren(clark("ei:eiEventSignal"))),
        baseline=None if baseline is None else read_baseline(baseline),
        target=read_target(child(event, "ei:eiTarget")),
        response_required=text_of(child(element, "oadr:oadrResponseRequired")) == "always",
    )


def _descriptor(element: Element) -> m.EventDescriptor:
    modified = maybe_child(element, "ei:modificationDateTime")
    priority = maybe_child(element, "ei:priority")
    return m.EventDescriptor(
        event_id=required(element, "ei:eventID"),
        modification_number=integer_of(child(element, "ei:modificationNumber")),
        modification_date_time=None if modified is None else date_time_of(modified),
        modification_reason=text(element, "ei:modificationReason"),
        priority=None if priority is None else integer_of(priority),
        market_context=text_of(child(element, "ei:eiMarketContext")[0]),
        created_date_time=date_time_of(child(element, "ei:createdDateTime")),
        event_status=token_of(child(element, "ei:eventStatus")),
        test_event=text(element, "ei:testEvent"),
        vtn_comment=text(element, "ei:vtnComment"),
    )


def _active_period(properties: Element) -> m.ActivePeriod:
    start_after = properties.find(f"{clark('xcal:tolerance')}/{clark('xcal:tolerate')}/{clark('xcal:startafter')}")

    def optional(name: str) -> timedelta | None:
        found = maybe_child(properties, name)
        return None if found is None else duration_of(found[0])

    return m.ActivePeriod(
        dtstart=date_time_of(child(properties, "xcal:dtstart")[0]),
        duration=duration_of(child(properties, "xcal:duration")[0]),
        start_after=None if start_after is None else duration_of(start_after),
        notification=optional("ei:x-eiNotification"),
        ramp_up=optional("ei:x-eiRampUp"),
        recovery=optional("ei:x-eiRecovery"),
    )


def _signal(element: Element) -> m.Signal:
    target = maybe_child(element, "ei:eiTarget")
    current = element.find(f"{clark('ei:currentValue')}/{clark('ei:payloadFloat')}/{clark('ei:value')}")
    return m.Signal(
        intervals=_intervals(element),
        target=None if target is None else read_target(target),
        signal_name=token_of(child(element, "ei:signalName")),
        signal_type=token_of(child(element, "ei:signalType")),
        signal_id=required(element, "ei:signalID"),
        item_base=read_unit(element),
        current_value=None if current is None else float_of(current),
    )


def _intervals(element: Element) -> tuple[m.Interval, ...]:
    return tuple(_interval(interval) for interval in child(element, "strm:intervals"))


def _interval(element: Element) -> m.Interval:
    start = maybe_child(element, "xcal:dtstart")
    duration = maybe_child(element, "xcal:duration")
    uid = maybe_child(element, "xcal:uid")
    payloads = len(element) - sum(found is not None for found in (start, duration, uid))
    carried = element[-1][0]
    # R100: one signalPayload with one payloadFloat. The schema allows several, and a report's payload or a
    # resource's status in its place: to pick a number out of those would be a guess, and NaN is refused later.
    is_number = payloads == 1 and carried.tag == clark("ei:payloadFloat")
    return m.Interval(
        dtstart=None if start is None else date_time_of(start[0]),
        duration=None if duration is None else duration_of(duration[0]),
        uid=None if uid is None else text_of(uid[0]),
        value=float_of(carried[0]) if is_number else float("nan"),
    )


def _event_response(element: Element) -> m.EventResponse:
    event = child(element, "ei:qualifiedEventID")
    return m.EventResponse(
        response_code=required(element, "ei:responseCode"),
        response_description=text(element, "ei:responseDescription"),
        request_id=required(element, "pyld:requestID"),
        event_id=required(event, "ei:eventID"),
        modification_number=integer_of(child(event, "ei:modificationNumber")),
        opt_type=token_of(child(element, "ei:optType")),
    )


def _available(element: Element) -> m.Available:
    properties = child(element, "xcal:properties")
    return m.Available(
        dtstart=date_time_of(child(properties, "xcal:dtstart")[0]),
        duration=duration_of(child(properties, "xcal:duration")[0]),
        # The schema has these two first, and lets only what belongs to an event come after them.
        misplaced=tuple(one.tag.rpartition("}")[2] for one in list(properties)[2:]),
    )
