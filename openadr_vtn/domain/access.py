"""Who may do what through OpenADR 3 and the operator's API: scopes, the two roles, and the caller who has them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from openadr_core.errors import Forbidden, ScopeMissing

READ_ALL = "read_all"
READ_BL = "read_bl"
READ_TARGETS = "read_targets"
READ_VEN_OBJECTS = "read_ven_objects"
WRITE_PROGRAMS = "write_programs"
WRITE_EVENTS = "write_events"
WRITE_REPORTS = "write_reports"
WRITE_SUBSCRIPTIONS = "write_subscriptions"
WRITE_VENS = "write_vens"
MANAGE_PARTIES = "manage_parties"
REQUEST_REPORTS = "request_reports"
STOP = "stop"


class Role(StrEnum):
    """What a client is to OpenADR 3. It belongs to the client: no request and no scope makes a VEN anything else."""

    BUSINESS = "business"
    VEN = "ven"


SCOPES: Mapping[Role, Mapping[str, str]] = {
    Role.BUSINESS: {
        READ_ALL: "read everything (OpenADR 3)",
        READ_BL: "read where changes are told (OpenADR 3); read_all includes it",
        WRITE_PROGRAMS: "write programs (OpenADR 3)",
        WRITE_EVENTS: "write events (OpenADR 3)",
        WRITE_REPORTS: "write and remove reports (OpenADR 3)",
        WRITE_SUBSCRIPTIONS: "write subscriptions (OpenADR 3)",
        WRITE_VENS: "write vens and resources (OpenADR 3)",
        MANAGE_PARTIES: "approve and refuse parties, replace their certificates",
        REQUEST_REPORTS: "ask parties for reports, and end them",
        STOP: "stop events",
    },
    Role.VEN: {
        READ_TARGETS: "read the programs and events that are for it (OpenADR 3)",
        READ_VEN_OBJECTS: "read its own ven, resources, reports and subscriptions (OpenADR 3)",
        WRITE_REPORTS: "write its reports (OpenADR 3)",
        WRITE_SUBSCRIPTIONS: "write its subscriptions (OpenADR 3)",
        WRITE_VENS: "write its ven and resources (OpenADR 3)",
    },
}
"""What a client of each role can be granted; what the standard has no word for has a scope of its own."""

READS = (READ_BL, READ_TARGETS, READ_VEN_OBJECTS)
"""What ``read_all`` includes."""
SPLIT = (WRITE_REPORTS, WRITE_SUBSCRIPTIONS, WRITE_VENS)
SUFFIXES = {Role.BUSINESS: "_bl", Role.VEN: "_ven"}


def scopes_of(role: Role, words: Iterable[str]) -> tuple[str, ...]:
    """What these words mean for a client of this role; what such a client cannot have is left out.

    A later OpenADR 3 splits three scopes by role (``write_vens_bl``, ``write_vens_ven``): each counts for
    its own role. Interpretation: 3.0.1 knows one scope to read, ``read_all``, and gives it to everybody; for
    a VEN it means the reads that a VEN has.
    """
    said = set(words)
    said |= {scope for scope in SPLIT if scope + SUFFIXES[role] in said}
    if role is Role.VEN and READ_ALL in said:
        said |= set(READS)
    known = SCOPES[role] if role is Role.VEN else dict.fromkeys((*SCOPES[role], *READS))
    return tuple(scope for scope in known if scope in said)


def granted(role: Role, held: Collection[str], asked: Collection[str]) -> tuple[str, ...]:
    """What a client that holds these scopes gets of those it asks for; Forbidden names one it cannot have at all."""
    for word in asked:
        if not within(role, held, [word]):
            raise Forbidden(f"the client lacks the scope {word}")
    return within(role, held, asked)


def within(role: Role, held: Collection[str], words: Iterable[str]) -> tuple[str, ...]:
    """What is left of these words for a client that holds ``held``."""
    return _within(role, tuple(held), tuple(words))


@lru_cache(maxsize=1024)
def _within(role: Role, held: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """Asked for every request, and there are few answers."""
    return tuple(scope for scope in scopes_of(role, words) if scope in held or (READ_ALL in held and scope in READS))


def role_by(words: Iterable[str]) -> Role:
    """The role of a client that only somebody else's identity provider knows, by what it was granted there.

    Interpretation: only business logic is ever given these; who has none of them is treated as a VEN,
    which is the lesser.
    """
    business_alone = SCOPES[Role.BUSINESS].keys() - SCOPES[Role.VEN].keys()
    split = {scope + SUFFIXES[Role.BUSINESS] for scope in SPLIT}
    return Role.VEN if (business_alone | split).isdisjoint(words) else Role.BUSINESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client whose token was found good."""

    client_id: str
    scopes: tuple[str, ...]
    role: Role

    @property
    def is_business(self) -> bool:
        return self.role is Role.BUSINESS

    @property
    def actor(self) -> str:
        return f"client:{self.client_id}"

    def require(self, *any_of: str) -> None:
        """ScopeMissing unless the token has one of these scopes."""
        has = {*self.scopes, *(READS if READ_ALL in self.scopes else ())}
        if has.isdisjoint(any_of):
            raise ScopeMissing(f"the token lacks the scope {' or '.join(any_of)}")
