"""How many files and connections the system lets this process hold at a time: each connection is one."""

import resource
from contextlib import suppress


def raise_open_files() -> int:
    """Take as many as we may without asking anybody, and say how many that is; -1 for no bound.

    A system starts a process with a thousand or so, for the sake of programs that cannot count further
    (``select``); who may have more has only to ask.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Some systems name a bound for all that they do not grant to one.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
