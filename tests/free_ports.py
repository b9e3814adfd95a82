"""Ports for servers that are told where to listen before they are started."""

import os
import random
import socket

FIRST, EACH, PROCESSES = 10_000, 600, 16
"""Below those that systems hand out by themselves: from these an outgoing connection could take one in the seconds
between now and the bind. Each process of the test run has some of its own, so that no neighbour takes one either.
"""
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Different ones, which nobody listens at, and which are given once."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    mine = range(FIRST + worker * EACH, FIRST + (worker + 1) * EACH)
    found: list[int] = []
    for port in random.SystemRandom().sample(mine, k=EACH):
        if len(found) < count and port not in _given and _is_free(port):
            found.append(port)
    assert len(found) == count, "every port of this process was given already"
    _given.update(found)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
