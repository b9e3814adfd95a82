"""The steps that a VEN is judged by, beside those of every role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.events import EventWish
from conformance.procedure import Step
from conformance.queries import Query


class Shown(StrEnum):
    """Which certificate the harness shows as a server."""

    GOOD = "good"
    EXPIRED = "expired"
    """From the root that the VEN trusts, but its time is over."""
    FOREIGN = "foreign"
    """The same name from a root that nobody trusts: made by the harness itself."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear(Step):
    """Wait for something that the VEN says: a request, or its answer to a push."""

    payloads: tuple[str, ...]
    where: Query | None = None
    """Only a message in which this is true."""
    again: bool = False
    """One more after the last that was heard; else the first since something was last told."""
    within_s: str = ""
    """A template; empty: as long as the tester's patience lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Step):
    """See that the VEN does not say something, for as long as it takes to poll so often, or for a time."""

    payloads: tuple[str, ...]
    where: Query | None = None
    polls: int = 2
    for_s: str = ""
    """A template; empty: so many polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Step):
    """Answer the next message of a kind otherwise than a good VTN would."""

    to: tuple[str, ...]
    body: str = ""
    """A template of the whole message; empty for none."""
    given: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Added to, or replacing, the usual ones; None leaves one out."""
    encoding: str = "utf-8"
    times: int = 1
    delay_s: float = 0.0
    cut: bool = False
    """Close the connection in the middle of the body."""
    size: int = 0
    """Blanks added to the body until it has so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve(Step):
    """Close all connections, and show another certificate, or offer other suites, from now on."""

    certificate: Shown = Shown.GOOD
    certification_suites: bool = False
    """TLS 1.2 with the two suites of the standard and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Step):
    """Wait for the VEN's next connection, and see how its handshake ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Step):
    """Wait until the VEN is registered, and has said what a new VEN says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Step):
    """Know the VEN no more: whatever it says, it is not registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Step):
    """Each request that the VEN has made since the run began, one by one."""
