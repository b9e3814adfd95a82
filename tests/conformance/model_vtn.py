"""A VTN just good enough to pass every procedure, so that a test can spoil one thing and see who notices.

It is a model of the answers, not of a VTN: one VEN at a time, events read from the folder that the hook writes,
no storage. What is spoilt is a function from one reply to another.
"""

import gzip
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lxml import etree

from conformance.exchanges import RawRequest
from conformance.openadr20b import CONTENT_TYPE, NAMESPACES, SERVICES, envelope, path_of, payload_name
from conformance.schema import schema_fault
from openadr_core.errors import MalformedMessage, SignatureFault
from openadr_core.oadr2.xmldsig import Signer, is_signed, prepare, signed, verify
from openadr_core.xml.parse import Element, parse

from .model_vtn_errands import POINTS, errands_in
from .model_vtn_events import ModelEvent, events_in

HOOK = """
case "$CONFORMANCE_ACTION" in
cancel-event) touch {folder}/$CONFORMANCE_EVENT_ID.cancelled; echo $CONFORMANCE_EVENT_ID;;
create-event) echo "$CONFORMANCE_WISH" > {folder}/evt-$$.event; echo evt-$$;;
modify-event) echo "$CONFORMANCE_WISH" > {folder}/$CONFORMANCE_EVENT_ID.event
  echo changed >> {folder}/$CONFORMANCE_EVENT_ID.changes; echo $CONFORMANCE_EVENT_ID;;
request-report) echo "request-report rr-$$ $CONFORMANCE_WISH" >> {folder}/errands; echo rr-$$;;
request-reports) echo "request-reports rr-$$ $CONFORMANCE_WISH" >> {folder}/errands; echo rr-$$-1 rr-$$-2;;
require-signatures) echo "$CONFORMANCE_WISH" > {folder}/signatures;;
cancel-report|cancel-registration|request-reregistration)
  echo "$CONFORMANCE_ACTION - $CONFORMANCE_WISH" >> {folder}/errands;;
*) exit 77;;
esac
"""
"""A shell command, because starting an interpreter for every event would be most of the test's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    request: RawRequest
    party: str
    """Whose certificate was shown."""
    signer: Signer
    """With that certificate; this VTN signs with it too."""

    def header(self, name: str) -> str:
        return next((value for key, value in self.request.headers if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Spoil = Callable[[Asked, Reply], Reply]


class ModelVtn:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._born = datetime.now(UTC)
        self.waited = timedelta(0)
        """Time that the harness thinks has passed, in no time."""
        self._registrations: dict[str, int] = {}
        self._count = 0
        self._done = 0
        """So many errands were told."""
        self._reports_owed = False
        self._metadata_id = ""
        """Of the VEN's request for metadata, if those are owed in answer to one."""
        self._nonces: set[str] = set()
        self._polled: set[tuple[str, str, int]] = set()
        self._acknowledged: set[tuple[str, str]] = set()
        """Events, each by a party."""
        self._opts: set[str] = set()
        self.pushes_to = ""
        """The address of the VEN that is pushed to, if it is."""
        self.signs = False
        """Whether that VEN wants signatures."""

    def _now(self) -> datetime:
        """Its time runs quickly, so that nobody waits for the start of an event."""
        return self._born + 5 * (datetime.now(UTC) - self._born + self.waited)

    def reply(self, asked: Asked) -> Reply:
        """OpenADR 2.0b 9.1.5: the status first, and only then what is in the message."""
        root = _message(asked.request.body)
        if refused := _refusal(asked, root):
            return Reply(status=refused)
        assert root is not None
        body = envelope(self._answer(payload_name(root), asked, root)).encode()
        if is_signed(root):
            body = signed(prepare(body), asked.signer, sent_at=datetime.now(UTC), nonce=uuid.uuid4().hex)
        if asked.header("Accept-Encoding") == "gzip":
            return Reply(status=200, body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return Reply(status=200, body=body)

    def _answer(self, name: str, asked: Asked, root: Element) -> str:
        home, make = _KINDS.get(name, ("EiReport", ModelVtn._response))
        ven_id, registration_id = _text(root, "string(//ei:venID)"), _text(root, "string(//ei:registrationID)")
        code = self._code(name, asked.party, ven_id, registration_id) if self._believed(asked, root) else 459
        if asked.request.path != path_of(home):
            code, make = 459, ModelVtn._response
        return make(self, asked, root, code)

    def _believed(self, asked: Asked, root: Element) -> bool:
        """2.0b 10.6: signed well, by the party, lately, and for the first time; or unsigned where that is enough."""
        if not is_signed(root):
            wish = self._folder / "signatures"
            return not wish.exists() or json.loads(wish.read_text())["required"] != "true"
        try:
            found = verify(root)
        except SignatureFault:
            return False
        protected = found.replay_protect
        own = found.holder.certificate_sha256 == asked.signer.certificate_sha256
        fresh = protected.nonce not in self._nonces and protected.sent_at > datetime.now(UTC) - timedelta(minutes=5)
        self._nonces.add(protected.nonce)
        return own and fresh

    def _code(self, name: str, party: str, ven_id: str, registration_id: str) -> int:
        known = self._registrations.get(party)
        if party == "pending" or (
            known is None and name not in {"oadrQueryRegistration", "oadrCreatePartyRegistration"}
        ):
            return 463
        if ven_id and ven_id != f"Ven-{party}":
            return 463 if ven_id.removeprefix("Ven-") in self._registrations else 452
        return 452 if registration_id and registration_id != f"Reg-{known}" else 200

    def owed(self, asked: Asked) -> tuple[str, Callable[[], None]] | None:
        """What must be pushed now, and what makes it owed again; None if nothing."""
        told = self._done, self._reports_owed, set(self._polled)

        def owe_again() -> None:
            self._done, self._reports_owed, self._polled = told

        payload = self._poll(asked, _POLL, 200) if asked.party in self._registrations else "<oadr:oadrResponse"
        return None if payload.startswith("<oadr:oadrResponse") else (envelope(payload), owe_again)

    def answered(self, asked: Asked, root: Element) -> None:
        """The VEN's answer to what was pushed."""
        if payload_name(root) == "oadrCanceledPartyRegistration":
            self._confirmed(asked, root, 200)

    def _create(self, asked: Asked, root: Element, code: int) -> str:
        pushed = _text(root, "string(//oadr:oadrHttpPullModel)") == "false"
        self.pushes_to = _text(root, "string(//oadr:oadrTransportAddress)") if pushed else ""
        self.signs = _text(root, "string(//oadr:oadrXmlSignature)") == "true"
        if pushed and not self.pushes_to:
            code = 454
        if code == 200 and not _text(root, "string(//ei:registrationID)"):
            self._count += 1
            self._registrations[asked.party] = self._count
            self._reports_owed = True
        return self._created(asked, root, code)

    def _created(self, asked: Asked, root: Element, code: int) -> str:
        known = self._registrations.get(asked.party)
        ids = f"<ei:registrationID>Reg-{known}</ei:registrationID><ei:venID>Ven-{asked.party}</ei:venID>"
        transports = "".join(
            f"<oadr:oadrTransport><oadr:oadrTransportName>{name}</oadr:oadrTransportName></oadr:oadrTransport>"
            for name in ("simpleHttp", "xmpp")
        )
        profiles = "".join(
            f"<oadr:oadrProfile><oadr:oadrProfileName>{name}</oadr:oadrProfileName>"
            f"<oadr:oadrTransports>{transports}</oadr:oadrTransports></oadr:oadrProfile>"
            for name in ("2.0a", "2.0b")
        )
        told = f"""{ids if known and code == 200 else ""}<ei:vtnID>Vtn</ei:vtnID>
<oadr:oadrProfiles>{profiles}</oadr:oadrProfiles>
<oadr:oadrRequestedOadrPollFreq><xcal:duration>PT10S</xcal:duration></oadr:oadrRequestedOadrPollFreq>"""
        return _payload("oadrCreatedPartyRegistration", _ei_response(root, code) + told)

    def _cancel(self, asked: Asked, root: Element, code: int) -> str:
        if code == 200:
            self._registrations.pop(asked.party)
        return _payload("oadrCanceledPartyRegistration", _ei_response(root, code))

    def _register_report(self, asked: Asked, root: Element, code: int) -> str:
        offered = _text(root, "string(//ei:reportSpecifierID)")
        requests = "".join(
            f"""<oadr:oadrReportRequest><ei:reportRequestID>rr{number}</ei:reportRequestID><ei:reportSpecifier>
<ei:reportSpecifierID>{offered}</ei:reportSpecifierID><xcal:granularity><xcal:duration>PT10S</xcal:duration>
</xcal:granularity><ei:reportBackDuration><xcal:duration>PT10S</xcal:duration></ei:reportBackDuration>
<ei:specifierPayload><ei:rID>site_power</ei:rID><ei:readingType>x-notApplicable</ei:readingType></ei:specifierPayload>
</ei:reportSpecifier></oadr:oadrReportRequest>"""
            for number in (1, 2)
        )
        told = f"{requests if offered else ''}<ei:venID>Ven-{asked.party}</ei:venID>"
        return _payload("oadrRegisteredReport", _ei_response(root, code) + told)

    def _poll(self, asked: Asked, root: Element, code: int) -> str:
        if code == 200 and self._reports_owed:
            self._reports_owed = False
            asked_for = f"<ei:reportRequestID>{self._metadata_id}</ei:reportRequestID>" if self._metadata_id else ""
            self._metadata_id = ""
            return _payload("oadrRegisterReport", f"<pyld:requestID>vr</pyld:requestID>{asked_for}")
        errands = errands_in(self._folder)[self._done :]
        if code == 200 and errands:
            self._done += 1
            return _payload(*errands[0].message(f"Ven-{asked.party}", f"Reg-{self._registrations[asked.party]}"))
        told = self._events(asked.party)
        news = {(asked.party, event.event_id, event.number) for event in told} - self._polled
        if code == 200 and news:
            self._polled |= news
            return self._distribute(asked, root, code)
        return self._response(asked, root, code)

    def _distribute(self, asked: Asked, root: Element, code: int) -> str:
        limit = _text(root, "string(//pyld:replyLimit)")
        events = self._events(asked.party) if code == 200 else []
        told = events[: int(limit)] if limit else events
        ids = "<pyld:requestID>d1</pyld:requestID><ei:vtnID>Vtn</ei:vtnID>"
        written = "".join(event.xml(asked.party, self._now()) for event in told)
        return _payload("oadrDistributeEvent", _ei_response(root, code) + ids + written)

    def _created_event(self, asked: Asked, root: Element, code: int) -> str:
        event_id = _text(root, "string(//ei:eventID)")
        event = next((event for event in self._events(asked.party) if event.event_id == event_id), None)
        if event_id and code == 200:
            wrong_number = event and _text(root, "string(//ei:modificationNumber)") != str(event.number)
            code = 452 if event is None else 450 if wrong_number else 200
        if self.signs and code == 459:
            self._polled.clear()  # answered by nobody, so it is told again
        if event and event.cancelled and code == 200:
            self._acknowledged.add((asked.party, event_id))
        return self._response(asked, root, code)

    def _update_report(self, asked: Asked, root: Element, code: int) -> str:
        known = {request_id for errand in errands_in(self._folder) for request_id in errand.request_ids}
        if code == 200 and _text(root, "string(//ei:reportRequestID)") not in known:
            code = 452
        if code == 200 and _text(root, "string(//oadr:oadrReportPayload/ei:rID)") not in POINTS.values():
            code = 454
        return _payload("oadrUpdatedReport", f"{_ei_response(root, code)}<ei:venID>Ven-{asked.party}</ei:venID>")

    def _create_report(self, _: Asked, root: Element, code: int) -> str:
        if code == 200 and _text(root, "string(//ei:reportSpecifierID)") != "METADATA":
            code = 452
        if code == 200:
            self._reports_owed, self._metadata_id = True, _text(root, "string(//ei:reportRequestID)")
        pending = f"<ei:reportRequestID>{self._metadata_id}</ei:reportRequestID>" if self._metadata_id else ""
        told = f"{_ei_response(root, code)}<oadr:oadrPendingReports>{pending}</oadr:oadrPendingReports>"
        return _payload("oadrCreatedReport", told)

    def _cancel_report(self, _: Asked, root: Element, code: int) -> str:
        told = _ei_response(root, 452 if code == 200 else code)
        return _payload("oadrCanceledReport", f"{told}<oadr:oadrPendingReports/>")

    def _confirmed(self, asked: Asked, root: Element, code: int) -> str:
        """The end of the registration that the operator wanted."""
        answer = self._response(asked, root, code)
        if code == 200:
            self._registrations.pop(asked.party)
        return answer

    def _create_opt(self, asked: Asked, root: Element, code: int) -> str:
        event_id, opt_id = _text(root, "string(//ei:eventID)"), _text(root, "string(//ei:optID)")
        if code == 200:
            code = self._opt_code(asked.party, root, event_id)
        if code == 200 and not event_id:
            self._opts.add(opt_id)
        return _payload("oadrCreatedOpt", f"{_ei_response(root, code)}<ei:optID>{opt_id}</ei:optID>")

    def _opt_code(self, party: str, root: Element, event_id: str) -> int:
        if bool(event_id) == bool(_text(root, "string(//xcal:available)")):
            return 459
        if _text(root, "string(//xcal:tolerance)"):
            return 454
        if event_id and event_id not in {event.event_id for event in self._events(party)}:
            return 452
        return 200 if _text(root, "string(//ei:venID)") == _text(root, "string(//ei:eiTarget/ei:venID)") else 462

    def _cancel_opt(self, _: Asked, root: Element, code: int) -> str:
        opt_id = _text(root, "string(//ei:optID)")
        if code == 200 and opt_id not in self._opts:
            code = 452
        return _payload("oadrCanceledOpt", f"{_ei_response(root, code)}<ei:optID>{opt_id}</ei:optID>")

    def _response(self, asked: Asked, root: Element, code: int) -> str:
        return _payload("oadrResponse", f"{_ei_response(root, code)}<ei:venID>Ven-{asked.party}</ei:venID>")

    def _events(self, party: str) -> list[ModelEvent]:
        """Those of the party that it has not acknowledged as cancelled."""
        told = [event for event in events_in(self._folder, self._now()) if event.target(party) is not None]
        return [event for event in told if (party, event.event_id) not in self._acknowledged]


_Make = Callable[[ModelVtn, Asked, Element, int], str]
_KINDS: dict[str, tuple[str, _Make]] = {
    "oadrQueryRegistration": ("EiRegisterParty", ModelVtn._created),
    "oadrCreatePartyRegistration": ("EiRegisterParty", ModelVtn._create),
    "oadrCancelPartyRegistration": ("EiRegisterParty", ModelVtn._cancel),
    "oadrRegisterReport": ("EiReport", ModelVtn._register_report),
    "oadrCanceledPartyRegistration": ("EiRegisterParty", ModelVtn._confirmed),
    "oadrResponse": ("EiRegisterParty", ModelVtn._response),
    "oadrCreateReport": ("EiReport", ModelVtn._create_report),
    "oadrCancelReport": ("EiReport", ModelVtn._cancel_report),
    "oadrUpdateReport": ("EiReport", ModelVtn._update_report),
    "oadrPoll": ("OadrPoll", ModelVtn._poll),
    "oadrRequestEvent": ("EiEvent", ModelVtn._distribute),
    "oadrCreatedEvent": ("EiEvent", ModelVtn._created_event),
    "oadrCreateOpt": ("EiOpt", ModelVtn._create_opt),
    "oadrCancelOpt": ("EiOpt", ModelVtn._cancel_opt),
}
"""The service and the answer of each payload; any other is an answer of the VEN's own, which is taken."""


_POLL = parse(envelope('<oadr:oadrPoll ei:schemaVersion="2.0b"/>').encode())


def _message(body: bytes) -> Element | None:
    try:
        root = parse(body)
    except MalformedMessage:
        return None
    return None if schema_fault(root) else root


def _refusal(asked: Asked, root: Element | None) -> int:
    if asked.request.method != "POST":
        return 501
    if asked.request.path not in {path_of(service) for service in SERVICES}:
        return 404
    media_type, _, charset = asked.header("Content-Type").partition("; charset=")
    good_type = media_type == CONTENT_TYPE and charset in {"", "utf-8"}
    return 0 if good_type and not asked.request.chunked and root is not None else 406


def _payload(name: str, content: str) -> str:
    return f'<oadr:{name} ei:schemaVersion="2.0b">{content}</oadr:{name}>'


def _ei_response(root: Element, code: int) -> str:
    request_id = _text(root, "string(//pyld:requestID)")
    return (
        f"<ei:eiResponse><ei:responseCode>{code}</ei:responseCode><pyld:requestID>{request_id}</pyld:requestID>"
        "</ei:eiResponse>"
    )


def _text(root: Element, expression: str) -> str:
    return str(etree.XPath(expression, namespaces=NAMESPACES)(root))
