"""How the steps that a VEN is judged by are written in a procedure file."""

from collections.abc import Callable
from functools import partial

from conformance import hook
from conformance.client.reading import read_seal, read_send
from conformance.events import read_wish
from conformance.procedure import Step
from conformance.server.reading import listening_kinds, read_attempt
from conformance.step_kinds import StepReader, expected, queries, templates
from conformance.ven.steps import Everything, Forget, Registered, Tell, ToldEvent
from conformance.yaml_nodes import Section


class VenStepReader(StepReader):
    actions = hook.VEN_ACTIONS

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {
            "tell": self._tell,
            "send": partial(read_send, self),
            **listening_kinds(self),
            "await": _await,
            "forget": _forget,
        }

    def _tell(self, section: Section) -> Tell:
        inner = section.section("tell")
        events = "events" in inner
        step = Tell(
            line=section.line,
            service="EiEvent" if events else self.service(inner),
            body="" if events else self.body(inner),
            events=tuple(_event(one) for one in inner.sections("events")) if events else None,
            given=templates(inner),
            taken=inner.flag("taken", default=True),
            seal=read_seal(inner),
            expect=expected(section),
            capture=queries(section, "capture"),
        )
        inner.finish()
        return step


def _event(section: Section) -> ToldEvent:
    usual = ToldEvent()
    event = ToldEvent(
        id=section.text("id", usual.id),
        number=int(section.number("number", usual.number)),
        status=section.text("status", usual.status),
        market_context=section.text("market_context", usual.market_context),
        target=section.text("target", usual.target),
        period_s=int(section.number("period_s")) if "period_s" in section else None,
        uids=section.texts("uids", ()),
        wish=read_wish(section),
    )
    section.finish()
    return event


def _await(section: Section) -> Step:
    match what := section.text("await"):
        case "registration":
            return Registered(line=section.line, else_operate=section.text("else_operate", ""))
        case "connection":
            return read_attempt(section)
        case "everything":
            return Everything(line=section.line, expect=expected(section))
    raise section.fault("await", f"{what!r} is none of registration, connection, everything")


def _forget(section: Section) -> Forget:
    if section.text("forget") != "registration":
        raise section.fault("forget", "the only thing to forget is: registration")
    return Forget(line=section.line)
