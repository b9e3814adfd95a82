"""From DeviceCapability to our programs, by links alone (CSIP): the walks that a poll is made of."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from openadr_core.errors import OpenAdrError
from openadr_core.identity import sfdi_of
from openadr_core.sep2.base import SubscribableIdentifiedObject, SubscribableList
from openadr_core.sep2.controls import (
    DefaultDERControl,
    DERControl,
    DERControlList,
    DERCurve,
    DERProgram,
    DERProgramList,
)
from openadr_core.sep2.devices import EndDevice, EndDeviceList, FunctionSetAssignmentsList, Registration
from openadr_core.sep2.drlc import (
    DemandResponseProgram,
    DemandResponseProgramList,
    EndDeviceControlList,
)
from openadr_core.sep2.server import DeviceCapability, Time
from openadr_ven.protocols.sep2.calls import Call, Refusal, Script, fetch, fetch_if_good, fetch_if_there, whole_list
from openadr_ven.protocols.sep2.identity import Identity
from openadr_ven.protocols.sep2.meaning import curve_links
from openadr_ven.protocols.sep2.taking import ListedProgram

T = TypeVar("T")

POLL_RATE_S = 900
"""What holds where a resource does not say how often it is to be read."""
CATEGORY_BASE = 16
PLAINLY, EITHER_WAY = 1, 3
"""``subscribable``; 2 is only under conditions."""


class NotOurs(OpenAdrError):
    """The server does not know us, or is not the one that we were told of: a person has to see to it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything is, as the last walk has found it."""

    capability: DeviceCapability
    devices: tuple[EndDevice, ...]
    """Ours first, then those that we manage."""
    program_lists: Mapping[str, tuple[str, ...]]
    """Addresses of DERProgramLists by the device's LFDI."""
    load_lists: Mapping[str, tuple[str, ...]]
    """Of DemandResponseProgramLists, likewise."""
    poll_rate_s: int
    time_offset_s: int | None
    """The server's clock less ours; None where it has none."""
    watchable: tuple[str, ...] = ()
    """Of these resources, the server tells who subscribes."""
    refusal: Refusal | None = None
    """The server does not let us register the devices that we answer for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What each device takes part in, as the last walk has found it."""

    by_device: Mapping[str, tuple[ListedProgram, ...]]
    poll_rate_s: int
    watchable: tuple[str, ...] = ()


def find_place(dcap: str, identity: Identity, now: int, answers_for: Collection[str] = ()) -> Script[Place]:
    """Walk from DeviceCapability to the program lists of our devices; ``now`` is our clock's second.

    ``answers_for``: LFDIs that we register where the server does not know them, if we register ourselves.
    NotOurs if the server does not know us, or says another PIN than the one that we were told.
    """
    capability = yield from _as_ourselves(fetch(dcap, DeviceCapability), identity)
    offset = yield from _time_offset(capability, now)
    if capability.end_device_list_link is None:
        raise NotOurs("404", "the server has no EndDeviceList, so it serves no clients of CSIP")
    listed, devices = yield from _as_ourselves(_devices(capability.end_device_list_link.href), identity)
    own = _own(devices, identity)
    if own is None and identity.registers:
        now_there = 0 if offset is None else offset
        own = yield from _register(capability.end_device_list_link.href, identity, now + now_there)
    if own is None:
        raise NotOurs("404", f"the server has no EndDevice for us: {_whom(identity)}")
    _check_names(own, identity)
    yield from _check_pin(own, identity)
    managed = [one for one in devices if one.href != own.href and one.lfdi]
    missing = sorted(set(answers_for) - {str(one.lfdi).upper() for one in managed}) if identity.registers else []
    refusal = yield from _register_managed(capability.end_device_list_link.href, missing, now + (offset or 0), managed)
    rates = [capability.poll_rate, None if listed is None else listed.poll_rate]
    watchable = list(_watchable(capability.end_device_list_link.href, listed))
    lists: dict[str, tuple[str, ...]] = {}
    load_lists: dict[str, tuple[str, ...]] = {}
    for device in (own, *managed):
        lfdi = lfdi_of(device, identity)
        page, lists[lfdi], load_lists[lfdi] = yield from _assigned(device)
        if page is not None and device.function_set_assignments_list_link is not None:
            rates.append(page.poll_rate)
            watchable += _watchable(device.function_set_assignments_list_link.href, page)
    return Place(
        capability=capability, devices=(own, *managed), program_lists=lists, load_lists=load_lists,
        poll_rate_s=_soonest(rates), time_offset_s=offset, watchable=tuple(watchable), refusal=refusal,
    )  # fmt: skip


def read_programs(place: Place, understood: Collection[str] = ()) -> Script[Programs]:
    """All programs of all devices with their controls: each is read once, however many devices are in it.

    ``understood``: mRIDs of controls whose curves are not needed any more.
    """
    found: dict[str, tuple[ListedProgram, ...]] = {}
    known: dict[str, ListedProgram] = {}
    rates: list[int | None] = []
    watchable: list[str] = []
    addresses = [
        (address, kind)
        for lists, kind in ((place.program_lists, DERProgramList), (place.load_lists, DemandResponseProgramList))
        for mine in lists.values()
        for address in mine
    ]
    for address, kind in dict.fromkeys(addresses):
        page, programs = yield from (_der_programs(address) if kind is DERProgramList else _load_programs(address))
        if page is not None:
            rates.append(page.poll_rate)
            watchable += _watchable(address, page)
        keys = [program.href or program.mrid for program in programs]
        for key, program in zip(keys, programs, strict=True):
            if key not in known:
                known[key] = yield from _program(program, understood)
        found[address] = tuple(known[key] for key in keys)
    by_device = {
        lfdi: _each_once(found, (*mine, *place.load_lists.get(lfdi, ()))) for lfdi, mine in place.program_lists.items()
    }
    watchable += [address for listed in known.values() for address in listed.watchable]
    return Programs(by_device=by_device, poll_rate_s=_soonest(rates), watchable=tuple(watchable))


ProgramPage = tuple[DERProgramList | DemandResponseProgramList | None, list[DERProgram | DemandResponseProgram]]


def _der_programs(address: str) -> Script[ProgramPage]:
    return (yield from whole_list(address, DERProgramList, "der_program"))


def _load_programs(address: str) -> Script[ProgramPage]:
    return (yield from whole_list(address, DemandResponseProgramList, "demand_response_program"))


def _each_once(found: Mapping[str, tuple[ListedProgram, ...]], addresses: Sequence[str]) -> tuple[ListedProgram, ...]:
    """Several assignments of a device may name the same program."""
    there = (listed for address in addresses for listed in found[address])
    return tuple({id(listed): listed for listed in there}.values())


def read_time(place: Place, now: int) -> Script[int | None]:
    """The server's clock less ours, in seconds."""
    return (yield from _time_offset(place.capability, now))


def _as_ourselves(script: Script[T], identity: Identity) -> Script[T]:
    """NotOurs where the server does not let us in; some show strangers their DeviceCapability, and no more."""
    try:
        return (yield from script)
    except Refusal as refusal:
        if refusal.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise NotOurs(str(refusal.status), f"the server does not let us in: {_whom(identity)}") from None
        raise


def lfdi_of(device: EndDevice, identity: Identity) -> str:
    return (device.lfdi or identity.lfdi).upper()


def _program(program: DERProgram | DemandResponseProgram, understood: Collection[str]) -> Script[ListedProgram]:
    if isinstance(program, DemandResponseProgram):
        return (yield from _load_program(program))
    controls: list[DERControl] = []
    default, watchable = None, list[str]()
    if (controls_link := program.der_control_list_link) is not None:
        page, controls = yield from whole_list(controls_link.href, DERControlList, "der_control")
        watchable += _watchable(controls_link.href, page)
    if (default_link := program.default_der_control_link) is not None:
        default = yield from fetch_if_there(default_link.href, DefaultDERControl)
        watchable += _watchable(default_link.href, default)
    fresh = [one.der_control_base for one in controls if one.mrid.upper() not in understood]
    bases = fresh if default is None else [*fresh, default.der_control_base]
    curves: dict[str, DERCurve] = {}
    for href in dict.fromkeys(href for base in bases for href in curve_links(base)):
        # One that cannot be had makes its mode one that cannot be followed, and nothing besides.
        if (curve := (yield from fetch_if_good(href, DERCurve))) is not None:
            curves[href] = curve
    return ListedProgram(
        program=program, controls=tuple(controls), default=default, curves=curves, watchable=tuple(watchable)
    )


def _load_program(program: DemandResponseProgram) -> Script[ListedProgram]:
    link = program.end_device_control_list_link
    if link is None:
        return ListedProgram(program=program)
    page, controls = yield from whole_list(link.href, EndDeviceControlList, "end_device_control")
    return ListedProgram(program=program, controls=tuple(controls), watchable=tuple(_watchable(link.href, page)))


def _time_offset(capability: DeviceCapability, now: int) -> Script[int | None]:
    if capability.time_link is None:
        return None
    told = yield from fetch(capability.time_link.href, Time)
    return told.current_time - now


def _devices(href: str) -> Script[tuple[EndDeviceList | None, list[EndDevice]]]:
    return (yield from whole_list(href, EndDeviceList, "end_device"))


def _own(devices: Sequence[EndDevice], identity: Identity) -> EndDevice | None:
    by_lfdi = [one for one in devices if one.lfdi is not None and one.lfdi.upper() == identity.lfdi]
    by_sfdi = [one for one in devices if one.lfdi is None and one.sfdi == identity.sfdi]
    return next(iter((*by_lfdi, *by_sfdi)), None)


def _register(href: str, identity: Identity, moment: int) -> Script[EndDevice | None]:
    """In band; None where the server takes its time, so that we look again later."""
    wanted = EndDevice(
        device_category=f"{identity.category:02X}" if identity.category else None, lfdi=identity.lfdi,
        sfdi=identity.sfdi, changed_time=moment,
    )  # fmt: skip
    if wanted.device_category is not None and len(wanted.device_category) % 2:
        wanted = replace(wanted, device_category=f"0{wanted.device_category}")
    try:
        location = yield Call(method="POST", href=href, message=wanted)
    except Refusal as refusal:
        if refusal.status == HTTPStatus.CONFLICT:
            return None  # it has our wish, and has not let us in yet
        raise NotOurs(
            str(refusal.status), f"the server does not let us register ourselves: {_whom(identity)}"
        ) from refusal
    return (yield from fetch_if_there(str(location), EndDevice)) if location else None


def _register_managed(href: str, lfdis: Sequence[str], moment: int, found: list[EndDevice]) -> Script[Refusal | None]:
    """In band, one by one, adding to ``found`` who is in; who will not have one of them will not have the others."""
    for lfdi in lfdis:
        wanted = EndDevice(lfdi=lfdi, sfdi=sfdi_of(bytes.fromhex(lfdi)), changed_time=moment)
        try:
            location = yield Call(method="POST", href=href, message=wanted)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.CONFLICT:
                continue  # it has our wish, and has not let it in yet
            return refusal
        device = yield from fetch_if_there(str(location), EndDevice)
        if device is not None:
            found.append(device)
    return None


def _check_names(own: EndDevice, identity: Identity) -> None:
    if own.sfdi != identity.sfdi:
        raise NotOurs(
            "SFDI", f"the server's EndDevice has the SFDI {own.sfdi}, and our certificate's is {identity.sfdi}"
        )


def _check_pin(own: EndDevice, identity: Identity) -> Script[None]:
    """T8: with another PIN than the one that we were told, this is not the server that we were told of.

    Interpretation: where the server shows no Registration, as some utilities have it, there is nothing to compare.
    """
    if identity.pin is None or own.registration_link is None:
        return
    found = yield from fetch_if_there(own.registration_link.href, Registration)
    if found is not None and found.pin != identity.pin:
        raise NotOurs("PIN", "the server says another PIN than the one in the settings: nothing is done for it")


def _assigned(
    device: EndDevice,
) -> Script[tuple[FunctionSetAssignmentsList | None, tuple[str, ...], tuple[str, ...]]]:
    """Its function set assignments, and the lists of programs that they name."""
    if device.function_set_assignments_list_link is None:
        return None, (), ()
    href = device.function_set_assignments_list_link.href
    page, found = yield from whole_list(href, FunctionSetAssignmentsList, "function_set_assignments")
    der = tuple(one.der_program_list_link.href for one in found if one.der_program_list_link is not None)
    loads = (one.demand_response_program_list_link for one in found)
    return page, der, tuple(link.href for link in loads if link is not None)


def _watchable(href: str, found: SubscribableList | SubscribableIdentifiedObject | None) -> Sequence[str]:
    """The address, if what is there can be subscribed to without conditions."""
    return (href,) if found is not None and found.subscribable in {PLAINLY, EITHER_WAY} else ()


def _soonest(rates: Sequence[int | None]) -> int:
    """The shortest of these poll rates: whoever reads a resource reads those above it too."""
    return max(1, min((rate for rate in rates if rate), default=POLL_RATE_S))


def _whom(identity: Identity) -> str:
    return f"ask the utility to let in the LFDI {identity.lfdi} (SFDI {identity.sfdi})"
