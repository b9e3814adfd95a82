"""How often a vendor lets us ask: a bucket of requests that fills evenly, and pauses that its answers want. Pure."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Pace:
    per_minute: float
    burst: int
    """Requests that may follow each other at once."""
    _next_s: float = float("-inf")
    """When the bucket would be full again."""
    _closed_until_s: float = float("-inf")

    def take(self, now_s: float) -> float:
        """Seconds to wait before the next request may be made: its place is taken by asking."""
        each_s = 60.0 / self.per_minute
        self._next_s = max(self._next_s, now_s) + each_s
        return max(0.0, self._next_s - self.burst * each_s - now_s, self._closed_until_s - now_s)

    def close(self, until_s: float) -> None:
        """The vendor wants to be left alone until then (429, 503 with Retry-After)."""
        self._closed_until_s = max(self._closed_until_s, until_s)

    def is_free(self, now_s: float) -> bool:
        """Whether a request could be made at once."""
        each_s = 60.0 / self.per_minute
        return now_s >= self._closed_until_s and max(self._next_s, now_s) + each_s - self.burst * each_s <= now_s
