"""Who may say what to which service, and what may answer it: one table for both roles.

What a VEN may send, a VTN may receive, from the same row. The VEN's rows are pull (its requests
to the VTN); the VTN's are what it tells a VEN: as the answer to a poll, where the VEN's reply
is posted to the same service afterwards, or pushed, where the reply is the HTTP answer.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from openadr_core.oadr2 import messages as m


class Role(Enum):
    VTN = "VTN"
    VEN = "VEN"


class Service(StrEnum):
    """The last part of the URL, in this very spelling (T1)."""

    REGISTER_PARTY = "EiRegisterParty"
    EVENT = "EiEvent"
    REPORT = "EiReport"
    OPT = "EiOpt"
    POLL = "OadrPoll"


@dataclass(frozen=True, slots=True)
class Turn:
    """One row: where it is posted, and which payloads may come back."""

    service: Service
    answers: tuple[type[m.Message], ...]


POLLED: tuple[type[m.Message], ...] = (
    m.Response,
    m.DistributeEvent,
    m.CreateReport,
    m.RegisterReport,
    m.CancelReport,
    m.UpdateReport,
    m.CancelPartyRegistration,
    m.RequestReregistration,
)
"""OpenADR 2.0b 8.6: what a poll may bring; oadrResponse says that there is nothing."""

TURNS: dict[Role, dict[type[m.Message], Turn]] = {
    Role.VEN: {
        m.QueryRegistration: Turn(Service.REGISTER_PARTY, (m.CreatedPartyRegistration,)),
        m.CreatePartyRegistration: Turn(Service.REGISTER_PARTY, (m.CreatedPartyRegistration,)),
        m.CancelPartyRegistration: Turn(Service.REGISTER_PARTY, (m.CanceledPartyRegistration,)),
        m.CanceledPartyRegistration: Turn(Service.REGISTER_PARTY, (m.Response,)),
        # Interpretation: 8.6 names no service for the reply to oadrRequestReregistration; its subject's is taken.
        m.Response: Turn(Service.REGISTER_PARTY, (m.Response,)),
        m.Poll: Turn(Service.POLL, POLLED),
        m.RequestEvent: Turn(Service.EVENT, (m.DistributeEvent,)),
        m.CreatedEvent: Turn(Service.EVENT, (m.Response,)),
        m.CreateOpt: Turn(Service.OPT, (m.CreatedOpt,)),
        m.CancelOpt: Turn(Service.OPT, (m.CanceledOpt,)),
        m.RegisterReport: Turn(Service.REPORT, (m.RegisteredReport,)),
        m.RegisteredReport: Turn(Service.REPORT, (m.Response,)),
        m.CreateReport: Turn(Service.REPORT, (m.CreatedReport,)),
        m.CreatedReport: Turn(Service.REPORT, (m.Response,)),
        m.UpdateReport: Turn(Service.REPORT, (m.UpdatedReport,)),
        m.UpdatedReport: Turn(Service.REPORT, (m.Response,)),
        m.CancelReport: Turn(Service.REPORT, (m.CanceledReport,)),
        m.CanceledReport: Turn(Service.REPORT, (m.Response,)),
    },
    Role.VTN: {
        # T13: pushed, an event is answered by an empty body, and oadrCreatedEvent comes in its own request.
        m.DistributeEvent: Turn(Service.EVENT, (m.CreatedEvent,)),
        m.CreateReport: Turn(Service.REPORT, (m.CreatedReport,)),
        m.RegisterReport: Turn(Service.REPORT, (m.RegisteredReport,)),
        m.CancelReport: Turn(Service.REPORT, (m.CanceledReport,)),
        m.UpdateReport: Turn(Service.REPORT, (m.UpdatedReport,)),
        m.CancelPartyRegistration: Turn(Service.REGISTER_PARTY, (m.CanceledPartyRegistration,)),
        m.RequestReregistration: Turn(Service.REGISTER_PARTY, (m.Response,)),
    },
}


def turn_of(sender: Role, payload: type[m.Message]) -> Turn | None:
    """The row of this payload; None if its sender never begins with it (R51, code 459)."""
    return TURNS[sender].get(payload)


def may_answer(sender: Role, payload: type[m.Message], answer: type[m.Message]) -> bool:
    """Whether ``answer`` may answer what ``sender`` said with ``payload``.

    Interpretation: an error belongs in the payload that fits the request (R517), but some VTNs put
    it into an oadrResponse whatever was asked, so that is read as an answer to anything. It is
    never written so.
    """
    turn = turn_of(sender, payload)
    return turn is not None and answer in {*turn.answers, m.Response}
