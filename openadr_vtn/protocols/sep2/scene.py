"""What a resource is given when it is asked for something."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lxml import etree

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.identity import Peer
from openadr_core.model.party import Party
from openadr_core.sep2.base import Link, ListLink
from openadr_core.sep2.decode import read
from openadr_core.sep2.mrid import PenForm
from openadr_core.sep2.names import CsipAus
from openadr_core.xml.parse import parse
from openadr_core.xml.validate import Schema
from openadr_vtn.application.lab_clock import TRUE_TIME, LabClock
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.sep2.rates import DEFAULT_S
from openadr_vtn.domain.sep2.registry import POST_RATE, EndDevice, Tree, rate_of
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, HttpRefusal, Query, Reply, check_content_type

T = TypeVar("T")
M = TypeVar("M")

PAGE_MAX = 500
POSTED_LISTS = frozenset({"MirrorMeterReadingList"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What a client speaks, by the address that it was given."""

    prefix: str
    """What our addresses begin with: empty, or ``/`` and a name."""
    csipaus: CsipAus | None
    """None: CSIP, without the Australian elements."""
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Sep2Desk:
    """What all clients of one server share."""

    own: Peer
    """Ourselves, by the certificate that clients see."""
    speeches: Sequence[Speech]
    """The one without a prefix last."""
    pen: int
    """Ours, in mRIDs that we make."""
    pen_form: PenForm
    time_quality: int
    """Time.quality: 3 for a clock that follows NTP, 7 for one that somebody sets."""
    time_zone: Callable[[int], tuple[int, int, int, int]]
    """At a moment: tzOffset, dstOffset, dstStartTime, dstEndTime, in seconds."""
    shows_registration: bool = True
    """Whether a device sees its PIN; some utilities send it by other ways alone."""
    in_band: bool = True
    """Whether clients may register devices themselves."""
    lab: LabClock = TRUE_TIME
    guard_uri: Callable[[str], None]
    """Forbidden for an address that notifications must not be sent to."""


@dataclass(slots=True, kw_only=True)
class Scene:
    uow: UnitOfWork
    desk: Sep2Desk
    speech: Speech
    party: Party
    peer: Peer
    now: int
    query: Query
    body: bytes = b""
    content_type: str = ""
    rates: Mapping[str, int]
    look: "Callable[[Scene, str], Awaitable[Reply]]"
    """What is at an address of ours (without a prefix), for the one who asks in this scene."""
    programs: frozenset[int] | None = None
    """The groups that the party's devices lie in, with all above them; None until somebody asks."""
    groups: Tree | None = None
    """All that there are; None until somebody asks."""

    def href(self, path: str) -> str:
        return f"{self.speech.prefix}{path}"

    def link(self, path: str) -> Link:
        return Link(href=self.href(path))

    def list_link(self, path: str, count: int) -> ListLink:
        return ListLink(href=self.href(path), all=count)

    def common_rate(self, name: str) -> int:
        """Seconds between polls of it (pollRate), whoever polls."""
        return self.rates.get(name, DEFAULT_S)

    async def rate(self, name: str, device: EndDevice | None) -> int:
        """Seconds between its polls (pollRate), or its posts (postRate).

        The operator's word for the device goes first, then that for its groups, then, of posts, its client's wish,
        then what is for everybody.
        """
        said = None if device is None else rate_of(name, device, await self.tree())
        if said is None and device is not None and name == POST_RATE:
            said = device.post_rate_s
        return self.common_rate(name) if said is None else said

    async def own_rate(self, name: str, read: Iterable[EndDevice] = ()) -> int:
        """Of what is read under no device: that of the one whose certificate asks. It may be among those just read."""
        own = next((one for one in read if self.is_own(one)), None)
        if own is None:
            own = await self.uow.registry.device_by_lfdi(self.peer.lfdi)
        return await self.rate(name, own if own is not None and own.party_id == self.party.id else None)

    def page(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.query.start : self.query.start + min(self.query.limit, PAGE_MAX)]

    def message(self, kind: type[M]) -> M:
        """What was sent, if it is such a message; else a refusal that says why."""
        check_content_type(self.content_type)
        try:
            root = _counted(parse(self.body))
            self.speech.schema.validate(root)
            found: Any = read(root)
        except (MalformedMessage, SchemaViolation):
            raise HttpRefusal(400, reason=ErrorReason.BAD_FORMAT) from None
        if not isinstance(found, kind):
            raise HttpRefusal(400, reason=ErrorReason.BAD_FORMAT)
        return found

    async def device(self, number: str) -> EndDevice:
        """One that this party answers for; 404 for any other: who else is there is nobody's business."""
        found = await self.uow.registry.device(int(number))
        if found is None or found.party_id != self.party.id or not found.enabled:
            raise HttpRefusal(404)
        return found

    def is_own(self, device: EndDevice) -> bool:
        """Whether it is the device of this very certificate, and not one that it manages."""
        return device.lfdi == self.peer.lfdi

    async def tree(self) -> Tree:
        if self.groups is None:
            self.groups = Tree(await self.uow.registry.groups())
        return self.groups

    async def its_programs(self) -> frozenset[int]:
        if self.programs is None:
            mine = await self.uow.registry.groups_of(self.party.id)
            self.programs = frozenset(group.id for group in (await self.tree()).programs(mine))
        return self.programs

    async def check_member(self, group_id: int) -> None:
        """404 unless one of the party's devices lies in the group."""
        if group_id not in await self.its_programs():
            raise HttpRefusal(404)


def _counted(root: etree._Element) -> etree._Element:
    """Interpretation: a list that is posted need not say how long it is.

    The schema demands ``all`` and ``results`` of every List, and says that the first is for answers to GET; the test
    client of CSIP-AUS leaves out both.
    """
    if etree.QName(root).localname in POSTED_LISTS:
        for name in ("all", "results"):
            if name not in root.attrib:
                root.set(name, str(len(root)))
    return root
