"""How pushing goes and whose duty it is, on SQLite and on PostgreSQL."""

from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.model.party import PartyState
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.pushing import PushState, delivered
from tests.vtn.samples import a_party, a_registration

TERM = timedelta(seconds=15)


async def add_parties(store: SqlStore, now: datetime) -> None:
    async with store.unit_of_work() as uow:
        for name, pull, state in (
            ("polls", True, PartyState.APPROVED),
            ("pushed", False, PartyState.APPROVED),
            ("shut-out", False, PartyState.REFUSED),
        ):
            registration = replace(a_registration(now, name), pull=pull, transport_address="https://ven.example/")
            await uow.parties.add(replace(a_party(now, name), state=state, registration=registration))


async def test_only_who_is_approved_and_does_not_poll_is_pushed_to(store: SqlStore, now: datetime) -> None:
    await add_parties(store, now)
    async with store.view() as view:
        assert await view.pushes.party_ids() == ["id-pushed"]
        assert await view.pushes.party_ids({"id-pushed", "id-polls"}) == ["id-pushed"]
        assert await view.pushes.party_ids({"id-polls"}) == []
        assert await view.pushes.party_ids({"id-pushed", *(f"id-{number}" for number in range(600))}) == ["id-pushed"]


async def test_how_it_went_is_kept_replaced_and_forgotten_and_tells_nobody(store: SqlStore, now: datetime) -> None:
    await add_parties(store, now)
    changes = store.changes()
    down = PushState(
        party_id="id-pushed", at=now, outcome="down", failures=3, retry_at=now + TERM, refused="mark"
    )  # fmt: skip
    async with store.unit_of_work() as uow:
        await uow.pushes.save([down, delivered("id-polls", now)])
    async with store.view() as view:
        assert await view.pushes.of_parties(["id-pushed", "nobody"]) == {"id-pushed": down}
    async with store.unit_of_work() as uow:
        await uow.pushes.save([delivered("id-pushed", now)])
        await uow.pushes.forget("id-polls")
    async with store.view() as view:
        assert await view.pushes.of_parties(["id-pushed", "id-polls"]) == {"id-pushed": delivered("id-pushed", now)}
    assert store.changes() == changes


async def test_a_duty_is_one_holders_until_its_term_runs_out(store: SqlStore, now: datetime) -> None:
    async def hold(holder: str, at: datetime, name: str = "push") -> bool:
        async with store.unit_of_work() as uow:
            return await uow.duties.hold(name, holder, now=at, until=at + TERM)

    assert await hold("one", now)
    assert not await hold("two", now)
    assert await hold("two", now, "another duty")
    assert await hold("one", now + TERM / 2), "its term begins anew"
    assert not await hold("two", now + TERM)
    assert await hold("two", now + TERM * 1.5)
    assert not await hold("one", now + TERM * 1.5)


async def test_a_denied_certificate_is_so_for_good_and_ends_are_known(store: SqlStore, now: datetime) -> None:
    await add_parties(store, now)
    async with store.unit_of_work() as uow:
        for name, days in (("pushed", 5), ("polls", 500), ("shut-out", 5)):
            party = await uow.parties.by_id(f"id-{name}")
            assert party is not None
            ends_at = now + timedelta(days=days)
            certificates = tuple(replace(one, ends_at=ends_at) for one in party.certificates)
            await uow.parties.save(replace(party, certificates=certificates))
    async with store.view() as view:
        assert await view.parties.certificates_end(now + timedelta(days=60)) == [now + timedelta(days=5)]
        pushed = await view.parties.by_id("id-pushed")
    assert pushed is not None
    (certificate,) = pushed.certificates
    assert pushed.good_sha256 == {certificate.sha256}
    async with store.unit_of_work() as uow:
        await uow.parties.deny(certificate.sha256, "stolen", now)
        await uow.parties.deny(certificate.sha256, "again", now)
    async with store.view() as view:
        assert await view.parties.is_denied(certificate.sha256)
        assert not await view.parties.is_denied("another")
        assert await view.parties.certificates_end(now + timedelta(days=60)) == []
        (again,) = await view.parties.by_ids(["id-pushed"])
    assert again.good_sha256 == frozenset()


async def test_what_was_pushed_is_sent_and_fetched_at_once(stocked: SqlStore, now: datetime) -> None:
    later = now + timedelta(seconds=5)
    async with stocked.unit_of_work() as uow:
        await uow.deliveries.owe(
            [Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)]
        )
        for at in (now, later):
            await uow.deliveries.mark_pushed("id-ven-one", [("event-1", 0)], at)
    async with stocked.view() as view:
        (row,) = await view.deliveries.of_event("event-1")
    assert (row.notified_at, row.sent_at, row.fetched_at, row.attempts) == (now, later, now, 2)
