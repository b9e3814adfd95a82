"""How the steps of whoever is listened to are written in a procedure file."""

from collections.abc import Callable
from functools import partial

from conformance.check_kinds import read_query
from conformance.client.reading import read_seal
from conformance.procedure import Step
from conformance.server.steps import Attempt, Hear, Reply, Serve, Shown, Silence
from conformance.step_kinds import StepReader, expected, queries, templates
from conformance.yaml_nodes import Section


def listening_kinds(reader: StepReader) -> dict[str, Callable[[Section], Step]]:
    return {"hear": _hear, "silence": _silence, "reply": partial(_reply, reader), "serve": _serve}


def read_attempt(section: Section) -> Attempt:
    return Attempt(line=section.line, expect=expected(section))


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


def _reply(reader: StepReader, section: Section) -> Reply:
    inner = section.section("reply")
    step = Reply(
        line=section.line,
        to=inner.texts("to"),
        body=reader.body(inner),
        given=templates(inner),
        status=int(inner.number("status", 200)),
        headers=inner.pairs("headers"),
        encoding=inner.text("encoding", "utf-8"),
        times=int(inner.number("times", 1)),
        delay_s=inner.number("delay_s", 0.0),
        cut=inner.flag("cut", default=False),
        size=int(inner.number("size", 0)),
        seal=read_seal(inner),
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
