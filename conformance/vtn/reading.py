"""How the steps that a VTN is judged by are written in a procedure file."""

from collections.abc import Callable
from enum import StrEnum

from conformance import hook, openadr20b
from conformance.check_kinds import read_query
from conformance.events import read_wish
from conformance.procedure import Operate, Step
from conformance.step_kinds import StepReader, expected, queries, templates
from conformance.vtn.steps import Identity, Send
from conformance.yaml_nodes import Section


class EventAction(StrEnum):
    CREATE = "create"
    MODIFY = "modify"
    CANCEL = "cancel"


class VtnStepReader(StepReader):
    actions = hook.VTN_ACTIONS

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {"send": self._send, "event": _event}

    def _send(self, section: Section) -> Send:
        inner = section.section("send")
        step = Send(
            line=section.line,
            path=inner.text("path") if "path" in inner else openadr20b.path_of(self.service(inner)),
            body=self.body(inner),
            method=inner.text("method", "POST"),
            headers=inner.pairs("headers"),
            encoding=inner.text("encoding", "utf-8"),
            chunked=inner.flag("chunked", default=False),
            identity=inner.choice("identity", Identity, Identity.ENROLLED),
            suite=inner.text("suite", ""),
            times=int(inner.number("times", 1)),
            for_each=read_query(section, "for_each") if "for_each" in section else None,
            take=queries(section, "take"),
            given=templates(inner),
            expect=expected(section),
            capture=queries(section, "capture"),
        )
        inner.finish()
        if step.take and not step.for_each:
            raise section.fault("take", "only together with for_each")
        return step


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
