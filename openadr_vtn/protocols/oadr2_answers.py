"""Which payload a VEN may send to which service, and the payload that answers it, also when it is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openadr_core.errors import OpenAdrError
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m

PROFILES = (m.Profile(profile_name="2.0b", transport_names=("simpleHttp",)),)
"""What this VTN can do, as it is told in every registration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not done: a 2.0b response code and a fixed text that gives nothing away."""

    code: str
    description: str

    @classmethod
    def of(cls, error: OpenAdrError) -> "Refusal":
        return cls(code=codes.code_of(error), description=str(error))


NOT_ENROLLED = Refusal(code=codes.NOT_REGISTERED, description="this certificate is not enrolled")
NOT_REGISTERED = Refusal(code=codes.NOT_REGISTERED, description="this party is not registered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every answer says of the two sides."""

    vtn_id: str
    ven_id: str | None
    """None where the answer must not tell it (2.0b R404)."""


Write = Callable[[Any, m.EiResponse, Scene], m.Message]
"""The answer to a message, of which only the eiResponse is filled."""


def _created_party(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.CreatedPartyRegistration(response=said, vtn_id=scene.vtn_id, profiles=PROFILES, ven_id=scene.ven_id)


def _canceled_party(message: m.CancelPartyRegistration, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.CanceledPartyRegistration(response=said, registration_id=message.registration_id, ven_id=scene.ven_id)


def _distribute(message: m.RequestEvent, said: m.EiResponse, scene: Scene) -> m.Message:
    # R41: the payload's own requestID is never empty.
    return m.DistributeEvent(request_id=message.request_id or "0", vtn_id=scene.vtn_id, response=said)


def _response(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.Response(response=said, ven_id=scene.ven_id)


def _registered_report(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.RegisteredReport(response=said, ven_id=scene.ven_id)


def _created_report(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.CreatedReport(response=said, ven_id=scene.ven_id)


def _updated_report(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.UpdatedReport(response=said, ven_id=scene.ven_id)


def _canceled_report(_: Any, said: m.EiResponse, scene: Scene) -> m.Message:
    return m.CanceledReport(response=said, ven_id=scene.ven_id)


def _created_opt(message: m.CreateOpt, said: m.EiResponse, _: Scene) -> m.Message:
    return m.CreatedOpt(response=said, opt_id=message.opt_id)


def _canceled_opt(message: m.CancelOpt, said: m.EiResponse, _: Scene) -> m.Message:
    return m.CanceledOpt(response=said, opt_id=message.opt_id)


OPERATIONS: dict[type[Any], tuple[str, Write]] = {
    m.QueryRegistration: ("EiRegisterParty", _created_party),
    m.CreatePartyRegistration: ("EiRegisterParty", _created_party),
    m.CancelPartyRegistration: ("EiRegisterParty", _canceled_party),
    m.CanceledPartyRegistration: ("EiRegisterParty", _response),
    m.Response: ("EiRegisterParty", _response),
    m.Poll: ("OadrPoll", _response),
    m.RequestEvent: ("EiEvent", _distribute),
    m.CreatedEvent: ("EiEvent", _response),
    m.RegisterReport: ("EiReport", _registered_report),
    m.RegisteredReport: ("EiReport", _response),
    m.CreateReport: ("EiReport", _created_report),
    m.CreatedReport: ("EiReport", _response),
    m.UpdateReport: ("EiReport", _updated_report),
    m.UpdatedReport: ("EiReport", _response),
    m.CancelReport: ("EiReport", _canceled_report),
    m.CanceledReport: ("EiReport", _response),
    m.CreateOpt: ("EiOpt", _created_opt),
    m.CancelOpt: ("EiOpt", _canceled_opt),
}
"""What a VEN may post, where (2.0b 8.6), and what answers it; the other payloads are the VTN's to send."""


def answer_to(message: m.Message, scene: Scene, refusal: Refusal | None = None) -> m.Message:
    """The payload that fits: done, or refused (2.0b R517)."""
    _, write = OPERATIONS.get(type(message), ("", _response))
    return write(message, said_to(message, refusal), scene)


def said_to(message: m.Message, refusal: Refusal | None = None) -> m.EiResponse:
    """The eiResponse of an answer."""
    code = codes.OK if refusal is None else refusal.code
    return m.EiResponse(
        response_code=code,
        response_description=codes.MEANING[code] if refusal is None else refusal.description,
        request_id=request_id_of(message),
    )


def request_id_of(message: m.Message) -> str:
    """What the answer must return (2.0b R207, R303): the request's own id, or that of what it answers."""
    own = getattr(message, "request_id", None)
    if own is not None:
        return str(own)
    response = getattr(message, "response", None)
    return str(response.request_id) if response is not None else ""


def first(faults: Sequence[OpenAdrError | None]) -> Refusal | None:
    """2.0b R48: among several, any that is wrong is told; the first one here."""
    wrong = next((fault for fault in faults if fault is not None), None)
    return None if wrong is None else Refusal.of(wrong)
