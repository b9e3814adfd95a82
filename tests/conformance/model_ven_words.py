"""What the model VEN writes: its offers, its reports, its answers and its opts."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from conformance.queries import WIRE_TIME

ROWS = {
    "TELEMETRY_USAGE": ("usage", "Direct Read", True, True),
    "TELEMETRY_STATUS": ("x-resourceStatus", "x-notApplicable", False, True),
    "HISTORY_USAGE": ("usage", "Direct Read", True, False),
}
POWER = (
    "<power:powerReal><power:itemDescription>RealPower</power:itemDescription><power:itemUnits>W</power:itemUnits>"
    "<scale:siScaleCode>none</scale:siScaleCode><power:powerAttributes><power:hertz>50</power:hertz>"
    "<power:voltage>230</power:voltage><power:ac>true</power:ac></power:powerAttributes></power:powerReal>"
)
RATE = (
    "<oadr:oadrSamplingRate><oadr:oadrMinPeriod>PT1S</oadr:oadrMinPeriod><oadr:oadrMaxPeriod>PT15M</oadr:oadrMaxPeriod>"
    "<oadr:oadrOnChange>true</oadr:oadrOnChange></oadr:oadrSamplingRate>"
)


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A report that the VTN asked for."""

    request_id: str
    specifier: str
    r_id: str
    granularity_s: float
    back_s: float
    next_at: datetime
    ends_at: datetime | None
    last: bool = False


def offered(now: str) -> str:
    """Every report of ``ROWS``, as metadata."""
    return "".join(
        "<oadr:oadrReport><xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration><oadr:oadrReportDescription>"
        f"<ei:rID>{name}-1</ei:rID><ei:reportType>{kind}</ei:reportType>{POWER if has_unit else ''}"
        f"<ei:readingType>{reading}</ei:readingType>{RATE if has_rate else ''}</oadr:oadrReportDescription>"
        f"<ei:reportRequestID>0</ei:reportRequestID><ei:reportSpecifierID>{name}-S</ei:reportSpecifierID>"
        f"<ei:reportName>METADATA_{name}</ei:reportName><ei:createdDateTime>{now}</ei:createdDateTime></oadr:oadrReport>"
        for name, (kind, reading, has_unit, has_rate) in ROWS.items()
    )


def reported(wanted: Wanted, now: str) -> str:
    """The report that is due."""
    count = max(1, round(wanted.back_s / wanted.granularity_s)) if wanted.granularity_s else 1
    step_s = wanted.granularity_s or wanted.back_s
    start = wanted.next_at - timedelta(seconds=wanted.back_s)
    number = "<ei:payloadFloat><ei:value>1.5</ei:value></ei:payloadFloat>"
    status = (
        "<oadr:oadrPayloadResourceStatus><oadr:oadrOnline>true</oadr:oadrOnline>"
        "<oadr:oadrManualOverride>false</oadr:oadrManualOverride></oadr:oadrPayloadResourceStatus>"
    )
    intervals = "".join(
        f"<ei:interval><xcal:dtstart><xcal:date-time>{wire(start + timedelta(seconds=index * step_s))}</xcal:date-time>"
        f"</xcal:dtstart><xcal:duration><xcal:duration>PT{math.ceil(step_s)}S</xcal:duration></xcal:duration>"
        f"<oadr:oadrReportPayload><ei:rID>{wanted.r_id}</ei:rID>{status if 'STATUS' in wanted.specifier else number}"
        "</oadr:oadrReportPayload></ei:interval>"
        for index in range(count)
    )
    return (
        f"<oadr:oadrReport><xcal:dtstart><xcal:date-time>{wire(start)}</xcal:date-time></xcal:dtstart>"
        f"<strm:intervals>{intervals}</strm:intervals><ei:reportRequestID>{wanted.request_id}</ei:reportRequestID>"
        f"<ei:reportSpecifierID>{wanted.specifier}-S</ei:reportSpecifierID>"
        f"<ei:reportName>{wanted.specifier}</ei:reportName>"
        f"<ei:createdDateTime>{now}</ei:createdDateTime></oadr:oadrReport>"
    )


def opted(wish: dict[str, str], ven: str, now: str, request: str) -> str:
    """A schedule, or the qualification of an event, but for its optID and its target."""
    event, schedule, qualified = wish.get("event_id", ""), "", ""
    if event:
        number = "<ei:modificationNumber>0</ei:modificationNumber>"
        qualified = f"<ei:qualifiedEventID><ei:eventID>{event}</ei:eventID>{number}</ei:qualifiedEventID>"
    else:
        schedule = (
            "<xcal:vavailability><xcal:components><xcal:available><xcal:properties><xcal:dtstart><xcal:date-time>"
            f"{wish['start']}</xcal:date-time></xcal:dtstart><xcal:duration><xcal:duration>PT{wish['duration_s']}S"
            "</xcal:duration></xcal:duration></xcal:properties></xcal:available></xcal:components></xcal:vavailability>"
        )
    return (
        f"<ei:optType>{wish['opt_type']}</ei:optType><ei:optReason>economic</ei:optReason>{ven}{schedule}"
        f"<ei:createdDateTime>{now}</ei:createdDateTime>{request}{qualified}"
    )


def event_response(name: str, number: int, answered: str, code: str, opt: str) -> str:
    return (
        f"<ei:eventResponse><ei:responseCode>{code}</ei:responseCode><pyld:requestID>{answered}</pyld:requestID>"
        f"<ei:qualifiedEventID><ei:eventID>{name}</ei:eventID><ei:modificationNumber>{number}</ei:modificationNumber>"
        f"</ei:qualifiedEventID><ei:optType>{opt}</ei:optType></ei:eventResponse>"
    )


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def wire(at: datetime) -> str:
    return at.strftime(WIRE_TIME)
