"""End devices, and the tree of groups that they are in (CSIP: system, substation, feeder, … service point).

A group is one DERProgram, and one DemandResponseProgram, for all that are in it or below it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from openadr_core.errors import RuleBroken

PRIMACY_MOST = 255
POST_RATE = "EndDevice"
"""What a postRate is called among the rates; the others are pollRates, called as what is polled."""
PRIMACY_DEFAULT = 1
"""A contracted service provider's: of a group whose line says nothing else."""
ASSIGNMENT, ASSIGNMENT_MOST = 1, 99
"""Interpretation: a device has one FunctionSetAssignments, as CSIP's guide says, unless an operator parts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    id: int
    name: str
    mrid: str
    parent_id: int | None = None
    primacy: int | None = None
    """The lower wins. None: as the group above has it."""
    version: int = 0
    """Grows with each change of the group."""
    audience: str = ""
    """Of the bridge from OpenADR: whom it is made of (:mod:`.audience`). Empty: an operator's own."""
    rates: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Seconds between polls, or posts, of the devices in it and below it, by what is polled."""
    assignment: int = ASSIGNMENT
    """The FunctionSetAssignments of a device in which its tree is; what the top group says counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDevice:
    number: int
    """What its address ends in."""
    party_id: str
    """Who answers for it: the party of its certificate, or the aggregator that manages it."""
    lfdi: str
    """40 hex digits, in upper case."""
    sfdi: int
    registered_at: int
    changed_at: int
    category: str = ""
    """deviceCategory, in hex; empty where nobody said."""
    pin: int | None = None
    post_rate_s: int | None = None
    """What its client wished for when it registered itself; None: nothing."""
    enabled: bool = True
    """False: its access has been withdrawn."""
    groups: frozenset[int] = frozenset()
    rates: Mapping[str, int] = field(default_factory=dict, hash=False)
    """The operator's: seconds between its polls, or posts, by what is polled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator:
    """A party that answers for devices without a certificate of their own (an aggregator)."""

    party_id: str
    pen: int
    """Its Private Enterprise Number, in which the LFDIs of its devices end (T9)."""
    domains: tuple[str, ...] = ()
    """Where it may be told of changes (1.6), in small letters; none: wherever the receiver shows who it is."""

    def may_be_told_at(self, host: str) -> bool:
        """Whether the host is in one of its domains, or it has none."""
        names = host.lower().rstrip(".")
        return not self.domains or any(names == one or names.endswith(f".{one}") for one in self.domains)


class Tree:
    """All groups, by their place."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.by_id: Mapping[int, Group] = {group.id: group for group in groups}

    def line(self, group_id: int) -> list[Group]:
        """The group and those above it, the nearest first."""
        found: list[Group] = []
        at: int | None = group_id
        while at is not None and at in self.by_id and self.by_id[at] not in found:
            found.append(self.by_id[at])
            at = self.by_id[at].parent_id
        return found

    def primacy(self, group_id: int) -> int:
        said = (group.primacy for group in self.line(group_id) if group.primacy is not None)
        return next(said, PRIMACY_DEFAULT)

    def rate(self, name: str, groups: Iterable[int]) -> tuple[int, Group] | None:
        """What the groups of a device say of a rate, and which of them does.

        Interpretation: the nearest says it for those below it, and of several that a device lies in the one that
        wants to be asked the most often: nobody then waits for longer than its operator has said.
        """
        lines = (self.line(group_id) for group_id in groups)
        said = (next((group for group in line if name in group.rates), None) for line in lines)
        found = [(group.rates[name], group) for group in said if group is not None]
        return min(found, key=lambda one: (one[0], one[1].id), default=None)

    def programs(self, groups: Iterable[int]) -> list[Group]:
        """Everything that these groups lie in, in the order of DERProgramList: by primacy, then by mRID downwards."""
        found = {group.id: group for group_id in groups for group in self.line(group_id)}
        by_mrid = sorted(found.values(), key=lambda group: group.mrid, reverse=True)
        return sorted(by_mrid, key=lambda group: self.primacy(group.id))

    def assignments(self, groups: Iterable[int]) -> Mapping[int, list[Group]]:
        """The same, by the number of the FunctionSetAssignments that each is in."""
        found: dict[int, list[Group]] = {}
        for group in self.programs(groups):
            found.setdefault(self.line(group.id)[-1].assignment, []).append(group)
        return found

    def check_place(self, group_id: int, parent_id: int | None) -> None:
        """RuleBroken if the group cannot lie there."""
        if parent_id is None:
            return
        if parent_id not in self.by_id:
            raise RuleBroken(f"there is no group {parent_id}")
        if any(group.id == group_id for group in self.line(parent_id)):
            raise RuleBroken("a group cannot lie in itself")


def rate_of(name: str, device: EndDevice, tree: Tree) -> int | None:
    """Seconds: what the operator has said of the device, else of its groups; None if of neither."""
    if name in device.rates:
        return device.rates[name]
    found = tree.rate(name, device.groups)
    return None if found is None else found[0]


def is_managed_by(lfdi: str, aggregator: Aggregator) -> bool:
    """CSIP-AUS (T9): the last eight digits are the aggregator's PEN, in decimal."""
    return lfdi[-8:] == f"{aggregator.pen:08d}"
