"""What every operation is given and gives: one request of one party in one transaction, and its answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openadr_core.model.availability import OptRules
from openadr_core.model.party import Party
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.ports import Notice, UnitOfWork
from openadr_vtn.domain.delivery import Key, Mailbox
from openadr_vtn.domain.reporting import TelemetryWish
from openadr_vtn.protocols.oadr2_answers import Refusal, Scene, answer_to
from openadr_vtn.protocols.oadr2_events import EventWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    body: bytes
    mailbox: Mailbox | None = None
    """The party's, as the operation has left it; None: it must be read again if anything was committed."""
    news: tuple[Key, ...] = ()
    """Events that this answer carries and that are proved to have arrived once it was read."""
    errand_id: str = ""
    """The errand that this answer carries, likewise; empty for none."""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What operations need besides the message: who we are, and how we ask."""

    vtn_id: str
    telemetry: TelemetryWish
    new_id: Callable[[], str]
    writer: EventWriter
    opt_rules: OptRules
    """For opt schedules, where the program has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of one party, in one transaction."""

    uow: UnitOfWork
    party: Party
    mailbox: Mailbox
    now: datetime
    desk: Desk

    @property
    def scene(self) -> Scene:
        return Scene(vtn_id=self.desk.vtn_id, ven_id=self.party.id)


Operation = Callable[[Asked, Any], Awaitable[Answer]]


def answered(
    asked: Asked,
    message: m.Message,
    refusal: Refusal | None = None,
    *,
    mailbox: Mailbox | None = None,
    notices: tuple[Notice, ...] = (),
) -> Answer:
    if refusal is not None:
        notices = (*notices, Notice(kind="message refused", party_id=asked.party.id, detail=refusal.description))
    return Answer(body=encode(answer_to(message, asked.scene, refusal)), mailbox=mailbox, notices=notices)


async def acknowledge(asked: Asked, message: m.Message) -> Answer:
    """A logical response to something that we no longer wait for, or never asked."""
    return answered(asked, message)
