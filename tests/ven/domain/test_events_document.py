"""docs/openadr3-events.md says of each payload type of the standard what becomes of it, and says the truth."""

from pathlib import Path

import pytest

from openadr_core.oadr3.meaning import NOT_FOLLOWED, OF_BARGAINS
from openadr_core.oadr3.payload_types import CAPACITIES, SIGNAL_KINDS
from openadr_ven.domain.alerting import STORMS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "openadr3-events.md"
CAPACITY = ("SUBSCRIPTION", "RESERVATION", "RESERVATION_FEE", "AVAILABLE", "AVAILABLE_PRICE", "LIMIT")
ALERTS = (
    "GRID_EMERGENCY", "BLACK_START", "POSSIBLE_OUTAGE", "FLEX_ALERT", "FIRE", "FREEZING", "WIND", "TSUNAMI",
    "AIR_QUALITY", "OTHER",
)  # fmt: skip
TYPES = (
    "SIMPLE", "PRICE", "PRICE_ALTERNATE", "CHARGE_STATE_SETPOINT", "DISPATCH_SETPOINT", "DISPATCH_SETPOINT_RELATIVE",
    "DISPATCH_INSTRUCTION", "CONTROL_SETPOINT", "CONTROL_LEVEL_OFFSET", "CONTROL_LEVEL_OFFSET_PERCENT", "EXPORT_PRICE",
    "GHG", "CURVE", "OLS", "CTA2045_REBOOT", "CTA2045_SET_OVERRIDE_STATUS",
    *(f"{way}_CAPACITY_{what}" for way in ("IMPORT", "EXPORT") for what in CAPACITY),
    *(f"ALERT_{what}" for what in ALERTS),
)  # fmt: skip


def row(payload_type: str) -> tuple[str, str]:
    """What 2.0b parties are told of it, and what our VEN does."""
    lines = DOCUMENT.read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("|") and f"`{payload_type}`" in one.split("|")[1])
    _, _, told, done, _ = line.split("|")
    return told.strip(), done.strip()


@pytest.mark.parametrize("payload_type", TYPES)
def test_a_type_of_the_standard_has_its_row(payload_type: str) -> None:
    told, done = row(payload_type)
    assert (told == "nothing") == (payload_type not in SIGNAL_KINDS)
    if payload_type in NOT_FOLLOWED:
        assert done.startswith("left aside")
    assert done.startswith("moves nothing") == (payload_type in OF_BARGAINS)
    if payload_type in CAPACITIES:
        assert not done.startswith("left aside")
    assert ("batteries" in done and "stay full" in done) == (payload_type in STORMS)
