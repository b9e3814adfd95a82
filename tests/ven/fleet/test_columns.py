"""The fleet's layout: network order, gateways by slot, codes and names."""

import numpy as np

from openadr_ven.fleet.columns import (
    ROW_COLUMNS,
    DeviceClass,
    FleetState,
    gateways,
    in_network_order,
)
from tests.ven.fleet.synthetic import fleet_of


def test_every_node_of_the_network_is_one_slice() -> None:
    fleet = fleet_of(500)
    shuffled = fleet.take(np.random.default_rng(0).permutation(500))
    sorted_again = in_network_order(shuffled)
    for codes in (sorted_again.transformer, sorted_again.feeder, sorted_again.site):
        runs = 1 + np.count_nonzero(codes[1:] != codes[:-1])
        assert runs == np.unique(codes).size
    assert sorted_again.device_id.tolist() == fleet.device_id.tolist()


def test_taking_rows_takes_every_column() -> None:
    fleet = fleet_of(50)
    taken = fleet.take(np.array([7, 3]))
    assert taken.size == 2
    assert all(getattr(taken, name).shape == (2,) for name in ROW_COLUMNS)
    assert taken.device_id.tolist() == [fleet.device_id[7], fleet.device_id[3]]
    assert taken.transformer_names is fleet.transformer_names


def test_gateway_slots_lead_back_to_rows() -> None:
    fleet = fleet_of(200)
    behind = gateways(fleet)
    for code in range(len(fleet.gateway_names)):
        rows = behind.rows(code)
        assert (fleet.gateway[rows] == code).all()
        assert behind.at(code, fleet.slot[rows]).tolist() == rows.tolist()
    assert sum(behind.rows(code).size for code in range(len(fleet.gateway_names))) == 200


def test_a_slot_that_is_not_in_the_fleet_leads_nowhere() -> None:
    fleet = fleet_of(120)
    kept = fleet.take(np.flatnonzero(~((fleet.gateway == 1) & (fleet.slot == 5))))
    behind = gateways(kept)
    assert behind.at(1, [4, 5, 6, 4_000]).tolist()[1::2] == [-1, -1]
    assert kept.slot[behind.at(1, [4, 6])].tolist() == [4, 6]
    assert behind.rows(1).size == 39
    assert behind.rows(len(fleet.gateway_names) - 1).size == 0
    assert behind.at(len(fleet.gateway_names) - 1, [0]).tolist() == [-1]


def test_ratings_and_kinds() -> None:
    fleet = fleet_of(100)
    solar = fleet.rows_of(DeviceClass.SOLAR_INVERTER)
    assert (fleet.power_max_w[solar] == fleet.export_max_w[solar]).all()
    assert not fleet.discrete()[solar].any()
    assert fleet.discrete()[fleet.rows_of(DeviceClass.EV_CHARGER)].all()


def test_before_telemetry_nothing_is_known() -> None:
    state = FleetState.unheard(3)
    assert not state.online.any()
    assert np.isnan(state.soc).all()
    assert state.take([1]).power_w.tolist() == [0.0]
