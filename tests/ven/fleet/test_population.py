"""The population that statistics draw: what it adds up to, how it hangs together, and that it is the same again."""

from dataclasses import fields

import numpy as np
import pytest

from openadr_ven.dispatch.network import network
from openadr_ven.fleet import statistics as known
from openadr_ven.fleet.columns import DeviceClass, Fleet, gateways, in_network_order
from openadr_ven.fleet.population import nameplate_w, populate

SIZE = 40_000
FLEET = populate(SIZE, rng=np.random.default_rng(7))


def test_it_is_the_headline_fleet_in_small() -> None:
    scale = known.HEADLINE_DEVICES / SIZE
    assert nameplate_w(FLEET) * scale == pytest.approx(16.8e9, rel=0.01)
    thermostats = FLEET.rows_of(DeviceClass.THERMOSTAT).size * scale
    assert thermostats == pytest.approx(known.HEADLINE_THERMOSTATS, rel=0.001)
    stores = np.isin(FLEET.device_class, (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL))
    assert FLEET.export_max_w[stores].sum() * scale == pytest.approx(known.HEADLINE_STORAGE_W, rel=0.02)


def test_the_mix_is_the_tables() -> None:
    for device_class, share in known.MIX.items():
        assert FLEET.rows_of(device_class).size == round(share * SIZE)
    assert sum(vendor.share for vendor in known.VENDORS if vendor.device_class is DeviceClass.BATTERY) == 1.0
    for table in (known.BATTERIES, known.VEHICLES_WH, known.TRANSFORMERS_VA, known.RESERVES, known.COMFORT_C):
        assert sum(row[-1] for row in table) == pytest.approx(1.0)


def test_rows_are_in_the_networks_order_and_the_tree_is_one() -> None:
    assert in_network_order(FLEET).device_id.tolist() == FLEET.device_id.tolist()
    for child, parent in (("site", "transformer"), ("transformer", "feeder"), ("feeder", "substation")):
        pairs = np.unique(np.stack((getattr(FLEET, child), getattr(FLEET, parent)), axis=1), axis=0)
        assert np.unique(pairs[:, 0]).size == len(pairs), child
    homes = np.bincount(FLEET.transformer[np.unique(FLEET.site, return_index=True)[1]])
    assert 2.0 < homes[homes > 0].mean() < 5.0
    assert len(network(FLEET, np.zeros(SIZE))) == 3


def test_gateways_are_one_vendors_and_hold_a_thousand() -> None:
    pairs = np.unique(np.stack((FLEET.gateway, FLEET.vendor), axis=1), axis=0)
    assert np.unique(pairs[:, 0]).size == len(pairs)
    behind = gateways(FLEET)
    assert max(behind.rows(code).size for code in range(len(FLEET.gateway_names))) <= known.GATEWAY_DEVICES
    assert sorted(np.concatenate([behind.rows(code) for code in range(len(FLEET.gateway_names))])) == list(range(SIZE))


def test_every_number_that_a_class_needs_is_there() -> None:
    houses = FLEET.rows_of(DeviceClass.THERMOSTAT)
    batteries = FLEET.rows_of(DeviceClass.BATTERY)
    for name in ("import_max_w", "resistance_c_per_w", "capacity_wh_per_c", "cop", "setpoint_c", "comfort_c"):
        assert (getattr(FLEET, name)[houses] > 0.0).all()
    for name in ("export_max_w", "energy_wh", "charge_efficiency", "discharge_efficiency", "reserve"):
        assert (getattr(FLEET, name)[batteries] > 0.0).all()
    assert FLEET.terms.storm_hold[batteries].mean() == pytest.approx(known.STORM_HOLD, abs=0.05)
    assert FLEET.terms.consent.mean() == pytest.approx(known.CONSENT, abs=0.01)
    assert set(np.unique(FLEET.latency_s)) == {vendor.latency_s for vendor in known.VENDORS}


def test_the_same_seed_draws_the_same_fleet_and_another_another() -> None:
    again, other = (populate(2_000, rng=np.random.default_rng(seed)) for seed in (7, 8))
    small = populate(2_000, rng=np.random.default_rng(7))
    for field in fields(Fleet):
        one, same = getattr(small, field.name), getattr(again, field.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, same, equal_nan=one.dtype.kind == "f"), field.name
    assert not np.array_equal(small.import_max_w, other.import_max_w)


def test_progress_is_told_from_the_first_to_the_last() -> None:
    stages: list[str] = []
    populate(100, rng=np.random.default_rng(1), progress=stages.append)
    assert stages[0] == "homes and their devices"
    assert stages[-1] == "names and terms"
    assert len(stages) > 5
