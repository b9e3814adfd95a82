"""What owners have agreed to, as columns, and what of it has been used: dispatch keeps to it, whoever asks.

The reserve of a battery, a vehicle's departure and a house's comfort are columns of the fleet itself,
because the physics needs them; an override is telemetry. Here are the terms of the contract.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAY_MINUTES = 1_440
NO_CAP = np.inf
SEASON_ALLOWANCE_S = 60 * 3600.0
"""Where an owner sets none, what counts as all of it when burdens are compared: what emergency programmes allow."""


class Term(StrEnum):
    """Why an owner's device is left alone."""

    CONSENT = "no consent"
    HOURS = "outside the agreed hours"
    STORM = "held for a storm"
    EVENT_CAP = "used long enough in this event"
    SEASON_EVENTS = "used in enough events this season"
    SEASON_HOURS = "used for enough hours this season"
    OPTED_OUT = "opted out"
    """By the fleet's operator, who told its utility so; not a term of the contract, but kept to in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """By row."""

    consent: NDArray[np.bool_]
    storm_hold: NDArray[np.bool_]
    """Its battery stays full for the household while a storm is forecast."""
    from_minute: NDArray[np.uint16]
    """Of the day (UTC), from when on it may be used …"""
    until_minute: NDArray[np.uint16]
    """… to when, exclusive; 0 and 1440 mean always."""
    event_max_s: NDArray[np.float32]
    """In one event; infinite for no cap, here and below."""
    season_max_s: NDArray[np.float32]
    season_events_max: NDArray[np.float32]

    @classmethod
    def none(cls, size: int) -> Self:
        """Everybody agrees to everything."""
        no_cap = np.full(size, NO_CAP, dtype=np.float32)
        return cls(
            consent=np.ones(size, dtype=np.bool_),
            storm_hold=np.zeros(size, dtype=np.bool_),
            from_minute=np.zeros(size, dtype=np.uint16),
            until_minute=np.full(size, DAY_MINUTES, dtype=np.uint16),
            event_max_s=no_cap,
            season_max_s=no_cap,
            season_events_max=no_cap,
        )

    def take(self, rows: ArrayLike | slice) -> Self:
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """What has been asked of each row."""

    season: int
    """Interpretation: a calendar year (UTC). Programmes' seasons are summers, which no year divides."""
    event_id: str
    """The event that ``event_s`` is about."""
    event_s: NDArray[np.float32]
    season_s: NDArray[np.float32]
    season_events: NDArray[np.uint16]

    @classmethod
    def none(cls, size: int, *, season: int) -> Self:
        nothing = np.zeros(size, dtype=np.float32)
        return cls(
            season=season,
            event_id="",
            event_s=nothing,
            season_s=nothing.copy(),
            season_events=np.zeros(size, dtype=np.uint16),
        )

    def counted(self, used: NDArray[np.bool_], seconds: float, *, event_id: str, season: int) -> Self:
        """After these rows were under command for so long. A new event, and a new season, begin at nothing."""
        fresh = self if season == self.season else self.none(used.size, season=season)
        event_s = fresh.event_s if event_id == fresh.event_id else np.zeros_like(fresh.event_s)
        more_s = np.where(used, np.float32(seconds), np.float32(0.0))
        begins = used & (event_s == 0.0) & (seconds > 0.0)
        return replace(
            fresh,
            event_id=event_id,
            event_s=event_s + more_s,
            season_s=fresh.season_s + more_s,
            season_events=fresh.season_events + begins.astype(np.uint16),
        )


def binding(terms: Terms, usage: Usage, *, event_id: str, now_s: float, storm: bool) -> dict[Term, NDArray[np.bool_]]:
    """For each term, the rows that it keeps out of this event now. Terms that keep nobody out are left out."""
    minute = int(now_s // 60) % DAY_MINUTES
    start, end = terms.from_minute, terms.until_minute
    overnight = (minute >= start) | (minute < end)
    inside = np.where(start <= end, (start <= minute) & (minute < end), overnight)
    event_s = usage.event_s if event_id == usage.event_id else np.zeros_like(usage.event_s)
    found = {
        Term.CONSENT: ~terms.consent,
        Term.HOURS: ~inside,
        Term.STORM: terms.storm_hold & storm,
        Term.EVENT_CAP: event_s >= terms.event_max_s,
        # An event that it is in already was counted when it began.
        Term.SEASON_EVENTS: (usage.season_events >= terms.season_events_max) & (event_s == 0.0),
        Term.SEASON_HOURS: usage.season_s >= terms.season_max_s,
    }
    return {term: rows for term, rows in found.items() if rows.any()}


def burden(terms: Terms, usage: Usage) -> NDArray[np.float64]:
    """How much of what an owner allows in a season is used up: 0 for nothing, 1 for all."""
    allowed_s = np.where(np.isfinite(terms.season_max_s), terms.season_max_s, SEASON_ALLOWANCE_S)
    by_time = usage.season_s / np.maximum(allowed_s, 1.0)
    by_count = usage.season_events / np.maximum(terms.season_events_max, 1.0)
    return np.asarray(np.maximum(by_time, by_count), dtype=np.float64)
