"""How often clients are asked to poll and to post: what can be said, and for whom."""

from openadr_core.errors import RuleBroken
from openadr_vtn.domain.sep2.registry import POST_RATE

LEAST_S = 1
MOST_S = 86_400
DEFAULT_S = 900
"""The standard's."""
TIME = "Time"
RATES = (
    "DERList", "DERProgramList", "DemandResponseProgramList", "DeviceCapability", POST_RATE, "EndDeviceList",
    "FunctionSetAssignmentsList", "LogEventList", "MirrorUsagePointList", "Registration", "SelfDevice",
    "SubscriptionList", TIME, "UsagePointList",
)  # fmt: skip
"""What has a pollRate of its own; ``EndDevice`` is the postRate that devices are given."""
SITE_RATES = tuple(name for name in RATES if name != TIME)
"""Interpretation: the time is one answer for all who ask in the same second, and so has one rate."""


def check_rate(name: str, seconds: int | None, known: tuple[str, ...] = RATES) -> None:
    """RuleBroken if there is no such rate, or it is none that a client could keep; None takes it back."""
    if name not in known:
        raise RuleBroken(f"there is no rate of {name[:64]} here; there are {', '.join(known)}")
    if seconds is not None and not LEAST_S <= seconds <= MOST_S:
        raise RuleBroken(f"a rate is from {LEAST_S} to {MOST_S} s")
