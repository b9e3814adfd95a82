"""When the collector of garbage looks at a process that keeps much for long, and why it need not look more often.

Python frees nearly everything as soon as nobody refers to it; the collector is there for cycles. By
default it looks whenever 700 more objects were made than freed, and at all that there is once a
quarter as many have outlived two looks. With thousands of requests in flight those are alive when it
looks and gone a moment later, and it counts them as kept: with 10,000 connections, a million objects,
it looked at everything every five seconds, stood still for a second or two each time, and took half
of the CPU.
"""

import gc

NEW_OBJECTS = 50_000
"""More made than freed until the new ones are looked at: some megabytes."""
LOOKS_AT_THE_NEW = 20
"""Until those that outlived them are looked at again, and so many times as often until everything is."""


def look_seldom() -> None:
    """Call it before a process imports what it is made of: none of that is garbage, and looking costs a fifth."""
    gc.set_threshold(NEW_OBJECTS, LOOKS_AT_THE_NEW, LOOKS_AT_THE_NEW)


def keep_what_is_there() -> None:
    """Call it when the process has started: what there is by then is never looked at again, and the rest seldom."""
    gc.collect()
    gc.freeze()
    look_seldom()
