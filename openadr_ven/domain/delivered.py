"""What an event came to: means over the time in which it asked for something."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openadr_ven.domain.held import Delivery


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
    asking = [one for one in deliveries if one.asked_w != 0]
    if not asking:
        return None
    seconds = sum(one.seconds for one in asking)

    def mean(values: Iterable[float]) -> float:
        return sum(value * one.seconds for value, one in zip(values, asking, strict=True)) / seconds

    causes = sorted({cause for one in asking for cause in one.shortfall_w})
    return Delivered(
        seconds=seconds,
        asked_w=mean(one.asked_w for one in asking),
        allowed_w=mean(one.allowed_w for one in asking),
        commanded_w=mean(one.commanded_w for one in asking),
        acknowledged_w=mean(one.acknowledged_w for one in asking),
        delivered_w=mean(one.delivered_w for one in asking),
        shortfall_w={cause: mean(one.shortfall_w.get(cause, 0.0) for one in asking) for cause in causes},
    )
