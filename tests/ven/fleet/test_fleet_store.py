"""Versions of a fleet as mapped columns: what is saved comes back, changes never, and readers see whole versions."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_source import keep_fleet, keep_state, last_state, open_fleet
from openadr_ven.adapters.fleet_store import CURRENT, KEPT_VERSIONS, FleetStore
from openadr_ven.fleet.columns import ROW_COLUMNS, Fleet, FleetState
from tests.ven.fleet.synthetic import evening, fleet_of

FLEET = fleet_of(120, seed=2)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


def same(one: Fleet, other: Fleet) -> bool:
    columns = all(_equal(getattr(one, name), getattr(other, name)) for name in ROW_COLUMNS)
    terms = all(_equal(getattr(one.terms, f.name), getattr(other.terms, f.name)) for f in fields(one.terms))
    rest = [f.name for f in fields(Fleet) if f.name not in {*ROW_COLUMNS, "terms"}]
    return columns and terms and all(_equal(getattr(one, name), getattr(other, name)) for name in rest)


def _equal(one: object, other: object) -> bool:
    if isinstance(one, tuple):
        return one == other
    left, right = np.asarray(one), np.asarray(other)
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def test_a_fleet_comes_back_column_by_column(tmp_path: Path) -> None:
    store = FleetStore(tmp_path / "fleet.store")
    saved = store.save(FLEET, note="first", now=NOW)
    assert same(store.load(), FLEET)
    assert (saved.number, saved.devices, saved.note, saved.saved_at) == (1, 120, "first", NOW)
    assert store.current() == saved


def test_columns_are_mapped_and_cannot_be_written_to(tmp_path: Path) -> None:
    store = FleetStore(tmp_path)
    store.save(FLEET)
    loaded = store.load()
    with pytest.raises(ValueError, match="read-only"):
        loaded.import_max_w[0] = 1.0
    assert not loaded.import_max_w.flags.owndata


def test_a_new_version_leaves_the_old_one_to_those_who_read_it(tmp_path: Path) -> None:
    store = FleetStore(tmp_path)
    store.save(FLEET)
    before = store.load()
    store.save(replace(FLEET, import_max_w=FLEET.import_max_w * 2))
    assert same(before, FLEET)
    assert store.load().import_max_w == pytest.approx(2 * FLEET.import_max_w)
    assert same(store.load(1), FLEET)
    assert store.use(1).number == 1
    assert same(store.load(), FLEET)


def test_the_oldest_versions_go(tmp_path: Path) -> None:
    store = FleetStore(tmp_path)
    for _ in range(KEPT_VERSIONS + 2):
        store.save(FLEET)
    assert [version.number for version in store.versions()] == list(range(3, KEPT_VERSIONS + 3))


def test_the_same_columns_have_the_same_digest_and_others_another(tmp_path: Path) -> None:
    one, two = FleetStore(tmp_path / "a").save(FLEET), FleetStore(tmp_path / "b").save(FLEET)
    other = FleetStore(tmp_path / "c").save(replace(FLEET, reserve=FLEET.reserve + 0.1))
    assert one.sha256 == two.sha256 != other.sha256


def test_a_crash_while_saving_leaves_the_version_before(tmp_path: Path) -> None:
    store = FleetStore(tmp_path)
    store.save(FLEET)
    (tmp_path / ".draft-1").mkdir()
    (tmp_path / ".draft-1" / "rows.arrow").write_bytes(b"half of it")
    assert same(FleetStore(tmp_path).load(), FLEET)
    assert store.save(FLEET).number == 2


def test_state_is_kept_beside_its_version(tmp_path: Path) -> None:
    path = tmp_path / "fleet.store"
    keep_fleet(FLEET, path, note="")
    assert last_state(path) is None
    state, _ = evening(FLEET)
    keep_state(state, path, open_fleet(path).version)
    kept = last_state(path)
    assert kept is not None
    for field in fields(FleetState):
        assert _equal(getattr(kept, field.name), getattr(state, field.name)), field.name
    keep_fleet(FLEET, path, note="another version has none yet")
    assert last_state(path) is None


@pytest.mark.parametrize("name", ["fleet.csv", "fleet.parquet", "fleet.store"])
def test_files_and_stores_are_opened_alike(tmp_path: Path, name: str) -> None:
    keep_fleet(FLEET, tmp_path / name, note="")
    kept = open_fleet(tmp_path / name)
    assert kept.fleet.device_id.tolist() == FLEET.device_id.tolist()
    assert len(kept.sha256) == 64
    assert (kept.version is None) == (name != "fleet.store")


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        open_fleet(tmp_path / "absent.store")
    with pytest.raises(ConfigError, match="is no fleet store"):
        FleetStore(tmp_path).current()
    FleetStore(tmp_path).save(FLEET)
    with pytest.raises(ConfigError, match="no version 9"):
        FleetStore(tmp_path).load(9)
    (tmp_path / "000001" / "manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="another release"):
        FleetStore(tmp_path).current()
    (tmp_path / CURRENT).write_text("x")
    with pytest.raises(ConfigError, match="is no fleet store"):
        FleetStore(tmp_path).current()
