"""What parties measure: which reports to ask for, what they say, and which are late or missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.report import ReportOffer, ReportRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedReport:
    """A party's offer, with what turns the numbers of its wire into watts."""

    offer: ReportOffer
    factors: Mapping[str, float]
    """By rID. A point that is missing here is in a unit that is not power: it is not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedReport:
    """A report that was asked of a party, and how it comes in."""

    request: ReportRequest
    confirmed_at: datetime | None = None
    """When the party listed it as pending."""
    received_at: datetime | None = None
    """When data last arrived for it."""
    covered_until: datetime | None = None
    """The end of the newest interval that arrived."""
