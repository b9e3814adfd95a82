"""What every device was told and gave, from a running event into SQL."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.adapters.command_ledger import CommandLedger, ask
from openadr_ven.domain.outcome import DeviceCount
from tests.ven.application.world import TARGET_W, World, a_fleet, an_ask, post, store_at

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


async def after_an_event(tmp_path: Path) -> World:
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    post(world, an_ask(world, minutes=1))
    await world.second(60)
    await world.until(lambda: bool(world.ledger.outcomes))
    return world


async def test_every_command_and_what_came_of_it_can_be_asked_for(tmp_path: Path) -> None:
    world = await after_an_event(tmp_path)
    ledger = CommandLedger(tmp_path / "ledger", world.fleet, fleet_sha256="f")
    for made in world.ledger.rounds:
        ledger.commanded(made, np.ones(world.fleet.size)).keep()
    for outcomes in world.ledger.outcomes:
        ledger.came_to(outcomes)
    told = sum(int(np.unpackbits(np.frombuffer(made.sent, dtype=np.uint8)).sum()) for made in world.ledger.rounds)
    names, rows = ask(tmp_path / "ledger", "SELECT count(*) AS told, max(sequence) AS newest FROM commands")
    assert names == ["told", "newest"]
    assert rows == [(told, world.running.control.sequence)]
    _, rows = ask(
        tmp_path / "ledger",
        "SELECT vendor, sum(delivered_wh), sum(commanded_wh) FROM outcomes JOIN devices USING (fleet, row)"
        " WHERE event_id = 'event-1' GROUP BY vendor ORDER BY vendor",
    )
    assert [vendor for vendor, _, _ in rows] == list(world.fleet.vendor_names)
    commanded_wh = sum(row[2] for row in rows)
    assert commanded_wh == pytest.approx(TARGET_W * 60 / 3600, rel=0.15)
    assert sum(row[1] for row in rows) == pytest.approx(commanded_wh, rel=0.1)
    _, ((acknowledged,),) = ask(tmp_path / "ledger", "SELECT sum(acknowledged_wh) / sum(commanded_wh) FROM outcomes")
    assert acknowledged > 0.9


async def test_commands_are_written_before_they_are_sent(tmp_path: Path) -> None:
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    world.broker.down = True
    post(world, an_ask(world))
    await world.second(3)
    assert world.ledger.rounds
    assert world.broker.receipts == []


async def test_a_repeated_round_is_one(tmp_path: Path) -> None:
    world = await after_an_event(tmp_path)
    ledger = CommandLedger(tmp_path / "ledger", world.fleet, fleet_sha256="f")
    for _ in range(2):
        ledger.commanded(world.ledger.rounds[0], np.ones(world.fleet.size)).keep()
    _, rows = ask(tmp_path / "ledger", "SELECT count(DISTINCT row) = count(*) FROM commands")
    assert rows == [(True,)]


@pytest.mark.parametrize("seconds", [3, 8])
@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_killed_agent_writes_every_command_and_none_twice(
    tmp_path: Path, seconds: int, *, is_lost: bool
) -> None:
    """Killed between the store and the ledger (the page is lost), or after; what is written stays as it is."""
    world = World(await store_at(tmp_path), NOW)
    folder = tmp_path / "ledger"
    world.ledger = CommandLedger(folder, world.fleet, fleet_sha256="f")  # type: ignore[assignment]
    await world.start()
    await world.second(12)
    post(world, an_ask(world))
    await world.second(seconds)
    newest = max((folder / "commands").iterdir())
    if is_lost:
        newest.unlink()
    before = {file: file.read_bytes() for file in (folder / "commands").iterdir()}
    world.crash()
    await world.start()
    await world.second(6)
    assert newest.is_file()
    assert {file: file.read_bytes() for file in before} == before
    _, rows = ask(folder, "SELECT sequence, count(*) = count(DISTINCT row) FROM commands GROUP BY ALL ORDER BY ALL")
    assert rows == [(sequence, True) for sequence in range(1, world.running.control.sequence + 1)]


async def test_a_page_is_no_part_of_the_ledger_until_it_is_kept(tmp_path: Path) -> None:
    world = await after_an_event(tmp_path)
    folder = tmp_path / "ledger"
    ledger = CommandLedger(folder, world.fleet, fleet_sha256="f")
    pages = [ledger.commanded(made, np.ones(world.fleet.size)) for made in world.ledger.rounds[:2]]
    assert ask(folder, "SELECT count(*) FROM commands")[1] == [(0,)]
    pages[0].keep()
    pages[1].drop()
    kept = world.ledger.rounds[0].sequence
    assert ask(folder, "SELECT DISTINCT sequence FROM commands")[1] == [(kept,)]
    assert len(list((folder / "commands").iterdir())) == 1


async def test_a_full_disk_stops_no_command(tmp_path: Path) -> None:
    class Full:
        def commanded(self, *_told: object) -> None:
            raise OSError("no space left")

        came_to = commanded

    world = World(await store_at(tmp_path), NOW)
    world.ledger = Full()  # type: ignore[assignment]
    await world.start()
    await world.second(12)
    post(world, an_ask(world))
    await world.second(10)
    assert world.broker.receipts
    assert "the ledger failed" in world.journal


def test_an_empty_ledger_answers_and_a_wrong_question_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ledger is there"):
        ask(tmp_path / "none", "SELECT 1")
    CommandLedger(tmp_path, a_fleet(40), fleet_sha256="f")
    assert ask(tmp_path, "SELECT count(*) FROM commands, outcomes")[1] == [(0,)]
    assert ask(tmp_path, "SELECT count(*) FROM devices")[1] == [(40,)]
    with pytest.raises(ConfigError, match="ledger: "):
        ask(tmp_path, "SELECT nothing FROM nowhere")


def test_a_device_count_adds_up() -> None:
    count = DeviceCount("e", 3, now=NOW)
    for second in range(11):
        count.add(
            NOW + timedelta(seconds=second), relief_w=np.array([3600.0, -3600.0, 0.0]),
            acknowledged=np.array([True, False, False]), given_w=np.array([1800.0, -3600.0, 99.0]), most_s=5.0,
        )  # fmt: skip
    count.add(
        NOW + timedelta(hours=1), relief_w=np.array([3600.0, 0.0, 0.0]),
        acknowledged=np.zeros(3, dtype=np.bool_), given_w=np.zeros(3), most_s=5.0,
    )  # fmt: skip
    found = count.close(NOW + timedelta(hours=1), np.zeros(3, dtype=np.uint8), ("PLANNED",))
    assert found.seconds.tolist() == pytest.approx([15.0, 15.0, 0.0])
    assert found.commanded_wh.tolist() == pytest.approx([15.0, -15.0, 0.0])
    assert found.acknowledged_wh.tolist() == pytest.approx([10.0, 0.0, 0.0])
    assert found.delivered_wh.tolist() == pytest.approx([5.0, -10.0, 0.0])
