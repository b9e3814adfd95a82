"""What the VTN stores comes back, on both databases; what was not committed never was."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from openadr_core.errors import ConfigError, Conflict, NotFound, Unavailable
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import PartyState
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, SqlUnitOfWork, open_store
from openadr_vtn.adapters.sql.tables import Row
from openadr_vtn.application.handlers.publication import publish
from openadr_vtn.application.oadr3_ports import EventFilter, Page
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import ApiClient, AuditEntry, SigningKey
from openadr_vtn.domain import delivery as ledger
from openadr_vtn.domain.access import Role
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.errand import Errand, ErrandKind
from tests.vtn.samples import HOUR, a_certificate, a_party, a_program, a_stored_event

SECOND = timedelta(seconds=1)


async def test_models_and_migrations_are_one(empty_url: str) -> None:
    await migrate(empty_url)
    await migrate(empty_url)
    engines = engines_of(empty_url)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    async with engines.reader.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engines.close()


async def test_a_program_comes_back_as_it_was_written(stocked: SqlStore, now: datetime) -> None:
    stored = a_program(now)
    newer = a_program(now + SECOND, number=2)
    async with stocked.unit_of_work() as unit:
        await unit.programs.add(newer)
    async with stocked.view() as view:
        assert await view.programs.by_id("program-1") == stored
        assert await view.programs.by_id("program-9") is None
        assert await view.programs.all() == [newer, stored]


@pytest.mark.parametrize("taken", ["id", "name", "market_context"])
async def test_a_program_takes_its_id_name_and_context_alone(stocked: SqlStore, now: datetime, taken: str) -> None:
    program = a_program(now, number=2).program
    clash = replace(program, **{taken: getattr(a_program(now).program, taken)})
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.programs.add(replace(a_program(now), program=clash))


async def test_a_program_that_is_removed_leaves_its_name_and_its_events(stocked: SqlStore, now: datetime) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.programs.remove("program-1", now)
    with pytest.raises(NotFound):
        async with stocked.unit_of_work() as unit:
            await unit.programs.remove("program-1", now)
    another = replace(a_program(now).program, id="program-9")
    async with stocked.unit_of_work() as unit:
        await unit.programs.add(replace(a_program(now), program=another))
    async with stocked.view() as view:
        assert await view.programs.by_id("program-1") is None
        assert [stored.program.id for stored in await view.programs.all()] == ["program-9"]
        assert await view.events.by_id("event-1") == a_stored_event(now)


async def test_an_event_keeps_every_version(stocked: SqlStore, now: datetime) -> None:
    first = a_stored_event(now)
    second = replace(first, event=replace(first.event, version=1, cancelled_at=now + SECOND), document='{"v": 1}')
    async with stocked.unit_of_work() as unit:
        await unit.events.replace(second)
    async with stocked.view() as view:
        assert await view.events.by_id("event-1") == second
        assert await view.events.by_ids(["event-1", "event-9"]) == [second]
        assert await view.events.versions("event-1") == [first, second]


@pytest.mark.parametrize("version", [0, 2, 7])
async def test_only_the_next_version_replaces_an_event(stocked: SqlStore, now: datetime, version: int) -> None:
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.events.replace(a_stored_event(now, version=version))
    async with stocked.view() as view:
        assert await view.events.versions("event-1") == [a_stored_event(now)]


async def test_an_event_needs_its_program(stocked: SqlStore, now: datetime) -> None:
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.events.add(a_stored_event(now, event_id="event-2", program_id="program-9"))


async def test_current_events_are_those_that_are_not_over(stocked: SqlStore, now: datetime) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="for-ever", duration=None))
        await unit.events.add(a_stored_event(now, event_id="late-start", start_after=HOUR))

    async def current(at: datetime) -> set[str]:
        async with stocked.view() as view:
            return {stored.event.id for stored in await view.events.current(at)}

    assert await current(now) == {"event-1", "for-ever", "late-start"}
    assert await current(now + HOUR) == {"for-ever", "late-start"}
    assert await current(now + 2 * HOUR) == {"for-ever"}


async def test_events_are_listed_by_priority_then_the_newest(stocked: SqlStore, now: datetime) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.programs.add(a_program(now, number=2))
        await unit.events.add(a_stored_event(now, event_id="none", priority=None))
        await unit.events.add(a_stored_event(now, event_id="newer", created_at=now + SECOND))
        await unit.events.add(a_stored_event(now, event_id="highest", priority=0, program_id="program-2"))
    async with stocked.view() as view:
        listed = [stored.event.id for stored in await view.events.page(EventFilter(), Page())]
        assert listed == ["highest", "newer", "event-1", "none"]
        assert [stored.event.id for stored in await view.events.page(EventFilter(), Page(skip=1, limit=2))] == listed[
            1:3
        ]
        of_second = EventFilter(program_id="program-2")
        assert [stored.event.id for stored in await view.events.page(of_second, Page())] == ["highest"]
        assert await view.events.count(of_second) == 1


async def test_a_party_comes_back_with_certificates_and_registration(stocked: SqlStore, now: datetime) -> None:
    one, two = a_party(now), a_party(now + SECOND, "ven-two", registered=False, state=PartyState.PENDING)
    async with stocked.view() as view:
        assert await view.parties.by_certificate(a_certificate(now).sha256) == one
        assert await view.parties.by_id("id-ven-one") == one
        assert await view.parties.by_name("ven-two") == two
        assert await view.parties.by_name("ven-three") is None
        assert one.registration is not None
        assert await view.parties.by_registration(one.registration.registration_id) == one
        assert await view.parties.by_registration("nobody's") is None
        assert await view.parties.by_ids(["id-ven-two", "id-ven-nine"]) == [two]
        assert await view.parties.all() == [one, two]
        assert await view.parties.all(PartyState.PENDING) == [two]
        assert await view.parties.count(PartyState.PENDING) == 1
        assert await view.parties.count(PartyState.REFUSED) == 0


async def test_a_saved_party_replaces_certificates_and_registration(stocked: SqlStore, now: datetime) -> None:
    old, new = a_certificate(now), a_certificate(now + SECOND, "renewed")
    changed = replace(a_party(now), certificates=(new,), registration=None, targets=("zone-b",))
    async with stocked.unit_of_work() as unit:
        await unit.parties.save(changed)
    async with stocked.view() as view:
        assert await view.parties.by_id("id-ven-one") == changed
        assert await view.parties.by_certificate(old.sha256) is None
        assert await view.parties.by_certificate(new.sha256) == changed


async def test_a_certificate_belongs_to_one_party(stocked: SqlStore, now: datetime) -> None:
    thief = a_party(now, "ven-three", registered=False, certificates=(a_certificate(now),))
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.parties.add(thief)
    async with stocked.view() as view:
        assert await view.parties.by_id(thief.id) is None


async def test_last_seen_is_written_in_groups_and_changes_no_rights(stocked: SqlStore, now: datetime) -> None:
    before = stocked.changes()
    async with stocked.unit_of_work() as unit:
        await unit.parties.saw({"id-ven-one": now, "id-ven-two": now})
    async with stocked.unit_of_work() as unit:
        await unit.parties.saw({"id-ven-two": now + SECOND})
    async with stocked.view() as view:
        assert await view.parties.last_seen() == {"id-ven-one": now, "id-ven-two": now + SECOND}
    assert stocked.changes() == before


async def test_owing_twice_changes_nothing_and_saving_does(stocked: SqlStore, now: datetime) -> None:
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    sent = replace(owed, notified_at=now, sent_at=now, attempts=1)
    async with stocked.unit_of_work() as unit:
        await unit.deliveries.owe([owed])
        await unit.deliveries.mark_sent("id-ven-one", [("event-1", 0)], now)
        await unit.deliveries.owe([replace(owed, entitled_at=now + SECOND), replace(owed, party_id="id-ven-two")])
    async with stocked.view() as view:
        assert await view.deliveries.of_parties(["id-ven-one", "id-ven-nine"], ["event-1", "event-9"]) == [sent]
        assert await view.deliveries.of_parties(["id-ven-one"], []) == []
        assert await view.deliveries.of_event("event-1") == [sent, replace(owed, party_id="id-ven-two")]


async def test_marks_add_up_and_the_first_of_each_counts(stocked: SqlStore, now: datetime) -> None:
    """As the pure functions say it; and nobody else's row is touched."""
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    other = replace(owed, party_id="id-ven-two")
    key, expected, firsts = ("event-1", 0), owed, []
    async with stocked.unit_of_work() as unit:
        await unit.deliveries.owe([owed, other])
    for moment in (now, now + SECOND):
        async with stocked.unit_of_work() as unit:
            await unit.deliveries.mark_sent("id-ven-one", [key, ("event-1", 7)], moment)
            await unit.deliveries.mark_fetched("id-ven-one", [key], moment)
            firsts.append(await unit.deliveries.mark_answered("id-ven-one", key, moment + SECOND))
            await unit.deliveries.mark_reported("id-ven-one", [key], moment)
        expected = ledger.reported(
            ledger.answered(ledger.fetched(ledger.sent(expected, moment), moment), moment + SECOND), moment
        )
    assert firsts == [True, False]
    async with stocked.view() as view:
        assert await view.deliveries.of_event("event-1") == [expected, other]


async def test_an_answer_proves_that_the_event_arrived(stocked: SqlStore, now: datetime) -> None:
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    async with stocked.unit_of_work() as unit:
        await unit.deliveries.owe([owed])
        await unit.deliveries.mark_answered("id-ven-one", ("event-1", 0), now + SECOND)
    async with stocked.view() as view:
        assert await view.deliveries.of_event("event-1") == [ledger.answered(owed, now + SECOND)]


async def test_a_cancel_is_owed_to_whoever_holds_the_event_under_its_next_number(
    stocked: SqlStore, now: datetime
) -> None:
    """As ``targeting.dues`` would say it for each of them."""
    held = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    ahead = [replace(held, party_id="id-ven-two", version=number, withdrawn=number == 1) for number in (0, 1, 2)]
    gone = replace(held, party_id="id-ven-nine", version=1, withdrawn=True)
    async with stocked.unit_of_work() as unit:
        await unit.parties.add(a_party(now, "ven-nine"))
        await unit.deliveries.owe([held, *ahead, gone])
    heard: list[frozenset[str] | None] = []
    stocked.subscribe(heard.append)
    async with stocked.unit_of_work() as unit:
        assert await unit.deliveries.owe_cancelled("event-1", 1, now + SECOND) == 2
    async with stocked.view() as view:
        rows = [row for row in await view.deliveries.of_event("event-1") if row.entitled_at > now]
    told = replace(held, version=1, event_version=1, entitled_at=now + SECOND)
    assert rows == [told, replace(told, party_id="id-ven-two", version=3)]
    assert heard == [frozenset({"id-ven-one", "id-ven-two"})]


async def test_answers_that_are_owed_are_counted(stocked: SqlStore, now: datetime) -> None:
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="event-2", duration=None))
        for row in (owed, replace(owed, party_id="id-ven-two"), replace(owed, event_id="event-2")):
            await unit.deliveries.owe([row])
        # Of a version that was replaced, no answer is waited for.
        before = await unit.events.by_id("event-2")
        assert before is not None
        await unit.events.replace(replace(before, event=replace(before.event, version=1)))
        assert await unit.deliveries.count_unanswered(now) == 2
        await unit.deliveries.mark_answered("id-ven-two", ("event-1", 0), now)
        assert await unit.deliveries.count_unanswered(now) == 1
        assert await unit.deliveries.count_unanswered(now + 2 * HOUR) == 0


async def test_errands_are_a_queue_until_they_are_removed(stocked: SqlStore, now: datetime) -> None:
    first = Errand(party_id="id-ven-one", id="e1", kind=ErrandKind.REGISTER_REPORT, made_at=now, content='{"n": "ß"}')
    second, others = replace(first, id="e0", content=""), replace(first, id="e2", party_id="id-ven-two")
    async with stocked.unit_of_work() as unit:
        for errand in (first, second, others):
            await unit.errands.add(errand)
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.errands.add(first)
    changes = stocked.changes()
    async with stocked.unit_of_work() as unit:
        await unit.errands.mark_sent(second, now)
        await unit.errands.mark_sent(second, now + SECOND)
        await unit.errands.mark_heard(second, now + SECOND)
        await unit.errands.mark_heard(second, now + 2 * SECOND)
    assert stocked.changes() == changes
    told = replace(second, sent_at=now + SECOND, attempts=2, heard_at=now + SECOND)
    async with stocked.view() as view:
        assert await view.errands.of_parties(["id-ven-two", "id-ven-one"]) == [first, told, others]
    async with stocked.unit_of_work() as unit:
        await unit.errands.remove(first)
        await unit.errands.remove(first)
    async with stocked.view() as view:
        assert await view.errands.of_parties(["id-ven-one"]) == [told]
    async with stocked.unit_of_work() as unit:
        await unit.errands.clear("id-ven-one")
    async with stocked.view() as view:
        assert await view.errands.of_parties(["id-ven-one", "id-ven-two"]) == [others]
    assert stocked.changes() > changes


async def test_every_opt_is_kept_and_the_latest_known(stocked: SqlStore, now: datetime) -> None:
    yes = Opt(event_id="event-1", version=0, opt_type=OptType.IN, at=now)
    no = Opt(event_id="event-1", version=0, opt_type=OptType.OUT, at=now + SECOND, reason="tired", code="469")
    async with stocked.unit_of_work() as unit:
        await unit.opts.add("id-ven-one", yes)
        await unit.opts.add("id-ven-two", yes)
        await unit.opts.add("id-ven-one", no)
    async with stocked.view() as view:
        assert await view.opts.latest("event-1") == {"id-ven-one": no, "id-ven-two": yes}
        assert await view.opts.newest("id-ven-one", "event-1", 0) == no
        assert await view.opts.newest("id-ven-one", "event-1", 1) is None
        assert await view.opts.history("event-1") == [("id-ven-one", yes), ("id-ven-two", yes), ("id-ven-one", no)]


async def test_open_events_are_shown_first_and_the_newest_of_each(stocked: SqlStore, now: datetime) -> None:
    later = now + 2 * HOUR
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="open", starts_at=later, priority=None))
        await unit.events.add(a_stored_event(now, event_id="opener", starts_at=later, created_at=now + SECOND))
        await unit.events.add(a_stored_event(now, event_id="stopped", priority=0, cancelled_at=now))
    async with stocked.view() as view:
        listed = [stored.event.id for stored in await view.events.open_first(later)]
        assert listed[:2] == ["opener", "open"]
        assert set(listed[2:]) == {"event-1", "stopped"}
        assert [one.event.id for one in await view.events.open_first(later, skip=1, limit=1)] == ["open"]


async def test_a_new_wording_is_no_new_version(stocked: SqlStore, now: datetime) -> None:
    first = a_stored_event(now)
    reworded = replace(first, event=replace(first.event, modified_at=now + SECOND), document='{"v": "said otherwise"}')
    async with stocked.unit_of_work() as unit:
        await unit.events.reword(reworded)
    async with stocked.view() as view:
        assert await view.events.by_id("event-1") == reworded
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.events.reword(replace(reworded, event=replace(reworded.event, version=4)))


async def test_clients_keys_receipts_and_audit(store: SqlStore, now: datetime) -> None:
    client = ApiClient(
        client_id="bl", name="console", role=Role.BUSINESS, secret_hash="h", scopes=("read_all",), created_at=now,  # noqa: S106
    )  # fmt: skip
    keys = [SigningKey(id="old", pem="p", created_at=now), SigningKey(id="new", pem="q", created_at=now + SECOND)]
    entries = [AuditEntry(at=now, actor="client:bl", action=action, subject="x") for action in ("one", "two", "three")]
    async with store.unit_of_work() as unit:
        await unit.clients.add(client)
        await unit.receipts.add("client:bl", "key", "answer", now)
        for key in keys:
            await unit.keys.add(key)
        for entry in entries:
            await unit.audit.append(entry)
    async with store.view() as view:
        assert await view.clients.by_id("bl") == client
        assert await view.clients.all() == [client]
        assert await view.keys.all() == keys[::-1]
        assert await view.receipts.by_key("client:bl", "key") == "answer"
        assert await view.receipts.by_key("client:other", "key") is None
        assert await view.audit.newest(2) == entries[:0:-1]
        assert await view.audit.of_subject(entries[0].subject, entries[0].action) == [
            entry for entry in entries if (entry.subject, entry.action) == (entries[0].subject, entries[0].action)
        ]
    with pytest.raises(Conflict):
        async with store.unit_of_work() as unit:
            await unit.receipts.add("client:bl", "key", "another", now)
    async with store.unit_of_work() as unit:
        await unit.clients.remove("bl")
        await unit.keys.remove("old")
    async with store.view() as view:
        assert await view.clients.by_id("bl") is None
        assert await view.keys.all() == keys[1:]


async def test_a_certificate_is_one_clients_alone(store: SqlStore, now: datetime) -> None:
    tied = ApiClient(
        client_id="ven", name="ven", role=Role.VEN, secret_hash="", scopes=("read_targets",), created_at=now,
        certificate_sha256="ab" * 32,
    )  # fmt: skip
    free = replace(tied, client_id="other", certificate_sha256=None, secret_hash="new", previous_secret_hash="old")  # noqa: S106
    async with store.unit_of_work() as unit:
        await unit.clients.add(tied)
        await unit.clients.add(free)
    rotated = replace(free, secret_hash="newest", previous_secret_hash="new", previous_until=now + HOUR)  # noqa: S106
    async with store.unit_of_work() as unit:
        await unit.clients.update(rotated)
    async with store.view() as view:
        assert await view.clients.by_id("ven") == tied
        assert await view.clients.by_id("other") == rotated
    with pytest.raises(Conflict):
        async with store.unit_of_work() as unit:
            await unit.clients.update(replace(free, certificate_sha256="ab" * 32))
    with pytest.raises(NotFound):
        async with store.unit_of_work() as unit:
            await unit.clients.update(replace(free, client_id="nobody"))


async def test_a_failed_unit_of_work_leaves_nothing_and_tells_nobody(stocked: SqlStore, now: datetime) -> None:
    heard: list[frozenset[str] | None] = []
    stocked.subscribe(heard.append)
    with pytest.raises(NotFound):  # noqa: PT012  # what is written before the failure is the point
        async with stocked.unit_of_work() as unit:
            await unit.parties.add(a_party(now, "ven-three"))
            await unit.programs.remove("program-9", now)
    async with stocked.view() as view:
        assert len(await view.parties.all()) == 2
    assert heard == []


async def test_a_commit_tells_whom_it_concerns(stocked: SqlStore, now: datetime) -> None:
    heard: list[frozenset[str] | None] = []
    stocked.subscribe(heard.append)
    before = stocked.changes()
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    async with stocked.unit_of_work() as unit:
        await unit.deliveries.owe([owed, replace(owed, party_id="id-ven-two")])
    assert heard == [frozenset({"id-ven-one", "id-ven-two"})]
    assert stocked.changes() == before + 1


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_another_process_on_postgresql_hears_of_a_commit(url: str, stocked: SqlStore, now: datetime) -> None:
    other = await open_store(url)
    heard: asyncio.Queue[frozenset[str] | None] = asyncio.Queue()
    other.subscribe(heard.put_nowait)
    async with stocked.unit_of_work() as unit:
        await unit.parties.add(a_party(now, "ven-three"))
    assert await asyncio.wait_for(heard.get(), 5) == frozenset({"id-ven-three"})
    await other.close()


async def test_a_view_waits_for_no_writer(stocked: SqlStore) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.parties.by_id("id-ven-one")
        async with asyncio.timeout(5), stocked.view() as view:
            assert await view.parties.by_id("id-ven-one") is not None


async def test_writers_do_not_lose_each_others_work(stocked: SqlStore) -> None:
    async def add_target(name: str) -> None:
        async with stocked.unit_of_work() as unit:
            party = await unit.parties.by_id("id-ven-one")
            assert party is not None
            await asyncio.sleep(0)
            await unit.parties.save(replace(party, targets=(*party.targets, name)))

    await asyncio.gather(*(add_target(f"t{number}") for number in range(8)))
    async with stocked.view() as view:
        party = await view.parties.by_id("id-ven-one")
    assert party is not None
    assert set(party.targets) == {"zone-a", *(f"t{number}" for number in range(8))}


@pytest.mark.parametrize("event_first", [True, False])
async def test_a_party_let_in_while_an_event_is_written_is_owed_it(
    stocked: SqlStore, now: datetime, event_first: bool
) -> None:
    """Each of the two writes what the other reads, and neither has committed when the other begins."""
    may_end = asyncio.Event()
    newcomer, stored = a_party(now, "ven-three"), a_stored_event(now, event_id="event-2")

    async def write_event(unit: SqlUnitOfWork) -> None:
        await unit.events.add(stored)
        await publish(unit, stored.event, a_program(now).program, now)

    async def let_in(unit: SqlUnitOfWork) -> None:
        await unit.parties.add(newcomer)
        await owe_current(unit, newcomer, now)

    first, second = (write_event, let_in) if event_first else (let_in, write_event)

    async def in_one(step: Callable[[SqlUnitOfWork], Awaitable[None]], done: asyncio.Event) -> None:
        async with stocked.unit_of_work() as unit:
            await step(unit)
            done.set()
            await may_end.wait()

    done, late = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(in_one(first, done))
        await done.wait()
        tasks.create_task(in_one(second, late))
        with suppress(TimeoutError):
            await asyncio.wait_for(late.wait(), 0.3)
        may_end.set()
    async with stocked.view() as view:
        owed = {row.party_id for row in await view.deliveries.of_event("event-2")}
    assert owed == {"id-ven-one", "id-ven-three"}


@pytest.mark.parametrize(
    "wrong",
    ["", "vtn.db", "sqlite://", "sqlite:///", "sqlite:////nowhere/at/all/vtn.db", "mysql://localhost/x", "postgres"],
)
def test_a_wrong_url_names_the_setting(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        engines_of(wrong)


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await open_store("postgresql://nobody@127.0.0.1:9/none")
