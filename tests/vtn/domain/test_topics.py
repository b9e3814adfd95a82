"""On which topics a change is told, to whom they are open, and that a broker's rights are the API's (R10.2, R10.3)."""

from dataclasses import replace
from datetime import datetime

import pytest

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.topics import (
    Hearing,
    access_list,
    filters_of,
    filters_of_business,
    names,
    of_all,
    of_one,
    of_program,
    of_ven,
    tellings,
)

A = Hearing(ven_id="ven-a", client_id="client-a", granted=frozenset({"ven-a", "group1", "group2"}))
B = Hearing(ven_id="ven-b", client_id="client-b", granted=frozenset({"ven-b", "group2"}))


@pytest.fixture
def event(now: datetime) -> ObjectChange:
    return ObjectChange(
        kind=ObjectKind.EVENT, object_id="e1", operation=Operation.UPDATE, document="{}", at=now, program_id="p1",
        targets=("group1",),
    )  # fmt: skip


def told(change: ObjectChange) -> dict[str, tuple[str, ...] | None]:
    return {one.topic: one.targets for one in tellings(change, [A, B])}


def matches(pattern: str, topic: str) -> bool:
    """As MQTT has it, for the filters that are used here."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return levels[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(levels) and all(one in {"+", level} for one, level in zip(wanted, levels, strict=True))


def test_an_event_is_told_to_business_logic_and_to_the_vens_that_it_is_for(event: ObjectChange) -> None:
    assert told(event) == {
        "events/update": ("group1",),
        "events/programs/p1/update": ("group1",),
        "events/vens/ven-a/update": ("group1",),
    }


def test_whom_else_it_is_for_is_hidden_on_the_topics_of_vens(event: ObjectChange) -> None:
    change = replace(event, targets=("group1", "group2", "group3"))
    assert told(change)["events/vens/ven-b/update"] == ("group2",)
    assert told(change)["events/vens/ven-a/update"] == ("group1", "group2")
    assert told(change)["events/update"] == ("group1", "group2", "group3")


def test_what_has_no_targets_is_told_to_every_ven_on_its_own_topic(event: ObjectChange) -> None:
    assert {"events/vens/ven-a/update", "events/vens/ven-b/update"} <= set(told(replace(event, targets=())))


def test_a_new_program_has_no_topic_of_its_own_yet(event: ObjectChange) -> None:
    change = replace(event, kind=ObjectKind.PROGRAM, object_id="p1", operation=Operation.CREATE)
    assert set(told(change)) == {"programs/create", "programs/vens/ven-a/create"}
    change = replace(change, operation=Operation.DELETE)
    assert set(told(change)) == {"programs/delete", "programs/p1/delete", "programs/vens/ven-a/delete"}


@pytest.mark.parametrize(
    ("kind", "topics"),
    [
        (ObjectKind.VEN, {"vens/update", "vens/o/update"}),
        (ObjectKind.RESOURCE, {"resources/update", "resources/vens/ven-b/update"}),
        (ObjectKind.REPORT, {"reports/update"}),
        (ObjectKind.SUBSCRIPTION, {"subscriptions/update"}),
    ],
)
def test_what_is_a_vens_own_is_told_to_it_alone(event: ObjectChange, kind: ObjectKind, topics: set[str]) -> None:
    change = replace(event, kind=kind, object_id="o", client_id="client-b", targets=("group1",))
    assert told(change) == dict.fromkeys(topics)


def test_that_something_was_read_is_not_told(event: ObjectChange) -> None:
    assert told(replace(event, operation=Operation.READ)) == {}


def test_topics_have_names_for_each_operation_and_for_all() -> None:
    assert names(of_all(ObjectKind.EVENT)) == {
        "CREATE": "events/create", "UPDATE": "events/update", "DELETE": "events/delete", "ALL": "events/+",
    }  # fmt: skip
    assert names(of_one(ObjectKind.PROGRAM, "p1"), one=True) == {
        "UPDATE": "programs/p1/update", "DELETE": "programs/p1/delete", "ALL": "programs/p1/+",
    }  # fmt: skip
    assert names(of_program("p1"))["ALL"] == "events/programs/p1/+"
    assert names(of_ven(ObjectKind.RESOURCE, "v"))["CREATE"] == "resources/vens/v/create"


@pytest.mark.parametrize("kind", list(ObjectKind))
@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.UPDATE, Operation.DELETE])
def test_a_vens_filters_let_it_hear_what_is_told_to_it_and_nothing_else(
    event: ObjectChange, kind: ObjectKind, operation: Operation
) -> None:
    change = replace(event, kind=kind, operation=operation, object_id="ven-a", client_id="client-a", targets=())
    for one in tellings(change, [A, B]):
        is_for_a = "/ven-a/" in one.topic
        assert any(matches(pattern, one.topic) for pattern in filters_of("ven-a")) is (
            is_for_a and kind in {ObjectKind.EVENT, ObjectKind.PROGRAM, ObjectKind.RESOURCE, ObjectKind.VEN}
            and not one.topic.startswith("programs/ven-a/")
        )  # fmt: skip
        assert any(matches(pattern, one.topic) for pattern in filters_of_business())


def test_the_access_list_names_who_may_hear_what() -> None:
    text = access_list("openadr-vtn", ["chief"], {"client-b": "ven-b", "client-a": "ven-a"})
    publisher, chief, *vens = text.split("\n\n")[1:]
    assert publisher.splitlines()[0] == "user openadr-vtn"
    assert "topic write events/#" in publisher
    assert "read" not in publisher
    assert chief.splitlines()[:2] == ["user chief", "topic read programs/#"]
    assert vens[0].splitlines() == ["user client-a", *(f"topic read {one}" for one in filters_of("ven-a"))]
    assert "ven-a" not in vens[1]
    assert "write" not in chief + "".join(vens)


@pytest.mark.parametrize("name", ["a\ntopic readwrite #", "a\ruser b", "", " a", "a\x00"])
def test_a_name_cannot_write_a_rule(name: str) -> None:
    with pytest.raises(ValueError, match="access list"):
        access_list("openadr-vtn", [], {name: "ven-a"})
