"""Where certificates speak from: one that speaks from two networks by turns may have been copied (security T12)."""

from datetime import datetime, timedelta

TURNS_WITHIN = timedelta(minutes=5)
"""A VEN that changes its line comes from another network, and stays there."""
KNOWN_MAX = 100_000
"""Certificates that are remembered; beyond, all are learnt anew."""


class Whereabouts:
    """What this process has heard. Another one that shares the store hears for itself."""

    def __init__(self) -> None:
        self._network: dict[str, str] = {}
        self._before: dict[str, tuple[str, datetime]] = {}

    def last(self, certificate_sha256: str) -> str | None:
        return self._network.get(certificate_sha256)

    def heard(self, certificate_sha256: str, network: str, now: datetime) -> str:
        """The other network, if the certificate came back from one that it had just left; empty if all is well.

        Interpretation: two sessions of one certificate that overlap show as turns, here, there and here
        again. A VEN whose line fails over leaves a session behind that says nothing more: no alarm.
        """
        last = self._network.get(certificate_sha256)
        if last == network:
            return ""
        if len(self._network) >= KNOWN_MAX:
            self._network.clear()
            self._before.clear()
        self._network[certificate_sha256] = network
        if last is None:
            return ""
        before = self._before.get(certificate_sha256)
        self._before[certificate_sha256] = (last, now)
        came_back = before is not None and before[0] == network and now - before[1] < TURNS_WITHIN
        return last if came_back else ""
