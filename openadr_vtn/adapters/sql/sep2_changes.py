"""Where it is written down that a resource of IEEE 2030.5 changed: below every repository that changes one.

Part of the transaction that changes it, and one row however many hear of it: subscribers are looked
for afterwards. What nobody has subscribed to leaves no row.
"""

from collections.abc import Collection

from sqlalchemy import Select, insert, literal, select

from openadr_vtn.adapters.sql import sep2_tables, tables
from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.domain.sep2.subscribing import OF_DEVICES, OF_GROUPS

CHANGE = tables.table_of(sep2_tables.ChangeRow)
SUBSCRIPTION = tables.table_of(sep2_tables.SubscriptionRow)

HELD = "/edev/#/sub"
"""As the kind of a change: what is told under the subscriptions that a device holds."""
PROGRAM_LISTS = frozenset({"/edev/#/fsa", "/edev/#/fsa/#/derp", "/edev/#/fsa/#/dr"})
"""What tells of the groups that a device lies in."""


class ChangingRepository(Repository):
    async def _tell(self, kind: str, about: int = 0, party_id: str = "") -> None:
        """This one resource has changed; of a party's own list, for that party alone."""
        if kind == HELD:
            there = select(SUBSCRIPTION.c.id).where(SUBSCRIPTION.c.holder == about)
        else:
            there = select(SUBSCRIPTION.c.id).where(SUBSCRIPTION.c.kind == kind, SUBSCRIPTION.c.about == about)
        await self._note(select(literal(kind), literal(about), literal(party_id)).where(there.exists()))

    async def _tell_kinds(self, kinds: Collection[str], numbers: Select[int] | Collection[int] | None = None) -> None:
        """All resources of these kinds, or those about these devices (their numbers, or a query that finds them)."""
        found = select(SUBSCRIPTION.c.kind, SUBSCRIPTION.c.about, literal("")).distinct()
        found = found.where(SUBSCRIPTION.c.kind.in_(sorted(kinds)))
        await self._note(found if numbers is None else found.where(SUBSCRIPTION.c.about.in_(numbers)))

    async def _tell_parties(self, kind: str, party_ids: Select[str]) -> None:
        """A list of which each of these parties has its own."""
        mine = (SUBSCRIPTION.c.kind == kind) & SUBSCRIPTION.c.party_id.in_(party_ids)
        await self._note(
            select(SUBSCRIPTION.c.kind, SUBSCRIPTION.c.about, SUBSCRIPTION.c.party_id).distinct().where(mine)
        )

    async def _device_changed(self, number: int, party_id: str) -> None:
        await self._tell("/edev", party_id=party_id)
        await self._tell("/edev/#", number)

    async def _device_removed(self, number: int, party_id: str) -> None:
        await self._tell("/edev", party_id=party_id)
        await self._tell(HELD, number)
        for kind in sorted(OF_DEVICES):
            await self._tell(kind, number)

    async def _group_removed(self, group_id: int) -> None:
        for kind in sorted(OF_GROUPS):
            await self._tell(kind, group_id)

    async def _note(self, found: Select[str, int, str]) -> None:
        if await self._run(insert(CHANGE).from_select(["kind", "about", "party_id"], found)):
            self._concerned.groups.add(0)  # who sends notifications is to look
