"""Which devices of IEEE 2030.5 read what events ask, kept as members of groups that the bridge has made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openadr_core.model.party import Party
from openadr_core.model.program import Program
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.sep2.audience import Audience, hears
from openadr_vtn.domain.sep2.registry import EndDevice, Group, Tree
from openadr_vtn.domain.targeting import NOBODY, Listeners

ALL = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Devices, with all that says whether an event is for them."""

    devices: Sequence[EndDevice]
    parties: Mapping[str, Party]
    """By id."""
    tree: Tree

    def members(self, audience: Audience, program: Program) -> list[EndDevice]:
        return [one for one in self.devices if hears(audience, program, *self._facts(one))]

    def _facts(self, device: EndDevice) -> tuple[Party, EndDevice, set[str]]:
        line = (group for group_id in device.groups for group in self.tree.line(group_id))
        return self.parties[device.party_id], device, {group.name for group in line if not group.audience}


async def crowd_of(uow: UnitOfWork, devices: Sequence[EndDevice] | None = None) -> Crowd:
    """These devices, or all that there are."""
    found = await uow.registry.devices(limit=ALL) if devices is None else devices
    parties = await uow.parties.by_ids({device.party_id for device in found})
    return Crowd(
        devices=found, parties={party.id: party for party in parties}, tree=Tree(await uow.registry.groups())
    )  # fmt: skip


async def gather(uow: UnitOfWork, groups: Iterable[Group], program: Program, crowd: Crowd | None = None) -> None:
    """Make the members of these groups whom their audiences are for now, as far as they are of the crowd."""
    groups = list(groups)
    if not groups:
        return
    crowd = crowd or await crowd_of(uow)
    there = {device.number for device in crowd.devices}
    for group in groups:
        wanted = {device.number for device in crowd.members(Audience.of_text(group.audience), program)}
        before = await uow.registry.members(group.id) & there
        await uow.registry.join(group.id, add=wanted - before, remove=before - wanted)


async def gather_anew(uow: UnitOfWork, devices: Sequence[EndDevice] | None = None) -> None:
    """Something about these devices or their parties has changed: let them read what is for them now.

    Without devices it may be any, for what has changed are programs or groups.
    """
    groups = [group for group in await uow.registry.groups() if group.audience]
    if not groups or (devices is not None and not devices):
        return
    crowd = await crowd_of(uow, devices)
    programs = {stored.program.id: stored.program for stored in await uow.programs.all()}
    for group in groups:
        program = programs.get(Audience.of_text(group.audience).program_id)
        if program is not None:
            await gather(uow, [group], program, crowd)


async def listeners_of(uow: UnitOfWork, event_id: str) -> Listeners:
    """Whom a control tells of the event."""
    speakers = await uow.registry.speakers()
    if not speakers:
        return NOBODY
    return Listeners(speakers=frozenset(speakers), hearing=frozenset(await uow.registry.listeners(event_id)))
