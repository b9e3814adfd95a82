"""The steps that a VEN is judged by, beside those of every role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.client.steps import Seal
from conformance.events import EventWish
from conformance.procedure import Step


class Transport(StrEnum):
    """How the VEN is registered; some procedures are about one of them alone."""

    PULL = "pull"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEvent:
    """An event as the VTN tells it; texts are templates."""

    wish: EventWish = field(default_factory=EventWish)
    id: str = "${event_id}"
    number: int = 0
    """modificationNumber"""
    status: str = "far"
    market_context: str = "${market_context}"
    target: str = "<ei:venID>${ven_id}</ei:venID>"
    """What is in its eiTarget."""
    period_s: int | None = None
    """The active period, if it is to differ from the sum of the intervals."""
    uids: tuple[str, ...] = ()
    """Of the intervals, if they are to be other than 0, 1, 2 …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell(Step):
    """Something that the VTN says of itself: it waits in the queue for a poll, or is pushed."""

    service: str
    body: str = ""
    """A template of the whole message, unless it tells events."""
    events: tuple[ToldEvent, ...] | None = None
    """All that there are from now on; answers to oadrRequestEvent hold them too."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Variables of this message alone, as templates."""
    taken: bool = True
    """Go on only when the VEN has it."""
    seal: Seal | None = None
    """How it is signed; None: well, if the VEN signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Step):
    """Wait until the VEN is registered, and has said what a new VEN says."""

    else_operate: str = ""
    """What its operator is asked for if it does not come by itself, and can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Step):
    """Know the VEN no more: whatever it says, it is not registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Step):
    """Each request that the VEN has made since the run began, one by one."""
