"""OpenADR 3.0.1 and 3.1 say the same objects: both ways, and nothing is lost on the way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import SchemaViolation
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.decode_reports import decode_report
from openadr_core.oadr3.decode_vens import decode_resource, decode_ven
from openadr_core.oadr3.json_text import elements_of, members_of, object_of, without_nulls
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import decode_subscription
from openadr_core.oadr3.target_types import with_shown
from openadr_core.oadr3.v301 import (
    PROGRAM_ATTRIBUTES,
    event_to_3_1,
    from_3_1,
    is_of_3_0_1,
    member_text,
    notification_of_3_0_1,
    program_to_3_1,
    report_to_3_1,
    resource_to_3_1,
    resources_in,
    subscription_to_3_1,
    ven_to_3_1,
)

Object = dict[str, Any]

texts = st.text("abcXYZ-_ é", min_size=1, max_size=8)
names = st.sampled_from(["feeder-7", "feeder-8", "zone-a", "ven one"])
kinds = st.sampled_from(["GROUP", "VEN_NAME", "RESOURCE_NAME"])
typed = st.dictionaries(kinds, st.lists(names, min_size=1, unique=True), max_size=3).map(
    lambda types: [{"type": kind, "values": values} for kind, values in types.items()]
)
flat = st.fixed_dictionaries(
    {},
    optional={name: texts if kind is str else st.booleans() for name, (_, kind) in PROGRAM_ATTRIBUTES.items()},
)
others = st.dictionaries(st.sampled_from(["timeZoneOffset", "x-own", "x-other"]), st.integers(-9, 9) | texts)
programs = st.builds(
    lambda flat, targets, others: {"programName": "p", **flat, **others, "targets": targets}, flat, typed, others
)


def said(text: str) -> Any:
    return json.loads(text)


def in_order(objects: list[Object]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in objects)


def merged(targets: list[Object]) -> dict[str, set[str]]:
    return {one["type"]: set(one["values"]) for one in targets}


@given(program=programs)
def test_a_program_of_3_0_1_comes_back(program: Object) -> None:
    newer = program_to_3_1(json.dumps(program))
    decode_program(newer.encode())
    older = said(from_3_1(ObjectKind.PROGRAM, newer))
    assert merged(older.pop("targets")) == merged(program["targets"])
    assert older == {name: value for name, value in program.items() if name != "targets"}


attributes = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from([name for name, _ in PROGRAM_ATTRIBUTES.values()] + ["RELIEF_SIGN"]),
            "values": st.lists(texts | st.booleans() | st.integers(), max_size=2),
        }
    ),
    max_size=5,
)


@given(attributes=attributes, targets=st.lists(names, unique=True))
def test_a_program_of_3_1_comes_back(attributes: list[Object], targets: list[str]) -> None:
    program = {"programName": "p", "attributes": attributes, "targets": targets}
    again = said(program_to_3_1(from_3_1(ObjectKind.PROGRAM, json.dumps(program))))
    assert again["targets"] == targets
    assert in_order(again.get("attributes", [])) == in_order(attributes)


@given(targets=typed, of_report=typed)
def test_an_event_comes_back_with_the_targets_of_its_report_requests(
    targets: list[Object], of_report: list[Object]
) -> None:
    event = {
        "programID": "p", "targets": targets, "intervals": [],
        "reportDescriptors": [{"payloadType": "DEMAND", "targets": of_report}],
    }  # fmt: skip
    newer = event_to_3_1(json.dumps(event))
    decode_event(newer.encode())
    older = said(from_3_1(ObjectKind.EVENT, newer))
    assert merged(older["targets"]) == merged(targets)
    assert merged(older["reportDescriptors"][0]["targets"]) == merged(of_report)


@given(targets=typed, shown=st.lists(names, unique=True))
def test_who_may_not_know_a_target_is_told_neither_it_nor_its_type(targets: list[Object], shown: list[str]) -> None:
    newer = event_to_3_1(json.dumps({"programID": "p", "targets": targets, "intervals": []}))
    known = [name for name in said(newer)["targets"] if name in shown]
    told = merged(said(from_3_1(ObjectKind.EVENT, with_shown(newer, known)))["targets"])
    assert told == {kind: left for kind, names in merged(targets).items() if (left := names & set(known))}
    for hidden in set(said(newer)["targets"]) - set(known):
        assert hidden not in with_shown(newer, known)


@pytest.mark.parametrize("values", [[5, 0.5, True], [{"x": 1.5, "y": 2}], ["a", {"x": 1, "y": 2}]])
@pytest.mark.parametrize("kind", ["GROUP", "SERVICE_AREA"])
def test_a_target_that_is_no_text_comes_back(kind: str, values: list[Any]) -> None:
    newer = program_to_3_1(json.dumps({"programName": "p", "targets": [{"type": kind, "values": values}]}))
    assert all(isinstance(name, str) for name in said(newer)["targets"])
    assert said(from_3_1(ObjectKind.PROGRAM, newer))["targets"] == [{"type": kind, "values": values}]


def test_numbers_and_lengths_pass_as_they_were_written() -> None:
    text = (
        '{"programID":"p","intervalPeriod":{"start":"0001-01-01","duration":"P9999Y"},'
        '"intervals":[{"id":0,"payloads":[{"type":"PRICE","values":[0.10,1e2,1.0]}]}]}'
    )
    assert '"values":[0.10,1e2,1.0]' in from_3_1(ObjectKind.EVENT, event_to_3_1(text))
    assert '"duration":"P9999Y"' in event_to_3_1(text)


def test_what_3_1_may_leave_out_is_there() -> None:
    assert said(from_3_1(ObjectKind.EVENT, '{"programID": "p"}'))["intervals"] == []


@pytest.mark.openadr3("C11", "V301-descriptors")
@pytest.mark.parametrize(
    ("descriptor", "kind"),
    [
        ({"payloadType": "PRICE"}, "EVENT_PAYLOAD_DESCRIPTOR"),
        ({"payloadType": "USAGE", "readingType": "DIRECT_READ"}, "REPORT_PAYLOAD_DESCRIPTOR"),
        ({"payloadType": "X", "objectType": "REPORT_PAYLOAD_DESCRIPTOR"}, "REPORT_PAYLOAD_DESCRIPTOR"),
    ],
)
def test_a_descriptor_says_what_it_describes(descriptor: Object, kind: str) -> None:
    program = {"programName": "p", "payloadDescriptors": [descriptor]}
    assert said(program_to_3_1(json.dumps(program)))["payloadDescriptors"][0]["objectType"] == kind


def test_a_report_leaves_its_program_to_its_event() -> None:
    report = {
        "programID": "p",
        "eventID": "e",
        "clientName": "c",
        "resources": [],
        "payloadDescriptors": [{"payloadType": "X"}],
    }
    newer = report_to_3_1(json.dumps(report))
    assert "programID" not in said(newer)
    assert decode_report(newer.encode()).event_id == "e"


def test_a_subscription_remembers_in_whose_words_it_hears() -> None:
    watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "https://hook.example/"}
    body = {"clientName": "c", "programID": "p", "objectOperations": [watch]}
    newer = subscription_to_3_1(json.dumps(body))
    assert is_of_3_0_1(decode_subscription(newer.encode()).document)
    assert not is_of_3_0_1(json.dumps(body))
    assert said(from_3_1(ObjectKind.SUBSCRIPTION, newer)) == body


def test_a_ven_is_written_by_whoever_speaks() -> None:
    ven = {"venName": "v", "targets": [{"type": "VEN_NAME", "values": ["v"]}], "resources": [{"resourceName": "r"}]}
    by_business = decode_ven(ven_to_3_1(json.dumps(ven), client_id="c").encode())
    assert (by_business.by_business, by_business.client_id, by_business.targets) == (True, "c", ("v",))
    kept = '{"targetTypes": {"VEN_NAME": ["x"]}}'
    by_itself = decode_ven(ven_to_3_1(json.dumps(ven), client_id=None, kept=kept).encode())
    assert (by_itself.by_business, by_itself.targets, by_itself.document) == (
        False, (), '{"targetTypes": {"VEN_NAME": ["x"]}}',
    )  # fmt: skip
    (inside,) = resources_in(json.dumps(ven))
    resource = decode_resource(resource_to_3_1(inside, ven_id="v-1", by_business=True).encode())
    assert (resource.ven_id, resource.name, resource.by_business) == ("v-1", "r", True)


@pytest.mark.openadr3("V301-event")
@pytest.mark.parametrize(
    ("translate", "text", "names"),
    [
        (event_to_3_1, '{"programID": "p"}', "intervals"),
        (report_to_3_1, '{"eventID": "e"}', "programID"),
        (subscription_to_3_1, '{"clientName": "c"}', "programID"),
        (program_to_3_1, '{"country": 5}', "country"),
        (program_to_3_1, '{"bindingEvents": "yes"}', "bindingEvents"),
        (program_to_3_1, '{"attributes": {}, "country": "NL"}', "attributes"),
        (program_to_3_1, '{"targets": ["a"]}', r"targets\[0\]"),
        (program_to_3_1, '{"targets": [{"values": ["a"]}]}', "type"),
        (program_to_3_1, '{"targets": [{"type": "", "values": ["a"]}]}', "type"),
        (program_to_3_1, '{"targets": [{"type": "GROUP", "values": [[]]}]}', "values"),
        (program_to_3_1, '{"targets": [{"type": "GROUP", "values": [{"x": 1}]}]}', "values"),
        (program_to_3_1, '{"targets": [{"type": "GROUP", "values": [{"x": 1, "y": true}]}]}', "values"),
        (program_to_3_1, '{"targets": [{"type": "GROUP"}]}', "values"),
        (program_to_3_1, '{"payloadDescriptors": [5]}', "payloadDescriptors"),
        (event_to_3_1, '{"intervals": [], "reportDescriptors": [5]}', "reportDescriptors"),
    ],
)
def test_what_breaks_a_rule_of_3_0_1_is_refused_by_name(translate: Any, text: str, names: str) -> None:
    with pytest.raises(SchemaViolation, match=names):
        translate(text)


@pytest.mark.parametrize(
    ("operation", "word"),
    [(Operation.READ, "GET"), (Operation.CREATE, "POST"), (Operation.UPDATE, "PUT"), (Operation.DELETE, "DELETE")],
)
def test_a_notification_has_the_words_of_http(operation: Operation, word: str) -> None:
    """C8."""
    newer = '{"id": "e", "targets": ["a", "b"], "targetTypes": {"VEN_NAME": ["a", "b"]}}'
    told = said(notification_of_3_0_1(ObjectKind.EVENT, operation, newer, ("a",)))
    targets = [{"type": "VEN_NAME", "values": ["a"]}]
    assert (told["objectType"], told["operation"], told["targets"]) == ("EVENT", word, targets)
    assert told["object"] == {"id": "e", "targets": targets, "intervals": []}
    whole = said(notification_of_3_0_1(ObjectKind.VEN, operation, newer, None))
    assert "targets" not in whole
    assert whole["object"]["targets"] == [{"type": "VEN_NAME", "values": ["a", "b"]}]


json_objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(value=json_objects, indent=st.sampled_from([None, 0, 2]))
def test_an_object_is_taken_apart_and_put_together(value: Object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert said(object_of(members_of(text))) == value
    assert {name: said(one) for name, one in members_of(text).items()} == value
    assert [said(one) for one in elements_of(json.dumps(list(value.values()), indent=indent))] == list(value.values())


@given(value=json_objects, indent=st.sampled_from([None, 2]))
def test_what_is_null_is_left_out_at_any_depth(value: Object, indent: int | None) -> None:
    def cleaned(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: cleaned(inner) for name, inner in one.items() if inner is not None}
        return [cleaned(inner) for inner in one] if isinstance(one, list) else one

    assert said(without_nulls(json.dumps(value, indent=indent))) == cleaned(value)


def test_a_member_that_is_no_text_is_none() -> None:
    assert (member_text('{"a": "b"}', "a"), member_text('{"a": 5}', "a"), member_text("{}", "a")) == ("b", None, None)
