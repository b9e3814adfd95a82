"""The session of a parcel's gateways at their broker, which whoever has the parcel holds (``gateways/mqtt.py``)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.gateways.contract import CommandFrame, Report, SupportFrame


class Session(Protocol):
    @property
    def connected(self) -> bool:
        """Whether somebody holds it here, and the broker has let him."""

    async def hand_over(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        """Unreachable unless the broker has taken every one of them; needs nobody who listens."""

    def receive(self) -> AsyncIterator[Report]:
        """What gateways say, for ever. The session is held, and taken from whoever had it, while somebody iterates."""

    def mark(self) -> int:
        """How many reports were received so far."""

    def settle(self, mark: int) -> None:
        """The broker may forget what was received up to that mark."""


class Voice(Protocol):
    """What is no parcel's: the agent's own way to the broker."""

    async def hand_over(self, frames: Sequence[CommandFrame | SupportFrame]) -> None: ...

    async def announce(self, bulletins: Iterable[Bulletin]) -> None: ...
