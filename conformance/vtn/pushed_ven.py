"""The harness as a VEN that is pushed to: a good one's answers, unless a procedure wants another (T13)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from conformance import openadr20b
from conformance.answers import Answer
from conformance.exchanges import RawRequest
from conformance.queries import Query
from conformance.server.listener import Answered, Listener, nothing_but, written
from openadr_core.xml.parse import Element

NOTHING_AT_ALL = ""
ANSWERS: Mapping[str, tuple[str, str]] = {
    "oadrDistributeEvent": ("EiEvent", NOTHING_AT_ALL),
    "oadrRegisterReport": ("EiReport", "registered_report"),
    "oadrCreateReport": ("EiReport", "created_report"),
    "oadrCancelReport": ("EiReport", "canceled_report"),
    "oadrCancelPartyRegistration": ("EiRegisterParty", "canceled_registration"),
    "oadrRequestReregistration": ("EiRegisterParty", "reregistration_heard"),
}
"""The service of each payload that a VTN may push, and the message that answers it; events get an empty 200."""

_TEXT_OF = {
    "answered_id": Query("string(//pyld:requestID)"),
    "report_request_id": Query("string(//ei:reportRequestID)"),
}


@dataclass(slots=True, kw_only=True)
class PushedVen(Listener):
    """For a whole run. Until it knows its own identifiers it has nothing to answer with."""

    prefix: str
    """What its address has before the standard's paths."""
    ids: dict[str, str] = field(default_factory=dict)
    """``ven_id`` and ``registration_id``, as the VTN under test gave them."""

    @property
    def variables(self) -> Mapping[str, str]:
        return self.ids

    def ready(self, _what: Answer) -> bool:
        return bool(self.ids)

    def serves(self, path: str) -> bool:
        return path in {self.prefix + openadr20b.path_of(service) for service in openadr20b.SERVICES[:-1]}

    def asked(self, root: Element) -> dict[str, str]:
        return {name: query.string(root, {}).strip() for name, query in _TEXT_OF.items()}

    def usual(self, payload: str, request: RawRequest, root: Element) -> Answered:
        if not self.ids:
            return nothing_but(HTTPStatus.SERVICE_UNAVAILABLE)
        service, name = ANSWERS.get(payload, (NOTHING_AT_ALL, NOTHING_AT_ALL))
        if request.path != self.prefix + openadr20b.path_of(service):
            return nothing_but(HTTPStatus.NOT_FOUND)
        if name == NOTHING_AT_ALL:
            return nothing_but(HTTPStatus.OK)
        answer = self.message(openadr20b.envelope(self.messages[name].payload), self.asked(root))
        return written(self.sealed(answer, None, root))
