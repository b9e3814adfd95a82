"""A gateway's ear for prices: what its devices' feeders are told, as frames for its edge."""

from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openadr_ven.gateways.bulletin import price_topic, read
from openadr_ven.gateways.contract import CommandFrame, Report, TelemetryFrame
from openadr_ven.gateways.edge.follower import Follower


class PriceEar:
    """Between a link and a follower."""

    def __init__(
        self, follower: Follower, key: Ed25519PublicKey, *, fleet_name: str, now: Callable[[], datetime]
    ) -> None:  # fmt: skip
        self.topics = frozenset(price_topic(fleet_name, feeder) for feeder in follower.feeders)
        self._follower = follower
        self._key = key
        self._now = now

    def told(self, report: Report) -> None:
        """What the agent is told of these devices."""
        if isinstance(report, TelemetryFrame):
            self._follower.measured(report)

    def heard(self, payload: bytes) -> CommandFrame | None:
        """The frame that a bulletin comes to; None if it is not for these devices. MalformedMessage if it is none."""
        return self._follower.frame(read(payload, self._key), self._now())
