"""Whom an event is for, and what of it a party is told."""

from datetime import UTC, datetime

import pytest

from openadr_core.model.party import Party, PartyState
from openadr_core.model.target import Target, TargetKind, by_name

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
PARTY = Party(
    id="id-1", name="one", state=PartyState.APPROVED, certificates=(), first_seen_at=NOW, targets=("zone-a", "heater-7")
)
WHOLE = (Target(kind=TargetKind.VEN, name="id-1"),)
HEATER, STRANGER = (Target(kind=TargetKind.RESOURCE, name=name) for name in ("heater-7", "heater-9"))
GROUP = Target(kind=TargetKind.GROUP, name="zone-a")
THERMOSTATS = Target(kind=TargetKind.DEVICE_CLASS, name="Thermostat")


@pytest.mark.openadr20b("R22", "R63", "V18")
@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ((), WHOLE),
        (by_name("one"), WHOLE),
        (by_name("id-1"), WHOLE),
        (by_name("zone-a", "zone-b"), WHOLE),
        (by_name("zone-b"), None),
        (WHOLE, WHOLE),
        ((Target(kind=TargetKind.VEN, name="id-2"),), None),
        ((HEATER, STRANGER), (HEATER,)),
        ((STRANGER,), None),
        ((GROUP, HEATER), (GROUP, HEATER)),
        ((THERMOSTATS,), (THERMOSTATS,)),
        ((THERMOSTATS, STRANGER), (THERMOSTATS,)),
        ((*by_name("one"), STRANGER), (STRANGER,)),
        ((*by_name("one"), HEATER, STRANGER), (HEATER,)),
        ((*by_name("zone-a"), HEATER), (HEATER,)),
        ((*by_name("zone-a"), STRANGER), None),
        ((*by_name("zone-b"), HEATER), None),
    ],
)
def test_a_party_is_told_its_own_share(targets: tuple[Target, ...], told: tuple[Target, ...] | None) -> None:
    assert PARTY.share_of(targets) == told
