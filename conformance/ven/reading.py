"""How the steps that a VEN is judged by are written in a procedure file."""

from collections.abc import Callable
from functools import partial

from conformance import hook
from conformance.check_kinds import read_query
from conformance.client.reading import read_send
from conformance.events import read_wish
from conformance.procedure import Step
from conformance.step_kinds import StepReader, expected, queries, templates
from conformance.ven.steps import (
    Attempt,
    Everything,
    Forget,
    Hear,
    Registered,
    Reply,
    Serve,
    Shown,
    Silence,
    Tell,
    ToldEvent,
)
from conformance.yaml_nodes import Section


class VenStepReader(StepReader):
    actions = hook.VEN_ACTIONS

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {
            "tell": self._tell,
            "send": partial(read_send, self),
            "hear": _hear,
            "silence": _silence,
            "reply": self._reply,
            "serve": _serve,
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
            expect=expected(section),
            capture=queries(section, "capture"),
        )
        inner.finish()
        return step

    def _reply(self, section: Section) -> Reply:
        inner = section.section("reply")
        step = Reply(
            line=section.line,
            to=inner.texts("to"),
            body=self.body(inner),
            given=templates(inner),
            status=int(inner.number("status", 200)),
            headers=inner.pairs("headers"),
            encoding=inner.text("encoding", "utf-8"),
            times=int(inner.number("times", 1)),
            delay_s=inner.number("delay_s", 0.0),
            cut=inner.flag("cut", default=False),
            size=int(inner.number("size", 0)),
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


def _hear(section: Section) -> Hear:
    inner = section.section("hear")
    step = Hear(
        line=section.line,
        payloads=inner.texts("payload"),
        where=read_query(inner, "where") if "where" in inner else None,
        again=inner.flag("again", default=False),
        within_s=inner.text("within_s", ""),
        expect=expected(section),
        capture=queries(section, "capture"),
    )
    inner.finish()
    return step


def _silence(section: Section) -> Silence:
    inner = section.section("silence")
    step = Silence(
        line=section.line,
        payloads=inner.texts("payload"),
        where=read_query(inner, "where") if "where" in inner else None,
        polls=int(inner.number("polls", 2)),
        for_s=inner.text("for_s", ""),
        expect=expected(section),
    )
    inner.finish()
    return step


def _serve(section: Section) -> Serve:
    inner = section.section("serve")
    step = Serve(
        line=section.line,
        certificate=inner.choice("certificate", Shown, Shown.GOOD),
        certification_suites=inner.flag("certification_suites", default=False),
    )
    inner.finish()
    return step


def _await(section: Section) -> Step:
    match what := section.text("await"):
        case "registration":
            return Registered(line=section.line)
        case "connection":
            return Attempt(line=section.line, expect=expected(section))
        case "everything":
            return Everything(line=section.line, expect=expected(section))
    raise section.fault("await", f"{what!r} is none of registration, connection, everything")


def _forget(section: Section) -> Forget:
    if section.text("forget") != "registration":
        raise section.fault("forget", "the only thing to forget is: registration")
    return Forget(line=section.line)
