"""What an operator sees of IEEE 2030.5: groups and devices, and what is asked and answered. It only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openadr_core.errors import NotFound
from openadr_core.sep2.controls import DefaultDERControl, DERCurve
from openadr_core.sep2.decode import read
from openadr_core.xml.parse import parse
from openadr_vtn.application.handlers.sep2_controls import UNUSED, CurveUsers, curve_numbered, curve_users
from openadr_vtn.application.handlers.sep2_groups import device_named, group_named
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.sep2_ports import ControlKind, StoredControl, StoredCurve, StoredMirror, StoredResponse
from openadr_vtn.domain.sep2.control_status import Standing, standings
from openadr_vtn.domain.sep2.control_words import Said, control_words, curve_name
from openadr_vtn.domain.sep2.curve_addresses import curve_address
from openadr_vtn.domain.sep2.registry import Aggregator, EndDevice, Group, Tree

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
    asked: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultView:
    group: Group
    default: DefaultDERControl
    asked: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    group: Group
    number: int
    """What its address ends in."""
    curve: DERCurve
    name: str
    users: CurveUsers


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorView:
    aggregator: Aggregator
    party: str


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


async def control_views(uow: UnitOfWork, group_name: str, now: int, *, limit: int | None = None) -> list[ControlView]:
    """Those that devices see now, by their start; the first so many, if a limit is given."""
    group = await group_named(uow, group_name)
    found = [pair for kind in KINDS for pair in await _listed(uow, group.id, kind, now)]
    found = sorted(found, key=lambda one: (one[0].control.start, one[0].id))[:limit]
    names = await _curve_names(uow, group.id)
    said: dict[str, list[StoredResponse]] = {}
    for response in await uow.mirrors.responses([stored.control.mrid for stored, _ in found]):
        said.setdefault(response.subject, []).append(response)
    return [
        ControlView(
            stored=stored, standing=standing, responses=said.get(stored.control.mrid, ()),
            asked=control_words(read(parse(stored.body)), names),
        )
        for stored, standing in found
    ]  # fmt: skip


async def default_view(uow: UnitOfWork, group_name: str) -> DefaultView:
    """NotFound if there is none."""
    group = await group_named(uow, group_name)
    body = await uow.controls.default(group.id)
    if body is None:
        raise NotFound(f"group {group_name} has no default")
    return await _default_view(uow, group, body)


async def default_views(uow: UnitOfWork, group_name: str | None = None) -> list[DefaultView]:
    """By the group's name; a group's alone, if one is named."""
    bodies = await uow.controls.defaults()
    groups = await uow.registry.groups() if group_name is None else [await group_named(uow, group_name)]
    groups = sorted(groups, key=lambda one: one.name)
    return [await _default_view(uow, group, bodies[group.id]) for group in groups if group.id in bodies]


async def curve_views(uow: UnitOfWork, now: int, group_name: str | None = None) -> list[CurveView]:
    """By the group's name, and number; a group's alone, if one is named."""
    chosen = None if group_name is None else await group_named(uow, group_name)
    groups = {group.id: group for group in await uow.registry.groups()}
    found = await uow.controls.curves(None if chosen is None else chosen.id)
    users = {group_id: await curve_users(uow, group_id, now) for group_id in {one.group_id for one in found}}
    views = [_curve_view(groups[one.group_id], one, users[one.group_id]) for one in found]
    return sorted(views, key=lambda one: (one.group.name, one.number))


async def curve_view(uow: UnitOfWork, group_name: str, number: int, now: int) -> CurveView:
    """NotFound if there is none."""
    group, stored, _ = await curve_numbered(uow, group_name, number)
    return _curve_view(group, stored, await curve_users(uow, group.id, now))


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


async def aggregator_views(uow: UnitOfWork) -> list[AggregatorView]:
    """By the party's name."""
    found = await uow.registry.aggregators()
    names = {party.id: party.name for party in await uow.parties.by_ids({one.party_id for one in found})}
    views = [AggregatorView(aggregator=one, party=names.get(one.party_id, one.party_id)) for one in found]
    return sorted(views, key=lambda one: one.party)


async def meter_views(uow: UnitOfWork, lfdi: str) -> list[StoredMirror]:
    """What the device mirrors, by mRID downwards. NotFound if there is no such device."""
    device = await device_named(uow, lfdi)
    return [one for one in await uow.mirrors.mirrors(device.party_id) if one.lfdi == device.lfdi]


async def _default_view(uow: UnitOfWork, group: Group, body: bytes) -> DefaultView:
    default: DefaultDERControl = read(parse(body))
    names = await _curve_names(uow, group.id)
    return DefaultView(group=group, default=default, asked=control_words(default, names))


def _curve_view(group: Group, stored: StoredCurve, users: Mapping[str, CurveUsers]) -> CurveView:
    curve: DERCurve = read(parse(stored.body))
    return CurveView(
        group=group, number=stored.id, curve=curve, name=curve_name(stored.id, curve),
        users=users.get(curve_address(group.id, stored.id), UNUSED),
    )  # fmt: skip


async def _curve_names(uow: UnitOfWork, group_id: int) -> dict[str, str]:
    """By address."""
    there = await uow.controls.curves(group_id)
    return {curve_address(group_id, one.id): curve_name(one.id, read(parse(one.body))) for one in there}


async def _listed(uow: UnitOfWork, group_id: int, kind: ControlKind, now: int) -> list[tuple[StoredControl, Standing]]:
    stored = await uow.controls.controls(group_id, kind, since=now)
    found = standings([one.control for one in stored], now)
    return [(one, found[one.control.mrid]) for one in stored if one.control.mrid in found]
