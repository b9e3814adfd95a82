"""Programs of a group: DERProgram with its controls, default and curves, and DemandResponseProgram (1.3, 1.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from openadr_core.sep2.base import EventStatus
from openadr_core.sep2.controls import (
    DefaultDERControl,
    DERControl,
    DERControlBase,
    DERControlList,
    DERCurveList,
    DERProgram,
    DERProgramList,
)
from openadr_core.sep2.decode import read
from openadr_core.sep2.drlc import (
    DemandResponseProgram,
    DemandResponseProgramList,
    EndDeviceControl,
    EndDeviceControlList,
)
from openadr_core.sep2.names import CURVES, Status
from openadr_core.sep2.plan import parts_of
from openadr_core.xml.parse import parse
from openadr_vtn.application.sep2_ports import ControlKind, StoredControl
from openadr_vtn.domain.sep2.control_status import Standing, next_change, standings
from openadr_vtn.domain.sep2.registry import ASSIGNMENT, EndDevice, Group, Tree
from openadr_vtn.protocols.sep2.http_rules import Holds, HttpRefusal, Reply
from openadr_vtn.protocols.sep2.scene import Scene

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Family:
    """The words that DER and DRLC have for the same things."""

    kind: ControlKind
    root: str
    """What addresses of its programs begin with."""
    below: str
    """Under a program: its controls; ``act`` before it: the active ones."""
    listed: Callable[..., DERControlList | EndDeviceControlList]


def _der_list(**said: Any) -> DERControlList:
    return DERControlList(der_control=said.pop("controls"), **said)


def _edc_list(**said: Any) -> EndDeviceControlList:
    return EndDeviceControlList(end_device_control=said.pop("controls"), **said)


DER = Family("DERControl", "/derp", "derc", _der_list)
DRLC = Family("EndDeviceControl", "/dr", "edc", _edc_list)


@dataclass(frozen=True, slots=True)
class Placed:
    """A control and how it stands; it is read and written only for whoever gets it."""

    stored: StoredControl
    standing: Standing

    @property
    def place(self) -> tuple[int, int, int]:
        """By start; then the newest first, then by mRID downwards."""
        control = self.stored.control
        return (control.start, -control.creation_time, -int(control.mrid, 16))


@dataclass(frozen=True, slots=True)
class Listed:
    """The controls of a program as they stand now, in the order of the standard's lists."""

    controls: Sequence[Placed]
    until: int | None

    @property
    def active(self) -> list[Placed]:
        return [one for one in self.controls if one.standing.status is Status.ACTIVE]


def _told(controls: Sequence[Placed]) -> frozenset[str]:
    """The events of OpenADR that they tell of."""
    return frozenset(one.stored.event_id for one in controls if one.stored.event_id is not None)


# -- programs --------------------------------------------------------------------------


async def der_programs(scene: Scene, number: str, which: str) -> Reply:
    """Of a device, in the order of their primacy: everything of this assignment that its groups lie in."""
    device = await scene.device(number)
    tree = await scene.tree()
    groups = _assigned(tree, device, which)
    page = [await _der_program(scene, tree, group) for group in scene.page(groups)]
    holds = _together(scene, [one.holds for one in page])
    message = DERProgramList(
        href=scene.href(f"/edev/{number}/fsa/{which}/derp"), subscribable=1,
        poll_rate=await scene.rate("DERProgramList", device), all=len(groups), results=len(page),
        der_program=tuple(one.message for one in page),
    )  # fmt: skip
    return Reply(message=message, holds=holds)


async def dr_programs(scene: Scene, number: str, which: str) -> Reply:
    device = await scene.device(number)
    tree = await scene.tree()
    groups = _assigned(tree, device, which)
    page = [await _dr_program(scene, tree, group) for group in scene.page(groups)]
    holds = _together(scene, [one.holds for one in page])
    message = DemandResponseProgramList(
        href=scene.href(f"/edev/{number}/fsa/{which}/dr"), subscribable=1,
        poll_rate=await scene.rate("DemandResponseProgramList", device), all=len(groups), results=len(page),
        demand_response_program=tuple(one.message for one in page),
    )  # fmt: skip
    return Reply(message=message, holds=holds)


def _assigned(tree: Tree, device: EndDevice, which: str) -> list[Group]:
    """The first is there for every device, also where it has nothing to take part in."""
    found = tree.assignments(device.groups)
    if int(which) not in {ASSIGNMENT, *found}:
        raise HttpRefusal(404)
    return found.get(int(which), [])


async def der_program(scene: Scene, group_id: str) -> Reply:
    tree, group = await _group(scene, group_id)
    told = await _der_program(scene, tree, group)
    return Reply(message=told.message, holds=told.holds)


async def dr_program(scene: Scene, group_id: str) -> Reply:
    tree, group = await _group(scene, group_id)
    told = await _dr_program(scene, tree, group)
    return Reply(message=told.message, holds=told.holds)


# -- controls --------------------------------------------------------------------------


async def der_controls(scene: Scene, group_id: str) -> Reply:
    return await _controls(scene, DER, group_id, active=False)


async def active_der_controls(scene: Scene, group_id: str) -> Reply:
    return await _controls(scene, DER, group_id, active=True)


async def der_control(scene: Scene, group_id: str, number: str) -> Reply:
    return await _control(scene, DER, group_id, number)


async def end_device_controls(scene: Scene, group_id: str) -> Reply:
    return await _controls(scene, DRLC, group_id, active=False)


async def active_end_device_controls(scene: Scene, group_id: str) -> Reply:
    return await _controls(scene, DRLC, group_id, active=True)


async def end_device_control(scene: Scene, group_id: str, number: str) -> Reply:
    return await _control(scene, DRLC, group_id, number)


async def default_control(scene: Scene, group_id: str) -> Reply:
    await scene.check_member(int(group_id))
    body = await scene.uow.controls.default(int(group_id))
    if body is None:
        raise HttpRefusal(404)
    stored: DefaultDERControl = read(parse(body))
    message = replace(
        stored, href=scene.href(f"/derp/{group_id}/dderc"), subscribable=1,
        der_control_base=_spoken(scene, stored.der_control_base),
    )  # fmt: skip
    return Reply(message=message, holds=_holds(group_id))


async def curves(scene: Scene, group_id: str) -> Reply:
    await scene.check_member(int(group_id))
    there = [
        replace(read(parse(one.body)), href=scene.href(f"/derp/{group_id}/dc/{one.id}"))
        for one in await scene.uow.controls.curves(int(group_id))
    ]
    there.sort(key=lambda one: (one.creation_time, one.mrid), reverse=True)
    page = scene.page(there)
    message = DERCurveList(
        href=scene.href(f"/derp/{group_id}/dc"), all=len(there), results=len(page), der_curve=tuple(page)
    )
    return Reply(message=message, holds=_holds(group_id))


async def curve(scene: Scene, group_id: str, number: str) -> Reply:
    await scene.check_member(int(group_id))
    for one in await scene.uow.controls.curves(int(group_id)):
        if str(one.id) == number:
            return Reply(
                message=replace(read(parse(one.body)), href=scene.href(f"/derp/{group_id}/dc/{number}")),
                holds=_holds(group_id),
            )
    raise HttpRefusal(404)


async def _controls(scene: Scene, family: Family, group_id: str, *, active: bool) -> Reply:
    await scene.check_member(int(group_id))
    listed = await _listed(scene, family, int(group_id))
    after = scene.query.after
    there = [one for one in (listed.active if active else listed.controls) if one.stored.control.start >= after]
    page = scene.page(there)
    path = f"{family.root}/{group_id}/{'act' if active else ''}{family.below}"
    subscribable = None if active else 1
    message = family.listed(
        href=scene.href(path), subscribable=subscribable, all=len(there), results=len(page),
        controls=tuple(_message(scene, family, one) for one in page),
    )  # fmt: skip
    return Reply(message=message, holds=_holds(group_id, listed.until), told=_told(page))


async def _control(scene: Scene, family: Family, group_id: str, number: str) -> Reply:
    await scene.check_member(int(group_id))
    listed = await _listed(scene, family, int(group_id))
    for one in listed.controls:
        if one.stored.id == int(number):
            message = _message(scene, family, one)
            return Reply(message=message, holds=_holds(group_id, listed.until), told=_told([one]))
    raise HttpRefusal(404)


async def _listed(scene: Scene, family: Family, group_id: int) -> Listed:
    stored = await scene.uow.controls.controls(group_id, family.kind, since=scene.now)
    found = standings([one.control for one in stored], scene.now)
    placed = [Placed(one, found[one.control.mrid]) for one in stored if one.control.mrid in found]
    until = next_change([one.control for one in stored], scene.now)
    return Listed(sorted(placed, key=lambda one: one.place), until)


def _message(scene: Scene, family: Family, placed: Placed) -> DERControl | EndDeviceControl:
    stored, standing = placed.stored, placed.standing
    message: DERControl | EndDeviceControl = read(parse(stored.body))
    marked = standing.potentially_superseded_at
    status = EventStatus(
        current_status=standing.status,
        date_time=standing.since,
        potentially_superseded=marked is not None,
        potentially_superseded_time=marked,
    )
    below = f"{family.root}/{stored.group_id}/{family.below}/{stored.id}"
    asks = int(message.response_required or "00", 16)
    if isinstance(message, DERControl):
        message = replace(message, der_control_base=_spoken(scene, message.der_control_base))
    return replace(
        message,
        href=scene.href(below),
        reply_to=scene.href(f"/rsps/{stored.group_id}/rsp") if asks else None,
        event_status=status,
    )


def _spoken(scene: Scene, base: DERControlBase) -> DERControlBase:
    """With links that lead to where the client speaks."""
    if not scene.speech.prefix:
        return base
    said = {part.field: getattr(base, part.field) for part in parts_of(DERControlBase) if part.name in CURVES}
    links: dict[str, Any] = {name: scene.link(link.href) for name, link in said.items() if link is not None}
    return replace(base, **links)


# -- parts of programs -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown(Generic[M]):
    message: M
    holds: Holds


async def _group(scene: Scene, group_id: str) -> tuple[Tree, Group]:
    await scene.check_member(int(group_id))
    tree = await scene.tree()
    return tree, tree.by_id[int(group_id)]


def _holds(group_id: int | str, until: int | None = None) -> Holds:
    return Holds(groups=frozenset({int(group_id)}), until=until)


def _together(scene: Scene, parts: Sequence[Holds]) -> Holds:
    """A list of several programs: as long as every one of them."""
    until = min((one.until for one in parts if one.until is not None), default=None)
    return Holds(party_id=scene.party.id, groups=frozenset().union(*(one.groups for one in parts)), until=until)


async def _der_program(scene: Scene, tree: Tree, group: Group) -> Shown[DERProgram]:
    base = f"/derp/{group.id}"
    listed = await _listed(scene, DER, group.id)
    curves_there = len(await scene.uow.controls.curves(group.id))
    has_default = await scene.uow.controls.default(group.id) is not None
    message = DERProgram(
        href=scene.href(base),
        subscribable=1,
        mrid=group.mrid,
        description=_short(group.name),
        version=group.version,
        active_der_control_list_link=scene.list_link(f"{base}/actderc", len(listed.active)),
        default_der_control_link=scene.link(f"{base}/dderc") if has_default else None,
        der_control_list_link=scene.list_link(f"{base}/derc", len(listed.controls)),
        der_curve_list_link=scene.list_link(f"{base}/dc", curves_there),
        primacy=tree.primacy(group.id),
    )
    return Shown(message, _holds(group.id, listed.until))


async def _dr_program(scene: Scene, tree: Tree, group: Group) -> Shown[DemandResponseProgram]:
    base = f"/dr/{group.id}"
    listed = await _listed(scene, DRLC, group.id)
    message = DemandResponseProgram(
        href=scene.href(base),
        mrid=group.mrid,
        description=_short(group.name),
        version=group.version,
        active_end_device_control_list_link=scene.list_link(f"{base}/actedc", len(listed.active)),
        end_device_control_list_link=scene.list_link(f"{base}/edc", len(listed.controls)),
        primacy=tree.primacy(group.id),
    )
    return Shown(message, _holds(group.id, listed.until))


def _short(text: str) -> str:
    """What fits into a description."""
    return text.encode()[:32].decode(errors="ignore")
