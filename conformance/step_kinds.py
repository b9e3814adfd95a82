"""How each kind of step is written in a procedure file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance import openadr20b
from conformance.check_kinds import read_check, read_query
from conformance.procedure import EventAction, Identity, MakeEvent, Repeat, Send, Step, Wait
from conformance.queries import Query
from conformance.yaml_nodes import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request that many procedures make, by name."""

    service: str
    payload: str


class StepReader:
    """Reads steps, knowing the messages that they may name."""

    def __init__(self, messages: Mapping[str, Message]) -> None:
        self._messages = messages
        self._kinds: dict[str, Callable[[Section], Step]] = {
            "send": self._send,
            "event": _event,
            "wait_s": _wait,
            "repeat": self._repeat,
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """One of these makes a step."""
        return tuple(self._kinds)

    def steps(self, section: Section, key: str) -> tuple[Step, ...]:
        return tuple(self._step(inner) for inner in section.sections(key))

    def _step(self, section: Section) -> Step:
        step = self._kinds[section.the_one(self._kinds)](section)
        section.finish()
        return step

    def _send(self, section: Section) -> Send:
        inner = section.section("send")
        step = Send(
            line=section.line,
            path=self._path(inner),
            body=self._body(inner),
            method=inner.text("method", "POST"),
            headers=inner.pairs("headers"),
            encoding=inner.text("encoding", "utf-8"),
            chunked=inner.flag("chunked", default=False),
            identity=inner.choice("identity", Identity, Identity.ENROLLED),
            suite=inner.text("suite", ""),
            times=int(inner.number("times", 1)),
            for_each=read_query(section, "for_each") if "for_each" in section else None,
            take=_queries(section, "take"),
            given={name: text for name, text in inner.pairs("with").items() if text is not None},
            expect=tuple(read_check(check) for check in section.sections("expect")),
            capture=_queries(section, "capture"),
        )
        inner.finish()
        if step.take and not step.for_each:
            raise section.fault("take", "only together with for_each")
        return step

    def _path(self, section: Section) -> str:
        if "path" in section:
            return section.text("path")
        service = read_service(section) if "service" in section else self._message(section).service
        return openadr20b.path_of(service)

    def _body(self, section: Section) -> str:
        if "body" in section:
            return section.text("body")
        if "payload" in section:
            return openadr20b.envelope(section.text("payload"))
        return openadr20b.envelope(self._message(section).payload) if "message" in section else ""

    def _message(self, section: Section) -> Message:
        name = section.text("message")
        if name not in self._messages:
            raise section.fault("message", f"{name!r} is none of {', '.join(self._messages)}")
        return self._messages[name]

    def _repeat(self, section: Section) -> Repeat:
        inner = section.section("repeat")
        step = Repeat(
            line=section.line,
            until=read_query(inner, "until"),
            at_most=int(inner.number("at_most")),
            pause_s=inner.number("pause_s", 0.0),
            steps=self.steps(inner, "steps"),
        )
        inner.finish()
        return step


def read_service(section: Section) -> str:
    service = section.text("service")
    if service not in openadr20b.SERVICES:
        raise section.fault("service", f"{service!r} is none of {', '.join(openadr20b.SERVICES)}")
    return service


def _queries(section: Section, key: str) -> dict[str, Query]:
    if key not in section:
        return {}
    inner = section.section(key)
    return {name: read_query(inner, name) for name in inner.keys}


def _event(section: Section) -> MakeEvent:
    inner = section.section("event")
    event = MakeEvent(
        line=section.line,
        action=inner.choice("action", EventAction, EventAction.CREATE),
        variable=inner.text("variable", "event_id"),
        signal_name=inner.text("signal_name", "SIMPLE"),
        signal_type=inner.text("signal_type", "level"),
        starts_in_s=inner.number("starts_in_s", 3600.0),
        durations_s=tuple(int(value) for value in inner.numbers("durations_s", (600.0,))),
        values=inner.numbers("values", (1.0,)),
    )
    if len(event.durations_s) != len(event.values):
        raise inner.fault("values", "there must be as many as durations_s")
    inner.finish()
    return event


def _wait(section: Section) -> Wait:
    return Wait(line=section.line, seconds=section.number("wait_s"))
