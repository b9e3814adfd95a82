"""How a request is written in a procedure file."""

from conformance import openadr20b
from conformance.check_kinds import read_query
from conformance.client.steps import Hello, Identity, Seal, Send, Version
from conformance.step_kinds import StepReader, expected, queries, templates
from conformance.yaml_nodes import Section


def read_seal(section: Section) -> Seal | None:
    """How a message is signed; None if that is not said."""
    return section.choice("seal", Seal, Seal.NONE) if "seal" in section else None


def read_send(reader: StepReader, section: Section) -> Send:
    inner = section.section("send")
    step = Send(
        line=section.line,
        path=inner.text("path") if "path" in inner else openadr20b.path_of(reader.service(inner)),
        body=reader.body(inner),
        method=inner.text("method", "POST"),
        headers=inner.pairs("headers"),
        encoding=inner.text("encoding", "utf-8"),
        chunked=inner.flag("chunked", default=False),
        identity=inner.choice("identity", Identity, Identity.ENROLLED),
        hello=Hello(suite=inner.text("suite", ""), version=inner.choice("version", Version, Version.CURRENT)),
        seal=read_seal(inner),
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
