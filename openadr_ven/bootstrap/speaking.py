"""How the agent and its VTN speak: what the composition root needs to know of it, whatever the protocol is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from openadr_ven.console.view import Link
from openadr_ven.protocols.session import Session
from openadr_ven.transport.own_certificate import OwnCertificate
from openadr_ven.transport.upstream import Carrier, Upstream

Refused = Callable[[str], Awaitable[None]]
"""Told of who spoke as the VTN and is not."""


class Listening(Protocol):
    """A part that hears what the VTN says by itself."""

    async def start(self) -> None:
        """ConfigError if it cannot."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking:
    """One protocol, put together."""

    session: Session
    carrier: Carrier
    close: Callable[[], Awaitable[None]]
    link: Link
    own: OwnCertificate | None
    """None where we show none."""
    certificate: Path | None
    listens: Callable[[Upstream, Refused], Sequence[Listening]]
    """Where the VTN comes to us, or is listened to."""

    def ends_soon(self) -> timedelta | None:
        """How long our certificate is good for yet, if that is not long."""
        return None if self.own is None else self.own.ends_soon()

    @property
    def ends_at(self) -> datetime | None:
        return None if self.own is None else self.own.ends_at
