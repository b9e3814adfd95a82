"""Groups, devices and aggregators of IEEE 2030.5, as operators write them. Every command is audited."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_core.errors import Conflict, NotFound, RuleBroken
from openadr_core.identity import sfdi_of
from openadr_core.sep2.mrid import is_pin
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.application.sep2_audience import gather_anew
from openadr_vtn.application.sep2_drafts import Maker
from openadr_vtn.domain.sep2.rates import check_rate
from openadr_vtn.domain.sep2.registry import (
    ASSIGNMENT,
    ASSIGNMENT_MOST,
    POST_RATE,
    PRIMACY_MOST,
    Aggregator,
    EndDevice,
    Group,
    Tree,
)

LFDI_DIGITS = 40
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""A name for hosts, in small letters; others (IDNA) as they stand in addresses."""
CATEGORY_BYTES_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWish:
    """What an operator says of a device; None leaves it as it is."""

    groups: Sequence[str] | None = None
    pin: int | None = None
    category: str | None = None
    post_rate_s: int | None = None
    enabled: bool | None = None


async def create_group(
    store: Store, *, name: str, parent: str | None, primacy: int | None, assignment: int | None = None, maker: Maker,
    actor: str, now: datetime,
) -> Group:  # fmt: skip
    """Conflict if the name is taken; NotFound if there is no such group to lie in."""
    _check_primacy(primacy)
    _check_assignment(assignment, parent)
    async with store.unit_of_work() as uow:
        above = None if parent is None else (await group_named(uow, parent)).id
        made = await uow.registry.add_group(
            Group(
                id=0,
                name=name,
                mrid=maker.mrid(),
                parent_id=above,
                primacy=primacy,
                version=0,
                assignment=assignment or ASSIGNMENT,
            )
        )
        await note(uow, actor, "create group", name, now)
    return made


async def change_group(
    store: Store, name: str, *, parent: str | None, primacy: int | None, assignment: int | None = None, actor: str,
    now: datetime,
) -> Group:  # fmt: skip
    """Where it lies, its primacy, and the assignments that its tree is in; its version grows."""
    _check_primacy(primacy)
    _check_assignment(assignment, parent)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, name)
        above = None if parent is None else (await group_named(uow, parent)).id
        Tree(await uow.registry.groups()).check_place(group.id, above)
        changed = replace(
            group, parent_id=above, primacy=primacy, assignment=assignment or ASSIGNMENT, version=group.version + 1
        )
        await uow.registry.save_group(changed)
        await _gather_all(uow, now)
        await note(uow, actor, "change group", name, now)
    return changed


async def remove_group(store: Store, name: str, *, actor: str, now: datetime) -> Group:
    """With its controls; Conflict while another lies in it."""
    async with store.unit_of_work() as uow:
        group = await group_named(uow, name)
        if any(other.parent_id == group.id for other in await uow.registry.groups()):
            raise Conflict(f"other groups lie in {name}")
        await uow.registry.remove_group(group.id)
        await _gather_all(uow, now)
        await note(uow, actor, "remove group", name, now)
    return group


async def add_device(store: Store, *, party: str, lfdi: str, wish: DeviceWish, actor: str, now: datetime) -> EndDevice:
    """Out-of-band registration: the device finds itself when it first comes (1.3)."""
    moment = int(now.timestamp())
    async with store.unit_of_work() as uow:
        await uow.alone()  # here and below: what it is told is read beside events that are being written
        owner = await party_named(uow, party)
        text = _lfdi(lfdi)
        device = EndDevice(
            number=0, party_id=owner.id, lfdi=text, sfdi=sfdi_of(bytes.fromhex(text)), registered_at=moment,
            changed_at=moment,
        )  # fmt: skip
        added = await uow.registry.add_device(await _wished(uow, device, wish, moment))
        await owe_current(uow, owner, now, [added])
        await note(uow, actor, "add device", text, now)
    return added


async def change_device(store: Store, lfdi: str, wish: DeviceWish, *, actor: str, now: datetime) -> EndDevice:
    async with store.unit_of_work() as uow:
        await uow.alone()
        device = await device_named(uow, lfdi)
        changed = await _wished(uow, device, wish, int(now.timestamp()))
        await uow.registry.save_device(changed)
        await _owe_owner(uow, changed, now, [changed])
        await note(uow, actor, "change device", device.lfdi, now)
    return changed


async def remove_device(store: Store, lfdi: str, *, actor: str, now: datetime) -> EndDevice:
    async with store.unit_of_work() as uow:
        await uow.alone()
        device = await device_named(uow, lfdi)
        await uow.registry.remove_device(device)
        await _owe_owner(uow, device, now, [])
        await note(uow, actor, "remove device", device.lfdi, now)
    return device


async def clear_meters(store: Store, lfdi: str, *, actor: str, now: datetime) -> int:
    """Drop the meters that a device mirrors (what they have told stays); how many they were."""
    async with store.unit_of_work() as uow:
        device = await device_named(uow, lfdi)
        found = [one for one in await uow.mirrors.mirrors(device.party_id) if one.lfdi == device.lfdi]
        for one in found:
            await uow.mirrors.remove_mirror(one.number)
        await note(uow, actor, "clear meters", device.lfdi, now)
    return len(found)


async def name_aggregator(
    store: Store, party: str, *, pen: int, domains: Iterable[str] = (), actor: str, now: datetime
) -> Aggregator:
    """From now on the party may register devices whose LFDIs end in its PEN, and answers for them.

    It subscribes for addresses in its ``domains`` alone, if it is given any (1.6); what it subscribed to before is
    told on until it would have to be renewed.
    """
    if not 0 < pen <= 99_999_999:
        raise RuleBroken("a Private Enterprise Number has up to eight digits here")
    names = tuple(one.lower().strip(".") for one in domains)
    if not all(DOMAIN.fullmatch(one) for one in names):
        raise RuleBroken("a domain is the name of one: aggregator.example")
    async with store.unit_of_work() as uow:
        owner = await party_named(uow, party)
        aggregator = Aggregator(party_id=owner.id, pen=pen, domains=names)
        await uow.registry.save_aggregator(aggregator)
        await note(uow, actor, "name aggregator", owner.id, now)
    return aggregator


async def withdraw_aggregator(store: Store, party: str, *, actor: str, now: datetime) -> str:
    """The party, whose id it is, registers no more devices of others; it answers for those that it has.

    NotFound if it is no aggregator.
    """
    async with store.unit_of_work() as uow:
        owner = await party_named(uow, party)
        await uow.registry.remove_aggregator(owner.id)
        await note(uow, actor, "withdraw aggregator", owner.id, now)
    return owner.id


async def group_named(uow: UnitOfWork, name: str) -> Group:
    for group in await uow.registry.groups():
        if name == group.name:
            return group
    raise NotFound(f"there is no group {name}")


async def device_named(uow: UnitOfWork, lfdi: str) -> EndDevice:
    device = await uow.registry.device_by_lfdi(_lfdi(lfdi))
    if device is None:
        raise NotFound(f"there is no device {lfdi}")
    return device


async def _gather_all(uow: UnitOfWork, now: datetime) -> None:
    """Events name groups, and groups have changed: whom they are for follows."""
    if not any(group.audience for group in await uow.registry.groups()):
        return
    await uow.alone()
    await gather_anew(uow)
    programs = {stored.program.id: stored.program for stored in await uow.programs.all()}
    for stored in await uow.events.current(now):
        event = stored.event
        if event.cancelled_at is None and await uow.controls.of_event(event.id):
            await publish(uow, event, programs[event.program_id], now)


async def _owe_owner(uow: UnitOfWork, device: EndDevice, now: datetime, changed: Sequence[EndDevice]) -> None:
    owner = await uow.parties.by_id(device.party_id)
    if owner is not None:
        await owe_current(uow, owner, now, changed)


async def _wished(uow: UnitOfWork, device: EndDevice, wish: DeviceWish, moment: int) -> EndDevice:
    if wish.pin is not None and not is_pin(wish.pin):
        raise RuleBroken("a PIN is five digits and the last digit of their sum")
    if wish.post_rate_s is not None:
        check_rate(POST_RATE, wish.post_rate_s)
    if wish.category is not None and not _is_hex(wish.category, CATEGORY_BYTES_MAX):
        raise RuleBroken("a device category is up to four bytes in hex")
    groups = device.groups
    if wish.groups is not None:
        audiences = {group.id for group in await uow.registry.groups() if group.audience}
        named = [(await group_named(uow, name)).id for name in wish.groups]
        groups = frozenset([*named, *(device.groups & audiences)])
    return replace(
        device,
        groups=groups,
        pin=device.pin if wish.pin is None else wish.pin,
        category=device.category if wish.category is None else wish.category.upper(),
        rates=device.rates if wish.post_rate_s is None else {**device.rates, POST_RATE: wish.post_rate_s},
        enabled=device.enabled if wish.enabled is None else wish.enabled,
        changed_at=moment,
    )


def _lfdi(text: str) -> str:
    if len(text) != LFDI_DIGITS or not _is_hex(text, LFDI_DIGITS // 2):
        raise RuleBroken("an LFDI is 40 hex digits")
    return text.upper()


def _is_hex(text: str, bytes_max: int) -> bool:
    try:
        return 0 < len(bytes.fromhex(text)) <= bytes_max
    except ValueError:
        return False


def _check_assignment(assignment: int | None, parent: str | None) -> None:
    if assignment is None:
        return
    if parent is not None:
        raise RuleBroken("which assignments a tree is in is said of its top group")
    if not ASSIGNMENT <= assignment <= ASSIGNMENT_MOST:
        raise RuleBroken(f"assignments are numbered from {ASSIGNMENT} to {ASSIGNMENT_MOST}")


def _check_primacy(primacy: int | None) -> None:
    if primacy is not None and not 0 <= primacy <= PRIMACY_MOST:
        raise RuleBroken(f"primacy is from 0 to {PRIMACY_MOST}")


async def note(uow: UnitOfWork, actor: str, action: str, subject: str, now: datetime) -> None:
    """What an operator did, for the audit."""
    await uow.audit.append(AuditEntry(at=now, actor=actor, action=action, subject=subject))
