"""How a model VTN is spoilt in what its operator asks of reports."""

import re
from collections.abc import Callable
from dataclasses import replace

from .model_vtn import Asked, Reply
from .spoilt_in import Spoil, answering, told_again

WRONG_REQUEST = ("</oadr:oadrCreateReport", "<ei:odd/></oadr:oadrCreateReport")
WRONG_ANSWER = ("</oadr:oadrUpdatedReport", "<ei:odd/></oadr:oadrUpdatedReport")
NO_REQUEST = ("oadrCreateReport", "oadrCanceledOpt")
NO_ANSWER_TO_DATA = ("oadrUpdatedReport", "oadrCanceledReport")
DATA_REFUSED = ("Code>200(?=.*oadrUpdatedReport>)", "Code>454")
OTHER_REQUEST = ("ID>rr-", "ID>ss-")
OTHER_START = ("(?<=<ei:reportInterval><xcal:properties>)(.*?)20\\d\\d", r"\g<1>1999")
NO_GRANULARITY = ("(?<=<xcal:granularity><xcal:duration>)PT0S", "PT9S")
NO_BACK = ("(?<=<ei:reportBackDuration><xcal:duration>)PT0S", "PT9S")
NO_END = ("PT0S(?=</xcal:duration></xcal:duration></xcal:properties></ei:reportInterval>)", "PT9S")
ASKED_AGAIN = told_again(b"oadrCreateReport")
STOPPED_IN_PASSING = (
    "(?=<ei:venID>Ven-enrolled</ei:venID></oadr:oadrUpdatedReport>)",
    "<oadr:oadrCancelReport><pyld:requestID/></oadr:oadrCancelReport>",
)


def everything_pending() -> Spoil:
    """What was refused is said to be pending."""

    def spoil(asked: Asked, reply: Reply) -> Reply:
        asked_for = re.findall(b"<ei:reportRequestID>none-.*?</ei:reportRequestID>", asked.request.body)
        return replace(reply, body=reply.body.replace(b"PendingReports>", b"PendingReports>" + b"".join(asked_for), 1))

    return spoil


def never_forgotten() -> Spoil:
    """The last event is told where there is none any more."""
    last = [b""]

    def spoil(_: Asked, reply: Reply) -> Reply:
        if b"<oadr:oadrEvent>" in reply.body:
            last[0] = reply.body
        return replace(reply, body=last[0]) if b"<oadr:oadrDistributeEvent" in reply.body else reply

    return spoil


ANSWER_REFUSED = answering(b"oadrCreatedReport ", b"Code>200", b"Code>454")
END_REFUSED = answering(b"oadrCanceledReport ", b"Code>200", b"Code>454")

SPOILT_REQUESTS: dict[str, tuple[tuple[str, str] | Callable[[], Spoil], ...]] = {
    "report-asked-of-vtn": (
        ("</oadr:oadrCreatedReport", "<ei:odd/></oadr:oadrCreatedReport"),
        ("</oadr:oadrRegisterReport", "<ei:odd/></oadr:oadrRegisterReport"),
        ("</oadr:oadrCanceledReport", "<ei:odd/></oadr:oadrCanceledReport"),
        ("oadrCreatedReport", "oadrCanceledReport"),
        ("oadrCanceledReport", "oadrCreatedReport"),
        ("(?<=<oadr:)oadrRegisterReport(?=.*meta-)", "oadrCanceledOpt"),
        ("ID>meta-", "ID>other-"),
        ("requestID>req-", "requestID>other-"),
        ("Code>200(?=.*oadrCreatedReport>)", "Code>454"),
        answering(b"oadrRegisteredReport ", b"Code>200", b"Code>454"),
        ("Code>452", "Code>200"),
        everything_pending,
        told_again(b"ID>meta-.*oadrRegisterReport"),
    ),
    "event-active": (
        ("</oadr:oadrDistributeEvent>", "<ei:odd/></oadr:oadrDistributeEvent>"),
        ("DistributeEvent(.*Number>1<.*)DistributeEvent", r"CanceledOpt\1CanceledOpt"),
        (">active<", ">far<"),
        (">cancelled<", ">active<"),
        ("Number>1<", "Number>4<"),
        ("Number>2<", "Number>1<"),
        ("<ei:value>2<", "<ei:value>1<"),
        ("<ei:value>1.0<", "<ei:value>0.0<"),
        ("(?<=<ei:interval><xcal:duration><xcal:duration>)PT600S", "PT601S"),
        answering(b"oadrCreatedEvent ", b"Code>200<", b"Code>454<"),
        never_forgotten,
    ),
    "report-history": (
        WRONG_REQUEST,
        WRONG_ANSWER,
        NO_REQUEST,
        NO_ANSWER_TO_DATA,
        DATA_REFUSED,
        OTHER_REQUEST,
        OTHER_START,
        NO_GRANULARITY,
        NO_BACK,
        NO_END,
        (">site_history<", ">site_other<"),
        ("PT1800S", "PT0S"),
        ASKED_AGAIN,
        ANSWER_REFUSED,
    ),
    "report-once": (
        WRONG_REQUEST,
        WRONG_ANSWER,
        NO_REQUEST,
        NO_ANSWER_TO_DATA,
        DATA_REFUSED,
        OTHER_REQUEST,
        NO_BACK,
        (">site_status<", ">site_other<"),
        ("x-notApplicable", "Direct Read"),
        ("(?=<ei:readingType>)", "<power:energyReal/>"),
        answering(b"oadrCreatedReport ", b"oadrResponse", b"oadrCanceledOpt"),
        ASKED_AGAIN,
        ANSWER_REFUSED,
    ),
    "report-endless": (
        WRONG_REQUEST,
        NO_REQUEST,
        DATA_REFUSED,
        OTHER_REQUEST,
        ("(?<=<xcal:date-time>)20.*?Z", ""),
        NO_GRANULARITY,
        ("PT60S", "PT61S"),
        NO_END,
        STOPPED_IN_PASSING,
        (">true<", ">false<"),
        ASKED_AGAIN,
        ANSWER_REFUSED,
        END_REFUSED,
    ),
    "report-later": (
        WRONG_REQUEST,
        NO_REQUEST,
        OTHER_REQUEST,
        OTHER_START,
        ("PT60S", "PT61S"),
        ("PT300S", "PT301S"),
        ("PT600S", "PT0S"),
        (">false<", ">true<"),
        told_again(b"oadrCancelReport"),
        ANSWER_REFUSED,
        END_REFUSED,
    ),
    "report-two-requests": (
        WRONG_REQUEST,
        NO_REQUEST,
        DATA_REFUSED,
        OTHER_REQUEST,
        ("(<oadr:oadrReportRequest>.*</oadr:oadrReportRequest>)", r"\1\1"),
        (r"rr-(\d+)-2", r"rr-\1-1"),
        (">site_status<", ">site_other<"),
        (r"(oadrCancelReport .*)rr-(\d+)-1", r"\1rr-\2-2"),
        STOPPED_IN_PASSING,
        ASKED_AGAIN,
        ANSWER_REFUSED,
        END_REFUSED,
    ),
}
