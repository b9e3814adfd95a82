"""The verbs of a VEN core, the same for every protocol.

A core does no I/O and reads no clock: it *starts* exchanges. Its shell asks for the next request,
carries it, tells what came back or that nothing did, and hands the indications to the agent. The
agent decides, stores, and tells the core its answers; the core sends them until they are
acknowledged. What the agent tells is ``Conversation``; the rest is the shell's.
"""

from datetime import datetime
from typing import Protocol

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_ven.application.ports import Conversation
from openadr_ven.domain.indications import Indication


class Session(Conversation, Protocol):
    """One VEN's conversation with one VTN."""

    def next_request(self, *, now: datetime) -> Request | None:
        """The request that is due, if one is; at most one is under way at a time."""

    def receive_response(self, response: Response, *, now: datetime) -> None:
        """The answer to the request under way."""

    def request_failed(self, *, now: datetime, reason: str) -> None:
        """The request under way got no answer; whether the peer saw it is unknown."""

    def receive_request(self, request: Request, peer: Peer, *, now: datetime) -> Response:
        """The answer to what ``peer`` says by itself, where the protocol lets it; whoever is not our VTN gets nothing.

        It must be sent only once what was indicated is stored: until then the VTN has to say it again.
        """

    def indications(self) -> list[Indication]:
        """What happened since the last call, oldest first."""

    def next_wakeup(self) -> datetime | None:
        """When to ask for a request again; None while an answer is awaited."""
