"""What an OpenADR 3 session remembers, as one frozen value: stored, it survives the process."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt
from openadr_core.oadr3.encode import OPERATING_STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvent:
    """An event that the VTN lists, as it was last read."""

    id: str
    program_id: str
    document: str
    """The 3.1 object as it came."""
    modified: str
    """Its modificationDateTime, in the VTN's own words: what tells one version from the next."""
    version: int
    """Counted by us; 3.1 has no number."""
    obtained_at: datetime
    """When its first version was read: what "now" means in it."""
    delay_fraction: float
    """Drawn once, from 0 to 1, for all its versions (R7.8)."""
    event: DrEvent | None = None
    """None for one that we cannot act on; it was refused."""
    opt: Opt | None = None
    """None until the agent has decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Our operating state in an event, for the VTN to read: how 3.1 opts out."""

    event_id: str
    opted_out: bool
    told: bool = False
    report_id: str = ""
    """Of the report that tells it, once there is one."""

    @property
    def report_name(self) -> str:
        return f"{self.event_id} {OPERATING_STATE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A report that went out with less than all of its readings: if they come, it is corrected (R8.5)."""

    number: int
    report_id: str
    told: timedelta
    """Of how much of its intervals it told truly."""
    until: datetime
    """Until then; after that nothing more will come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """How far the reports of one descriptor of an event have come."""

    event_id: str
    place: int
    """Of the descriptor, in the event."""
    next_number: int
    unfinished: tuple[Unfinished, ...] = ()
    bid_id: str = ""
    """Of a bid: the report that it stands in."""
    bid_version: int = 0
    """Of a bid: the version of the event that it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    ven_id: str = ""
    known: tuple[KnownEvent, ...] = ()
    states: tuple[State, ...] = ()
    reported: tuple[Reported, ...] = ()

    def known_event(self, event_id: str) -> KnownEvent | None:
        return next((one for one in self.known if one.id == event_id), None)

    def with_known(self, known: KnownEvent) -> Self:
        """With this event added, or in place of its earlier version."""
        return replace(self, known=(*(one for one in self.known if one.id != known.id), known))

    def without(self, event_id: str) -> Self:
        """With nothing of this event."""
        return replace(
            self,
            known=tuple(one for one in self.known if one.id != event_id),
            states=tuple(one for one in self.states if one.event_id != event_id),
            reported=tuple(one for one in self.reported if one.event_id != event_id),
        )

    def state_of(self, event_id: str) -> State | None:
        return next((one for one in self.states if one.event_id == event_id), None)

    def with_state(self, state: State) -> Self:
        return replace(self, states=(*(one for one in self.states if one.event_id != state.event_id), state))

    def reported_of(self, event_id: str, place: int) -> Reported | None:
        """None where nothing has been reported yet."""
        return next((one for one in self.reported if (one.event_id, one.place) == (event_id, place)), None)

    def with_reported(self, reported: Reported) -> Self:
        key = (reported.event_id, reported.place)
        return replace(self, reported=(*(one for one in self.reported if (one.event_id, one.place) != key), reported))
