"""What a party is owed besides events: put into its queue, run, answered, or given up."""

from collections.abc import Callable
from datetime import datetime

from openadr_core.errors import WrongState
from openadr_core.limits import ERRANDS_MAX
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Mailbox
from openadr_vtn.domain.errand import Errand, ErrandKind, answered_errand, heard, sent


async def owe(
    uow: UnitOfWork,
    party_id: str,
    kind: ErrandKind,
    *,
    content: str = "",
    new_id: Callable[[], str],
    now: datetime,
) -> None:
    """Put an errand at the end of the party's queue; the same one twice is one.

    WrongState if the queue is full.
    """
    waiting = await uow.errands.of_parties([party_id])
    if any(errand.kind is kind and errand.content == content for errand in waiting):
        return
    if len(waiting) >= ERRANDS_MAX:
        raise WrongState("too much is waiting for this party already")
    await uow.errands.add(Errand(party_id=party_id, id=new_id(), kind=kind, content=content, made_at=now))


async def run(uow: UnitOfWork, errand: Errand, mailbox: Mailbox, now: datetime) -> Mailbox:
    """It is being told; the mailbox thereafter."""
    await uow.errands.mark_sent(errand, now)
    return mailbox.after_errand(sent(errand, now))


async def drop(uow: UnitOfWork, errand: Errand, mailbox: Mailbox) -> Mailbox:
    """It is given up, or there is nothing left to say; the mailbox thereafter."""
    await uow.errands.remove(errand)
    return mailbox.without_errand(errand)


async def note_heard(uow: UnitOfWork, errand_id: str, mailbox: Mailbox, now: datetime) -> Mailbox:
    """The party has read it for certain, as :func:`.delivery.heard` says of events."""
    errand = next((one for one in mailbox.errands if one.id == errand_id), None)
    if errand is None:
        return mailbox
    await uow.errands.mark_heard(errand, now)
    return mailbox.after_errand(heard(errand, now))


async def forget(uow: UnitOfWork, party_id: str, kind: ErrandKind) -> None:
    """What errands of this kind are for has been done, whether they were run or not."""
    for errand in await uow.errands.of_parties([party_id]):
        if errand.kind is kind:
            await uow.errands.remove(errand)


async def settle(uow: UnitOfWork, party_id: str, kind: ErrandKind, request_id: str) -> Errand | None:
    """The party has answered an errand of this kind: which; None if none waited for an answer."""
    errand = answered_errand(await uow.errands.of_parties([party_id]), kind, request_id)
    if errand is not None:
        await uow.errands.remove(errand)
    return errand
