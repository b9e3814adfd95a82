"""A dry run: whom an event would reach, and with how much power behind them. Nothing is written."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.report import Measurand
from openadr_core.oadr3.messages import EventRequest
from openadr_vtn.application.handlers.events import drafted
from openadr_vtn.application.ports import Store, StoredEvent
from openadr_vtn.application.sep2_reach import reach_of
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.domain.targeting import Listeners, is_owed

POLLS_MISSED = 3
"""So many poll intervals without a word, and a party is offline."""
SILENT_LEAST = timedelta(minutes=1)
AVAILABLE_SINCE = timedelta(hours=1)
"""What a party said longer ago of what it could give is not counted."""
KILO = 1000.0
EXPORT, CONSUMPTION = "MAX_POWER_EXPORT", "MAX_POWER_CONSUMPTION"
"""Attributes of a ven (OpenADR 3.1), in kW."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    party: Party
    last_seen_at: datetime | None
    is_offline: bool
    enrolled_w: float | None
    """As the operator wrote it down; else what the ven says of itself."""
    available_w: float | None
    """The relief that it said it could give, of late."""
    devices: int
    """How many of IEEE 2030.5 would be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    event: DrEvent
    program_name: str
    reached: tuple[Reached, ...]
    """By name."""
    not_told_to_devices: tuple[str, ...]
    """Why devices of IEEE 2030.5 would not be told some of it."""


async def preview_event(store: Store, request: EventRequest, *, rails: GuardRails, now: datetime) -> Preview:
    """What ``create_event`` would do; it fails as that would."""
    async with store.view() as view:
        event, program = await drafted(view, request, event_id="preview", rails=rails, now=now)
        last_seen = await view.parties.last_seen()
        available = await view.reports.newest_of(Measurand.UP_REGULATION, now - AVAILABLE_SINCE)
        reach = await reach_of(view, StoredEvent(event=event, document=request.document), program)
        listeners = Listeners(speakers=reach.speakers, hearing=frozenset(reach.devices))
        every = await view.parties.all()
        parties = [party for party in every if is_owed(event, program.program, party, listeners)]
    return Preview(
        event=event,
        program_name=program.program.name,
        reached=tuple(
            Reached(
                party=party,
                last_seen_at=last_seen.get(party.id),
                is_offline=_is_offline(party, last_seen.get(party.id), now),
                enrolled_w=party.enrolled_w if party.enrolled_w is not None else _says_of_itself(party),
                available_w=available.get(party.id),
                devices=reach.devices.get(party.id, 0),
            )
            for party in sorted(parties, key=lambda party: party.name)
        ),
        not_told_to_devices=reach.not_told,
    )


def _is_offline(party: Party, last_seen_at: datetime | None, now: datetime) -> bool:
    """Interpretation: who is pushed to speaks seldom, and is only offline if it has never been heard."""
    if last_seen_at is None:
        return True
    if party.registration is not None and not party.registration.pull:
        return False
    return now - last_seen_at > max(party.poll_interval * POLLS_MISSED, SILENT_LEAST)


def _says_of_itself(party: Party) -> float | None:
    """Export and consumption are both power that an event can count on."""
    said = [
        float(attribute["values"][0])
        for attribute in json.loads(party.document).get("attributes") or []
        if attribute.get("type") in {EXPORT, CONSUMPTION} and _is_number(attribute.get("values"))
    ]
    return sum(said) * KILO if said else None


def _is_number(values: object) -> bool:
    return isinstance(values, list) and bool(values) and isinstance(values[0], int | float) and values[0] >= 0
