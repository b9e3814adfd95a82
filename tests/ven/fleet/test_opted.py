"""The fleet's mask says of each device what the rules say of it as a resource (2.0b R200-R206)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.availability import OptRules, OptSchedule, Precedence, Resource, Scope, Span, state_at
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification, qualified
from openadr_core.model.target import by_name
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.fleet.naming import CLASSES_20B, class_resource, rows_in
from openadr_ven.fleet.opted import opted_out, qualified_out, spoken
from tests.ven.fleet.synthetic import fleet_of

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAME = "town"
CONTEXT = "http://utility.example/p1"
FLEET = fleet_of(45)

pytestmark = pytest.mark.openadr20b("R202", "R203", "R209", "O3", "O4", "O8")


def resources(fleet: Fleet) -> list[Resource]:
    """Each device, under every name that it goes by."""
    found = []
    for row in range(fleet.size):
        device_class = DeviceClass(int(fleet.device_class[row]))
        feeder = int(fleet.feeder[row])
        names = {
            str(fleet.device_id[row]), NAME, class_resource(NAME, device_class),
            fleet.gateway_names[fleet.gateway[row]], str(fleet.site_names[fleet.site[row]]),
            str(fleet.transformer_names[fleet.transformer[row]]), fleet.feeder_names[feeder],
            fleet.substation_names[fleet.feeder_substation[feeder]], fleet.vendor_names[fleet.vendor[row]],
        }  # fmt: skip
        found.append(Resource(names=frozenset(names), device_classes=CLASSES_20B[device_class], market_context=CONTEXT))
    return found


RESOURCES = resources(FLEET)
EVERY_NAME = sorted(set().union(*(one.names for one in RESOURCES)) | {"Storage", "nobody"})
scopes = st.builds(
    Scope,
    targets=st.frozensets(st.sampled_from(by_name(*EVERY_NAME)), max_size=3),
    device_classes=st.frozensets(st.sampled_from(["Storage", "Thermostat", "EVSE", "Sauna"]), max_size=2),
    market_context=st.sampled_from(["", CONTEXT, "http://utility.example/p2"]),
)
spans = st.builds(
    Span,
    starts_at=st.integers(-6, 6).map(lambda hours: NOW + hours * HOUR),
    duration=st.one_of(st.none(), st.integers(1, 8).map(lambda hours: hours * HOUR)),
)
schedules = st.lists(
    st.builds(
        OptSchedule,
        id=st.just("o1"),
        opt_type=st.sampled_from(OptType),
        reason=st.just("economic"),
        spans=st.lists(spans, max_size=2).map(tuple),
        created_at=st.just(NOW),
        scope=scopes,
        cancelled_at=st.sampled_from([None, None, NOW]),
    ),
    max_size=6,
)
rules = st.builds(OptRules, default=st.sampled_from(OptType), precedence=st.sampled_from(Precedence))


@pytest.mark.openadr20b("R200", "R201", "O10")
@given(schedules, rules, st.integers(-8, 16))
def test_the_mask_is_what_each_device_is_told(said: list[OptSchedule], chosen: OptRules, hours: int) -> None:
    at = NOW + hours * HOUR
    out = opted_out(spoken(FLEET, said, market_context=CONTEXT, fleet_name=NAME), chosen, at)
    expected = [state_at(said, chosen, one, at).opt_type is OptType.OUT for one in RESOURCES]
    assert out.tolist() == expected


@pytest.mark.openadr20b("R206", "O6")
@given(st.lists(st.tuples(scopes, st.sampled_from(OptType)), max_size=5), st.booleans())
def test_what_is_said_to_an_event_outranks_schedules(words: list[tuple[Scope, OptType]], by_schedule: bool) -> None:
    said = [
        Qualification(
            id="q", event_id="e", version=0, opt_type=opt_type, reason="economic", created_at=NOW,
            scope=replace(scope, market_context=""),
        )
        for scope, opt_type in words
    ]  # fmt: skip
    out = qualified_out(FLEET, said, np.full(FLEET.size, by_schedule), fleet_name=NAME)
    for row, resource in enumerate(RESOURCES):
        word = qualified(said, resource)
        assert out[row] == (by_schedule if word is None else word.opt_type is OptType.OUT)


@pytest.mark.openadr20b("R111")
def test_every_class_of_ours_has_a_name_in_2_0b() -> None:
    assert set(CLASSES_20B) == set(DeviceClass)
    assert all(CLASSES_20B.values())


def test_nothing_is_called_by_no_name() -> None:
    assert not rows_in(FLEET, Scope(targets=frozenset(by_name("nobody"))), fleet_name=NAME).any()
    assert rows_in(FLEET, Scope(), fleet_name=NAME).all()
