"""What is in flight makes the collector look at nothing that is kept, and cycles are found: in processes of its own."""

import subprocess
import sys

IN_FLIGHT = """
import gc
from openadr_core.shell.garbage import keep_what_is_there

kept = [[] for _ in range(100_000)]
keep_what_is_there()
connected = [[] for _ in range(100_000)]
full_before = gc.get_stats()[2]["collections"]
for _ in range(100):
    requests = [[] for _ in range(10_000)]
print(gc.get_stats()[2]["collections"] - full_before)
"""

CYCLES = """
import weakref
from openadr_core.shell.garbage import NEW_OBJECTS, keep_what_is_there

class Loop:
    def __init__(self):
        self.itself = self

keep_what_is_there()
one = weakref.ref(Loop())
loops = [Loop() for _ in range(2 * NEW_OBJECTS)]
print(one())
"""


def said_by(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_requests_in_flight_cost_no_look_at_everything() -> None:
    assert said_by(IN_FLIGHT) == "0"


def test_a_cycle_is_still_found() -> None:
    assert said_by(CYCLES) == "None"
