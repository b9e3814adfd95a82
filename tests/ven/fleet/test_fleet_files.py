"""Fleet files: what is written is read back, and every bad row is named by its line."""

from pathlib import Path

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_files import FleetFileRefused, OnBadRow, load_fleet, write_fleet
from openadr_ven.adapters.fleet_header import FLEET_COLUMNS, LIMITED, NUMBER_COLUMNS, TERMS
from openadr_ven.fleet.columns import ROW_COLUMNS, DeviceClass, Fleet, gateways
from tests.ven.fleet.synthetic import fleet_of

FLEET = fleet_of(300)
BATTERY = {
    "device_id": "battery-1", "device_class": "battery", "vendor": "Acme", "gateway": "acme-1", "slot": "0",
    "site": "home-1", "transformer": "T1", "transformer_limit_w": "25000", "feeder": "F1", "feeder_limit_w": "",
    "import_max_w": "5000", "export_max_w": "5000", "energy_wh": "13500", "charge_efficiency": "0.95",
    "discharge_efficiency": "0.95", "reserve": "0.2",
}  # fmt: skip
THERMOSTAT = {
    "device_id": "thermostat-1", "device_class": "thermostat", "vendor": "Acme", "gateway": "acme-1", "slot": "1",
    "site": "home-1", "transformer": "T1", "transformer_limit_w": "25000", "feeder": "F1", "feeder_limit_w": "",
    "import_max_w": "3500", "resistance_c_per_w": "0.002", "capacity_wh_per_c": "6000", "cop": "3.2", "gain_w": "700",
    "setpoint_c": "24", "deadband_c": "0.5", "comfort_c": "2",
}  # fmt: skip


def written(folder: Path, *rows: dict[str, str]) -> Path:
    names = [name for name, _, _ in FLEET_COLUMNS]
    lines = [",".join(names), *(",".join(row.get(name, "") for name in names) for row in rows)]
    path = folder / "fleet.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def described(fleet: Fleet) -> dict[str, tuple[object, ...]]:
    """By device, everything that a file says of it, in names instead of codes."""
    coded = {"vendor": fleet.vendor_names, "gateway": fleet.gateway_names, "site": fleet.site_names,
             "transformer": fleet.transformer_names, "feeder": fleet.feeder_names}  # fmt: skip
    substations = np.array(fleet.substation_names)[fleet.substation]
    columns = [
        np.array(coded[name])[getattr(fleet, name)] if name in coded else getattr(fleet, name) for name in ROW_COLUMNS
    ]
    limits = [getattr(fleet, f"{name}_limit_w")[getattr(fleet, name)] for name in LIMITED]
    terms = [getattr(fleet.terms, name) for name in TERMS]
    rows = zip(*(column.tolist() for column in (*columns, substations, *limits, *terms)), strict=True)
    return {str(row[0]): tuple(None if value != value else value for value in row) for row in rows}  # noqa: PLR0124


@pytest.mark.parametrize("name", ["fleet.csv", "fleet.parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    write_fleet(FLEET, tmp_path / name)
    loaded = load_fleet(tmp_path / name)
    assert loaded.bad_rows == ()
    assert described(loaded.fleet) == described(FLEET)


def test_a_small_file_by_hand(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, THERMOSTAT, BATTERY)).fleet
    assert fleet.device_id.tolist() == ["battery-1", "thermostat-1"]
    assert fleet.device_class.tolist() == [DeviceClass.BATTERY, DeviceClass.THERMOSTAT]
    assert fleet.transformer_limit_w.tolist() == [25_000.0]
    assert np.isinf(fleet.feeder_limit_w).all()
    assert fleet.export_max_w.tolist() == [5_000.0, 0.0]
    assert np.isnan(fleet.energy_wh[1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"device_class": "toaster"}, "device_class 'toaster' is none of ours"),
        ({"device_id": " "}, "device_id is empty"),
        ({"vendor": ""}, "vendor is empty"),
        ({"slot": ""}, "slot is missing"),
        ({"slot": "1.5"}, "slot 1.5 is not a whole number"),
        ({"slot": "70000"}, "slot 70000 is not within 0 to 65534"),
        ({"energy_wh": ""}, "energy_wh is missing"),
        ({"energy_wh": "lots"}, "energy_wh 'lots' is not a number"),
        ({"energy_wh": "inf"}, "energy_wh inf is not a number"),
        ({"energy_wh": "-1"}, "energy_wh -1 is not within 1 to 1e+09 Wh"),
        ({"reserve": "20"}, "reserve 20 is not within 0 to 1 share"),
        ({"device_id": "thermostat-1"}, "device_id is there already, in an earlier row"),
        ({"slot": "1"}, "slot of this gateway is there already, in an earlier row"),
        ({"transformer_limit_w": "50000"}, "transformer_limit_w of transformer T1 is not what an earlier row says"),
        ({"feeder": "F2"}, "feeder is not the one that transformer T1 is below in an earlier row"),
    ],
)
def test_a_bad_row_is_named_and_refuses_the_file_or_is_left_out(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    path = written(tmp_path, THERMOSTAT, BATTERY | change)
    with pytest.raises(FleetFileRefused) as refused:
        load_fleet(path)
    assert [str(row) for row in refused.value.bad_rows] == [f"line 3: {reason}"]
    loaded = load_fleet(path, on_bad_row=OnBadRow.SKIP)
    assert loaded.fleet.device_id.tolist() == ["thermostat-1"]
    assert loaded.bad_rows == refused.value.bad_rows


def test_lines_stay_right_after_rows_that_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path, BATTERY, THERMOSTAT, THERMOSTAT | {"device_id": "other", "slot": "2", "cop": "x"})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "one,two", lines[1], "", lines[2], lines[3]]))
    found = [str(row) for row in load_fleet(path, on_bad_row=OnBadRow.SKIP).bad_rows]
    width = len(FLEET_COLUMNS)
    assert found[0] == f"line 2: 2 cells where the header has {width}"
    assert found[1].startswith("line 4: ")
    assert found[2] == "line 6: cop 'x' is not a number"


def test_a_row_left_out_leaves_its_slot_empty(tmp_path: Path) -> None:
    path = written(tmp_path, BATTERY | {"energy_wh": ""}, THERMOSTAT)
    fleet = load_fleet(path, on_bad_row=OnBadRow.SKIP).fleet
    assert gateways(fleet).at(0, [0, 1]).tolist() == [-1, 0]


def test_files_that_are_no_fleet(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_fleet(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_text("device_id,colour\na,red\n")
    with pytest.raises(ConfigError, match="no column device_class"):
        load_fleet(tmp_path / "other.csv")
    (tmp_path / "noise.parquet").write_bytes(b"noise")
    with pytest.raises(ConfigError, match=r"noise\.parquet"):
        load_fleet(tmp_path / "noise.parquet")
    with pytest.raises(ConfigError, match="no device"):
        load_fleet(written(tmp_path))


def test_the_header_documents_every_column_of_a_fleet() -> None:
    named = {name for name, _, _ in FLEET_COLUMNS}
    assert named == {*ROW_COLUMNS, "substation", *(f"{name}_limit_w" for name in LIMITED), *TERMS}
    assert all(meaning for _, _, meaning in FLEET_COLUMNS)
    assert {one for column in NUMBER_COLUMNS for one in column.needed_by} == set(DeviceClass)
