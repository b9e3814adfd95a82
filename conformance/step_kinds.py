"""How the steps are written that every role has, and how messages are named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance import openadr20b
from conformance.check_kinds import read_check, read_query
from conformance.checks import Check
from conformance.procedure import Operate, Remember, Repeat, Step, Wait
from conformance.queries import Query
from conformance.yaml_nodes import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that many procedures send, by name."""

    service: str
    payload: str


class StepReader:
    """Reads steps, knowing the messages that they may name. A role adds its own kinds."""

    actions: tuple[str, ...] = ()
    """What may be asked of the peer's operator."""

    def __init__(self, messages: Mapping[str, Message]) -> None:
        self.messages = messages
        self._kinds: dict[str, Callable[[Section], Step]] = {
            "operate": self._operate,
            "remember": _remember,
            "wait_s": _wait,
            "repeat": self._repeat,
            **self.own_kinds(),
        }

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {}

    @property
    def keys(self) -> tuple[str, ...]:
        """One of these makes a step."""
        return tuple(self._kinds)

    def steps(self, section: Section, key: str) -> tuple[Step, ...]:
        return tuple(self._step(inner) for inner in section.sections(key))

    def service(self, section: Section) -> str:
        """The one that is named, or that of the message."""
        return read_service(section) if "service" in section else self._message(section).service

    def body(self, section: Section) -> str:
        """The template of a whole message: raw, or a payload in the envelope, or a message by name; or nothing."""
        if "body" in section:
            return section.text("body")
        if "payload" in section:
            return openadr20b.envelope(section.text("payload"))
        return openadr20b.envelope(self._message(section).payload) if "message" in section else ""

    def _message(self, section: Section) -> Message:
        name = section.text("message")
        if name not in self.messages:
            raise section.fault("message", f"{name!r} is none of {', '.join(self.messages)}")
        return self.messages[name]

    def _step(self, section: Section) -> Step:
        step = self._kinds[section.the_one(self._kinds)](section)
        section.finish()
        return step

    def _operate(self, section: Section) -> Operate:
        inner = section.section("operate")
        action = inner.text("action")
        if action not in self.actions:
            raise inner.fault("action", f"{action!r} is none of {', '.join(self.actions)}")
        step = Operate(line=section.line, action=action, wish=templates(inner), variable=inner.text("variable", ""))
        inner.finish()
        return step

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


def expected(section: Section) -> tuple[Check, ...]:
    return tuple(read_check(check) for check in section.sections("expect"))


def queries(section: Section, key: str) -> dict[str, Query]:
    if key not in section:
        return {}
    inner = section.section(key)
    return {name: read_query(inner, name) for name in inner.keys}


def templates(section: Section) -> dict[str, str]:
    """Variables of one step alone, under ``with``."""
    return {name: text for name, text in section.pairs("with").items() if text is not None}


def _remember(section: Section) -> Remember:
    given = {name: text or "" for name, text in section.pairs("remember").items()}
    return Remember(line=section.line, given=given)


def _wait(section: Section) -> Wait:
    return Wait(line=section.line, seconds=section.number("wait_s"))
