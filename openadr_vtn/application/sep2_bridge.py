"""The bridge: what an OpenADR event asks, as controls that devices of IEEE 2030.5 read; in the event's transaction.

A published control is never changed (1.5): what an event asks no more is cancelled, what it asks anew is a control
of its own, and what stays as it was stays one control under one mRID.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import InvalidEvent, RemoteProtocolError
from openadr_core.model.event import DrEvent
from openadr_core.model.program import Program
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.levels import duty_cycles_of
from openadr_core.oadr3.meaning import NOT_FOLLOWED, meaning_of
from openadr_core.oadr3.payload_types import base_type
from openadr_core.oadr3.placing import randomisation
from openadr_core.sep2.translate_events import Told, Wanted, category_hex, told
from openadr_vtn.application.ports import StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.application.sep2_audience import gather
from openadr_vtn.application.sep2_drafts import ControlWish, Maker, drafted
from openadr_vtn.application.sep2_ports import StoredControl
from openadr_vtn.domain.sep2.audience import Audience, audience_of
from openadr_vtn.domain.sep2.registry import Group

DESCRIPTION_MAX_CHARS = 32
ASKS_FOR_RESPONSES, ASKS_FOR_NONE = "03", "00"
"""responseRequired: that it was received, and what became of it."""
IDLE_S = 86_400
"""So long after the end of its last control somebody may still answer, and an audience is kept."""
IDLE_AUDIENCES = 4
"""So many stay longer, for the next event of their kind: CSIP's clients hold fifteen programs."""


def said_of(stored: StoredEvent, program: StoredProgram) -> Told:
    """What devices can be told of an event of OpenADR 3, read as its own VENs read it, and the reasons for the rest."""
    event = stored.event
    request, words = decode_event(stored.document.encode()), decode_program(program.document.encode())
    try:
        meaning = meaning_of(
            request, program.program, words, event_id=event.id, version=event.version, created_at=event.created_at,
            modified_at=event.modified_at, obtained_at=event.starts_at, draw=0.0,
        )  # fmt: skip
        duty_cycles = duty_cycles_of(words)
    except (RemoteProtocolError, InvalidEvent) as error:
        return Told(not_told=(str(error),))
    not_read = tuple(_reason(text) for text in meaning.not_read)
    spread = randomisation(request.period) or meaning.start_after
    return told(replace(meaning, not_read=not_read, start_after=spread, targets=event.targets), duty_cycles)


def is_news(before: StoredEvent, document: str, program: StoredProgram, maker: Maker) -> bool:
    """Whether devices would be told something else if the event were written in these words, and nobody of 2.0b is."""
    return maker.is_served and said_of(before, program) != said_of(replace(before, document=document), program)


async def tell_devices(
    uow: UnitOfWork, stored: StoredEvent, program: StoredProgram, *, maker: Maker, now: datetime
) -> None:
    """Make the controls of the event at this version, and cancel those that it asks for no more."""
    if not maker.is_served:
        return
    await uow.alone()
    moment = int(now.timestamp())
    event = stored.event
    left = await _standing(uow, event.id, moment)
    wanted = [one for one in said_of(stored, program).controls if one.starts_at + one.duration_s > moment]
    groups: dict[bool, Group] = {}
    made: list[Group] = []
    new: list[tuple[Group, ControlWish]] = []
    for one in wanted:
        if one.in_all not in groups:
            audience = audience_of(event, in_all=one.in_all)
            groups[one.in_all], is_new = await _group(uow, audience, program.program, maker)
            made += [groups[one.in_all]] if is_new else []
        group = groups[one.in_all]
        wish = wish_of(event, one)
        same = next((control for control in left if _is_told_by(control, wish, group)), None)
        if same is None:
            new.append((group, wish))
        else:
            left.remove(same)
    await _cancel(uow, left, moment)
    # Of two that are made at once the greater mRID is the later: so each goes before what its random end runs into.
    drafts = [
        drafted(wish, group.id, mrid=mrid, moment=moment)
        for (group, wish), mrid in zip(new, sorted(maker.mrid() for _ in new), strict=True)
    ]
    await uow.controls.add_controls([replace(one, event_id=event.id, event_version=event.version) for one in drafts])
    await gather(uow, made, program.program)
    await _forget_idle(uow, {group.id for group in groups.values()}, moment)


async def call_off(uow: UnitOfWork, event_id: str, now: datetime) -> None:
    """Its controls stay listed, as cancelled, to their end."""
    moment = int(now.timestamp())
    await _cancel(uow, await _standing(uow, event_id, moment), moment)


def _reason(text: str) -> str:
    """What no device behind OpenADR does, none does here."""
    name, _, _ = text.partition(":")
    return f"{name}: no control of IEEE 2030.5 says it" if base_type(name) in NOT_FOLLOWED else text


async def _standing(uow: UnitOfWork, event_id: str, moment: int) -> list[StoredControl]:
    made = await uow.controls.of_event(event_id)
    return [one for one in made if one.control.cancelled_at is None and one.control.latest_end > moment]


async def _cancel(uow: UnitOfWork, controls: Sequence[StoredControl], moment: int) -> None:
    """2.0b: a cancel's stop is as random as the start."""
    for is_random in (True, False):
        mrids = [one.control.mrid for one in controls if one.control.is_random is is_random]
        await uow.controls.cancel_controls(mrids, moment, randomly=is_random)


async def _group(uow: UnitOfWork, audience: Audience, program: Program, maker: Maker) -> tuple[Group, bool]:
    """Where the audience reads, and whether it is new."""
    for group in await uow.registry.groups():
        if group.audience == audience.text:
            return group, False
    made = Group(id=0, name=audience.name(program), mrid=maker.mrid(), primacy=audience.primacy, audience=audience.text)
    return await uow.registry.add_group(made), True


def wish_of(event: DrEvent, one: Wanted) -> ControlWish:
    """The control as an operator would wish for it."""
    categories = category_hex(one.categories) if one.categories else None
    is_load = one.kind == "EndDeviceControl"
    return ControlWish(
        kind=one.kind,
        members={**one.members, "deviceCategory": categories} if is_load else one.members,
        starts_at=one.starts_at,
        duration_s=one.duration_s,
        randomize_start_s=one.randomize_start_s,
        randomize_duration_s=one.randomize_duration_s,
        response_required=ASKS_FOR_RESPONSES if event.response_required else ASKS_FOR_NONE,
        category=None if is_load else categories,
        description=event.id[:DESCRIPTION_MAX_CHARS],
        version=event.version,
    )


def _is_told_by(control: StoredControl, wish: ControlWish, group: Group) -> bool:
    """Whether the control says just this already. What is cheap to see is looked at first: there may be many."""
    told = control.control
    if (control.group_id, told.start, told.duration_s) != (group.id, wish.starts_at, wish.duration_s):
        return False
    said_before = drafted(
        replace(wish, version=control.event_version), group.id, mrid=control.control.mrid,
        moment=control.control.creation_time,
    )  # fmt: skip
    return control.body == said_before.body


async def _forget_idle(uow: UnitOfWork, used: set[int], moment: int) -> None:
    """Audiences that nothing has been asked of for long, but for the newest."""
    made = [group for group in await uow.registry.groups() if group.audience and group.id not in used]
    ends = await uow.controls.ends([group.id for group in made])
    idle = [group for group in made if ends.get(group.id, 0) + IDLE_S < moment]
    idle.sort(key=lambda group: ends.get(group.id, 0), reverse=True)
    for group in idle[IDLE_AUDIENCES:]:
        await uow.registry.remove_group(group.id)
