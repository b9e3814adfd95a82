"""How a request to an API of OpenADR 3 is written in a procedure file."""

from collections.abc import Callable

from conformance.api.steps import Ask, Who
from conformance.api.ven_reading import METHODS, hear, silence
from conformance.check_kinds import read_query
from conformance.procedure import Step
from conformance.step_kinds import StepReader, expected, queries
from conformance.yaml_nodes import Section


class ApiStepReader(StepReader):
    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {"ask": _ask, "hear": hear, "silence": silence}


def _ask(section: Section) -> Ask:
    inner = section.section("ask")
    method = inner.the_one(METHODS)
    step = Ask(
        line=section.line,
        method=method.upper(),
        path=inner.text(method),
        body=inner.text("body", ""),
        who=inner.choice("as", Who, Who.BUSINESS),
        scope=inner.text("scope", ""),
        is_former=inner.flag("former", default=False),
        headers=inner.pairs("headers"),
        for_each=read_query(section, "for_each") if "for_each" in section else None,
        take=queries(section, "take"),
        keep={name: header or "" for name, header in section.pairs("keep").items()},
        expect=expected(section),
        capture=queries(section, "capture"),
    )
    inner.finish()
    if step.take and not step.for_each:
        raise section.fault("take", "only together with for_each")
    return step
