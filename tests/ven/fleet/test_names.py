"""Rows looked up by name are those that a search finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.availability import Scope
from openadr_core.model.target import by_name
from openadr_ven.fleet.columns import DeviceClass
from openadr_ven.fleet.naming import CLASSES_20B, Names, class_resource, rows_in
from tests.ven.fleet.synthetic import fleet_of

FLEET = fleet_of(45)
NAME = "town"
INDEX = Names(FLEET, NAME)
NAMES = sorted(
    {NAME, "nobody", *map(str, FLEET.device_id), *map(str, FLEET.site_names), *map(str, FLEET.transformer_names)}
    | {*FLEET.gateway_names, *FLEET.vendor_names, *FLEET.feeder_names, *FLEET.substation_names}
    | {class_resource(NAME, one) for one in DeviceClass}
    | {name for names in CLASSES_20B.values() for name in names}
)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_they_are_the_same(names: list[str]) -> None:
    found = INDEX.rows(names)
    searched = rows_in(FLEET, Scope(targets=frozenset(by_name(*names))), fleet_name=NAME)
    assert found.tolist() == np.flatnonzero(searched).tolist()
