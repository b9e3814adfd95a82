"""How often one address may do something dear: token buckets, and no more of them than we can afford."""

from collections import OrderedDict

ADDRESSES_MAX = 10_000
"""Buckets that are kept. The least recently used goes first; it comes back full, which costs us one request."""


class Throttle:
    """So many requests a minute from one address, in bursts of as many."""

    def __init__(self, per_minute: int) -> None:
        self._burst = float(per_minute)
        self._per_s = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Zero, and the request is counted; or how long to wait before the next is taken."""
        left, since_s = self._buckets.pop(address, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._buckets[address] = (left if wait_s else left - 1, now_s)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return wait_s
