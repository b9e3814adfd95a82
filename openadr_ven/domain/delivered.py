"""What an event came to: means over the time in which it asked for something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openadr_ven.domain.held import Delivery

SPAN_S = 5.0
"""What one ``Delivery`` stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    seconds: float
    asked_w: float
    allowed_w: float
    commanded_w: float
    acknowledged_w: float
    delivered_w: float
    shortfall_w: Mapping[str, float]


def delivered_over(deliveries: Sequence[Delivery]) -> Delivered | None:
    """None if nothing was ever asked. The release after the end asks for nothing, and does not count."""
    asking = [one for one in deliveries if one.asked_w > 0]
    if not asking:
        return None
    count = len(asking)
    causes = sorted({cause for one in asking for cause in one.shortfall_w})
    return Delivered(
        seconds=count * SPAN_S,
        asked_w=sum(one.asked_w for one in asking) / count,
        allowed_w=sum(one.allowed_w for one in asking) / count,
        commanded_w=sum(one.commanded_w for one in asking) / count,
        acknowledged_w=sum(one.acknowledged_w for one in asking) / count,
        delivered_w=sum(one.delivered_w for one in asking) / count,
        shortfall_w={cause: sum(one.shortfall_w.get(cause, 0.0) for one in asking) / count for cause in causes},
    )
