"""Who hears of what, and how much of it (OpenADR 3.1: object privacy; spec R5.6, R9.6)."""

from dataclasses import replace
from datetime import datetime

import pytest

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Hearer, hearers_in, hearers_of, hears, shown_targets
from tests.vtn.samples import a_subscription

GRANTED = {"ven-a": frozenset({"id-a", "group1", "group2"}), "ven-b": frozenset({"id-b", "group2"})}
BUSINESS = Hearer(
    subscription_id="s", position=0, client_id="chief", is_business=True, program_id=None, targets=()
)  # fmt: skip
VEN_A = replace(BUSINESS, client_id="ven-a", is_business=False)
VEN_B = replace(VEN_A, client_id="ven-b")
STRANGER = replace(VEN_A, client_id="nobody's ven")


def a_change(now: datetime, kind: ObjectKind = ObjectKind.EVENT, *targets: str, **members: str) -> ObjectChange:
    return ObjectChange(
        kind=kind, object_id="o", operation=Operation.CREATE, document="{}", at=now, targets=targets,
        program_id=members.get("program_id", "p"), client_id=members.get("client_id", ""),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [ObjectKind.EVENT, ObjectKind.PROGRAM])
@pytest.mark.parametrize(
    ("targets", "who"),
    [
        ((), [BUSINESS, VEN_A, VEN_B, STRANGER]),
        (("group1",), [BUSINESS, VEN_A]),
        (("group2",), [BUSINESS, VEN_A, VEN_B]),
        (("group1", "id-b"), [BUSINESS, VEN_A, VEN_B]),
        (("group3",), [BUSINESS]),
    ],
)
def test_a_ven_hears_of_what_it_may_see(
    now: datetime, kind: ObjectKind, targets: tuple[str, ...], who: list[Hearer]
) -> None:
    assert hearers_of(a_change(now, kind, *targets), [BUSINESS, VEN_A, VEN_B, STRANGER], GRANTED) == who


def test_whom_else_it_is_for_is_told_to_business_logic_alone(now: datetime) -> None:
    change = a_change(now, ObjectKind.EVENT, "group1", "group2", "group3")
    assert shown_targets(BUSINESS, change, GRANTED) == ("group1", "group2", "group3")
    assert shown_targets(VEN_A, change, GRANTED) == ("group1", "group2")
    assert shown_targets(VEN_B, change, GRANTED) == ("group2",)
    assert shown_targets(replace(VEN_A, targets=("group1",)), change, GRANTED) == ("group1",)
    assert shown_targets(VEN_A, a_change(now, ObjectKind.RESOURCE, "group9"), GRANTED) is None


@pytest.mark.parametrize("kind", [ObjectKind.REPORT, ObjectKind.SUBSCRIPTION, ObjectKind.VEN, ObjectKind.RESOURCE])
def test_of_what_is_somebodys_the_others_hear_nothing(now: datetime, kind: ObjectKind) -> None:
    change = a_change(now, kind, client_id="ven-b")
    assert hearers_of(change, [BUSINESS, VEN_A, VEN_B, STRANGER], GRANTED) == [BUSINESS, VEN_B]


@pytest.mark.parametrize(
    ("asked", "targets", "heard"),
    [
        (("group1",), ("group1", "group2"), True),
        (("group2",), ("group1",), False),
        (("group1",), (), False),
        (("group3",), ("group3",), False),  # asking is not being granted
    ],
)
def test_targets_of_a_subscription_narrow_what_is_heard(
    now: datetime, asked: tuple[str, ...], targets: tuple[str, ...], heard: bool
) -> None:
    assert hears(replace(VEN_A, targets=asked), a_change(now, ObjectKind.EVENT, *targets), GRANTED) is heard


@pytest.mark.parametrize(("targets", "heard"), [(("group1",), True), (("group2",), False), ((), False)])
def test_they_narrow_vens_and_resources_likewise_but_not_what_has_none(
    now: datetime, targets: tuple[str, ...], heard: bool
) -> None:
    narrowed = replace(BUSINESS, targets=("group1",))
    assert hears(narrowed, a_change(now, ObjectKind.RESOURCE, *targets, client_id="ven-a"), GRANTED) is heard
    assert hears(narrowed, a_change(now, ObjectKind.REPORT, client_id="ven-a"), GRANTED)


@pytest.mark.parametrize("kind", list(ObjectKind))
@pytest.mark.openadr3("R9.6")
def test_a_program_limits_what_is_of_a_program(now: datetime, kind: ObjectKind) -> None:
    limited = replace(BUSINESS, program_id="p")
    assert hears(limited, a_change(now, kind, program_id="p"), GRANTED)
    of_none = kind in {ObjectKind.VEN, ObjectKind.RESOURCE}
    assert hears(limited, a_change(now, kind, program_id="another"), GRANTED) is of_none


def test_only_watches_for_the_kind_and_the_operation_are_found(now: datetime) -> None:
    subscription = a_subscription(now, program_id="p", targets=("a",))
    (hearer,) = hearers_in(subscription, ObjectKind.EVENT, Operation.UPDATE)
    assert (hearer.position, hearer.client_id, hearer.program_id, hearer.targets) == (0, "client-sub-1", "p", ("a",))
    assert hearers_in(subscription, ObjectKind.EVENT, Operation.READ) == []
    assert hearers_in(subscription, ObjectKind.VEN, Operation.UPDATE) == []


def test_nobody_is_told_of_its_own_reading(now: datetime) -> None:
    read = replace(a_change(now), operation=Operation.READ, reader_id="chief")
    assert not hears(BUSINESS, read, GRANTED)
    assert hears(VEN_A, read, GRANTED)
