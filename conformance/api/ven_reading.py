"""How the steps that a VEN of OpenADR 3 is judged by are written in a procedure file."""

import re
from collections.abc import Callable

from conformance.api.ven_steps import Asked, Drop, Expire, Hear, Reply, Silence, Store
from conformance.check_kinds import read_query
from conformance.procedure import Step
from conformance.step_kinds import StepReader, expected, queries
from conformance.yaml_nodes import Section

METHODS = ("get", "post", "put", "delete", "patch")


class ApiVenStepReader(StepReader):
    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {"store": _store, "drop": _drop, "expire": _expire, "hear": hear, "silence": silence, "reply": reply}


def _store(section: Section) -> Store:
    inner = section.section("store")
    step = Store(line=section.line, path=inner.text("path"), body=inner.text("body"))
    inner.finish()
    return step


def _drop(section: Section) -> Drop:
    return Drop(line=section.line, path=section.text("drop"))


def _expire(section: Section) -> Expire:
    if section.text("expire") != "tokens":
        raise section.fault("expire", "the only things that do: tokens")
    return Expire(line=section.line)


def hear(section: Section) -> Hear:
    inner = section.section("hear")
    step = Hear(
        line=section.line,
        asked=_asked(inner),
        again=inner.flag("again", default=False),
        ever=inner.flag("ever", default=False),
        returns=inner.flag("returns", default=False),
        expect=expected(section),
        capture=queries(section, "capture"),
    )
    inner.finish()
    return step


def silence(section: Section) -> Silence:
    inner = section.section("silence")
    step = Silence(
        line=section.line,
        asked=_asked(inner),
        for_s=inner.number("for_s"),
        all_along=inner.flag("all_along", default=False),
        ever=inner.flag("ever", default=False),
        allowed=int(inner.number("allowed", 0)),
        answered=int(inner.number("answered")) if "answered" in inner else None,
        expect=expected(section),
    )
    inner.finish()
    return step


def reply(section: Section) -> Reply:
    inner = section.section("reply")
    step = Reply(
        line=section.line,
        asked=_asked(inner),
        status=int(inner.number("status")),
        body=inner.text("body", ""),
        headers=inner.pairs("headers"),
        delay_s=inner.number("delay_s", 0.0),
        cut=inner.flag("cut", default=False),
        times=int(inner.number("times", 1)),
    )
    inner.finish()
    return step


def _asked(section: Section) -> Asked:
    method = section.the_one(METHODS)
    where = read_query(section, "where") if "where" in section else None
    try:
        return Asked(method=method.upper(), path=re.compile(section.text(method)), where=where)
    except re.error as fault:
        raise section.fault(method, f"not a pattern: {fault}") from None
