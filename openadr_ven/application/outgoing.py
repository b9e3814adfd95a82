"""A round on its way out: what can be made of it while the store commits it.

Nothing is told before it is stored. But a round's page in the ledger and its frames depend on the round alone, and
to make them is as much work as to store it: so they are made beside it, by other processors.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Self

from openadr_ven.application.commands import Commands
from openadr_ven.application.ports import Aside, Ledger, Page
from openadr_ven.domain.held import Round
from openadr_ven.fleet.columns import Floats
from openadr_ven.gateways.contract import CommandFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outgoing:
    """What is told once the round is stored."""

    frames: Awaitable[Sequence[CommandFrame]]
    page: Awaitable[Page | OSError]
    """Of the ledger, or why there is none."""

    @classmethod
    def of(cls, made: Round, relief_w: Floats, *, commands: Commands, ledger: Ledger, aside: Aside) -> Self:
        """Both are begun now."""

        def written() -> Page | OSError:
            try:
                return ledger.commanded(made, relief_w)
            except OSError as error:
                return error

        return cls(page=aside(written), frames=aside(lambda: list(commands.frames(made))))

    async def write_down(self) -> None:
        """The round is stored: its page becomes part of the ledger. OSError if it has none."""
        page = await self.page
        if isinstance(page, OSError):
            raise page
        page.keep()

    async def give_up(self) -> None:
        """The round could not be stored, and nobody hears of it."""
        page = await self.page
        if not isinstance(page, OSError):
            page.drop()
