"""A VEN just good enough to pass every procedure, so that a test can spoil one thing and see who notices.

It is a model of the conversation, not of a VEN: time is what the test says, there is no network and no device.
``habits`` are ways of being bad that no change of a message shows: when it speaks, and when it is silent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from conformance.durations import seconds_of
from conformance.exchanges import RawRequest
from conformance.openadr20b import CONTENT_TYPE, NAMESPACES, SERVICES, envelope, path_of, payload_name
from conformance.schema import schema_fault
from openadr_core.errors import MalformedMessage
from openadr_core.xml.parse import Element, parse
from tests.conformance.model_ven_words import ROWS, Wanted, event_response, moment, offered, opted, reported, wire

CONTEXT = "http://MarketContext1"
RESOURCE = "Resource-1"
SERVICE_OF = {
    "oadrDistributeEvent": "EiEvent",
    **dict.fromkeys(("oadrCreateReport", "oadrCancelReport", "oadrRegisterReport", "oadrUpdateReport"), "EiReport"),
    **dict.fromkeys(("oadrCancelPartyRegistration", "oadrRequestReregistration"), "EiRegisterParty"),
}
"""What may be pushed at it, and where."""
PAUSE_S = 1.0
NEVER = datetime.max.replace(tzinfo=UTC)
TIMEOUT_S = 10.0
SIGNALS = {
    ("SIMPLE", "level", ""),
    ("ELECTRICITY_PRICE", "price", "currencyPerKWh"),
    ("LOAD_DISPATCH", "setpoint", "powerReal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A request of the model's, or its answer to a push, before it is spoilt."""

    service: str
    payload: str
    body: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    """Of an answer."""


class ModelVen:
    """``speak`` when it is time, then ``hear`` what came of it."""

    def __init__(
        self, *, utc: Callable[[], datetime], habits: frozenset[str] = frozenset(), own_id: str = "", address: str = ""
    ) -> None:
        self.utc = utc
        self.habits = habits
        self.own_id = own_id
        self.address = address
        """Where it is pushed to; empty if it polls."""
        self.registration_id = ""
        self.ven_id = ""
        self.vtn_id = ""
        self.poll_s = 1.0
        self.wants_registration = True
        self.not_before = utc()
        self.poll_at = utc()
        self.out: list[Said] = []
        self.events: dict[str, tuple[int, str, str]] = {}
        """By eventID: the number, the payload's requestID and the answer."""
        self.reports: dict[str, Wanted] = {}
        self.under_way: Said | None = None
        self._count = 0
        self._promised: list[str] = []
        self._past = event_response("long ago", 0, "d0", "200", "optIn") if "dwells on the past" in habits else ""

    # -- what is said ------------------------------------------------------------------

    def next_at(self) -> datetime:
        """When it wants to speak."""
        if not self.registration_id:
            return self.not_before if self.wants_registration else NEVER
        if self.out:
            return self.not_before
        polls = [] if self.address and "polls all the same" not in self.habits else [self.poll_at]
        return max(self.not_before, min([NEVER, *polls, *(wanted.next_at for wanted in self.reports.values())]))

    def speak(self) -> Said:
        if not self.registration_id:
            said = self._registration()
        else:
            self._make_reports()
            said = self.out[0] if self.out else self._said("OadrPoll", "oadrPoll", self._ven())
        self.under_way = said
        return said

    def hear(self, status: int, body: bytes, *, delay_s: float = 0.0, cut: bool = False) -> None:
        """The answer to what was said last; a status of 0 is none."""
        said, self.under_way = self.under_way, None
        assert said is not None
        root = _read(body) if status == 200 and not cut and delay_s < self._timeout_s() else None
        if status in {404, 406, 501} and "repeats what is not taken" not in self.habits:
            self._done(said)
            self.not_before = self.utc() + timedelta(seconds=PAUSE_S)
        elif root is None:
            gives_up = "gives up when busy" in self.habits and status == 503
            if gives_up or ("forgets what failed" in self.habits and said.payload != "oadrPoll"):
                self._done(said)
            if "dies of nonsense" in self.habits and status == 200:
                self.registration_id, self.wants_registration = "", False
            self.not_before = self.utc() + timedelta(seconds=0 if "never pauses" in self.habits else PAUSE_S)
        else:
            self._understand(said, root)

    def _timeout_s(self) -> float:
        return 3.0 if "impatient" in self.habits else TIMEOUT_S

    def _understand(self, said: Said, root: Element) -> None:
        code = _text(root, "string((//ei:responseCode)[1])")
        if code == "463" and said.payload != "oadrCreatePartyRegistration":
            if "deaf to 463" in self.habits:
                self.poll_at = self.utc() + timedelta(seconds=self.poll_s)
                return
            self._forget()
            return
        if code == "452" and said.payload == "oadrPoll" and "gives up when refused" in self.habits:
            self.registration_id, self.wants_registration = "", False
            return
        self._done(said)
        match payload_name(root):
            case "oadrCreatedPartyRegistration":
                self._registered(root, code)
            case "oadrRegisteredReport":
                self._take_requests(root, piggy_backed=True)
            case "oadrUpdatedReport" if "cancels by message only" not in self.habits:
                self._cancel_reports(root)
            case "oadrDistributeEvent" if said.payload == "oadrRequestEvent":
                if "asks and does not look" not in self.habits:
                    self._take_events(root)
            case _ if said.payload == "oadrPoll":
                self._polled(root)
        if said.payload == "oadrCancelPartyRegistration":
            self._forget()
            self.wants_registration = "comes back unasked" in self.habits
            if "polls without registration" in self.habits:
                self.registration_id = "old"

    def receive(self, request: RawRequest) -> tuple[int, str]:
        """What is pushed at it, answered by a status and a body."""
        root = _read(request.body)
        services = {"/ven" + path_of(service): service for service in SERVICES if service != "OadrPoll"}
        good_type = ("Content-Type", CONTENT_TYPE) in request.headers
        if request.method != "POST":
            return 501, ""
        if request.path not in services:
            return 404, ""
        if root is None or request.chunked or not good_type:
            return 406, ""
        if SERVICE_OF.get(payload_name(root)) != services[request.path]:
            answered = _text(root, "string(//pyld:requestID)")
            return 200, self._response("EiEvent", "oadrResponse", answered, "459").body
        waiting = len(self.out)
        self._told(root)
        if payload_name(root) == "oadrDistributeEvent":
            return 200, envelope("<oadr:oadrResponse/>") if "talks back" in self.habits else ""
        said = self.out.pop(waiting)
        self._done(said)
        return 200, said.body

    def _polled(self, root: Element) -> None:
        name = payload_name(root)
        wait_s = self.poll_s if name == "oadrResponse" or "never drains" in self.habits else 0.0
        self.poll_at = self.utc() + timedelta(seconds=0.2 if "polls too often" in self.habits and wait_s else wait_s)
        self._told(root)

    def _told(self, root: Element) -> None:
        """What the VTN says of itself."""
        answered = _text(root, "string(//pyld:requestID)")
        match payload_name(root):
            case "oadrDistributeEvent":
                self._take_events(root)
            case "oadrRegisterReport":
                self._reply("EiReport", "oadrRegisteredReport", answered)
            case "oadrCreateReport":
                self._take_requests(root, piggy_backed=False)
            case "oadrCancelReport":
                code = self._cancel_reports(root)
                self._reply("EiReport", "oadrCanceledReport", answered, code, self._pending())
            case "oadrUpdateReport":
                self._reply("EiReport", "oadrUpdatedReport", answered, "452")
            case "oadrRequestReregistration":
                self._reply("EiRegisterParty", "oadrResponse", "")
                self.out.append(self._registration())
            case "oadrCancelPartyRegistration":
                code = "200" if _text(root, "string(//ei:registrationID)") == self.registration_id else "452"
                self._reply("EiRegisterParty", "oadrCanceledPartyRegistration", answered, code)
                if "leaves for any reason" in self.habits:
                    self.out.append(self._registration())
            case "oadrCreatedOpt" if "dies of nonsense" in self.habits:
                self.registration_id, self.wants_registration = "", False

    # -- registration ------------------------------------------------------------------

    def _registration(self) -> Said:
        ids = f"<ei:registrationID>{self.registration_id}</ei:registrationID>" if self.registration_id else ""
        named = self.ven_id if self.registration_id else self.own_id
        ids += f"<ei:venID>{named}</ei:venID>" if named else ""
        address = f"<oadr:oadrTransportAddress>{self.address}</oadr:oadrTransportAddress>" if self.address else ""
        return self._said(
            "EiRegisterParty",
            "oadrCreatePartyRegistration",
            f"<pyld:requestID>{self._fresh()}</pyld:requestID>{ids}<oadr:oadrProfileName>2.0b</oadr:oadrProfileName>"
            f"<oadr:oadrTransportName>simpleHttp</oadr:oadrTransportName>{address}"
            "<oadr:oadrReportOnly>false</oadr:oadrReportOnly><oadr:oadrXmlSignature>false</oadr:oadrXmlSignature>"
            f"<oadr:oadrHttpPullModel>{'false' if self.address else 'true'}</oadr:oadrHttpPullModel>",
        )

    def _registered(self, root: Element, code: str) -> None:
        if code != "200":
            self.registration_id = "" if "polls when refused" not in self.habits else "none"
            hasty = {"never pauses", "polls when refused"} & self.habits
            self.not_before = self.utc() + timedelta(seconds=0.1 if hasty else 2.0)
            return
        new = not self.registration_id
        self.registration_id = _text(root, "string(//ei:registrationID)")
        self.ven_id, self.vtn_id = _text(root, "string(//ei:venID)"), _text(root, "string(//ei:vtnID)")
        self.poll_s = seconds_of(_text(root, "string(//oadr:oadrRequestedOadrPollFreq/xcal:duration)"))
        self.poll_at = self.utc()
        if new:
            self.out += [self._metadata(""), self._event_request()]

    def _event_request(self) -> Said:
        content = (
            f"<pyld:eiRequestEvent><pyld:requestID>{self._fresh()}</pyld:requestID>{self._ven()}</pyld:eiRequestEvent>"
        )
        return self._said("EiEvent", "oadrRequestEvent", content)

    def _forget(self) -> None:
        self.registration_id, self.ven_id = "", ""
        self.out.clear()
        self.events.clear()
        self.reports.clear()
        self.not_before = self.utc() + timedelta(seconds=PAUSE_S)

    # -- events ------------------------------------------------------------------------

    def _take_events(self, root: Element) -> None:
        if _text(root, "string(//ei:vtnID)") != self.vtn_id and "anybody's" not in self.habits:
            self._created_event("452", "")
            return
        answered = _text(root, "string(//oadr:oadrDistributeEvent/pyld:requestID)")
        told = root.xpath("//oadr:oadrEvent", namespaces=NAMESPACES)
        assert isinstance(told, list)
        responses = "".join(self._event(event, answered) for event in told if isinstance(event, Element))
        listed = {_text(event, "string(.//ei:eventID)") for event in told if isinstance(event, Element)}
        if "remembers what is missing" not in self.habits:
            self.events = {name: known for name, known in self.events.items() if name in listed}
        if "dwells on the past" in self.habits:
            responses += self._past
            self._past = responses
        if responses:
            self._created_event("200", responses)

    def _event(self, event: Element, answered: str) -> str:
        """The eventResponse; nothing if none is wanted."""
        name, number = _text(event, "string(.//ei:eventID)"), int(_text(event, "number(.//ei:modificationNumber)"))
        known = self.events.get(name)
        cancelled = _text(event, "string(.//ei:eventStatus)") == "cancelled"
        if known and number < known[0]:
            code = "450"
        elif cancelled:
            code = "200" if known or "fusses about the unknown" not in self.habits else "452"
            self.events.pop(name, None)
        else:
            code = self._fault(event) if not known or number > known[0] else "200"
            if code == "200":
                self.events[name] = (number, answered, "optIn")
        changes = known and "changes its mind" in self.habits
        opt = "optIn" if code == "200" and not changes else "optOut"
        if _text(event, "string(oadr:oadrResponseRequired)") == "never" and "answers never" not in self.habits:
            return ""
        return event_response(name, number, answered, code, opt)

    def _fault(self, event: Element) -> str:
        context, own = _text(event, "string(.//emix:marketContext)"), CONTEXT
        if "reads case as case" not in self.habits:
            context, own = context.lower(), own.lower()
        targets = event.xpath("ei:eiEvent/ei:eiTarget/*/text()", namespaces=NAMESPACES)
        assert isinstance(targets, list)
        if context != own or (targets and not {self.ven_id, RESOURCE} & {str(target) for target in targets}):
            return "462"
        signals = event.xpath(".//ei:eiEventSignal", namespaces=NAMESPACES)
        assert isinstance(signals, list)
        for signal in signals:
            unit = _text(signal, "local-name(power:* | oadr:currencyPerKWh)")
            if (_text(signal, "string(ei:signalName)"), _text(signal, "string(ei:signalType)"), unit) not in SIGNALS:
                return "460"
            if _text(signal, "string(ei:eiTarget//power:mrid)"):
                return "469"
        return self._illogical(event)

    def _illogical(self, event: Element) -> str:
        uids = event.xpath("(.//ei:eiEventSignal)[1]//xcal:text/text()", namespaces=NAMESPACES)
        lengths = event.xpath(
            "(.//ei:eiEventSignal)[1]//ei:interval/xcal:duration/xcal:duration/text()", namespaces=NAMESPACES
        )
        assert isinstance(uids, list)
        assert isinstance(lengths, list)
        period_s = seconds_of(_text(event, "string(.//ei:eiActivePeriod//xcal:properties/xcal:duration/xcal:duration)"))
        start = moment(_text(event, "string(.//ei:eiActivePeriod//xcal:dtstart/xcal:date-time)"))
        if [str(uid) for uid in uids] != [str(number) for number in range(len(uids))]:
            return "450"
        over = period_s and start + timedelta(seconds=period_s) < self.utc() - timedelta(seconds=60)
        return "454" if sum(seconds_of(str(length)) for length in lengths) != period_s or over else "200"

    def _created_event(self, code: str, responses: str) -> None:
        told = f"<ei:eventResponses>{responses}</ei:eventResponses>" if responses else ""
        content = (
            f"<pyld:eiCreatedEvent><ei:eiResponse><ei:responseCode>{code}</ei:responseCode><pyld:requestID/></ei:eiResponse>"
            f"{told}{self._ven()}</pyld:eiCreatedEvent>"
        )
        self.out.append(self._said("EiEvent", "oadrCreatedEvent", content))

    # -- reports -----------------------------------------------------------------------

    def _metadata(self, answers: str) -> Said:
        own = f"<ei:reportRequestID>{answers}</ei:reportRequestID>" if answers else ""
        content = f"<pyld:requestID>{self._fresh()}</pyld:requestID>{offered(self._now())}{self._ven()}{own}"
        return self._said("EiReport", "oadrRegisterReport", content)

    def _take_requests(self, root: Element, *, piggy_backed: bool) -> None:
        requests = root.xpath("//oadr:oadrReportRequest", namespaces=NAMESPACES)
        assert isinstance(requests, list)
        if not requests or (piggy_backed and "overlooks piggy-backed requests" in self.habits):
            return
        codes = [self._take_request(request) for request in requests if isinstance(request, Element)]
        code = next((code for code in codes if code not in {"200", "metadata"}), "200")
        self._reply("EiReport", "oadrCreatedReport", _text(root, "string(//pyld:requestID)"), code, self._pending())
        for request, taken in zip(requests, codes, strict=True):
            if taken == "metadata":
                self.out.append(self._metadata(_text(request, "string(ei:reportRequestID)")))

    def _take_request(self, request: Element) -> str:
        specifier = _text(request, "string(.//ei:reportSpecifierID)")
        if specifier == "METADATA":
            return "metadata"
        r_id = _text(request, "string(.//ei:rID)")
        known = {f"{name}-S": f"{name}-1" for name in ROWS}
        if known.get(specifier) != r_id:
            if "promises what it refuses" in self.habits:
                self._promised.append(_text(request, "string(ei:reportRequestID)"))
            return "452"
        granularity_s = seconds_of(_text(request, "string(.//xcal:granularity/xcal:duration)"))
        back_s = seconds_of(_text(request, "string(.//ei:reportBackDuration/xcal:duration)"))
        if granularity_s > back_s > 0:
            return "454"
        start = moment(_text(request, "string(.//xcal:dtstart/xcal:date-time)") or self._now())
        duration_s = seconds_of(_text(request, "string(.//xcal:properties/xcal:duration/xcal:duration)") or "PT0S")
        request_id = _text(request, "string(ei:reportRequestID)")
        first = start if back_s == 0 and specifier.startswith("HISTORY") else max(start, self.utc())
        self.reports[request_id] = Wanted(
            request_id=request_id,
            specifier=specifier.removesuffix("-S"),
            r_id=r_id,
            granularity_s=granularity_s,
            back_s=back_s,
            next_at=first + timedelta(seconds=back_s if "HISTORY" not in specifier else 0),
            ends_at=start + timedelta(seconds=duration_s) if duration_s and "never ends" not in self.habits else None,
        )
        if "begins at once" in self.habits:
            self.reports[request_id].next_at = self.utc()
        return "200"

    def _cancel_reports(self, root: Element) -> str:
        ids = root.xpath("//oadr:oadrCancelReport/ei:reportRequestID/text()", namespaces=NAMESPACES)
        assert isinstance(ids, list)
        follows = _text(root, "string(//pyld:reportToFollow)") == "true" and "nothing follows" not in self.habits
        unknown = {str(name) for name in ids} - set(self.reports)
        for name in ids:
            if "goes on reporting" in self.habits:
                continue
            if follows and str(name) in self.reports:
                self.reports[str(name)].last = "follows for ever" not in self.habits
            else:
                self.reports.pop(str(name), None)
        return "452" if unknown else "200"

    def _make_reports(self) -> None:
        for wanted in list(self.reports.values()):
            if wanted.next_at > self.utc():
                continue
            self.out.append(self._update(wanted))
            over = wanted.ends_at is not None and wanted.next_at >= wanted.ends_at
            once = wanted.back_s == 0 and "reports for ever" not in self.habits
            if once or wanted.last or over:
                del self.reports[wanted.request_id]
            else:
                wanted.next_at += timedelta(seconds=max(wanted.back_s, 1.0))
            if "reports once" in self.habits:
                self.reports.pop(wanted.request_id, None)
            if "reports in a hurry" in self.habits:
                wanted.next_at = self.utc() + timedelta(seconds=0.1)

    def _update(self, wanted: Wanted) -> Said:
        content = f"<pyld:requestID>{self._fresh()}</pyld:requestID>{reported(wanted, self._now())}{self._ven()}"
        return self._said("EiReport", "oadrUpdateReport", content)

    def _pending(self) -> str:
        ids = "".join(f"<ei:reportRequestID>{name}</ei:reportRequestID>" for name in [*self.reports, *self._promised])
        return f"<oadr:oadrPendingReports>{ids}</oadr:oadrPendingReports>"

    # -- what its operator asks for ------------------------------------------------------

    def operate(self, action: str, wish: dict[str, str]) -> str:
        request = f"<pyld:requestID>{self._fresh()}</pyld:requestID>"
        match action:
            case "cancel-registration":
                own = f"<ei:registrationID>{self.registration_id}</ei:registrationID>"
                self.out.append(
                    self._said("EiRegisterParty", "oadrCancelPartyRegistration", request + own + self._ven())
                )
            case "register":
                self.wants_registration = True
            case "opt-event":
                number, answered, _ = self.events[wish["event_id"]]
                self._created_event("200", event_response(wish["event_id"], number, answered, "200", wish["opt_type"]))
            case "cancel-opt":
                content = f"{request}<ei:optID>{wish['opt_id']}</ei:optID>{self._ven()}"
                self.out.append(self._said("EiOpt", "oadrCancelOpt", content))
            case "create-opt":
                self.out.append(self._opt(wish, request))
        return ""

    def _opt(self, wish: dict[str, str], request: str) -> Said:
        target = f"<ei:eiTarget>{self._ven()}</ei:eiTarget>"
        content = f"<ei:optID>opt-1</ei:optID>{opted(wish, self._ven(), self._now(), request)}{target}"
        return self._said("EiOpt", "oadrCreateOpt", content)

    # -- small change ------------------------------------------------------------------

    def _reply(self, service: str, name: str, answered: str, code: str = "200", content: str = "") -> None:
        self.out.append(self._response(service, name, answered, code, content))

    def _response(self, service: str, name: str, answered: str, code: str, content: str = "") -> Said:
        said = f"<ei:responseCode>{code}</ei:responseCode><pyld:requestID>{answered}</pyld:requestID>"
        return self._said(service, name, f"<ei:eiResponse>{said}</ei:eiResponse>{content}{self._ven()}")

    def _done(self, said: Said) -> None:
        if said in self.out:
            self.out.remove(said)
        if said.payload == "oadrCanceledPartyRegistration" and ">200<" in said.body:
            self._forget()

    def _said(self, service: str, name: str, content: str) -> Said:
        body = envelope(f'<oadr:{name} ei:schemaVersion="2.0b">{content}</oadr:{name}>')
        return Said(service=service, payload=name, body=body)

    def _ven(self) -> str:
        return f"<ei:venID>{self.ven_id}</ei:venID>"

    def _fresh(self) -> str:
        self._count += 1
        return f"r{self._count}"

    def _now(self) -> str:
        return wire(self.utc())


def _read(body: bytes) -> Element | None:
    try:
        root = parse(body)
    except MalformedMessage:
        return None
    return None if schema_fault(root) else root


def _text(root: Any, expression: str) -> str:
    found = etree.XPath(expression, namespaces=NAMESPACES)(root)
    return f"{found:g}" if isinstance(found, float) else str(found)
