"""How a model VTN is spoilt in what its operator asks of reports."""

from collections.abc import Callable

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

ANSWER_REFUSED = answering(b"oadrCreatedReport ", b"Code>200", b"Code>454")
END_REFUSED = answering(b"oadrCanceledReport ", b"Code>200", b"Code>454")

SPOILT_REQUESTS: dict[str, tuple[tuple[str, str] | Callable[[], Spoil], ...]] = {
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
