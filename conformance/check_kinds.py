"""How each kind of check is written in a procedure file.

A check has an ``id``, the ``clause`` it stands on, and exactly one of the keys of ``KINDS``.
"""

import re
from collections.abc import Callable

from conformance import openadr20b
from conformance.checks import (
    AskedBy,
    BodyEmpty,
    Check,
    DurationsAtMost,
    DurationsSum,
    Either,
    ElapsedAbove,
    ElapsedBelow,
    HandshakeRefused,
    HeaderIs,
    Holds,
    Kind,
    Occurs,
    PayloadIs,
    QueryGives,
    ResponseCodeIs,
    SchemaValid,
    SignedWell,
    SilenceKept,
    Sorted,
    StatusIs,
    TextRule,
)
from conformance.queries import Query
from conformance.yaml_nodes import Section
from openadr_core.errors import ConfigError

_STATUS = re.compile(r"[1-5](\d\d|XX)")


def read_check(section: Section) -> Check:
    kind = KINDS[section.the_one(KINDS)](section)
    extension = section.flag("extension", default=False)
    check = Check(id=section.text("id"), clauses=section.texts("clause"), kind=kind, extension=extension)
    section.finish()
    return check


def read_query(section: Section, key: str) -> Query:
    try:
        return Query(section.text(key))
    except ConfigError as fault:
        raise section.fault(key, str(fault)) from None


def _status(section: Section) -> Kind:
    allowed = section.texts("status")
    for one in allowed:
        if not _STATUS.fullmatch(one):
            raise section.fault("status", f"a status, or a class as 4XX, not {one!r}")
    return StatusIs(allowed)


def _header(section: Section) -> Kind:
    if section.flag("missing", default=False):
        return HeaderIs(section.text("header"), None)
    optional = section.flag("optional", default=False)
    return HeaderIs(section.text("header"), _text_rule(section), optional=optional)


def _xpath(section: Section) -> Kind:
    return QueryGives(read_query(section, "xpath"), _text_rule(section))


def _schema(section: Section) -> Kind:
    if section.text("schema") != "valid":
        raise section.fault("schema", "the only thing to ask is: valid")
    return SchemaValid()


def _handshake(section: Section) -> Kind:
    if section.text("handshake") != "refused":
        raise section.fault("handshake", "the only thing to ask is: refused")
    return HandshakeRefused()


def _signed(section: Section) -> Kind:
    if section.text("signed") != "well":
        raise section.fault("signed", "the only thing to ask is: well")
    return SignedWell()


def _silence(section: Section) -> Kind:
    if section.text("silence") != "kept":
        raise section.fault("silence", "the only thing to ask is: kept")
    return SilenceKept()


def _body(section: Section) -> Kind:
    if section.text("body") != "empty":
        raise section.fault("body", "the only thing to ask is: empty")
    return BodyEmpty()


def _service(section: Section) -> Kind:
    return AskedBy("POST", openadr20b.path_of(section.text("service")))


def _durations_sum(section: Section) -> Kind:
    inner = section.section("durations_sum")
    kind = DurationsSum(read_query(inner, "each"), read_query(inner, "parts"), read_query(inner, "whole"))
    inner.finish()
    return kind


def _durations_at_most(section: Section) -> Kind:
    inner = section.section("durations_at_most")
    kind = DurationsAtMost(read_query(inner, "each"), read_query(inner, "shorter"), read_query(inner, "longer"))
    inner.finish()
    return kind


def _sorted(section: Section) -> Kind:
    inner = section.section("sorted")
    each, keys = read_query(inner, "each"), inner.texts("by")
    inner.finish()
    try:
        by = tuple((Query(key.removeprefix("-")), key.startswith("-")) for key in keys)
    except ConfigError as fault:
        raise section.fault("sorted", str(fault)) from None
    return Sorted(each, by)


def _either(section: Section) -> Kind:
    kinds = []
    for inner in section.sections("either"):
        kinds.append(KINDS[inner.the_one(KINDS)](inner))
        inner.finish()
    return Either(tuple(kinds))


def _text_rule(section: Section) -> TextRule:
    if section.the_one(("equals", "matches")) == "equals":
        return TextRule(equals=section.texts("equals"))
    return TextRule(pattern=_pattern(section, "matches"))


def _pattern(section: Section, key: str) -> re.Pattern[str]:
    try:
        return re.compile(section.text(key))
    except re.error as fault:
        raise section.fault(key, f"not a pattern: {fault}") from None


KINDS: dict[str, Callable[[Section], Kind]] = {
    "status": _status,
    "header": _header,
    "payload": lambda section: PayloadIs(section.texts("payload")),
    "response_code": lambda section: ResponseCodeIs(_pattern(section, "response_code")),
    "xpath": _xpath,
    "present": lambda section: Occurs(read_query(section, "present"), wanted=True),
    "absent": lambda section: Occurs(read_query(section, "absent"), wanted=False),
    "holds": lambda section: Holds(read_query(section, "holds")),
    "sorted": _sorted,
    "either": _either,
    "schema": _schema,
    "elapsed_below_s": lambda section: ElapsedBelow(section.number("elapsed_below_s")),
    "elapsed_above_s": lambda section: ElapsedAbove(section.number("elapsed_above_s")),
    "durations_sum": _durations_sum,
    "durations_at_most": _durations_at_most,
    "body": _body,
    "service": _service,
    "silence": _silence,
    "signed": _signed,
    "handshake": _handshake,
}
