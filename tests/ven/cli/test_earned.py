"""What owners earned: what was given of what was asked, at the program's rate, and why it is that."""

import json
import re
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_ven.adapters.command_ledger import CommandLedger, ask
from openadr_ven.domain.earned import why
from openadr_ven.domain.outcome import DeviceOutcomes
from tests.ven.application.world import a_fleet
from tests.ven.cli.conftest import Ven

FLEET = a_fleet(40)
STATES = ("COMPLETED", "OPTED_OUT", "REJECTED", "TIMED_OUT")
RATE = 2.0


def outcomes(
    event_id: str, now: datetime, rows: dict[int, tuple[float, float, float, str]], size: int = FLEET.size
) -> DeviceOutcomes:
    """By row: asked, confirmed, given (Wh) and the last command's state."""
    columns = np.zeros((4, size))
    state = np.zeros(size, dtype=np.uint8)
    for row, (asked, confirmed, gave, name) in rows.items():
        columns[:, row] = 600.0, asked, confirmed, gave
        state[row] = STATES.index(name)
    return DeviceOutcomes(
        event_id=event_id, since=now, until=now + timedelta(minutes=10), seconds=columns[0], commanded_wh=columns[1],
        acknowledged_wh=columns[2], delivered_wh=columns[3], state=state, state_names=STATES,
    )  # fmt: skip


@pytest.fixture
def paid(after_an_event: Ven, now: datetime) -> Ven:
    """event-1 is held and its program pays; event-0 is of a program that nobody knows any more."""
    after_an_event.change("^# owners_earn_per_kwh = 2.00.*$", f"owners_earn_per_kwh = {RATE}")
    after_an_event.change(r'^\[programs\."[^"]*"\]', '[programs."http://example.org/p"]')
    ledger = CommandLedger(after_an_event.folder / "ledger", FLEET, fleet_sha256="f")
    ledger.came_to(outcomes("event-0", now - timedelta(days=1), {0: (500.0, 500.0, 500.0, "COMPLETED")}))
    first = {
        0: (1_000.0, 1_000.0, 1_200.0, "COMPLETED"), 1: (1_000.0, 1_000.0, 400.0, "OPTED_OUT"),
        2: (1_000.0, 0.0, 0.0, "TIMED_OUT"), 3: (-800.0, -800.0, -400.0, "COMPLETED"),
        4: (1_000.0, 1_000.0, -300.0, "COMPLETED"), 5: (3.0, 3.0, 2.7, "COMPLETED"),
    }  # fmt: skip
    ledger.came_to(outcomes("event-1", now, first))
    # The agent started again within the event: the rest of it is a file of its own.
    ledger.came_to(outcomes("event-1", now + timedelta(minutes=10), {0: (500.0, 500.0, 300.0, "COMPLETED")}))
    return after_an_event


def told(ven: Ven, *arguments: str) -> list[dict[str, object]]:
    found = json.loads(ven.run("earned", *arguments, "--json")[0])
    assert isinstance(found, list)
    return found


def test_a_line_for_each_device_and_event_says_what_and_why(paid: Ven) -> None:
    lines = {str(one["device"]): one for one in told(paid, "--event", "event-1")}
    ids = [str(one) for one in FLEET.device_id[:6]]
    earned = [lines[one]["earned"] for one in ids]
    assert earned == ["3.00", "0.80", "0.00", "0.80", "0.00", "0.01"]
    assert (lines[ids[0]]["asked_kwh"], lines[ids[0]]["gave_kwh"], lines[ids[0]]["paid_kwh"]) == (1.5, 1.5, 1.5)
    assert [lines[one]["why"] for one in ids] == [
        "gave what was asked", "gave 40% of what was asked; its owner took it back",
        "no command was confirmed; the last command was never answered", "gave 50% of what was asked",
        "gave nothing of what was asked", "gave 90% of what was asked",
    ]  # fmt: skip


def test_a_household_sees_all_its_events_and_what_no_program_pays(paid: Ven) -> None:
    site = str(FLEET.site_names[FLEET.site[0]])
    out, _ = paid.run("earned", "--site", site)
    assert re.search(r"event-0 .* - +0.00 +gave what was asked; its program pays nothing", out)
    mine = [float(str(one["earned"])) for one in told(paid, "--site", site)]
    assert f"earned together: {sum(mine):.2f}" in out
    (line,) = told(paid, "--device", str(FLEET.device_id[3]))
    assert (line["site"], line["earned"]) == (str(FLEET.site_names[FLEET.site[3]]), "0.80")


@pytest.mark.parametrize("by", ["site", "device", "event", "class"])
def test_sums_are_the_sums_of_their_lines(paid: Ven, by: str) -> None:
    lines = sum(round(100 * float(str(one["earned"]))) for one in told(paid))
    sums = [round(100 * float(str(one["earned"]))) for one in told(paid, "--by", by)]
    assert sum(sums) == lines == 461
    assert sums == sorted(sums, reverse=True)


def test_who_earned_it_stays_who_when_the_fleet_changes(paid: Ven, now: datetime) -> None:
    """The fleet's rows are others since: a device is gone, the others have moved up, and each keeps what it earned."""
    before = {(str(one["device"]), str(one["event"])): one["earned"] for one in told(paid)}
    fewer = FLEET.take(np.arange(3, FLEET.size))
    ledger = CommandLedger(paid.folder / "ledger", fewer, fleet_sha256="another")
    after = {(str(one["device"]), str(one["event"])): one["earned"] for one in told(paid)}
    assert after == before
    # What the new fleet gives in the same event is added to the device's own line.
    columns = {0: (1_000.0, 1_000.0, 1_000.0, "COMPLETED")}
    ledger.came_to(outcomes("event-1", now + timedelta(minutes=20), columns, size=fewer.size))
    (line,) = told(paid, "--device", str(FLEET.device_id[3]), "--event", "event-1")
    assert line["asked_kwh"] == pytest.approx(0.2), "-0.8 of the one fleet, 1.0 of the other"
    assert len(told(paid)) == len(before)


def test_the_ledger_has_it_as_a_table(paid: Ven) -> None:
    names, rows = ask(paid.folder / "ledger", "SELECT * FROM earned")
    assert "paid_kwh" in names
    assert len(rows) == 7
    assert "earned" in paid.run("ledger", "--help", config=False)[0]


def test_what_was_typed_is_no_sql(paid: Ven) -> None:
    out, _ = paid.run("earned", "--site", "x' OR '1'='1")
    assert "nothing is in the ledger of that" in out


@given(
    asked=st.floats(-10, 10), confirmed=st.floats(-10, 10), gave=st.floats(-20, 20), state=st.sampled_from(STATES),
    rate=st.none() | st.floats(0, 10),
)  # fmt: skip
def test_there_is_a_reason_for_everything(
    asked: float, confirmed: float, gave: float, state: str, rate: float | None
) -> None:
    said = why(asked_kwh=asked, confirmed_kwh=confirmed, gave_kwh=gave, state=state, per_kwh=rate)
    assert said
    assert ("pays nothing" in said) == (rate is None)
    assert ("gave what was asked" in said) == (asked != 0 and gave / asked >= 0.95)
