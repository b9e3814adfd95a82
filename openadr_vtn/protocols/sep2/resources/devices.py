"""EndDevice and what lies under it: who a device is, and what it says of itself (1.3, 1.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from openadr_core.errors import Conflict
from openadr_core.identity import sfdi_of
from openadr_core.sep2.decode import read
from openadr_core.sep2.der import DER, DERAvailability, DERCapability, DERList, DERSettings, DERStatus
from openadr_core.sep2.devices import (
    Configuration,
    ConnectionPoint,
    DeviceInformation,
    DeviceStatus,
    EndDevice,
    EndDeviceList,
    FunctionSetAssignments,
    FunctionSetAssignmentsList,
    LogEvent,
    LogEventList,
    PowerStatus,
    Registration,
)
from openadr_core.sep2.drlc import LoadShedAvailability, LoadShedAvailabilityList
from openadr_core.sep2.encode import encode
from openadr_core.sep2.mrid import mrid_of
from openadr_core.sep2.names import CsipAus
from openadr_core.xml.parse import parse
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.sep2_ports import StoredDocument
from openadr_vtn.domain.sep2 import registry
from openadr_vtn.domain.sep2.nmi import is_nmi
from openadr_vtn.domain.sep2.subscribing import DER_DOCUMENTS
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, Holds, HttpRefusal, Reply, created, replaced
from openadr_vtn.protocols.sep2.scene import PAGE_MAX, Scene

LFDI_DIGITS = 40
LOG_EVENTS_KEPT = 100
NUMBER_BITS = 64
"""Of an mRID of FunctionSetAssignments: the device's number; above them is which of its assignments it is."""
"""Of each device; the oldest go first (1.3 wants at least ten)."""
DER_NUMBER = "1"
"""Interpretation: one resource behind each device; who has several registers a device for each, as CSIP does."""


@dataclass(frozen=True, slots=True)
class Said:
    """A document that devices put, by its address below theirs."""

    kind: type
    csipaus_alone: bool = False


DOCUMENTS: Mapping[str, Said] = {
    "di": Said(DeviceInformation),
    "dstat": Said(DeviceStatus),
    "ps": Said(PowerStatus),
    "cfg": Said(Configuration),
    "cp": Said(ConnectionPoint, csipaus_alone=True),
    "der/1/dercap": Said(DERCapability),
    "der/1/derg": Said(DERSettings),
    "der/1/ders": Said(DERStatus),
    "der/1/dera": Said(DERAvailability),
}


# -- the device itself -----------------------------------------------------------------


async def devices(scene: Scene) -> Reply:
    """Those that whoever asks answers for; nobody else's are known to it."""
    mine, after, limit = scene.uow.registry, scene.query.after, min(scene.query.limit, PAGE_MAX)
    there = await mine.count_devices(scene.party.id, changed_after=after, enabled=True)
    page = (
        await mine.devices(scene.party.id, changed_after=after, enabled=True, skip=scene.query.start, limit=limit)
        if limit
        else []
    )
    shown = await _end_devices(scene, page)
    message = EndDeviceList(
        href=scene.href("/edev"), subscribable=1, poll_rate=await scene.own_rate("EndDeviceList", page), all=there,
        results=len(shown), end_device=shown,
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def device(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    return Reply(message=(await _end_devices(scene, [found]))[0], holds=Holds(party_id=scene.party.id))


async def register(scene: Scene) -> Reply:
    """In-band registration: of the certificate's own device, or of one that an aggregator manages (T9, T10)."""
    if not scene.desk.in_band:
        raise HttpRefusal(403)
    wanted = scene.message(EndDevice)
    lfdi = (wanted.lfdi or scene.peer.lfdi).upper()
    await scene.uow.alone()  # here and below: what it is told is read beside events that are being written
    await _check_may_register(scene, lfdi, wanted.sfdi)
    known = await scene.uow.registry.device_by_lfdi(lfdi)
    if known is not None:
        raise HttpRefusal(409)
    try:
        made = await scene.uow.registry.add_device(
            registry.EndDevice(
                number=0, party_id=scene.party.id, lfdi=lfdi, sfdi=wanted.sfdi, registered_at=scene.now,
                changed_at=scene.now, category=wanted.device_category or "", post_rate_s=wanted.post_rate,
            )
        )  # fmt: skip
    except Conflict:
        raise HttpRefusal(409) from None
    await owe_current(scene.uow, scene.party, datetime.fromtimestamp(scene.now, UTC), [made])
    return created(scene.href(f"/edev/{made.number}"))


async def change_device(scene: Scene, number: str) -> Reply:
    """A device may say what it is; who it is stays."""
    await scene.uow.alone()
    found = await scene.device(number)
    wanted = scene.message(EndDevice)
    if wanted.sfdi != found.sfdi or (wanted.lfdi is not None and wanted.lfdi.upper() != found.lfdi):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    changed = replace(found, category=wanted.device_category or found.category, changed_at=scene.now)
    await scene.uow.registry.save_device(changed)
    return Reply(status=204)


async def deregister(scene: Scene, number: str) -> Reply:
    await scene.uow.alone()
    await scene.uow.registry.remove_device(await scene.device(number))
    await owe_current(scene.uow, scene.party, datetime.fromtimestamp(scene.now, UTC), [])
    return Reply(status=204)


async def registration(scene: Scene, number: str) -> Reply:
    """For the device itself, and for who manages it.

    Interpretation: whoever acts for a device checks that the utility registered it under the PIN that was agreed on;
    CSIP-AUS's tests have aggregators do so (S-ALL-01, S-OPT-04).
    """
    found = await scene.device(number)
    if not scene.desk.shows_registration or found.pin is None:
        raise HttpRefusal(404)
    message = Registration(
        href=scene.href(f"/edev/{number}/rg"), poll_rate=await scene.rate("Registration", found),
        date_time_registered=found.registered_at, pin=found.pin,
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


# -- what it takes part in -------------------------------------------------------------


async def assignments(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    there = await _assignments(scene, found)
    page = scene.page(there)
    message = FunctionSetAssignmentsList(
        href=scene.href(f"/edev/{number}/fsa"), subscribable=1, all=len(there), results=len(page),
        poll_rate=await scene.rate("FunctionSetAssignmentsList", found), function_set_assignments=tuple(page),
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def assignment(scene: Scene, number: str, which: str) -> Reply:
    href = scene.href(f"/edev/{number}/fsa/{which}")
    found = [one for one in await _assignments(scene, await scene.device(number)) if one.href == href]
    if not found:
        raise HttpRefusal(404)
    return Reply(message=found[0], holds=Holds(party_id=scene.party.id))


async def _assignments(scene: Scene, device: registry.EndDevice) -> list[FunctionSetAssignments]:
    """By mRID downwards. All programs that the device's groups lie in are in one, unless an operator parts them."""
    found = []
    for which, programs in (await scene.tree()).assignments(device.groups).items():
        base = f"/edev/{device.number}/fsa/{which}"
        unique = (which - registry.ASSIGNMENT) << NUMBER_BITS | device.number
        found.append(
            FunctionSetAssignments(
                href=scene.href(base), mrid=mrid_of(unique, pen=scene.desk.pen, form=scene.desk.pen_form),
                description="programs of the device", version=0, time_link=scene.link("/tm"),
                der_program_list_link=scene.list_link(f"{base}/derp", len(programs)),
                demand_response_program_list_link=scene.list_link(f"{base}/dr", len(programs)),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: one.mrid, reverse=True)


# -- what it says of itself ------------------------------------------------------------


async def document(scene: Scene, number: str, path: str) -> Reply:
    found = await scene.device(number)
    _check_spoken(scene, path)
    stored = await scene.uow.registry.document(found.number, path)
    if stored is None:
        raise HttpRefusal(404)
    message = replace(read(parse(stored.body)), href=scene.href(f"/edev/{number}/{path}"))
    if path in DER_DOCUMENTS:
        message = replace(message, subscribable=1)
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def put_document(scene: Scene, number: str, path: str) -> Reply:
    """A full replacement; what is read afterwards is what was put.

    Interpretation: what a DER's links name is there with the DER, also before somebody has put it: the first PUT makes
    nothing (204), and clients that are met take 201 for a failure. CSIP-AUS wants a connection point made (201).
    """
    found = await scene.device(number)
    _check_spoken(scene, path)
    message: Any = scene.message(DOCUMENTS[path].kind)
    if isinstance(message, ConnectionPoint) and not is_nmi(message.connection_point_id):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    if isinstance(message, DeviceInformation) and message.lfdi.upper() != found.lfdi:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    kept = StoredDocument(body=encode(replace(message, href=None), csipaus=CsipAus.V1_3), changed_at=scene.now)
    is_new = await scene.uow.registry.put_document(found, path, kept)
    if isinstance(message, ConnectionPoint):
        return replaced(is_new=is_new, location=scene.href(f"/edev/{number}/{path}"))
    return Reply(status=204)


async def ders(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    there = [_der(scene, found)]
    page = scene.page(there)
    message = DERList(
        href=scene.href(f"/edev/{number}/der"),
        poll_rate=await scene.rate("DERList", found),
        all=1,
        results=len(page),
        der=tuple(page),
    )
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def der(scene: Scene, number: str, which: str) -> Reply:
    found = await scene.device(number)
    if which != DER_NUMBER:
        raise HttpRefusal(404)
    return Reply(message=_der(scene, found), holds=Holds(party_id=scene.party.id))


async def log_events(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    stored = [one for one in await scene.uow.registry.log_events(found.number) if one.created_at >= scene.query.after]
    there = [replace(read(parse(one.body)), href=scene.href(f"/edev/{number}/lel/{one.id}")) for one in stored]
    there.sort(key=lambda one: (one.created_date_time, one.log_event_id))
    page = scene.page(there)
    message = LogEventList(
        href=scene.href(f"/edev/{number}/lel"), poll_rate=await scene.rate("LogEventList", found), all=len(there),
        results=len(page), log_event=tuple(page),
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def log_event(scene: Scene, number: str, which: str) -> Reply:
    found = await scene.device(number)
    for one in await scene.uow.registry.log_events(found.number):
        if str(one.id) == which:
            message = replace(read(parse(one.body)), href=scene.href(f"/edev/{number}/lel/{which}"))
            return Reply(message=message, holds=Holds(party_id=scene.party.id))
    raise HttpRefusal(404)


async def add_log_event(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    message = scene.message(LogEvent)
    body = encode(replace(message, href=None), csipaus=None)
    added = await scene.uow.registry.add_log_event(found, message.created_date_time, body, keep=LOG_EVENTS_KEPT)
    return created(scene.href(f"/edev/{number}/lel/{added}"))


async def sheddable(scene: Scene, number: str) -> Reply:
    found = await scene.device(number)
    stored = await scene.uow.registry.document(found.number, "lsl/1")
    there = [] if stored is None else [replace(read(parse(stored.body)), href=scene.href(f"/edev/{number}/lsl/1"))]
    page = scene.page(there)
    message = LoadShedAvailabilityList(
        href=scene.href(f"/edev/{number}/lsl"), all=len(there), results=len(page), load_shed_availability=tuple(page)
    )
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def add_sheddable(scene: Scene, number: str) -> Reply:
    """The newest word of a device takes the place of the earlier one."""
    found = await scene.device(number)
    message = scene.message(LoadShedAvailability)
    kept = StoredDocument(body=encode(replace(message, href=None), csipaus=None), changed_at=scene.now)
    await scene.uow.registry.put_document(found, "lsl/1", kept)
    return created(scene.href(f"/edev/{number}/lsl/1"))


async def one_sheddable(scene: Scene, number: str, which: str) -> Reply:
    found = await scene.device(number)
    stored = await scene.uow.registry.document(found.number, f"lsl/{which}")
    if stored is None:
        raise HttpRefusal(404)
    message = replace(read(parse(stored.body)), href=scene.href(f"/edev/{number}/lsl/{which}"))
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


def _check_spoken(scene: Scene, path: str) -> None:
    if DOCUMENTS[path].csipaus_alone and scene.speech.csipaus is None:
        raise HttpRefusal(404)


async def _check_may_register(scene: Scene, lfdi: str, sfdi: int) -> None:
    if len(lfdi) != LFDI_DIGITS or sfdi_of(bytes.fromhex(lfdi.ljust(64, "0"))) != sfdi:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    if lfdi == scene.peer.lfdi:
        return
    aggregator = await scene.uow.registry.aggregator(scene.party.id)
    if aggregator is None or not registry.is_managed_by(lfdi, aggregator):
        raise HttpRefusal(403)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What is known of a device elsewhere."""

    post_rate_s: int
    assignments: int
    log_events: int
    held: int | None
    """How many subscriptions are under it; None where nobody subscribes."""


async def _end_devices(scene: Scene, found: Sequence[registry.EndDevice]) -> tuple[EndDevice, ...]:
    log_events = await scene.uow.registry.count_log_events([device.number for device in found])
    tree = await scene.tree()
    told = []
    for one in found:
        around = _Around(
            post_rate_s=await scene.rate(registry.POST_RATE, one), assignments=len(tree.assignments(one.groups)),
            log_events=log_events.get(one.number, 0),
            held=await scene.uow.sep2_subscriptions.count_held(one.number) if scene.is_own(one) else None,
        )  # fmt: skip
        told.append(_end_device(scene, one, around))
    return tuple(told)


def _end_device(scene: Scene, found: registry.EndDevice, around: _Around) -> EndDevice:
    base = f"/edev/{found.number}"
    return EndDevice(
        href=scene.href(base),
        subscribable=1,
        configuration_link=scene.link(f"{base}/cfg"),
        der_list_link=scene.list_link(f"{base}/der", 1),
        device_category=found.category or None,
        device_information_link=scene.link(f"{base}/di"),
        device_status_link=scene.link(f"{base}/dstat"),
        lfdi=found.lfdi,
        load_shed_availability_list_link=scene.list_link(f"{base}/lsl", 1),
        log_event_list_link=scene.list_link(f"{base}/lel", around.log_events),
        power_status_link=scene.link(f"{base}/ps"),
        sfdi=found.sfdi,
        changed_time=found.changed_at,
        enabled=found.enabled,
        function_set_assignments_list_link=scene.list_link(f"{base}/fsa", around.assignments),
        post_rate=around.post_rate_s,
        registration_link=scene.link(f"{base}/rg") if scene.desk.shows_registration and found.pin is not None else None,
        subscription_list_link=None if around.held is None else scene.list_link(f"{base}/sub", around.held),
        connection_point_link=scene.link(f"{base}/cp"),
    )


def _der(scene: Scene, found: registry.EndDevice) -> DER:
    base = f"/edev/{found.number}/der/{DER_NUMBER}"
    return DER(
        href=scene.href(base),
        der_availability_link=scene.link(f"{base}/dera"),
        der_capability_link=scene.link(f"{base}/dercap"),
        der_settings_link=scene.link(f"{base}/derg"),
        der_status_link=scene.link(f"{base}/ders"),
    )
