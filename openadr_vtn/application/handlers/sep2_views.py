"""What an operator sees of IEEE 2030.5: groups and devices, and what is asked and answered. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from openadr_vtn.application.handlers.sep2_groups import device_named, group_named
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.sep2_ports import ControlKind, StoredControl, StoredResponse
from openadr_vtn.domain.sep2.control_status import Standing, standings
from openadr_vtn.domain.sep2.registry import EndDevice, Group, Tree

KINDS: tuple[ControlKind, ...] = ("DERControl", "EndDeviceControl")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    group: Group
    parent: str | None
    primacy: int
    """The one that holds."""
    controls: int
    """Listed now, of both kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlView:
    stored: StoredControl
    standing: Standing
    responses: Sequence[StoredResponse]
    """The newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDetail:
    device: EndDevice
    party: str
    groups: Sequence[str]
    said: Sequence[str]
    """What it has put, by its address below the device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    device: EndDevice
    party: str
    groups: Sequence[str]


async def group_views(uow: UnitOfWork, now: int, *, limit: int | None = None) -> list[GroupView]:
    """The top ones first; so many, if a limit is given."""
    groups = await uow.registry.groups()
    tree = Tree(groups)
    found = []
    for group in sorted(groups, key=lambda one: (len(tree.line(one.id)), one.name))[:limit]:
        listed = sum([len(await _listed(uow, group.id, kind, now)) for kind in KINDS])
        above = None if group.parent_id is None else tree.by_id[group.parent_id].name
        found.append(GroupView(group=group, parent=above, primacy=tree.primacy(group.id), controls=listed))
    return found


async def control_views(uow: UnitOfWork, group_name: str, now: int) -> list[ControlView]:
    """Those that devices see now, by their start."""
    group = await group_named(uow, group_name)
    found = [pair for kind in KINDS for pair in await _listed(uow, group.id, kind, now)]
    said: dict[str, list[StoredResponse]] = {}
    for response in await uow.mirrors.responses([stored.control.mrid for stored, _ in found]):
        said.setdefault(response.subject, []).append(response)
    views = [
        ControlView(stored=stored, standing=standing, responses=said.get(stored.control.mrid, ()))
        for stored, standing in found
    ]
    return sorted(views, key=lambda one: (one.stored.control.start, one.stored.id))


async def device_views(uow: UnitOfWork, *, limit: int) -> list[DeviceView]:
    """The first so many, by SFDI."""
    found = await uow.registry.devices(limit=limit)
    parties = {party.id: party.name for party in await uow.parties.by_ids({one.party_id for one in found})}
    names = {group.id: group.name for group in await uow.registry.groups()}
    return [
        DeviceView(
            device=one, party=parties[one.party_id], groups=sorted(names[group_id] for group_id in one.groups)
        )
        for one in found
    ]  # fmt: skip


async def device_detail(uow: UnitOfWork, lfdi: str) -> DeviceDetail:
    """NotFound if there is no such device."""
    device = await device_named(uow, lfdi)
    party = await uow.parties.by_id(device.party_id)
    names = {group.id: group.name for group in await uow.registry.groups()}
    return DeviceDetail(
        device=device,
        party=device.party_id if party is None else party.name,
        groups=sorted(names[group_id] for group_id in device.groups),
        said=await uow.registry.document_paths(device.number),
    )


async def _listed(uow: UnitOfWork, group_id: int, kind: ControlKind, now: int) -> list[tuple[StoredControl, Standing]]:
    stored = await uow.controls.controls(group_id, kind, since=now)
    found = standings([one.control for one in stored], now)
    return [(one, found[one.control.mrid]) for one in stored if one.control.mrid in found]
