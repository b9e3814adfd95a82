"""Whom of IEEE 2030.5 an event of OpenADR is for: the devices, and the group that they read its controls in.

An audience lasts: events of one program, for the same targets and of the same priority, are read in one DERProgram,
so that a later one supersedes an earlier one, and who follows its lists follows them all.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party, PartyState
from openadr_core.model.program import Program
from openadr_core.model.target import WHOLE_PARTY, Target, TargetKind
from openadr_vtn.domain.sep2.registry import EndDevice

PRIMACY_FIRST = 65
PRIMACY_LAST = 191
"""Primacies from 65 to 191 are the user's own (PrimacyType); below stand the operator's groups, by default."""
NAME_MAX_CHARS = 18
"""A description has 32 bytes, and the rest of a name says which audience it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    program_id: str
    primacy: int
    targets: tuple[Target, ...]
    """Without device classes, which a control says itself."""
    in_all: bool
    """What is asked is for all that a party has, so that one device of it is told."""

    @property
    def text(self) -> str:
        targets = [[target.kind.value, target.name] for target in self.targets]
        return json.dumps([self.program_id, self.primacy, targets, self.in_all])

    @classmethod
    def of_text(cls, text: str) -> "Audience":
        program_id, primacy, targets, in_all = json.loads(text)
        return cls(
            program_id=program_id,
            primacy=primacy,
            targets=tuple(Target(kind=TargetKind(kind), name=name) for kind, name in targets),
            in_all=in_all,
        )

    def name(self, program: Program) -> str:
        """For people, and no other audience's; it can stand in an address."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return f"{program.name[:NAME_MAX_CHARS].replace('/', '-')}.{self.primacy}.{digest[:8]}"


def audience_of(event: DrEvent, *, in_all: bool) -> Audience:
    parts = {target for target in event.targets if target.kind is not TargetKind.DEVICE_CLASS}
    return Audience(
        program_id=event.program_id,
        primacy=primacy_of(event.priority),
        targets=tuple(sorted(parts, key=lambda target: (target.kind.value, target.name))),
        in_all=in_all,
    )


def primacy_of(priority: int | None) -> int:
    """The lower wins, as with priorities. Interpretation: those beyond 126 are one, and so is none at all."""
    if priority is None:
        return PRIMACY_LAST
    return min(PRIMACY_FIRST + priority, PRIMACY_LAST)


def hears(audience: Audience, program: Program, party: Party, device: EndDevice, groups: Collection[str]) -> bool:
    """Whether this device of the party is to read the audience's controls; ``groups`` are the names of its groups.

    A device is addressed as its party is, and besides by its LFDI and by the operator's groups that it lies in. What
    is asked of a party in all is for the device of its own certificate, which speaks for the others, or for each
    that the event names.
    """
    if party.state is not PartyState.APPROVED:
        return False
    own = {device.lfdi, *groups}
    names = own | party.own_names | set(party.targets)
    if program.targets and names.isdisjoint(program.targets):
        return False
    whole = [target for target in audience.targets if target.kind in WHOLE_PARTY]
    parts = [target for target in audience.targets if target.kind not in WHOLE_PARTY]
    if whole and not any(target.name in (names if target.kind is TargetKind.NAME else {party.id}) for target in whole):
        return False
    if parts and own.union(party.targets).isdisjoint(target.name for target in parts):
        return False
    if not audience.in_all:
        return True
    named = not own.isdisjoint(target.name for target in audience.targets)
    return named or any(certificate.lfdi == device.lfdi for certificate in party.certificates)
