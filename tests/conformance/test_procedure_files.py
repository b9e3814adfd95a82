"""The procedures that ship, and what is said about one that is written wrong."""

import re
from pathlib import Path

import pytest

from conformance.api.reading import ApiStepReader
from conformance.api.ven_reading import ApiVenStepReader
from conformance.check_kinds import KINDS
from conformance.loading import PROCEDURES, load_folder, load_suite, suite_names
from conformance.openadr20b import envelope
from conformance.procedure import Procedure, flattened
from conformance.queries import rendered
from conformance.rules import load_rules
from conformance.schema import schema_fault
from conformance.sep2.client_reading import Sep2ClientStepReader
from conformance.ven.reading import VenStepReader
from conformance.ven.script import Identifiers, Script
from conformance.ven.steps import Tell
from conformance.vtn.reading import VtnStepReader
from openadr_core.errors import ConfigError
from openadr_core.xml.parse import parse

SUITE = load_suite("openadr20b-vtn")
VEN_SUITE = load_suite("openadr20b-ven")

MESSAGES = "poll: {service: OadrPoll, payload: '<oadr:oadrPoll/>'}\n"
SEQUENCES = "registered:\n  - send: {message: poll}\n"
GOOD = """id: one
title: One
preconditions: [registered]
steps:
  - send: {message: poll}
    expect:
      - {id: ok, clause: R500, status: 200}
"""


def folder_of(tmp_path: Path, procedure: str) -> Path:
    (tmp_path / "messages.yaml").write_text(MESSAGES)
    (tmp_path / "sequences.yaml").write_text(SEQUENCES)
    (tmp_path / "10-one.yaml").write_text(procedure)
    return tmp_path


def test_a_suite_is_found_by_its_folder() -> None:
    assert "openadr20b-vtn" in suite_names()
    with pytest.raises(ConfigError, match="no suite 'openadr99-vtn'; there are ieee2030_5-client, ieee2030_5-server"):
        load_suite("openadr99-vtn")


def test_the_first_ten_procedures_are_there() -> None:
    assert len(SUITE.procedures) >= 10


@pytest.mark.parametrize("procedure", SUITE.procedures + VEN_SUITE.procedures, ids=lambda procedure: procedure.id)
def test_every_check_cites_a_clause_that_exists(procedure: Procedure) -> None:
    rules = {rule.id for rule in load_rules("openadr20b")}
    sections = re.compile(r"(8|9|10)(\.\d+)+|robustness")
    assert [clause for clause in procedure.clauses if clause not in rules and not sections.fullmatch(clause)] == []


@pytest.mark.parametrize(
    "procedure",
    load_suite("openadr3-vtn").procedures + load_suite("openadr3-ven").procedures,
    ids=lambda procedure: procedure.id,
)
def test_every_check_of_openadr3_cites_a_requirement_or_a_behaviour(procedure: Procedure) -> None:
    rules = {rule.id for rule in load_rules("openadr3")}
    behaviour = re.compile(r"T29|[a-z]+([-_][a-z0-9]+)+")
    assert [clause for clause in procedure.clauses if clause not in rules and not behaviour.fullmatch(clause)] == []


def test_a_procedure_is_read(tmp_path: Path) -> None:
    (procedure,) = load_folder(folder_of(tmp_path, GOOD), name="test-vtn").procedures
    assert (procedure.id, procedure.preconditions, procedure.clauses) == ("one", ("registered",), ("R500",))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("title: One", "titel: One", "10-one.yaml:1: title: is missing"),
        ("title: One", "title: One\ncolour: red", "10-one.yaml:3: colour: no such key here"),
        ("title: One", "title: One\nid: two", "10-one.yaml:3: id: given twice"),
        ("title: One", "title: [One", "10-one.yaml:"),
        ("title: One", "title: {}", "10-one.yaml:2: title: expected a text"),
        ("[registered]", "[married]", "10-one.yaml:3: preconditions: married: not in sequences.yaml"),
        ("steps:", "steps: 3\nsteps2:", "10-one.yaml:4: steps: expected a list"),
        ("{message: poll}", "{message: pool}", "10-one.yaml:5: message: 'pool' is none of poll"),
        ("{message: poll}", "{service: Poll}", "10-one.yaml:5: service: 'Poll' is none of EiRegisterParty"),
        ("{message: poll}", "{message: poll, identity: nobody}", "10-one.yaml:5: identity: 'nobody' is none of"),
        ("{message: poll}", "{message: poll, chunked: perhaps}", "10-one.yaml:5: chunked: expected true or false"),
        ("{message: poll}", "{message: poll, times: often}", "10-one.yaml:5: times: expected a number"),
        ("- send: {message: poll}", "- wait_s: 1\n    send: {message: poll}", "10-one.yaml:5: there must be exactly"),
        ("    expect:\n", "    take: {a: //b}\n    expect:\n", "10-one.yaml:6: take: only together with for_each"),
        ("{id: ok, clause: R500, status: 200}", "{id: ok, status: 200}", "10-one.yaml:7: clause: is missing"),
        ("    expect:\n      - {id: ok, clause: R500, status: 200}\n", "", "10-one.yaml:5: steps: nothing is checked"),
        ("      - {id: ok, clause: R500, status: 200}\n", "      - {id: ok, clause: R500, status: 200}\n" * 2,
         "10-one.yaml:5: steps: two checks have the same id: ok"),
    ],
)  # fmt: skip
def test_what_is_written_wrong_is_told_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as refused:
        load_folder(folder_of(tmp_path, GOOD.replace(old, new)), name="test-vtn")
    assert str(refused.value).removeprefix(f"{tmp_path}/").startswith(complaint)


def test_two_procedures_may_not_share_an_id(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, GOOD)
    (folder / "11-two.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="two procedures have the same id: one"):
        load_folder(folder, name="test-vtn")


def test_an_empty_or_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"10-one\.yaml:1: the file is empty"):
        load_folder(folder_of(tmp_path, ""), name="test-vtn")
    with pytest.raises(ConfigError, match=r"sequences\.yaml"):
        load_folder(tmp_path / "nowhere", name="test-vtn")


def test_the_manual_names_every_key_of_a_step_and_a_check() -> None:
    manual = (PROCEDURES / "README.md").read_text()
    readers = (VtnStepReader, VenStepReader, ApiStepReader, ApiVenStepReader, Sep2ClientStepReader)
    steps = {key for reader in readers for key in reader({}).keys} | {"expect", "capture", "for_each", "take", "keep"}
    keys = {
        *KINDS,
        *steps,
        "identity",
        "times",
        "with",
        "again",
        "where",
        "within_s",
        "taken",
        "needs",
        "optional",
        "extension",
    }
    assert [key for key in keys if f"`{key}`" not in manual and f"\n{key}:" not in manual] == []


def dummies(text: str) -> dict[str, str]:
    """A value for every variable that a message names, of the kind that belongs there."""
    kinds = {
        **dict.fromkeys(("start", "starts_at", "now"), "2026-07-15T18:30:00Z"),
        **dict.fromkeys(("granularity", "back", "duration"), "PT1S"),
        "code": "200",
        "poll_s": "1",
        "to_follow": "true",
        "number": "0",
        "limit": "1",
        "opt": "optIn",
    }
    return {name: kinds.get(name, "x") for name in re.findall(r"\$\{([a-z_]+)", text)}


VEN_STEPS = [(procedure.id, step) for procedure in VEN_SUITE.procedures for step in flattened(procedure.steps)]
TOLD = {f"{name}, line {step.line}": step.body for name, step in VEN_STEPS if isinstance(step, Tell) and step.body}
SAID = {name: envelope(message.payload) for name, message in {**SUITE.messages, **VEN_SUITE.messages}.items()}


@pytest.mark.parametrize("name", [*TOLD, *SAID])
def test_what_the_harness_says_is_valid(name: str) -> None:
    template = {**TOLD, **SAID}[name]
    assert schema_fault(parse(rendered(template, dummies(template), xml=True).encode())) == ""


@pytest.mark.parametrize("name", sorted({name for name, step in VEN_STEPS if isinstance(step, Tell) and step.events}))
def test_events_that_the_harness_tells_are_valid(name: str) -> None:
    script = Script(ids=Identifiers(), messages=VEN_SUITE.messages, schema_fault=schema_fault)
    names = ("event_id", "other_event_id", "third_event_id", "run_id", "request_id", "resource", "other_resource")
    variables = dict.fromkeys((*names, "ven_id_other_case"), "x") | {"market_context_other_case": "HTTP://X.example/"}
    for procedure_id, step in VEN_STEPS:
        if procedure_id == name and isinstance(step, Tell) and step.events:
            script.events = step.events
            assert schema_fault(parse(script.distribution(variables=variables))) == ""
