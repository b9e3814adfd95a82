"""The verbs of a VEN core, the same for every protocol.

A core does no I/O and reads no clock: it *starts* exchanges. Its shell asks for the next request,
carries it, tells what came back or that nothing did, and hands the indications to the agent. The
agent decides, stores, and tells the core its answers; the core sends them until they are
acknowledged.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from openadr_core.exchange import Request, Response
from openadr_core.model.opt import Opt
from openadr_core.model.report import Reading, ReportRequest
from openadr_ven.domain.indications import Indication


class Session(Protocol):
    """One VEN's conversation with one VTN."""

    # -- the five verbs of the shell --

    def next_request(self, *, now: datetime) -> Request | None:
        """The request that is due, if one is; at most one is under way at a time."""

    def receive_response(self, response: Response, *, now: datetime) -> None:
        """The answer to the request under way."""

    def request_failed(self, *, now: datetime, reason: str) -> None:
        """The request under way got no answer; whether the peer saw it is unknown."""

    def indications(self) -> list[Indication]:
        """What happened since the last call, oldest first."""

    def next_wakeup(self) -> datetime | None:
        """When to ask for a request again; None while an answer is awaited."""

    # -- what the agent tells --

    def answer(self, opt: Opt) -> None:
        """The agent's decision about an event that was indicated: stored before it is told."""

    def report(self, batch: int, request: ReportRequest, readings: Sequence[Reading], *, now: datetime) -> None:
        """Readings to deliver. Until ``ReportDelivered`` names the batch, the agent keeps them."""

    def unregister(self) -> None:
        """End the registration with the next exchange, and stay away."""

    # -- memory --

    def record(self) -> str:
        """What the core must remember over a restart; stored with the decisions it belongs to."""
