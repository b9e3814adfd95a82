"""Objects of OpenADR 3.1 on both databases: clients, resources, reports, and what is found by targets."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import Conflict, NotFound
from openadr_core.model.party import PartyState
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.oadr3_ports import (
    EventFilter,
    Page,
    ProgramFilter,
    ReportFilter,
    ResourceFilter,
    StoredReport,
    StoredResource,
    VenFilter,
)
from openadr_vtn.domain.fan_out import EVERYBODY
from openadr_vtn.domain.targeting import dues
from tests.vtn.samples import HOUR, a_party, a_program, a_stored_event

SECOND = timedelta(seconds=1)
VEN = "id-ven-one"


def a_resource(now: datetime, name: str = "battery", **changes: object) -> StoredResource:
    stored = StoredResource(
        id=f"r-{name}", party_id=VEN, name=name, document='{"n": 1.50}', created_at=now, modified_at=now
    )
    return replace(stored, **changes)  # type: ignore[arg-type]


def a_report(now: datetime, report_id: str = "report-1", **changes: object) -> StoredReport:
    stored = StoredReport(
        id=report_id, event_id="event-1", client_id="client-one", party_id=VEN, client_name="ven-one",
        document='{"n": 1.50}', created_at=now, modified_at=now,
    )  # fmt: skip
    return replace(stored, **changes)  # type: ignore[arg-type]


async def test_a_party_is_one_client(stocked: SqlStore, now: datetime) -> None:
    mine = replace(a_party(now), client_id="client-one", document='{"venName": "x"}', modified_at=now + SECOND)
    async with stocked.unit_of_work() as unit:
        await unit.parties.save(mine)
        await unit.resources.add(a_resource(now + SECOND, "second", targets=("zone-b", "zone-c")))
        await unit.resources.add(a_resource(now, "first", targets=("zone-c",)))
    async with stocked.view() as view:
        known = replace(mine, resource_targets=("zone-c", "zone-b"))
        assert await view.parties.by_client("client-one") == await view.parties.by_id(VEN) == known
        assert await view.parties.by_client("client-two") is None
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.parties.add(a_party(now, "ven-three", client_id="client-one"))


async def test_resources_come_back_and_are_named_once_in_their_ven(stocked: SqlStore, now: datetime) -> None:
    battery, pump = a_resource(now, targets=("zone-b",)), a_resource(now + SECOND, "pump")
    foreign = a_resource(now, "foreign", party_id="id-ven-two")
    async with stocked.unit_of_work() as unit:
        for stored in (pump, battery, foreign):
            await unit.resources.add(stored)
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.resources.add(a_resource(now, id="another"))
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.resources.replace(replace(pump, name="battery"))
    async with stocked.unit_of_work() as unit:
        await unit.resources.add(a_resource(now + SECOND, id="another", party_id="id-ven-two"))
    async with stocked.view() as view:
        assert await view.resources.by_id("r-battery") == battery
        assert await view.resources.by_id("r-none") is None
        assert await view.resources.of_parties([VEN, "nobody"]) == [battery, pump]
        everything, mine = ResourceFilter(), ResourceFilter(party_id=VEN)
        later = await view.resources.page(everything, Page(skip=1, limit=3))
        assert [one.id for one in later] == ["r-foreign", "another", "r-pump"]
        assert await view.resources.count(everything) == 4
        assert await view.resources.page(mine, Page()) == [battery, pump]
        assert await view.resources.page(replace(mine, name="pump"), Page()) == [pump]
        assert await view.resources.page(replace(mine, wanted=frozenset({"zone-b"})), Page()) == [battery]
        assert await view.resources.page(replace(mine, ven_id="id-ven-two"), Page()) == []
    changed = replace(battery, targets=(), name="cell", modified_at=now + HOUR)
    async with stocked.unit_of_work() as unit:
        await unit.resources.replace(changed)
        await unit.resources.remove(pump)
    async with stocked.view() as view:
        assert await view.resources.of_parties([VEN]) == [changed]
        assert await view.resources.page(ResourceFilter(wanted=frozenset({"zone-b"})), Page()) == []
    with pytest.raises(NotFound):
        async with stocked.unit_of_work() as unit:
            await unit.resources.remove(pump)


async def test_reports_come_back_by_client_event_and_program(stocked: SqlStore, now: datetime) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.programs.add(a_program(now, number=2))
        await unit.events.add(a_stored_event(now, event_id="event-2", program_id="program-2"))
        for stored in (
            a_report(now),
            a_report(now + SECOND, "report-2", event_id="event-2", client_name="other"),
            a_report(now, "report-3", client_id="client-two", party_id=None),
        ):
            await unit.report_objects.add(stored)
    with pytest.raises(Conflict):
        async with stocked.unit_of_work() as unit:
            await unit.report_objects.add(a_report(now, "report-4", event_id="nowhere"))
    async with stocked.view() as view:
        listed = {
            "all": ReportFilter(),
            "client": ReportFilter(client_id="client-one"),
            "event": ReportFilter(event_id="event-2"),
            "program": ReportFilter(program_id="program-1"),
            "name": ReportFilter(client_name="other"),
            "both": ReportFilter(client_id="client-two", program_id="program-2"),
        }
        found = {name: [one.id for one in await view.report_objects.page(of, Page())] for name, of in listed.items()}
        assert found == {
            "all": ["report-2", "report-1", "report-3"],
            "client": ["report-2", "report-1"],
            "event": ["report-2"],
            "program": ["report-1", "report-3"],
            "name": ["report-2"],
            "both": [],
        }
        assert await view.report_objects.count(listed["program"]) == 2
        assert await view.report_objects.page(ReportFilter(), Page(skip=1, limit=1)) == [a_report(now)]
    changed = a_report(now, document="{}", modified_at=now + HOUR)
    async with stocked.unit_of_work() as unit:
        await unit.report_objects.replace(changed)
        await unit.report_objects.remove("report-2")
    async with stocked.view() as view:
        assert await view.report_objects.by_id("report-1") == changed
        assert await view.report_objects.by_id("report-2") is None
    async with stocked.unit_of_work() as unit:
        assert await unit.report_objects.forget(now + SECOND) == 1, "the third, which nobody has changed since"
    async with stocked.view() as view:
        assert await view.report_objects.page(ReportFilter(), Page()) == [changed]


async def test_programs_and_events_are_found_by_their_targets(stocked: SqlStore, now: datetime) -> None:
    class_only = (Target(kind=TargetKind.DEVICE_CLASS, name="Storage"),)
    of_a_kind = (Target(kind=TargetKind.GROUP, name="zone-g"),)
    async with stocked.unit_of_work() as unit:
        await unit.programs.add(a_program(now + SECOND, number=2))
        await unit.programs.replace(
            replace(a_program(now), program=replace(a_program(now).program, targets=("zone-x", "zone-y")))
        )
        for event_id, targets in (("a", by_name("zone-a", "zone-b")), ("class", class_only), ("kind", of_a_kind)):
            await unit.events.add(a_stored_event(now, event_id=event_id, targets=targets))

    async def events(*wanted: str) -> set[str]:
        async with stocked.view() as view:
            of = EventFilter(wanted=frozenset(wanted))
            found = [stored.event.id for stored in await view.events.page(of, Page())]
            assert await view.events.count(of) == len(found) == len(set(found))
            return set(found)

    assert await events("zone-a") == await events("zone-a", "zone-b") == {"a"}
    assert await events("zone-b", "") == {"a", "event-1", "class"}, "a device class says no party"
    assert await events("zone-g") == {"kind"}, "a name of any kind does"
    assert await events() == set()
    async with stocked.view() as view:
        for wanted, name, found in (
            ({"zone-x", "zone-y"}, None, ["program-1"]),
            ({"zone-a"}, None, ["program-2"]),
            (None, "Program 2", ["program-2"]),
            ({"zone-a"}, "Program 1", []),
        ):
            of = ProgramFilter(wanted=None if wanted is None else frozenset(wanted), name=name)
            assert [stored.program.id for stored in await view.programs.page(of, Page())] == found
            assert await view.programs.count(of) == len(found)


async def test_events_that_are_over_or_removed(stocked: SqlStore, now: datetime) -> None:
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="for-ever", duration=None))
        await unit.events.add(a_stored_event(now, event_id="longer", duration=2 * HOUR))

    async def listed(at: datetime, *, over: bool) -> set[str]:
        async with stocked.view() as view:
            return {stored.event.id for stored in await view.events.page(EventFilter(over=over, at=at), Page())}

    async with stocked.view() as view:
        assert await view.events.next_over_at(now) == now + HOUR
        assert await view.events.next_over_at(now + HOUR) == now + 2 * HOUR
        assert await view.events.next_over_at(now + 2 * HOUR) is None
    assert await listed(now + HOUR - SECOND, over=True) == set()
    assert await listed(now + HOUR, over=True) == {"event-1"}
    assert await listed(now + HOUR, over=False) == {"for-ever", "longer"}
    async with stocked.unit_of_work() as unit:
        await unit.events.remove("event-1", now + HOUR)
    with pytest.raises(NotFound):
        async with stocked.unit_of_work() as unit:
            await unit.events.remove("event-1", now + HOUR)
    assert await listed(now + HOUR, over=True) == set()
    async with stocked.view() as view:
        assert await view.events.by_id("event-1") == replace(a_stored_event(now), removed_at=now + HOUR)


async def test_vens_are_approved_parties(stocked: SqlStore, now: datetime) -> None:
    third = a_party(now + SECOND, "ven-three", registered=False, client_id="c3", targets=(), certificates=())
    async with stocked.unit_of_work() as unit:
        await unit.parties.add(third)
    async with stocked.view() as view:
        assert [party.id for party in await view.parties.page(VenFilter(), Page())] == ["id-ven-three", VEN]
        assert [party.id for party in await view.parties.page(VenFilter(), Page(skip=1, limit=1))] == [VEN]
        assert await view.parties.count_vens(VenFilter()) == 2
        assert await view.parties.page(VenFilter(name="ven-three"), Page()) == [third]
        assert [p.id for p in await view.parties.page(VenFilter(wanted=frozenset({"zone-a"})), Page())] == [VEN]
        assert await view.parties.page(VenFilter(party_id="id-ven-two"), Page()) == [], "it waits for an operator"
    async with stocked.unit_of_work() as unit:
        await unit.parties.save(replace(third, state=PartyState.REFUSED))
    async with stocked.view() as view:
        assert [party.id for party in await view.parties.page(VenFilter(), Page())] == [VEN]


async def test_a_revision_changes_with_objects_of_its_kinds(stocked: SqlStore, now: datetime) -> None:
    def revisions() -> list[str]:
        return [stocked.revision([kind]) for kind in ObjectKind]

    def changed(before: list[str]) -> set[ObjectKind]:
        return {kind for kind, old, new in zip(ObjectKind, before, revisions(), strict=True) if old != new}

    before = revisions()
    async with stocked.unit_of_work() as unit:
        await unit.report_objects.add(a_report(now))
    assert changed(before) == {ObjectKind.REPORT}
    before = revisions()
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="event-2"))
        await unit.resources.add(a_resource(now))
    assert changed(before) == {ObjectKind.EVENT, ObjectKind.RESOURCE}
    assert stocked.revision([ObjectKind.EVENT, ObjectKind.PROGRAM]) != stocked.revision([ObjectKind.EVENT])


@pytest.mark.parametrize(
    "targets",
    [
        (), by_name("zone-a"), by_name("of-resource"), by_name("id-of-none", "zone-b"), by_name("nobody"),
        (Target(kind=TargetKind.GROUP, name="zone-a"),), (Target(kind=TargetKind.DEVICE_CLASS, name="EV"),),
    ],
    ids=str,
)  # fmt: skip
async def test_vens_are_owed_a_new_event_as_a_set_by_the_rule_for_each(
    stocked: SqlStore, now: datetime, targets: tuple[Target, ...]
) -> None:
    states = {"waiting": PartyState.PENDING, "refused": PartyState.REFUSED}
    granted = {"of-zone-a": ("zone-a",), "of-zone-b": ("zone-b", "zone-c"), "of-none": (), "with-resource": ()}
    vens = [
        a_party(
            now, name, certificates=(), registration=None, client_id=f"client-{name}",
            targets=granted.get(name, ("zone-a",)), state=states.get(name, PartyState.APPROVED),
        )
        for name in (*granted, *states)
    ]  # fmt: skip
    stored = a_stored_event(now, event_id="event-new", targets=targets)
    async with stocked.unit_of_work() as unit:
        for ven in vens:
            await unit.parties.add(ven)
        await unit.resources.add(a_resource(now, party_id="id-with-resource", targets=("of-resource", "zone-z")))
        await unit.events.add(stored)
        owed = await unit.deliveries.owe_vens(stored.event, now, EVERYBODY)
    async with stocked.view() as view:
        every = [party for party in await view.parties.all() if not party.certificates]
        rows = await view.deliveries.of_event("event-new")
    expected = list(dues(stored.event, a_program(now).program, every, (), now))
    assert len(every) == len(vens)
    assert owed == len(rows)
    assert sorted(rows, key=lambda row: row.party_id) == sorted(expected, key=lambda row: row.party_id)
