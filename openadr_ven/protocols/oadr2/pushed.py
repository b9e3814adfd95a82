"""What the VTN pushes at a VEN that does not poll: how it is read, what refuses it, what answers it."""

from collections.abc import Callable
from datetime import datetime

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.exchange import Request, Response
from openadr_core.limits import RETRY_AFTER_S
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import VEN_SERVICES, HttpRefusal, content_coding, prefix_of, response, service_of
from openadr_core.oadr2.session import Role, turn_of
from openadr_ven.protocols.oadr2.speech import Pushed, response_of

BUSY = Response(status=503, headers={"retry-after": str(RETRY_AFTER_S)})
STRANGER = Response(status=403)


def received(request: Request, pushed: Pushed, decode: Callable[[bytes], m.Message]) -> tuple[str, m.Message]:
    """The service asked for and the message; HttpRefusal for what is neither (T8)."""
    service = service_of(request, VEN_SERVICES, prefix=prefix_of(pushed.address))
    try:
        return service, decode(request.body)
    except (MalformedMessage, SchemaViolation) as error:
        raise HttpRefusal(406, str(error)) from None


def fault_of(message: m.Message, service: str, *, registered: bool) -> str:
    """The code that refuses this, here and now; empty if all is well (R33, R51, R517)."""
    turn = turn_of(Role.VTN, type(message))
    if turn is None or turn.service != service:
        return codes.COMPLIANCE_OTHER
    return "" if registered else codes.NOT_REGISTERED


class Listed:
    """The list of events that we asked for last: what was pushed before it was written may arrive after it.

    A push that must connect first can take longer than a request of ours. Interpretation: it is known by the VTN's own
    clock (R115: all in a payload say when it was written) and passed over, and the list is asked for again, since what
    an older payload lacks must not be cancelled (R61).
    """

    def __init__(self) -> None:
        self._at: datetime | None = None

    def read(self, message: m.DistributeEvent) -> None:
        self._at = _written_at(message)

    def overtook(self, message: m.Message) -> bool:
        at = _written_at(message) if isinstance(message, m.DistributeEvent) else None
        return at is not None and self._at is not None and at < self._at


def _written_at(message: m.DistributeEvent) -> datetime | None:
    return max((event.descriptor.created_date_time for event in message.events), default=None)


def answered(request: Request, reply: m.Message | None) -> Response:
    """T13: the matching payload; to events an empty 200, since each is answered in a request of ours."""
    if reply is None:
        return Response(status=200)
    return response(encode(reply), content_coding(request.headers.get("accept-encoding", "")))


def refusal_of(message: m.Message, code: str, ven_id: str) -> m.Message:
    """The payload that fits, with a code that says no."""
    said = response_of(code, getattr(message, "request_id", ""))
    match message:
        case m.RegisterReport():
            return m.RegisteredReport(response=said, ven_id=ven_id or None)
        case m.CreateReport():
            return m.CreatedReport(response=said, ven_id=ven_id or None)
        case m.UpdateReport():
            return m.UpdatedReport(response=said, ven_id=ven_id or None)
        case m.CancelReport():
            return m.CanceledReport(response=said, ven_id=ven_id or None)
        case m.CancelPartyRegistration():
            return m.CanceledPartyRegistration(
                response=said, registration_id=message.registration_id, ven_id=ven_id or None
            )
    return m.Response(response=said, ven_id=ven_id or None)
