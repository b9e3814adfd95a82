"""Which targets our ven was granted, and which only one of its resources: those are for that part alone (R5.3).

Interpretation: 3.1 shows a ven what is for any of its resources, under names that business logic gives; it does not say
what the ven makes of it. What was granted to a resource alone is for its devices alone. The ven's own targets, and
names of which nothing is known, mean all of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Response
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_ven.protocols.oadr3.answers import said_by
from openadr_ven.protocols.oadr3.lists import Pass

NOT_SHOWN = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""A token that may not read its own objects: then nothing is known of grants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    ven: frozenset[str] = frozenset()
    by_target: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The resources that a target was granted to, by their names."""

    def aimed(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """The same targets, with resources in place of what was granted to them alone."""
        found: list[Target] = []
        for target in targets:
            resources = self.by_target.get(target.name, frozenset()) if self._is_plain(target) else frozenset()
            found += [Target(kind=TargetKind.RESOURCE, name=name) for name in sorted(resources)] or [target]
        return tuple(dict.fromkeys(found))

    def _is_plain(self, target: Target) -> bool:
        return target.kind is TargetKind.NAME and target.name not in self.ven


class GrantReading:
    """Our ven and its resources as the VTN lists them, read again whenever something may have changed."""

    def __init__(self) -> None:
        self._passes = (Pass("/vens"), Pass("/resources"))
        self._place = 0
        self.grants = Grants()
        self.has_changed = False
        """Since the events were last read by them."""
        self.is_due = True
        """Somebody said that something has changed, or we have just started."""
        self.is_fresh = False
        """Read since the lists were begun."""

    @property
    def pages(self) -> Pass:
        return self._passes[self._place]

    def begin(self) -> None:
        self._place = 0
        for one in self._passes:
            one.begin()

    def receive(self, response: Response, ven_id: str) -> bool:
        """Whether all is read; MalformedMessage if the answer is of no use."""
        pages = self.pages
        if response.status in NOT_SHOWN:
            complete = True
        elif response.status == HTTPStatus.NOT_MODIFIED:
            complete = pages.unchanged()
        elif response.status == HTTPStatus.OK:
            complete = pages.took(response.body, response.headers.get("etag", ""))
        else:
            raise MalformedMessage(said_by(response))
        if complete and self._place + 1 < len(self._passes):
            self._place += 1
            return False
        if complete:
            self._settle(ven_id)
        return complete

    def _settle(self, ven_id: str) -> None:
        vens, resources = (pages.found for pages in self._passes)
        found = Grants(ven=_granted(vens, ven_id), by_target=_by_target(resources, ven_id))
        self.has_changed = self.has_changed or found != self.grants
        self.grants, self.is_due, self.is_fresh = found, False, True


def _granted(vens: Iterable[str], ven_id: str) -> frozenset[str]:
    objects = (Fields.of(parse_object(text.encode())[0], "") for text in vens)
    return frozenset(name for one in objects if one.members.get("id") == ven_id for name in one.names("targets"))


def _by_target(resources: Iterable[str], ven_id: str) -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for text in resources:
        one = Fields.of(parse_object(text.encode())[0], "")
        if one.members.get("venID") == ven_id:
            for target in one.names("targets"):
                found[target].add(one.required("resourceName", one.name))
    return {target: frozenset(names) for target, names in found.items()}
