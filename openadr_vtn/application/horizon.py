"""When the next event transpires: until then, a list of those that have not stays as it is."""

from datetime import datetime

from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.ports import Store

EVENTS = (ObjectKind.EVENT,)


class Horizon:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[str, datetime | None] | None = None

    async def next_over_at(self, now: datetime) -> datetime | None:
        """Read once for each state of the events, and again when that moment has come; None: never."""
        revision = self._store.revision(EVENTS)
        if self._known is not None and self._known[0] == revision:
            moment = self._known[1]
            if moment is None or now < moment:
                return moment
        async with self._store.view() as view:
            moment = await view.events.next_over_at(now)
        self._known = (revision, moment)
        return moment
