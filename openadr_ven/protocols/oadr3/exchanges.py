"""What a VEN's requests are for, and which of them it can go on without."""

from enum import Enum, auto
from http import HTTPStatus


class Exchange(Enum):
    DISCOVER = auto()
    TOKEN = auto()
    ENROL = auto()
    """Find, or make, our ven and what is behind it."""
    PROGRAMS = auto()
    GRANTS = auto()
    """Our ven and resources again, for the targets that they were granted."""
    EVENTS = auto()
    CHECK_EVENT = auto()
    """Whether an event that a list of several pages has lost is gone, or had only moved between them."""
    TELL_STATE = auto()
    FIND_STATE = auto()
    FIND_REPORT = auto()
    """Whether one whose answer was lost had come."""
    REPORT = auto()
    HEAR = auto()
    """Have the VTN tell us of changes."""
    LEAVE = auto()


BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
PASSED_OVER = {Exchange.TELL_STATE, Exchange.FIND_STATE, Exchange.FIND_REPORT, Exchange.REPORT, Exchange.HEAR}
"""What we can go on without, and say so."""
