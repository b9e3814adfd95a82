"""What the store keeps of IEEE 2030.5, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import Conflict, NotFound
from openadr_vtn.adapters.sql.store import SqlStore
from openadr_vtn.application.sep2_ports import StoredControl, StoredDocument, StoredMirror, StoredResponse
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.sep2.control_status import Control
from openadr_vtn.domain.sep2.registry import Aggregator, EndDevice, Group
from tests.vtn.samples import a_party, a_stored_event


def a_group(name: str, **more: object) -> Group:
    return Group(id=0, name=name, mrid=f"{sum(name.encode()):032X}", **more)  # type: ignore[arg-type]


def a_device(number: int, **more: object) -> EndDevice:
    values = {"party_id": "id-one", "registered_at": 1, "changed_at": number, **more}
    return EndDevice(number=0, lfdi=f"{number:040X}", sfdi=number * 10, **values)  # type: ignore[arg-type]


def a_control(group_id: int, mrid: str, *, start: int = 100, lasts: int = 50) -> StoredControl:
    control = Control(
        mrid=mrid,
        creation_time=1,
        start=start,
        duration_s=lasts,
        asks=frozenset({"opModExpLimW"}),
        categories=frozenset({4}),
    )
    return StoredControl(id=0, group_id=group_id, kind="DERControl", control=control, body=b"<x/>")


@pytest.fixture
async def peopled(stocked: SqlStore, now: datetime) -> SqlStore:
    async with stocked.unit_of_work() as uow:
        await uow.parties.add(a_party(now, "one"))
        await uow.parties.add(a_party(now, "two"))
    return stocked


async def test_groups_lie_in_each_other(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        top = await uow.registry.add_group(a_group("top", primacy=3))
        below = await uow.registry.add_group(a_group("below", parent_id=top.id))
        await uow.registry.save_group(replace(below, version=1, name="lower"))
    async with peopled.view() as view:
        assert await view.registry.groups() == [top, replace(below, version=1, name="lower")]
    async with peopled.unit_of_work() as uow:
        await uow.registry.save_group_rates(below.id, {"EndDevice": 30})
        assert [group.rates for group in await uow.registry.groups()] == [{}, {"EndDevice": 30}]
        with pytest.raises(NotFound):
            await uow.registry.save_group_rates(99, {})
    for refused in (a_group("top"), a_group("orphan", parent_id=99)):
        with pytest.raises(Conflict):
            async with peopled.unit_of_work() as uow:
                await uow.registry.add_group(refused)
    with pytest.raises(Conflict):
        async with peopled.unit_of_work() as uow:
            await uow.registry.remove_group(top.id)
    async with peopled.unit_of_work() as uow:
        await uow.registry.remove_group(below.id)
        await uow.registry.remove_group(top.id)
        assert await uow.registry.groups() == []


async def test_devices_come_by_sfdi_with_their_groups(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        second = await uow.registry.add_device(a_device(2, groups=frozenset({group.id})))
        first = await uow.registry.add_device(a_device(1))
        await uow.registry.add_device(a_device(3, party_id="id-two"))
    async with peopled.view() as view:
        registry = view.registry
        assert await registry.devices("id-one") == [first, second]
        assert await registry.devices("id-one", skip=1, limit=5) == [second]
        assert await registry.devices("id-one", changed_after=2) == [second]
        assert await registry.count_devices("id-one") == 2
        assert await registry.count_devices("id-one", changed_after=2) == 1
        assert await registry.count_devices() == 3
        assert await registry.device(second.number) == second
        assert await registry.device_by_lfdi(first.lfdi) == first
        assert await registry.lfdis("id-one") == {first.lfdi, second.lfdi}
        assert await registry.devices_called([second.lfdi, "F" * 40]) == {second.lfdi: second}
        assert await registry.devices_called([]) == {}
    moved = replace(
        second, party_id="id-two", groups=frozenset(), pin=111115, post_rate_s=60, enabled=False,
        rates={"DERProgramList": 60},
    )  # fmt: skip
    async with peopled.unit_of_work() as uow:
        await uow.registry.save_device(moved)
        assert await uow.registry.device(second.number) == moved
        third = await uow.registry.devices("id-two", enabled=True)
        assert [one.sfdi for one in third] == [30], "access to the other was withdrawn"
        assert await uow.registry.count_devices("id-two", enabled=True) == 1
        assert await uow.registry.count_devices("id-two") == 2
    with pytest.raises(Conflict):
        async with peopled.unit_of_work() as uow:
            await uow.registry.add_device(a_device(1))


async def test_what_a_device_says_goes_with_it(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        device = await uow.registry.add_device(a_device(1))
        assert await uow.registry.put_document(device, "di", StoredDocument(body=b"1", changed_at=1))
        assert not await uow.registry.put_document(device, "di", StoredDocument(body=b"2", changed_at=2))
        for number in range(5):
            await uow.registry.add_log_event(device, number, b"%d" % number, keep=3)
    async with peopled.view() as view:
        assert await view.registry.document(device.number, "di") == StoredDocument(body=b"2", changed_at=2)
        assert await view.registry.document(device.number, "ps") is None
        assert await view.registry.document_paths(device.number) == ["di"]
        assert [one.body for one in await view.registry.log_events(device.number)] == [b"2", b"3", b"4"]
    async with peopled.unit_of_work() as uow:
        await uow.registry.remove_device(device)
        assert await uow.registry.document(device.number, "di") is None


async def test_controls_are_listed_until_their_end(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        stored = await uow.controls.add_control(a_control(group.id, "A" * 32))
        await uow.controls.add_control(a_control(group.id, "B" * 32, start=10))
    async with peopled.view() as view:
        assert await view.controls.controls(group.id, "DERControl", since=60) == [stored]
        assert await view.controls.controls(group.id, "EndDeviceControl", since=0) == []
        assert await view.controls.control("A" * 32) == stored
    async with peopled.unit_of_work() as uow:
        await uow.controls.cancel_control("A" * 32, 120, randomly=True)
    with pytest.raises(NotFound):
        async with peopled.unit_of_work() as uow:
            await uow.controls.cancel_control("A" * 32, 130, randomly=False)
    async with peopled.view() as view:
        found = await view.controls.control("A" * 32)
        assert found is not None
        assert (found.control.cancelled_at, found.control.cancelled_randomly) == (120, True)


async def test_controls_that_ended_are_forgotten_with_what_was_answered(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        for mrid, start in (("A" * 32, 10), ("B" * 32, 5_000)):
            await uow.controls.add_control(a_control(group.id, mrid, start=start))
            await uow.mirrors.add_response(
                StoredResponse(
                    id=0, subject=mrid, party_id="id-one", lfdi="F" * 40, status=1, created_at=1, body=b"r"
                )
            )  # fmt: skip
    async with peopled.unit_of_work() as uow:
        assert await uow.controls.forget(5_000) == 1
    async with peopled.view() as view:
        assert await view.controls.control("A" * 32) is None
        assert await view.controls.control("B" * 32) is not None
        assert [one.subject for one in await view.mirrors.responses(["A" * 32, "B" * 32])] == ["B" * 32]


async def test_many_controls_are_made_and_cancelled_at_once(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        groups = [await uow.registry.add_group(a_group(name)) for name in ("one", "two")]
        many = [a_control(groups[number % 2].id, f"{number:032X}") for number in range(600)]
        await uow.controls.add_controls(many)
        await uow.controls.add_controls([])
    async with peopled.view() as view:
        found = [one for group in groups for one in await view.controls.controls(group.id, "DERControl", since=0)]
        assert sorted((replace(one, id=0) for one in found), key=lambda one: one.control.mrid) == many
    with pytest.raises(Conflict):
        async with peopled.unit_of_work() as uow:
            await uow.controls.add_controls([a_control(groups[0].id, "F" * 32), many[0]])
    async with peopled.unit_of_work() as uow:
        assert await uow.controls.control("F" * 32) is None
        await uow.controls.cancel_control(many[0].control.mrid, 5, randomly=False)
        await uow.controls.cancel_controls([one.control.mrid for one in many[:550]] + ["E" * 32], 9, randomly=True)
        await uow.controls.cancel_controls([], 9, randomly=True)
        after = [await uow.controls.control(many[number].control.mrid) for number in (0, 1, 549, 550)]
    said = [(one.control.cancelled_at, one.control.cancelled_randomly) for one in after if one is not None]
    assert said == [(5, False), (9, True), (9, True), (None, False)]


async def test_defaults_curves_rates_and_aggregators(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("top"))
        await uow.controls.save_default(group.id, b"d")
        curve = await uow.controls.add_curve(group.id, b"c")
        await uow.registry.save_rate("Time", 60)
        await uow.registry.save_aggregator(Aggregator(party_id="id-one", pen=1))
        await uow.registry.save_aggregator(Aggregator(party_id="id-one", pen=2, domains=("a.example", "b.example")))
    async with peopled.view() as view:
        assert await view.controls.default(group.id) == b"d"
        assert await view.controls.curves(group.id) == [curve]
        assert await view.controls.curves(99) == []
        assert await view.controls.curve(group.id, curve.id) == curve
        assert await view.controls.curve(99, curve.id) is None
        assert await view.controls.defaults() == {group.id: b"d"}
        assert await view.registry.rates() == {"Time": 60}
        last = Aggregator(party_id="id-one", pen=2, domains=("a.example", "b.example"))
        assert await view.registry.aggregators() == [last]
        assert await view.registry.aggregator("id-one") == last
        assert await view.registry.aggregator("id-two") is None
    async with peopled.unit_of_work() as uow:
        await uow.registry.remove_aggregator("id-one")
        assert await uow.registry.aggregators() == []
        with pytest.raises(NotFound):
            await uow.registry.remove_aggregator("id-one")
        await uow.controls.save_default(group.id, None)
        assert await uow.controls.defaults() == {}
        await uow.controls.save_curve(replace(curve, body=b"C"))
        other = await uow.controls.add_curve((await uow.registry.add_group(a_group("other"))).id, b"o")
        assert await uow.controls.curves() == [replace(curve, body=b"C"), other]
        await uow.controls.remove_curve(curve)
        assert await uow.controls.curves() == [other]
        for gone in (uow.controls.save_curve(curve), uow.controls.remove_curve(curve)):
            with pytest.raises(NotFound):
                await gone
        await uow.registry.save_rate("Time", None)
        assert (await uow.controls.default(group.id), await uow.registry.rates()) == (None, {})


async def test_mirrors_are_known_by_their_mrid_and_responses_by_their_control(peopled: SqlStore) -> None:
    mirror = StoredMirror(number=0, party_id="id-one", lfdi="F" * 40, mrid="1" * 32, post_rate_s=None, body=b"m")
    async with peopled.unit_of_work() as uow:
        first, is_new = await uow.mirrors.save_mirror(mirror, {"A" * 32, "B" * 32})
        again, is_new_again = await uow.mirrors.save_mirror(replace(mirror, body=b"n"), {"B" * 32, "C" * 32})
        assert (first.number, is_new, is_new_again) == (again.number, True, False)
        other, _ = await uow.mirrors.save_mirror(replace(mirror, mrid="2" * 32), {"B" * 32})
        foreign = replace(mirror, party_id="id-two", mrid="3" * 32)
        with pytest.raises(Conflict):
            await uow.mirrors.save_mirror(foreign, {"D" * 32, "C" * 32})
        assert await uow.mirrors.mirrors("id-two") == []
        await uow.mirrors.save_mirror(foreign, {"A" * 32})  # which nobody has any more
        for status, at in ((1, 10), (2, 20)):
            await uow.mirrors.add_response(
                StoredResponse(
                    id=0, subject="A" * 32, party_id="id-one", lfdi="F" * 40, status=status, created_at=at, body=b"r"
                )
            )
    async with peopled.view() as view:
        assert await view.mirrors.mirrors("id-one") == [other, again]
        assert [await view.mirrors.count_mirrors(party_id) for party_id in ("id-one", "id-two")] == [2, 1]
        assert await view.mirrors.mirror(first.number) == again
        assert [one.status for one in await view.mirrors.responses(["A" * 32])] == [2, 1]
    async with peopled.unit_of_work() as uow:
        await uow.mirrors.remove_mirror(first.number)
        assert await uow.mirrors.mirrors("id-one") == [other]
        await uow.mirrors.save_mirror(foreign, {"C" * 32})


async def test_controls_that_tell_of_an_event_and_who_reads_them(peopled: SqlStore) -> None:
    async with peopled.unit_of_work() as uow:
        group = await uow.registry.add_group(a_group("made", audience="[]"))
        other = await uow.registry.add_group(a_group("other"))
        devices = [await uow.registry.add_device(a_device(number)) for number in (1, 2)]
        devices.append(await uow.registry.add_device(a_device(3, party_id="id-two")))
        numbers = [device.number for device in devices]
        await uow.registry.join(group.id, add=numbers, remove=())
        await uow.registry.join(group.id, add=numbers[:1], remove=numbers[1:2])
        told = [
            await uow.controls.add_control(
                replace(a_control(group.id, f"0{number}", start=start), event_id="e1", event_version=2)
            )
            for number, start in ((1, 100), (2, 300))
        ]
        await uow.controls.add_control(a_control(other.id, "03"))
    async with peopled.unit_of_work() as uow:
        assert await uow.registry.members(group.id) == {numbers[0], numbers[2]}
        assert await uow.registry.speakers() == {"id-one", "id-two"}
        assert await uow.controls.of_event("e1") == told
        assert await uow.controls.ends([group.id, 99]) == {group.id: 350}
        assert await uow.registry.listeners("e1") == {"id-one", "id-two"}
        await uow.controls.cancel_control("01", 120, randomly=False)
        assert await uow.registry.listeners("e1") == {"id-one", "id-two"}
        await uow.controls.cancel_control("02", 120, randomly=False)
        assert await uow.registry.listeners("e1") == set()
    async with peopled.view() as view:
        assert (await view.registry.groups())[0] == group


async def test_what_nothing_was_reported_under_is_known(stocked: SqlStore, now: datetime) -> None:
    owed = Delivery(event_id="event-1", version=0, event_version=0, party_id="id-ven-one", entitled_at=now)
    async with stocked.unit_of_work() as unit:
        await unit.events.add(a_stored_event(now, event_id="event-2", duration=None))
        endless = replace(owed, event_id="event-2")
        await unit.deliveries.owe([owed, endless, replace(owed, party_id="id-ven-two")])
        assert await unit.deliveries.unreported("id-ven-one", now) == [owed, endless]
        assert await unit.deliveries.unreported("id-ven-one", now + timedelta(hours=2)) == [endless]
        await unit.deliveries.mark_reported("id-ven-one", [("event-1", 0)], now)
        assert await unit.deliveries.unreported("id-ven-one", now) == [endless]
