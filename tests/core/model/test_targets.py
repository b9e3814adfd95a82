"""Whom an event is for, and what of it a party is told."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from openadr_core.model.party import Certificate, Party, PartyState
from openadr_core.model.target import Target, TargetKind, by_name

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
CERTIFICATE = Certificate(sha256="00" * 32, fingerprint_20b="", lfdi="", subject="", first_seen_at=NOW)
PARTY = Party(
    id="id-1", name="one", state=PartyState.APPROVED, certificates=(CERTIFICATE,), first_seen_at=NOW,
    targets=("zone-a", "heater-7"),
)  # fmt: skip
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


def test_a_name_that_a_ven_gave_itself_addresses_nobody() -> None:
    """Without a certificate it may be anybody's word, and somebody else's target."""
    ven = replace(PARTY, certificates=(), targets=())
    assert ven.share_of(by_name("one")) is None
    assert ven.share_of(by_name("id-1")) == WHOLE
