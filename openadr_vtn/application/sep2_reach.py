"""How far an event reaches in IEEE 2030.5, for operators: which parties by how many devices, and what is not told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from openadr_vtn.application.ports import StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.application.sep2_audience import crowd_of
from openadr_vtn.application.sep2_bridge import said_of
from openadr_vtn.domain.sep2.audience import audience_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    speakers: frozenset[str] = frozenset()
    """Parties that have devices, by id."""
    devices: Mapping[str, int] = field(default_factory=dict)
    """How many of them read it, by the party's id; a party of which none does is left out."""
    not_told: tuple[str, ...] = ()
    """Why some of it, or some party, is not told; nothing where there are no devices at all."""


async def untold_of(uow: UnitOfWork, stored: StoredEvent, program: StoredProgram) -> tuple[str, ...]:
    """What of the event no device can be told; nothing where there are no devices at all."""
    return said_of(stored, program).not_told if await uow.registry.speakers() else ()


async def reach_of(uow: UnitOfWork, stored: StoredEvent, program: StoredProgram) -> Reach:
    """As it would be."""
    speakers = await uow.registry.speakers()
    if not speakers:
        return Reach()
    said = said_of(stored, program)
    crowd = await crowd_of(uow)
    heard: set[tuple[str, int]] = set()
    deaf: set[str] = set()
    for in_all in {one.in_all for one in said.controls}:
        audience = audience_of(stored.event, in_all=in_all)
        told = crowd.members(audience, program.program)
        heard |= {(device.party_id, device.number) for device in told}
        meant = crowd.members(replace(audience, in_all=False), program.program)
        deaf |= {device.party_id for device in meant} - {device.party_id for device in told}
    reasons = sorted(
        f"{crowd.parties[party_id].name}: power for all that it has is told to the device of its own certificate, and "
        "it has registered none; name devices or their group instead"
        for party_id in deaf
    )
    return Reach(
        speakers=frozenset(speakers),
        devices=Counter(party_id for party_id, _ in heard),
        not_told=(*said.not_told, *reasons),
    )
