"""How shards stand, for whoever watches them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStand:
    """A shard as the agent sees it; without a number, what nobody has ever spoken for."""

    number: int | None
    of: int | None
    parcels: tuple[int, ...]
    gateways: tuple[range, ...]
    """Codes of the fleet's gateways that it carries."""
    rows: int
    """Devices behind them."""
    since: datetime | None
    """When it began."""
    silent_s: float
    is_alive: bool
    """If not, the agent does its part."""
    sequence: int
    """Of the last round that it has carried; 0 for none."""
    lag_s: float | None
    """How long it took for that, from being asked to its word that the broker has all."""
