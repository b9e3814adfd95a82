"""How what a model VTN pushes is spoilt, for each procedure in which it pushes.

A change is a pattern in messages, pushed and answered, with what stands there instead; or the name of a habit; or one
of the classes below.
"""

import re
from dataclasses import dataclass, replace

from conformance.exchanges import RawRequest

from .model_pusher import SpoilPush
from .model_vtn import Asked, Reply, Spoil


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is pushed goes to another service, or by another method."""

    method: str = "POST"
    service: str = "EiOpt"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A pattern in the answer to a repeated registration alone."""

    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Status:
    """Of every answer."""

    value: int


Change = tuple[str, str] | Header | Elsewhere | Repeated | Status | str


def spoiling(change: Change) -> tuple[SpoilPush, Spoil, frozenset[str]]:
    """What is done to each push, to each answer, and with which habit."""
    match change:
        case (pattern, replacement):
            return (
                lambda request: replace(request, body=_changed(request.body, pattern, replacement)),
                lambda _, reply: replace(reply, body=_changed(reply.body, pattern, replacement)),
                frozenset(),
            )
        case Header(name, value):
            return lambda request: _with_header(request, name, value), _good, frozenset()
        case Elsewhere(method, service):
            return lambda request: _elsewhere(request, method, service), _good, frozenset()
        case Repeated(pattern, replacement):
            return (
                lambda request: request,
                lambda asked, reply: _repeated(asked, reply, pattern, replacement),
                frozenset(),
            )
        case Status(value):
            return lambda request: request, lambda _, reply: replace(reply, status=value), frozenset()
        case str(habit):
            return lambda request: request, _good, frozenset({habit})


def _changed(body: bytes, pattern: str, replacement: str) -> bytes:
    return re.sub(pattern, replacement, body.decode(), flags=re.DOTALL).encode()


def _with_header(request: RawRequest, name: str, value: str) -> RawRequest:
    kept = [(key, was) for key, was in request.headers if key != name]
    return replace(request, headers=[*kept, (name, value)] if value else kept)


def _elsewhere(request: RawRequest, method: str, service: str) -> RawRequest:
    return replace(request, method=method, path=request.path.rpartition("/")[0] + f"/{service}")


def _repeated(asked: Asked, reply: Reply, pattern: str, replacement: str) -> Reply:
    said = b"<ei:registrationID>" in asked.request.body
    return replace(reply, body=_changed(reply.body, pattern, replacement)) if said else reply


def _good(_: Asked, reply: Reply) -> Reply:
    return reply


EVENT = "<oadr:oadrEvent>(?:(?!</oadr:oadrEvent>).)*</oadr:oadrEvent>"
ODD = ("</ei:eiTarget>", "</ei:eiTarget><ei:odd/>")
DATA = "<oadr:oadrReport><ei:reportRequestID>7</ei:reportRequestID></oadr:oadrReport>"
REPEATS = "repeats itself"
SUCCESS = "(?<=Code>)200"

PUSHED_IN: dict[str, tuple[Change, ...]] = {
    "push-registration": (
        Elsewhere(),
        Header("Host", ""),
        Header("Content-Type", "text/xml"),
        "no length",
        Header("Transfer-Encoding", "chunked"),
        Header("Content-Encoding", "identity"),
        Header("Accept", "*/*"),
        REPEATS,
        ("oadrRegisterReport", "oadrCanceledOpt"),
        ("</oadr:oadrRegisterReport", "<ei:odd/></oadr:oadrRegisterReport"),
        (' ei:schemaVersion="2.0b"', ""),
        ("<oadr:oadrPayload", '<oadr:oadrPayload xmlns:i="urn:i" i:schemaLocation="a b"'),
        ("vr</pyld:requestID>", "vr</pyld:requestID><ei:venID>other</ei:venID>"),
        ("vr</pyld:requestID>", f"vr</pyld:requestID>{DATA}"),
        (f"{SUCCESS}(?=.*oadrCreatedParty)", "454"),
        (f"{SUCCESS}(?=.*oadrRegisteredReport>)", "454"),
        (f"{SUCCESS}(?=.*oadrDistributeEvent>)", "454"),
        ("(?<=Code>)454", "200"),
        ("oadrCreatedPartyRegistration", "oadrCanceledOpt"),
        ("oadrDistributeEvent", "oadrCanceledOpt"),
        ("<ei:venID>Ven-enrolled</ei:venID>", "<ei:venID/>"),
        ("<ei:registrationID>Reg-1</ei:registrationID>", "<ei:registrationID/>"),
        ("</oadr:oadrCreatedParty", "<ei:odd/></oadr:oadrCreatedParty"),
        Repeated("Reg-", "Reg-9"),
        Repeated(SUCCESS, "454"),
        Status(202),
    ),
    "push-events": (
        Elsewhere(),
        ODD,
        REPEATS,
        (">d1<", "><"),
        ("<ei:vtnID>Vtn", "<ei:vtnID>"),
        ("Number>0<", "Number>5<"),
        (">far<", ">near<"),
        ("Ven-enrolled(?=</ei:venID></ei:eiTarget>)", "Ven-other"),
        ("oadrResponse", "oadrCanceledOpt"),
        (f"{SUCCESS}(?=.*oadrResponse>)", "454"),
        ("Number>1<", "Number>4<"),
        ("<ei:value>2<", "<ei:value>1<"),
        (f"({EVENT})", r"\1\1"),
        (">cancelled<", ">completed<"),
        ("Number>2<", "Number>4<"),
    ),
    "push-events-all": (
        ODD,
        (f"({EVENT})({EVENT})", r"\1"),
        (f"({EVENT})({EVENT})", r"\2\1"),
        (f"({EVENT})", r"\1\1"),
        ("(<ei:createdDateTime>)2(?=.*<ei:createdDateTime>)", r"\g<1>1"),
        ("Number>[12]<", "Number>4<"),
        (f"({EVENT})(?=.*>cancelled<)", ""),
    ),
    "push-reports": (
        Elsewhere(),
        REPEATS,
        ("</oadr:oadrCreateReport", "<ei:odd/></oadr:oadrCreateReport"),
        ("</oadr:oadrCancelReport", "<ei:odd/></oadr:oadrCancelReport"),
        (">e1<", "><"),
        ("Ven-enrolled(?=.*oadrCreateReport)", "Ven-other"),
        (">site_usage<", ">other<"),
        (">site_power<", ">other<"),
        ("PT20S", "PT10S"),
        ("PT40S", "PT10S"),
        ("oadrUpdatedReport", "oadrCanceledReport"),
        (f"{SUCCESS}(?=.*oadrUpdatedReport>)", "454"),
        ("rr-(?=.*oadrCancelReport)", "ss-"),
        (f"{SUCCESS}(?=.*oadrReportRequest.*oadrRegisteredReport>)", "454"),
        (">true<", ">false<"),
        (">METADATA<", ">OTHER<"),
    ),
    "push-reregistration": (
        Elsewhere(),
        REPEATS,
        ("</oadr:oadrRequestRereg", "<ei:odd/></oadr:oadrRequestRereg"),
        ("Ven-enrolled(?=.*RequestRereg)", "Ven-other"),
        ("oadrDistributeEvent", "oadrCanceledOpt"),
        Repeated("Reg-", "Reg-9"),
        Repeated(SUCCESS, "454"),
    ),
    "push-registration-ended": (
        Elsewhere(),
        REPEATS,
        ("</oadr:oadrCancelP", "<ei:odd/></oadr:oadrCancelP"),
        ("Ven-enrolled(?=.*oadrCancelParty)", "Ven-other"),
        ("(oadrCancelPartyRegistration.*)Reg-1", r"\1Reg-2"),
        ("Code>463", "Code>452"),
    ),
    "push-busy": (
        Elsewhere(),
        REPEATS,
        "hammers",
        "gives up at once",
        "gives up soon",
        ("Number>0<", "Number>1<"),
    ),
    "push-refused": (
        Elsewhere(),
        "tries again what was refused",
        ("Number>1<", "Number>2<"),
    ),
    "push-tls": (
        Elsewhere(),
        "trusts anybody",
        "offers no old suite",
    ),
    "push-signed": (
        ODD,
        "signs nothing",
        (f"{SUCCESS}(?=.*oadrResponse>)", "454"),
        "signs as another",
        "signs as of yesterday",
        "knows one nonce",
        "changes what is signed",
        REPEATS,
    ),
    "push-signed-answers": (
        "believes what is unsigned",
        "believes what was changed",
        "believes anybody",
        "believes what is old",
        "believes what is wrapped",
        "believes what came before",
        "signs as another",
        (f"{SUCCESS}(?=.*oadrResponse>)", "454"),
        ("(?<=Code>)459", "200"),
    ),
    "push-other-party": (
        "trusts anybody",
        "gives up at once",
    ),
}  # fmt: skip
