"""How often one address may do a thing: token buckets, and no more of them than we can afford."""

from collections import OrderedDict

ADDRESSES_MAX = 10_000
"""Buckets that are kept. The one used longest ago goes first; it comes back full, which costs us one burst."""


class Throttle:
    """So many a minute from one address, in bursts of as many."""

    def __init__(self, per_minute: int) -> None:
        self._burst = float(per_minute)
        self._per_s = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """How long this address must wait for its next; zero if it need not."""
        return max(0.0, (1 - self._left(address, now_s)) / self._per_s)

    def count(self, address: str, now_s: float) -> None:
        """One more."""
        left = self._left(address, now_s) - 1
        self._buckets.pop(address, None)
        self._buckets[address] = (left, now_s)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)

    def _left(self, address: str, now_s: float) -> float:
        left, since_s = self._buckets.get(address, (self._burst, now_s))
        return min(self._burst, left + (now_s - since_s) * self._per_s)
