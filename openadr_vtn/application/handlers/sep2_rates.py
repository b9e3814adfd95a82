"""How often clients of IEEE 2030.5 are to poll and to post: everybody, a group's devices, or one device.

What is said of a device goes before what is said of its groups, and that before what is said to everybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openadr_vtn.application.handlers.sep2_groups import device_named, group_named, note
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.domain.sep2.rates import DEFAULT_S, RATES, SITE_RATES, check_rate
from openadr_vtn.domain.sep2.registry import POST_RATE, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class RateView:
    name: str
    seconds: int | None
    """Said here; None: nothing was."""
    in_force_s: int
    said_of: str
    """Whose word is in force: ``device``, ``group`` and its name, ``client`` (a wish), ``everybody``, ``standard``."""


async def save_rate(store: Store, name: str, seconds: int | None, *, actor: str, now: datetime) -> None:
    """For everybody; visible at their next read. None: as it is by default."""
    check_rate(name, seconds)
    async with store.unit_of_work() as uow:
        await uow.registry.save_rate(name, seconds)
        await note(uow, actor, "save rate", name, now)


async def save_group_rate(
    store: Store, group_name: str, name: str, seconds: int | None, *, actor: str, now: datetime
) -> None:
    """For the devices in the group and below it. None: nothing is said there any more."""
    check_rate(name, seconds, SITE_RATES)
    async with store.unit_of_work() as uow:
        group = await group_named(uow, group_name)
        await uow.registry.save_group_rates(group.id, _with(group.rates, name, seconds))
        await note(uow, actor, f"save rate of {name}", f"group {group_name}", now)


async def save_device_rate(
    store: Store, lfdi: str, name: str, seconds: int | None, *, actor: str, now: datetime
) -> None:
    """For one device. None: nothing is said of it any more."""
    check_rate(name, seconds, SITE_RATES)
    async with store.unit_of_work() as uow:
        device = await device_named(uow, lfdi)
        changed_at = int(now.timestamp()) if name == POST_RATE else device.changed_at
        rates = _with(device.rates, name, seconds)
        await uow.registry.save_device(replace(device, rates=rates, changed_at=changed_at))
        await note(uow, actor, f"save rate of {name}", device.lfdi, now)


async def common_rates(uow: UnitOfWork) -> list[RateView]:
    chosen = await uow.registry.rates()
    return [_common(name, chosen.get(name), chosen) for name in RATES]


async def group_rates(uow: UnitOfWork, group_name: str) -> list[RateView]:
    """NotFound if there is no such group."""
    group, chosen = await group_named(uow, group_name), await uow.registry.rates()
    tree = Tree(await uow.registry.groups())
    return [_of_groups(name, group.rates.get(name), tree, [group.id], chosen) for name in SITE_RATES]


async def device_rates(uow: UnitOfWork, lfdi: str) -> list[RateView]:
    """NotFound if there is no such device."""
    device, chosen = await device_named(uow, lfdi), await uow.registry.rates()
    tree = Tree(await uow.registry.groups())
    found = []
    for name in SITE_RATES:
        own = device.rates.get(name)
        view = _of_groups(name, own, tree, sorted(device.groups), chosen)
        if own is not None:
            view = replace(view, in_force_s=own, said_of="device")
        elif name == POST_RATE and device.post_rate_s is not None and not view.said_of.startswith("group"):
            view = replace(view, in_force_s=device.post_rate_s, said_of="client")
        found.append(view)
    return found


def _of_groups(name: str, own: int | None, tree: Tree, groups: Sequence[int], chosen: Mapping[str, int]) -> RateView:
    found = tree.rate(name, groups)
    if found is None:
        return _common(name, own, chosen)
    return RateView(name=name, seconds=own, in_force_s=found[0], said_of=f"group {found[1].name}")


def _common(name: str, own: int | None, chosen: Mapping[str, int]) -> RateView:
    said_of = "everybody" if name in chosen else "standard"
    return RateView(name=name, seconds=own, in_force_s=chosen.get(name, DEFAULT_S), said_of=said_of)


def _with(rates: Mapping[str, int], name: str, seconds: int | None) -> dict[str, int]:
    others = {other: each for other, each in rates.items() if other != name}
    return others if seconds is None else {**others, name: seconds}
