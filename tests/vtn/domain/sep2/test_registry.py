"""The tree of groups: who lies in what, and whose primacy holds."""

import pytest

from openadr_core.errors import RuleBroken
from openadr_core.sep2.mrid import managed_lfdi
from openadr_vtn.domain.sep2.registry import PRIMACY_DEFAULT, Aggregator, Group, Tree, is_managed_by


def group(number: int, parent: int | None = None, primacy: int | None = None) -> Group:
    return Group(id=number, name=f"g{number}", mrid=f"{number:032X}", parent_id=parent, primacy=primacy)


TREE = Tree([group(1, None, 10), group(2, 1), group(3, 2, 4), group(4, 1), group(5)])


def test_a_device_sees_all_that_its_groups_lie_in_the_most_local_first() -> None:
    assert [found.id for found in TREE.programs([3])] == [3, 2, 1]
    assert [found.id for found in TREE.programs([3, 4, 5])] == [5, 3, 4, 2, 1]


@pytest.mark.ieee2030_5("G2")
def test_primacy_is_inherited() -> None:
    assert [TREE.primacy(number) for number in (1, 2, 3, 4, 5)] == [10, 10, 4, 10, PRIMACY_DEFAULT]


def test_a_group_lies_nowhere_in_itself() -> None:
    with pytest.raises(RuleBroken, match="in itself"):
        TREE.check_place(1, 3)
    with pytest.raises(RuleBroken, match="in itself"):
        TREE.check_place(1, 1)
    with pytest.raises(RuleBroken, match="no group 9"):
        TREE.check_place(1, 9)
    TREE.check_place(4, 3)


@pytest.mark.ieee2030_5("T9")
def test_an_aggregators_devices_carry_its_number() -> None:
    aggregator = Aggregator(party_id="p", pen=28547)
    assert is_managed_by(managed_lfdi(7, pen=28547), aggregator)
    assert not is_managed_by(managed_lfdi(7, pen=28548), aggregator)
