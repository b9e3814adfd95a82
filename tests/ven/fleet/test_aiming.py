"""Names of a utility to devices: the fleet file's own, groups of the settings, classes."""

from dataclasses import replace

import numpy as np
import pytest

from openadr_core.model.target import Target, TargetKind, by_name
from openadr_ven.fleet.aiming import REMEMBERED_MAX, Aim
from openadr_ven.fleet.columns import DeviceClass
from tests.ven.domain.test_held_events import an_event, relief
from tests.ven.fleet.synthetic import fleet_of

FLEET = fleet_of(120, seed=4)
AIM = Aim(
    FLEET, fleet_name="fleet", names=("zone-a",), groups={"north": ("feeder-000", "device-00119"), "none": ("x",)}
)


def targets(**names: str) -> tuple[Target, ...]:
    return tuple(Target(kind=TargetKind[kind], name=name) for kind, name in names.items())


@pytest.mark.openadr20b("R22", "N10")
@pytest.mark.parametrize(
    "wanted",
    [
        (),
        targets(VEN="ven-7"),
        targets(GROUP="zone-a"),
        targets(RESOURCE="fleet"),
        targets(RESOURCE="x", PARTY="zone-a"),
    ],
)
def test_all_of_the_fleet(wanted: tuple[Target, ...]) -> None:
    assert AIM.rows(replace(an_event(), targets=wanted)) is None


@pytest.mark.openadr20b("R22", "N10", "R111")
def test_some_of_it() -> None:
    feeder = FLEET.feeder == 0
    last = np.asarray(FLEET.device_id == "device-00119")
    batteries = FLEET.device_class == DeviceClass.BATTERY

    def rows(wanted: tuple[Target, ...], *classes: str) -> list[bool]:
        found = AIM.rows(replace(an_event(), targets=wanted), replace(relief(1.0), device_classes=classes))
        assert found is not None
        return list(found)

    assert rows(targets(RESOURCE="feeder-000")) == list(feeder)
    assert rows(targets(GROUP="north")) == list(feeder | last)
    assert rows(targets(PNODE="feeder-000", METER="device-00119")) == list(feeder | last)
    assert rows(targets(RESOURCE="feeder-000"), "RESU") == list(feeder & batteries)
    assert rows((), "RESU") == list(batteries)
    assert rows(targets(DEVICE_CLASS="RESU")) == list(batteries)
    assert not any(rows(targets(SERVICE_AREA="1 2 3 4")))
    assert not any(rows(targets(GROUP="none")))
    assert not AIM.meets(replace(an_event(), targets=targets(GROUP="none")))


def test_names_of_openadr_3_mean_a_part_where_they_are_one_and_all_of_it_where_they_are_not() -> None:
    """What a VEN may be shown it is shown by names that were granted to it, or to something behind it."""

    def rows(*names: str) -> list[bool] | None:
        found = AIM.rows(replace(an_event(), targets=by_name(*names)))
        return None if found is None else list(found)

    assert rows("granted-to-the-ven") is None
    assert rows("feeder-000", "granted-to-the-ven") is None
    assert rows("feeder-000") == list(FLEET.feeder == 0)
    assert rows("north") == list((FLEET.feeder == 0) | np.asarray(FLEET.device_id == "device-00119"))


def test_what_is_remembered_is_bounded() -> None:
    most = REMEMBERED_MAX + 10
    for remembered_bytes, at_most in ((0, REMEMBERED_MAX), (FLEET.size * most, most)):
        aim = Aim(FLEET, fleet_name="fleet", remembered_bytes=remembered_bytes)
        sizes = []
        for number in range(most + 5):
            aim.rows(replace(an_event(), targets=targets(RESOURCE=f"r{number}")))
            sizes.append(len(aim._rows))
        assert max(sizes) == at_most


def test_devices_that_are_named_one_by_one_are_the_same_however_many_there_are() -> None:
    aim = Aim(FLEET, fleet_name="fleet")
    names = [*map(str, FLEET.device_id.tolist()), "nobody"]
    assert len(names) > REMEMBERED_MAX
    found = {name: aim.rows(replace(an_event(), targets=targets(RESOURCE=name))) for name in names}
    for name, rows in found.items():
        assert rows is not None
        assert FLEET.device_id[rows].tolist() == ([] if name == "nobody" else [name])
    again = aim.rows(replace(an_event(), targets=targets(RESOURCE=names[0])))
    assert again is found[names[0]], "it is remembered"
