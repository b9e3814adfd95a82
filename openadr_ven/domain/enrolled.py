"""The programs that the fleet takes part in, whatever they are spoken of in."""

from collections.abc import Mapping
from dataclasses import dataclass

from openadr_core.model.program import ReliefSign
from openadr_core.oadr2.market_context import ANY, normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The programs and names under which events are for us."""

    relief_signs: Mapping[str, ReliefSign | None]
    """By market context, normalised: every program we take part in; ``*`` is any."""

    def takes_part_in(self, market_context: str) -> bool:
        return not {normalised(market_context), ANY}.isdisjoint(self.relief_signs)

    def relief_sign(self, market_context: str) -> ReliefSign | None:
        own = normalised(market_context)
        return self.relief_signs[own if own in self.relief_signs else ANY]
