"""What alerts of OpenADR 3 mean beyond their words: whether batteries are kept for their households."""

from collections.abc import Iterable
from datetime import datetime

from openadr_ven.domain.held import Condition, HeldEvent

STORMS = frozenset({
    "ALERT_POSSIBLE_OUTAGE", "ALERT_FIRE", "ALERT_FREEZING", "ALERT_WIND", "ALERT_TSUNAMI",
})  # fmt: skip
"""Interpretation: where the grid may go away, a household needs its battery more than the grid does.

The others move nothing by themselves: they name no amount, and who wants relief sends an event that asks for it.
"""


def conditions_at(said: Iterable[Condition], held: Iterable[HeldEvent], now: datetime) -> frozenset[Condition]:
    """What holds in the world: as the fleet's operator says, and as alerts that we take part in say."""
    warned = any(
        alert.kind in STORMS and alert.starts_at <= now and (alert.ends_at is None or now < alert.ends_at)
        for one in held
        if (event := one.as_acted_on(now)) is not None and not event.test
        for alert in event.alerts
    )
    return frozenset(said) | ({Condition.STORM} if warned else frozenset())
