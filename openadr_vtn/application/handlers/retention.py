"""What was measured is kept for as long as the settings say, so that the store does not grow for ever."""

from datetime import datetime, timedelta

from openadr_vtn.application.ports import Store

REQUESTS_KEPT = timedelta(days=7)
"""For how long an operator sees what became of a report that ended."""


async def forget_reports(store: Store, now: datetime, *, keep: timedelta) -> None:
    """Drop what is older, in one short transaction for each party: none of them waits for another's."""
    async with store.view() as view:
        party_ids = [party.id for party in await view.parties.all()]
    for party_id in party_ids:
        async with store.unit_of_work() as uow:
            await uow.reports.forget_data(party_id, now - keep)
            await uow.reports.forget_requests(party_id, now - REQUESTS_KEPT)
    async with store.unit_of_work() as uow:
        await uow.report_objects.forget(now - keep)
