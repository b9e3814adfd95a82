"""Writers of the EiEvent payloads, and of oadrCreateOpt."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.writing import (
    element,
    optional,
    payload,
    write_payload_float,
    write_response,
    write_target,
    write_unit,
)
from openadr_core.xml.fields import date_time_text, duration_text


def request_event(message: m.RequestEvent) -> str:
    limit = None if message.reply_limit is None else str(message.reply_limit)
    return payload(
        "oadrRequestEvent",
        "<pyld:eiRequestEvent>",
        element("pyld:requestID", message.request_id),
        element("ei:venID", message.ven_id),
        optional("pyld:replyLimit", limit),
        "</pyld:eiRequestEvent>",
    )


def distribute_event(message: m.DistributeEvent, fragments: Sequence[str] | None = None) -> str:
    """The payload; ``fragments`` stand for its events where they were written before."""
    return payload(
        "oadrDistributeEvent",
        "" if message.response is None else write_response(message.response),
        element("pyld:requestID", message.request_id),
        element("ei:vtnID", message.vtn_id),
        *(map(event, message.events) if fragments is None else fragments),
    )


def created_event(message: m.CreatedEvent) -> str:
    answers = message.event_responses
    return payload(
        "oadrCreatedEvent",
        "<pyld:eiCreatedEvent>",
        write_response(message.response),
        "" if answers is None else f"<ei:eventResponses>{''.join(map(_event_response, answers))}</ei:eventResponses>",
        element("ei:venID", message.ven_id),
        "</pyld:eiCreatedEvent>",
    )


def create_opt(message: m.CreateOpt) -> str:
    qualified = ""
    if message.event_id is not None:
        qualified = _qualified_event(message.event_id, message.modification_number or 0)
    return payload(
        "oadrCreateOpt",
        element("ei:optID", message.opt_id),
        element("ei:optType", message.opt_type),
        element("ei:optReason", message.opt_reason),
        optional("emix:marketContext", message.market_context),
        element("ei:venID", message.ven_id),
        "" if message.availability is None else _availability(message.availability),
        element("ei:createdDateTime", date_time_text(message.created_date_time)),
        element("pyld:requestID", message.request_id),
        qualified,
        write_target("ei:eiTarget", message.target),
        "" if message.device_class is None else write_target("oadr:oadrDeviceClass", message.device_class),
    )


def event(found: m.Event) -> str:
    """One oadrEvent."""
    required = "always" if found.response_required else "never"
    return (
        "<oadr:oadrEvent><ei:eiEvent>"
        + _descriptor(found.descriptor)
        + _active_period(found.active_period)
        + "<ei:eiEventSignals>"
        + "".join(map(_signal, found.signals))
        + ("" if found.baseline is None else _baseline(found.baseline))
        + "</ei:eiEventSignals>"
        + write_target("ei:eiTarget", found.target)
        + f"</ei:eiEvent><oadr:oadrResponseRequired>{required}</oadr:oadrResponseRequired></oadr:oadrEvent>"
    )


def _descriptor(found: m.EventDescriptor) -> str:
    modified = found.modification_date_time
    return (
        "<ei:eventDescriptor>"
        + element("ei:eventID", found.event_id)
        + element("ei:modificationNumber", str(found.modification_number))
        + optional("ei:modificationDateTime", None if modified is None else date_time_text(modified))
        + optional("ei:modificationReason", found.modification_reason)
        + optional("ei:priority", None if found.priority is None else str(found.priority))
        + f"<ei:eiMarketContext>{element('emix:marketContext', found.market_context)}</ei:eiMarketContext>"
        + element("ei:createdDateTime", date_time_text(found.created_date_time))
        + element("ei:eventStatus", found.event_status)
        + optional("ei:testEvent", found.test_event)
        + optional("ei:vtnComment", found.vtn_comment)
        + "</ei:eventDescriptor>"
    )


def _active_period(found: m.ActivePeriod) -> str:
    tolerance = ""
    if found.start_after is not None:
        tolerance = (
            f"<xcal:tolerance><xcal:tolerate><xcal:startafter>{duration_text(found.start_after)}"
            "</xcal:startafter></xcal:tolerate></xcal:tolerance>"
        )
    return (
        "<ei:eiActivePeriod><xcal:properties>"
        + _start(found.dtstart)
        + _duration("xcal:duration", found.duration)
        + tolerance
        + _duration("ei:x-eiNotification", found.notification)
        + _duration("ei:x-eiRampUp", found.ramp_up)
        + _duration("ei:x-eiRecovery", found.recovery)
        + "</xcal:properties><xcal:components></xcal:components></ei:eiActivePeriod>"
    )


def _signal(found: m.Signal) -> str:
    current = found.current_value
    return (
        "<ei:eiEventSignal>"
        + _intervals(found.intervals)
        + ("" if found.target is None else write_target("ei:eiTarget", found.target))
        + element("ei:signalName", found.signal_name)
        + element("ei:signalType", found.signal_type)
        + element("ei:signalID", found.signal_id)
        + write_unit(found.item_base)
        + ("" if current is None else f"<ei:currentValue>{write_payload_float(current)}</ei:currentValue>")
        + "</ei:eiEventSignal>"
    )


def _baseline(found: m.Baseline) -> str:
    return (
        "<ei:eiEventBaseline>"
        + _start(found.dtstart)
        + _duration("xcal:duration", found.duration)
        + _intervals(found.intervals)
        + element("ei:baselineID", found.baseline_id)
        + "".join(element("ei:resourceID", text) for text in found.resource_ids)
        + element("ei:baselineName", found.baseline_name)
        + write_unit(found.item_base)
        + "</ei:eiEventBaseline>"
    )


def _intervals(found: Sequence[m.Interval]) -> str:
    return f"<strm:intervals>{''.join(map(_interval, found))}</strm:intervals>"


def _interval(found: m.Interval) -> str:
    # R103: no dtstart here, whatever the value carries.
    uid = "" if found.uid is None else f"<xcal:uid>{element('xcal:text', found.uid)}</xcal:uid>"
    return (
        "<ei:interval>"
        + _duration("xcal:duration", found.duration)
        + uid
        + f"<ei:signalPayload>{write_payload_float(found.value)}</ei:signalPayload></ei:interval>"
    )


def _event_response(found: m.EventResponse) -> str:
    return (
        "<ei:eventResponse>"
        + element("ei:responseCode", found.response_code)
        + optional("ei:responseDescription", found.response_description)
        + element("pyld:requestID", found.request_id)
        + _qualified_event(found.event_id, found.modification_number)
        + element("ei:optType", found.opt_type)
        + "</ei:eventResponse>"
    )


def _qualified_event(event_id: str, modification_number: int) -> str:
    return (
        f"<ei:qualifiedEventID>{element('ei:eventID', event_id)}"
        f"<ei:modificationNumber>{modification_number}</ei:modificationNumber></ei:qualifiedEventID>"
    )


def _availability(found: Sequence[m.Available]) -> str:
    available = "".join(
        "<xcal:available><xcal:properties>"
        + _start(each.dtstart)
        + _duration("xcal:duration", each.duration)
        + "</xcal:properties></xcal:available>"
        for each in found
    )
    return f"<xcal:vavailability><xcal:components>{available}</xcal:components></xcal:vavailability>"


def _start(moment: datetime) -> str:
    return f"<xcal:dtstart><xcal:date-time>{date_time_text(moment)}</xcal:date-time></xcal:dtstart>"


def _duration(name: str, length: timedelta | None) -> str:
    return "" if length is None else f"<{name}><xcal:duration>{duration_text(length)}</xcal:duration></{name}>"
