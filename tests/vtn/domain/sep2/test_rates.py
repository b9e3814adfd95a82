"""Whose word holds for how often a device polls and posts."""

import pytest

from openadr_core.errors import RuleBroken
from openadr_vtn.domain.sep2.rates import RATES, SITE_RATES, check_rate
from openadr_vtn.domain.sep2.registry import POST_RATE, EndDevice, Group, Tree, rate_of

NAME = "DERProgramList"


def a_group(number: int, parent_id: int | None = None, **rates: int) -> Group:
    return Group(id=number, name=f"g{number}", mrid=f"{number:032X}", parent_id=parent_id, rates=rates)


TREE = Tree([
    a_group(1, DERProgramList=300, EndDevice=60), a_group(2, 1), a_group(3, 2, DERProgramList=500),
    a_group(4, DERProgramList=200), a_group(5),
])  # fmt: skip


def a_device(*groups: int, **rates: int) -> EndDevice:
    return EndDevice(
        number=1, party_id="p", lfdi="F" * 40, sfdi=1, registered_at=1, changed_at=1, groups=frozenset(groups),
        rates=rates, post_rate_s=5,
    )  # fmt: skip


@pytest.mark.ieee2030_5("L5")
@pytest.mark.parametrize(
    ("device", "name", "seconds"),
    [
        (a_device(DERProgramList=900), NAME, 900),
        (a_device(3, DERProgramList=900), NAME, 900),
        (a_device(3), NAME, 500),
        (a_device(2), NAME, 300),
        (a_device(3, 4), NAME, 200),
        (a_device(3, 5), NAME, 500),
        (a_device(5), NAME, None),
        (a_device(), NAME, None),
        (a_device(3), POST_RATE, 60),
        (a_device(4), POST_RATE, None),
    ],
    ids=["own", "own-before-groups", "nearest", "above", "shortest", "silent-group", "nobody", "no-group", "post",
         "a-clients-wish-is-nobodys-word"],
)  # fmt: skip
def test_the_device_goes_before_its_groups_and_the_nearest_before_those_above(
    device: EndDevice, name: str, seconds: int | None
) -> None:
    assert rate_of(name, device, TREE) == seconds


def test_what_no_client_could_keep_is_refused() -> None:
    for name in RATES:
        check_rate(name, None)
        check_rate(name, 60)
    assert set(RATES) - set(SITE_RATES) == {"Time"}
    for wrong in (("Toast", 60, RATES), ("Time", 60, SITE_RATES), (NAME, 0, RATES), (NAME, 86_401, RATES)):
        with pytest.raises(RuleBroken):
            check_rate(*wrong)
