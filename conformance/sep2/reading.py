"""How a request to a server of IEEE 2030.5 is written in a procedure file."""

from collections.abc import Callable

from conformance.api.ven_reading import hear, reply, silence
from conformance.check_kinds import read_query
from conformance.client.steps import Hello, Identity, Version
from conformance.hook import SEP2_ACTIONS
from conformance.procedure import Step
from conformance.sep2.forms import Form
from conformance.sep2.steps import Ask
from conformance.step_kinds import StepReader, expected, queries
from conformance.yaml_nodes import Section

METHODS = ("get", "head", "post", "put", "delete", "patch", "list")
PAGE = 50


class Sep2StepReader(StepReader):
    actions = SEP2_ACTIONS

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        return {"ask": _ask, "hear": hear, "silence": silence, "reply": reply}


def _ask(section: Section) -> Ask:
    inner = section.section("ask")
    method = inner.the_one(METHODS)
    step = Ask(
        line=section.line,
        method="GET" if method == "list" else method.upper(),
        path=inner.text(method),
        page=int(inner.number("page", PAGE)) if method == "list" else 0,
        body=inner.text("body", ""),
        identity=inner.choice("as", Identity, Identity.ENROLLED),
        form=inner.choice("certificate", Form, Form.STRAIGHT) if "certificate" in inner else None,
        hello=Hello(suite=inner.text("suite", ""), version=inner.choice("tls", Version, Version.CURRENT)),
        headers=inner.pairs("headers"),
        offers=read_query(section, "offers") if "offers" in section else None,
        keep={name: header or "" for name, header in section.pairs("keep").items()},
        expect=expected(section),
        capture=queries(section, "capture"),
    )
    inner.finish()
    return step
