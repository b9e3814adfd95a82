"""Telling our operating state in events: how 3.1 opts out, and in again. One report an event, changed in its place."""

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

from openadr_core.errors import LocalProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.oadr3.json_text import parse_object
from openadr_ven.domain.indications import Indication, VtnRefused
from openadr_ven.protocols.oadr3.answers import said_by
from openadr_ven.protocols.oadr3.asking import Asking
from openadr_ven.protocols.oadr3.memory import Memory, State
from openadr_ven.protocols.oadr3.reports import ids_by_name


class StateTalk:
    def __init__(self) -> None:
        self.is_unsure = True
        """The VTN may have had the last one: its answer was lost, or we have just started."""
        self._sent: State | None = None

    def untold(self, memory: Memory) -> State | None:
        """A state that the VTN is to hear of; of one that never opted out there is nothing to say."""
        return next((state for state in memory.states if not state.told), None)

    def find(self, memory: Memory, ask: Asking) -> Request:
        return ask.find_reports(self._there(self.untold(memory)).event_id)

    def tell(self, memory: Memory, ask: Asking) -> Request:
        state = self._sent = self._there(self.untold(memory))
        known = memory.known_event(state.event_id)
        return ask.state(state, known.program_id if known else "")

    def found(self, memory: Memory, reports: Iterable[str]) -> Memory:
        """The reports that the VTN has of the event: the state is told in the one of that name, if it is there."""
        self.is_unsure = False
        state, there = self.untold(memory), ids_by_name(reports)
        return (
            memory if state is None else memory.with_state(replace(state, report_id=there.get(state.report_name, "")))
        )

    def told(self, memory: Memory, response: Response) -> tuple[Memory, list[Indication]]:
        sent, report_id, is_told = self._there(self._sent), "", True
        said: list[Indication] = []
        if response.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            report_id = str(parse_object(response.body)[0].get("id", ""))
        elif sent.report_id and response.status == HTTPStatus.NOT_FOUND:
            is_told = False  # somebody took the report away: it is made anew
        else:
            what = f"state in {sent.event_id}"
            said.append(VtnRefused(what=what, code=str(response.status), description=said_by(response)))
        now_so = memory.state_of(sent.event_id)
        if now_so is not None:
            # The agent may have said otherwise in the meantime: then that is told next.
            memory = memory.with_state(replace(now_so, told=now_so == sent and is_told, report_id=report_id))
        return memory, said

    @staticmethod
    def _there(state: State | None) -> State:
        if state is None:
            raise LocalProtocolError("a state with nothing to say")
        return state
