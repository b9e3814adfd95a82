"""How the steps that a VTN is judged by are written in a procedure file."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from conformance import hook
from conformance.client.reading import read_send
from conformance.events import read_wish
from conformance.procedure import Operate, Step
from conformance.server.reading import listening_kinds, read_attempt
from conformance.server.steps import Attempt
from conformance.step_kinds import StepReader
from conformance.yaml_nodes import Section


class EventAction(StrEnum):
    CREATE = "create"
    MODIFY = "modify"
    CANCEL = "cancel"


class VtnStepReader(StepReader):
    actions = hook.VTN_ACTIONS

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {"send": partial(read_send, self), "event": _event, **listening_kinds(self), "await": _await}


def _event(section: Section) -> Operate:
    """An event made, modified or cancelled by the VTN's operator; its eventID is in a variable."""
    inner = section.section("event")
    action = inner.choice("action", EventAction, EventAction.CREATE)
    variable = inner.text("variable", "event_id")
    step = Operate(
        line=section.line,
        action=f"{action}-event",
        event=None if action is EventAction.CANCEL else read_wish(inner),
        wish={} if action is EventAction.CREATE else {"event_id": f"${{{variable}}}"},
        variable=variable,
    )
    inner.finish()
    return step


def _await(section: Section) -> Attempt:
    if section.text("await") != "connection":
        raise section.fault("await", "the only thing to wait for is: connection")
    return read_attempt(section)
