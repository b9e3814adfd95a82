"""R14: whatever order versions come in, and however often, each is taken once, and only if it is newer.

A state machine plays a VTN that repeats itself, falls back, contradicts itself and cancels; a model of
four lines says what the agent must have been told.
"""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openadr_core.model.program import ReliefSign
from openadr_core.oadr2.market_context import normalised
from openadr_core.oadr2.messages import DistributeEvent, Event
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr2.events import take_events
from openadr_ven.protocols.oadr2.memory import Memory
from tests.ven.protocols.scripted_vtn import CONTEXT, VEN_ID, an_event

NOW = datetime(2026, 7, 15, 18, 30, 10, tzinfo=UTC)
ENROLLED = Enrolled(relief_signs={normalised(CONTEXT): ReliefSign.POSITIVE})
EVENT_IDS = ("event-1", "event-2")

pytestmark = pytest.mark.openadr20b("R56", "R57", "R58", "R61", "N3", "N5")


class Repeating(RuleBasedStateMachine):
    """``held`` is what must be followed, ``taken`` what was newly taken: each (event, version) once."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(registration_id="r", ven_id=VEN_ID, vtn_id="VTN_1", synchronised=True)
        self.listed: dict[str, Event] = {}
        self.held: dict[str, tuple[int, float]] = {}
        self.taken: list[tuple[str, int]] = []

    @rule(event_id=st.sampled_from(EVENT_IDS), version=st.integers(0, 4), value=st.sampled_from([1000.0, 2000.0]))
    def distribute(self, event_id: str, version: int, value: float) -> None:
        self.listed[event_id] = an_event(event_id, version=version, value=value)
        found = self._deliver()
        known = self.held.get(event_id)
        contradicted = [one for one in found if isinstance(one, i.EventContradicted)]
        if known is None or version > known[0]:
            self.held[event_id] = (version, value)
        elif version == known[0] and value != known[1]:
            assert [(one.event_id, one.version) for one in contradicted] in ([], [(event_id, version)])
        else:
            assert not contradicted

    @rule()
    def repeat(self) -> None:
        assert not [one for one in self._deliver() if isinstance(one, i.EventReceived | i.EventChanged)]

    @rule(event_id=st.sampled_from(EVENT_IDS))
    def leave_out(self, event_id: str) -> None:
        # R61: what is no longer listed is cancelled, and the same id may come again later.
        self.listed.pop(event_id, None)
        cancelled = [one.event.id for one in self._deliver() if isinstance(one, i.EventCancelled)]
        assert cancelled == ([event_id] if self.held.pop(event_id, None) is not None else [])
        self.taken = [one for one in self.taken if one[0] != event_id]

    @invariant()
    def what_is_held_is_the_newest_said_first(self) -> None:
        known = {
            one.event.id: (one.event.version, one.event.signals[0].intervals[0].value / 1000)
            for one in self.memory.known
        }
        assert known == self.held

    @invariant()
    def nothing_is_taken_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))

    def _deliver(self) -> list[i.Indication]:
        payload = DistributeEvent(request_id="d", vtn_id="VTN_1", events=tuple(self.listed.values()))
        self.memory, found = take_events(self.memory, payload, enrolled=ENROLLED, now=NOW, dice=random.Random(1))
        self.taken += [
            (one.event.id, one.event.version) for one in found if isinstance(one, i.EventReceived | i.EventChanged)
        ]
        return found


Repeating.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestEachVersionIsTakenOnce = Repeating.TestCase
