"""Subscriptions of 2030.5: who may ask for what, and what is told to whom, and when (1.6)."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from lxml import etree

from openadr_core.errors import ConnectFailed, RuleBroken
from openadr_core.exchange import Response
from openadr_core.model.party import PartyState
from openadr_core.sep2.base import Error
from openadr_core.sep2.controls import DefaultDERControl, DERControlList, DERProgram, DERProgramList
from openadr_core.sep2.decode import read
from openadr_core.sep2.der import DERStatus
from openadr_core.sep2.devices import EndDevice, EndDeviceList, FunctionSetAssignmentsList
from openadr_core.sep2.subscriptions import Condition, Notification, Subscription, SubscriptionList
from openadr_vtn.adapters.drain import TERM
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.handlers import sep2_controls, sep2_groups, sep2_rates
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.domain.notification import NotificationState, RetryRules
from openadr_vtn.domain.sep2.subscribing import SUBSCRIBABLE, watched
from openadr_vtn.protocols.sep2.http_rules import ErrorReason
from openadr_vtn.protocols.sep2.notifying import Sep2Outbox, Sep2Parcel
from tests.vtn.protocols.sep2.bridge_bench import Operator
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, SPEECHES, Client, Sep2Bench, a_lfdi

URI = "https://aggregator.example/notify"


def a_subscription(resource: str, **more: object) -> Subscription:
    said = {"encoding": 0, "level": "+S1", "limit": 10, "notification_uri": URI, **more}
    return Subscription(subscribed_resource=resource, **said)  # type: ignore[arg-type]


@dataclass
class Receiver:
    """Everybody's notification address."""

    taken: list[Sep2Parcel] = field(default_factory=list)
    status: int = 201
    is_down: bool = False

    async def carry(self, parcel: Sep2Parcel, _at: datetime) -> Response:
        if self.is_down:
            raise ConnectFailed("nothing answers at the address")
        if self.status == 201:
            self.taken.append(parcel)
        return Response(status=self.status, body=b"")

    def told(self) -> list[Notification]:
        """What was told since this was last asked, valid by the schema of its receiver."""
        found = []
        for parcel in self.taken:
            root = etree.fromstring(parcel.body)
            message = read(root)
            prefix = next(one.prefix for one in SPEECHES if message.subscription_uri.startswith(f"{one.prefix}/edev"))
            next(one.schema for one in SPEECHES if one.prefix == prefix).validate(root)
            found.append(message)
        self.taken.clear()
        return found


@dataclass
class Telling:
    bench: Sep2Bench
    receiver: Receiver
    sender: WebhookSender[Sep2Parcel]

    async def settled(self) -> None:
        quiet = 0
        while quiet < 3:
            await self.sender.turn()
            await asyncio.sleep(0.001)
            quiet = 0 if self.sender.in_flight else quiet + 1

    async def told(self) -> list[Notification]:
        await self.settled()
        return self.receiver.told()


def a_sender(sep2: Sep2Bench, receiver: Receiver, holder: str = "one") -> WebhookSender[Sep2Parcel]:
    return WebhookSender(
        store=sep2.store, outbox=Sep2Outbox(sep2.store, sep2.server), carrier=receiver,
        rules=RetryRules(attempts_max=3, longest=timedelta(seconds=300)), now=lambda: sep2.now, holder=holder,
        witness=lambda _notice: None, dice=random.Random(1), at_once=50,
    )  # fmt: skip


@pytest.fixture
def telling(sep2: Sep2Bench) -> Telling:
    receiver = Receiver()
    return Telling(sep2, receiver, a_sender(sep2, receiver))


@pytest.fixture
async def aggregator(sep2: Sep2Bench) -> Client:
    """With its own end device (1), and one that it manages (2) in a group (1) with a default and a control."""
    client = await sep2.enrol("aggregator")
    await sep2_groups.name_aggregator(sep2.store, "aggregator", pen=PEN, actor=ACTOR, now=sep2.now)
    await sep2.group("feeder")
    await sep2.device("aggregator")
    await sep2.device("aggregator", "feeder", lfdi=a_lfdi(1))
    await save_default(sep2, 4000)
    await sep2.control("feeder", start=60)
    return client


async def save_default(sep2: Sep2Bench, watts: int) -> None:
    members = {"DERControlBase": {"opModExpLimW": watts}}
    await sep2_controls.save_default(sep2.store, "feeder", members, maker=sep2.maker, actor=ACTOR, now=sep2.now)


async def subscribed(client: Client, resource: str, **more: object) -> str:
    """The new subscription's address, without the prefix."""
    wanted = a_subscription(f"{client.prefix}{resource}", **more)
    answer = await client.ask("POST", "/edev/1/sub", wanted)
    assert answer.status == 201, resource
    return answer.headers["location"].removeprefix(client.prefix)


# -- asking ----------------------------------------------------------------------------


async def test_a_subscription_is_made_read_changed_and_ended(aggregator: Client) -> None:
    own = await aggregator.get("/edev/1", EndDevice)
    assert own.subscription_list_link is not None
    assert own.subscription_list_link.all == 0
    where = await subscribed(aggregator, "/derp/1/derc?s=0&l=3")
    assert where.startswith(own.subscription_list_link.href)
    found = await aggregator.get(where, Subscription)
    assert found == replace(a_subscription("/derp/1/derc"), href=where)
    listed = await aggregator.get("/edev/1/sub?l=5", SubscriptionList)
    assert (listed.all, listed.results, listed.subscription) == (1, 1, (found,))
    assert await aggregator.status("PUT", where, a_subscription("/derp/1/dderc", limit=0)) == 204
    assert (await aggregator.get(where, Subscription)).subscribed_resource == "/derp/1/dderc"
    assert await aggregator.status("DELETE", where) == 204
    assert await aggregator.status("GET", where) == 404
    assert await aggregator.status("DELETE", where) == 404


@pytest.mark.ieee2030_5("N1", "N2")
async def test_asking_again_renews_the_same_one(sep2: Sep2Bench, aggregator: Client) -> None:
    where = await subscribed(aggregator, "/edev")
    sep2.later(86_400)
    again = await aggregator.ask("POST", "/edev/1/sub", a_subscription("/edev", limit=5))
    assert (again.status, again.headers["location"]) == (204, where)
    assert (await aggregator.get(where, Subscription)).limit == 5
    other = await aggregator.ask("POST", "/edev/1/sub", a_subscription("/edev", notification_uri=f"{URI}/2"))
    assert other.status == 201
    async with sep2.store.unit_of_work() as uow:
        assert await uow.sep2_subscriptions.forget(sep2.moment) == 0
        assert await uow.sep2_subscriptions.forget(sep2.moment + 1) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": 1}, ErrorReason.BAD_VALUES),
        ({"level": "+S2"}, ErrorReason.BAD_VALUES),
        (
            {"condition": Condition(attribute_identifier=0, lower_threshold=1, upper_threshold=2)},
            ErrorReason.NO_CONDITIONS,
        ),
        ({"notification_uri": "http://aggregator.example/notify"}, ErrorReason.BAD_VALUES),
        ({"notification_uri": "https://aggregator.example:25/notify"}, ErrorReason.BAD_VALUES),
        ({"notification_uri": "https://me:secret@aggregator.example/"}, ErrorReason.BAD_VALUES),
        ({"notification_uri": "/notify"}, ErrorReason.BAD_VALUES),
        ({"subscribed_resource": "/tm"}, ErrorReason.BAD_VALUES),
        ({"subscribed_resource": "/derp/1/actderc"}, ErrorReason.BAD_VALUES),
        ({"subscribed_resource": "/derp/9/derc"}, ErrorReason.BAD_VALUES),
        ({"subscribed_resource": "/edev/9"}, ErrorReason.BAD_VALUES),
    ],
)
@pytest.mark.ieee2030_5("M9", "N5")
async def test_what_cannot_be_done_is_refused_with_its_reason(
    sep2: Sep2Bench, aggregator: Client, changes: dict[str, object], reason: ErrorReason
) -> None:
    wanted = replace(a_subscription("/derp/1/derc"), **changes)  # type: ignore[arg-type]
    answer = await aggregator.ask("POST", "/edev/1/sub", wanted)
    assert answer.status == 400
    assert read(etree.fromstring(answer.body)) == Error(reason_code=reason)
    assert (await aggregator.get("/edev/1/sub", SubscriptionList)).all == 0


@pytest.mark.ieee2030_5("A1")
async def test_nobody_sees_or_makes_anothers(sep2: Sep2Bench, aggregator: Client) -> None:
    """Neither of another party's device, nor under a managed one: an aggregator has one list, its own (1.7)."""
    where = await subscribed(aggregator, "/derp/1/derc")
    stranger = await sep2.enrol("stranger")
    await sep2.device("stranger")
    for path in (where, "/edev/1/sub"):
        assert await stranger.status("GET", path) == 404
    assert await stranger.status("DELETE", where) == 404
    assert await stranger.status("POST", "/edev/3/sub", a_subscription("/derp/1/derc")) == 400, "not its group"
    assert await stranger.status("POST", "/edev/1/sub", a_subscription("/edev")) == 404
    assert await aggregator.status("POST", "/edev/2/sub", a_subscription("/edev")) == 404
    assert (await aggregator.get("/edev/2", EndDevice)).subscription_list_link is None
    assert await aggregator.status("PATCH", where) == 405


ADDRESSES = {
    "/edev": EndDeviceList, "/edev/2": EndDevice, "/edev/2/fsa": FunctionSetAssignmentsList,
    "/edev/2/fsa/1/derp": DERProgramList, "/edev/2/fsa/1/dr": None, "/edev/2/der/1/derg": None,
    "/edev/2/der/1/ders": DERStatus, "/edev/2/der/1/dera": None, "/derp/1": DERProgram, "/derp/1/derc": DERControlList,
    "/derp/1/dderc": DefaultDERControl, "/dr/1/edc": None,
}  # fmt: skip


async def test_what_is_called_subscribable_is_what_can_be_subscribed_to(aggregator: Client) -> None:
    assert {found.kind for found in map(watched, ADDRESSES) if found is not None} == SUBSCRIBABLE
    assert await aggregator.status("PUT", "/edev/2/der/1/ders", DERStatus(reading_time=1)) == 204
    asked = 0
    for path in (*ADDRESSES, "/derp/1/actderc", "/edev/1/sub", "/mup", "/tm", "/edev/2/der", "/derp/1/dc"):
        answer = await aggregator.ask("GET", path)
        if answer.status == 200:
            asked += 1
            assert etree.fromstring(answer.body).get("subscribable", "0") == ("1" if path in ADDRESSES else "0"), path
    assert asked >= 15


# -- being told ------------------------------------------------------------------------


@pytest.mark.ieee2030_5("N3")
async def test_what_is_told_is_what_a_get_would_answer(telling: Telling, aggregator: Client) -> None:
    where = await subscribed(aggregator, "/derp/1/derc", limit=1)
    assert await telling.told() == [], "nothing has changed"
    stored = await telling.bench.control("feeder", start=30)
    (said,) = await telling.told()
    assert (said.status, said.subscribed_resource, said.subscription_uri) == (0, "/derp/1/derc", where)
    assert said.resource == await aggregator.get("/derp/1/derc?l=1", DERControlList)
    assert said.resource.der_control[0].mrid == stored.control.mrid
    assert (said.resource.all, said.resource.results) == (2, 1)
    await sep2_controls.cancel_control(
        telling.bench.store, stored.control.mrid, randomly=False, actor=ACTOR, now=telling.bench.now
    )
    (said,) = await telling.told()
    assert isinstance(said.resource, DERControlList)
    assert said.resource.der_control[0].event_status.current_status == 2


@pytest.mark.ieee2030_5("N3")
async def test_a_limit_of_none_is_kept(telling: Telling, aggregator: Client) -> None:
    await subscribed(aggregator, "/derp/1/derc", limit=0)
    await subscribed(aggregator, "/derp/1/dderc", limit=0)
    await telling.bench.control("feeder")
    await save_default(telling.bench, 3000)
    listed, single = await telling.told()
    assert isinstance(listed.resource, DERControlList)
    assert (listed.resource.all, listed.resource.results) == (2, 0)
    assert (single.status, single.resource) == (0, None)


@pytest.mark.ieee2030_5("P1", "N3")
async def test_each_hears_in_its_own_profile(telling: Telling, aggregator: Client) -> None:
    """A subscriber of CSIP sees no Australian element, and neither does one that takes no extensions (1.8)."""
    csip = telling.bench.client("aggregator", "/csip")
    await subscribed(csip, "/derp/1/derc")
    await subscribed(aggregator, "/derp/1/derc", level="-S1")
    await telling.bench.control("feeder")
    await telling.settled()
    bodies = [parcel.body for parcel in telling.receiver.taken]
    assert len(bodies) == 2
    assert not any(b"opModExpLimW" in body for body in bodies)
    (first, _) = telling.receiver.told()
    assert first.subscribed_resource == "/csip/derp/1/derc"


async def test_every_kind_is_told_of_what_changes_it(telling: Telling, aggregator: Client) -> None:
    sep2, store = telling.bench, telling.bench.store

    async def heard() -> set[str]:
        return {one.subscribed_resource for one in await telling.told()}

    assert await aggregator.status("PUT", "/edev/2/der/1/ders", DERStatus(reading_time=1)) == 204
    for path in ADDRESSES:
        await aggregator.ask("POST", "/edev/1/sub", a_subscription(path))
    await sep2_rates.save_rate(store, "EndDeviceList", 60, actor=ACTOR, now=sep2.now)
    assert await heard() == {"/edev"}
    await sep2_rates.save_rate(store, "DERProgramList", 60, actor=ACTOR, now=sep2.now)
    assert await heard() == {"/edev/2/fsa/1/derp"}
    assert await aggregator.status("PUT", "/edev/2/der/1/ders", DERStatus(reading_time=2)) == 204
    assert await heard() == {"/edev/2/der/1/ders"}
    await sep2_groups.change_group(store, "feeder", parent=None, primacy=7, actor=ACTOR, now=sep2.now)
    programs = {"/edev/2/fsa", "/edev/2/fsa/1/derp", "/edev/2/fsa/1/dr"}
    assert await heard() == {"/derp/1", *programs}
    await sep2.group("substation")
    await sep2_groups.change_device(store, a_lfdi(1), DeviceWish(groups=("substation",)), actor=ACTOR, now=sep2.now)
    told = {one.subscribed_resource: one.status for one in await telling.told()}
    assert {path: told.get(path) for path in ("/edev", "/edev/2", *programs)} == dict.fromkeys(
        ("/edev", "/edev/2", *programs), 0
    )
    await sep2.device("aggregator", lfdi=a_lfdi(2))
    assert await heard() == {"/edev"}


async def test_others_are_not_told(telling: Telling, aggregator: Client) -> None:
    """A party's list of devices is its own, though all have it at one address."""
    stranger = await telling.bench.enrol("stranger")
    await telling.bench.device("stranger")
    await telling.settled()
    answer = await stranger.ask("POST", "/edev/3/sub", a_subscription("/edev"))
    assert answer.status == 201
    await subscribed(aggregator, "/edev")
    await telling.bench.device("aggregator", lfdi=a_lfdi(2))
    (said,) = await telling.told()
    assert said.subscription_uri.startswith("/edev/1/sub/")


async def test_several_changes_that_were_not_told_are_told_as_one(telling: Telling, aggregator: Client) -> None:
    where = await subscribed(aggregator, "/derp/1/derc")
    for _ in range(3):
        await telling.bench.control("feeder")
    (said,) = await telling.told()
    assert isinstance(said.resource, DERControlList)
    assert said.resource.all == 4
    assert await telling.told() == []
    assert said.subscription_uri == where


# -- its end ---------------------------------------------------------------------------


@pytest.mark.ieee2030_5("N6")
async def test_what_is_gone_is_told_once_and_ends_the_subscription(telling: Telling, aggregator: Client) -> None:
    where = await subscribed(aggregator, "/derp/1/dderc")
    await sep2_controls.remove_default(telling.bench.store, "feeder", actor=ACTOR, now=telling.bench.now)
    (said,) = await telling.told()
    assert (said.status, said.resource, said.subscription_uri) == (4, None, where)
    assert await aggregator.status("GET", where) == 404
    await save_default(telling.bench, 1000)
    assert await telling.told() == []


async def test_a_device_that_goes_takes_its_subscriptions_with_it(telling: Telling, aggregator: Client) -> None:
    for resource in ("/edev/1", "/derp/1/derc"):
        await subscribed(aggregator, resource)
    assert await aggregator.status("DELETE", "/edev/1") == 204
    told = {one.subscribed_resource: one.status for one in await telling.told()}
    assert told == {"/edev/1": 4, "/derp/1/derc": 1}
    async with telling.bench.store.view() as view:
        assert await view.sep2_subscriptions.page() == []


@pytest.mark.ieee2030_5("N6")
async def test_who_is_let_in_no_more_is_told_nothing_but_that(telling: Telling, aggregator: Client) -> None:
    await subscribed(aggregator, "/derp/1/derc")
    async with telling.bench.store.unit_of_work() as uow:
        party = await uow.parties.by_name("aggregator")
        assert party is not None
        await uow.parties.save(replace(party, state=PartyState.REFUSED))
    await telling.bench.control("feeder")
    (said,) = await telling.told()
    assert (said.status, said.resource) == (1, None)


# -- troubles --------------------------------------------------------------------------


@pytest.mark.ieee2030_5("N4")
async def test_a_receiver_that_is_down_is_told_when_it_is_back(telling: Telling, aggregator: Client) -> None:
    """T:46: its end may be away for minutes; what changed meanwhile is told then, as it stands."""
    await subscribed(aggregator, "/derp/1/derc")
    telling.receiver.is_down = True
    await telling.bench.control("feeder")
    assert await telling.told() == []
    await telling.bench.control("feeder")
    telling.bench.later(1.2)
    assert await telling.told() == []
    telling.receiver.is_down = False
    telling.bench.later(300)
    (said,) = await telling.told()
    assert isinstance(said.resource, DERControlList)
    assert said.resource.all == 3


@pytest.mark.ieee2030_5("N4")
async def test_what_is_refused_for_good_waits_for_an_operator(telling: Telling, aggregator: Client) -> None:
    await subscribed(aggregator, "/derp/1/derc")
    telling.receiver.status = 400
    await telling.bench.control("feeder")
    assert await telling.told() == []
    async with telling.bench.store.unit_of_work() as uow:
        (dead,) = await uow.sep2_subscriptions.page(NotificationState.DEAD)
        assert (dead.outcome, dead.attempts) == ("HTTP 400", 1)
        assert await uow.sep2_subscriptions.revive(dead.subscription.id) == 1
    telling.receiver.status = 201
    telling.bench.later(TERM.total_seconds())
    assert len(await telling.told()) == 1
    async with telling.bench.store.view() as view:
        (one,) = await view.sep2_subscriptions.page()
        assert (one.state, one.delivered) == (NotificationState.DELIVERED, 1)


async def test_what_changes_while_it_is_told_is_told_again(telling: Telling, aggregator: Client) -> None:
    await subscribed(aggregator, "/derp/1/derc")
    sep2, receiver = telling.bench, telling.receiver
    carry = receiver.carry

    async def slowly(parcel: Sep2Parcel, _at: datetime) -> Response:
        if not receiver.taken:
            await sep2.control("feeder")
        return await carry(parcel, _at)

    receiver.carry = slowly  # type: ignore[method-assign]  # it works while it is told
    await sep2.control("feeder")
    first, second = await telling.told()
    assert isinstance(first.resource, DERControlList)
    assert isinstance(second.resource, DERControlList)
    assert (first.resource.all, second.resource.all) == (2, 3)


@pytest.mark.ieee2030_5("N4")
async def test_nothing_is_lost_when_who_tells_dies(sep2: Sep2Bench, aggregator: Client) -> None:
    """Whether it died before anybody was looked for, or after."""
    receiver = Receiver()
    await subscribed(aggregator, "/derp/1/derc")
    await subscribed(aggregator, "/derp/1/dderc")
    await sep2.control("feeder")
    outbox = Sep2Outbox(sep2.store, sep2.server)
    assert len(await outbox.spread(sep2.now)) == 1
    await save_default(sep2, 100)
    other = Telling(sep2, receiver, a_sender(sep2, receiver, holder="another"))
    assert {one.subscribed_resource for one in await other.told()} == {"/derp/1/derc", "/derp/1/dderc"}


async def test_an_event_of_openadr_is_told_to_those_who_subscribed(
    operator: Operator, aggregator: Client, telling: Telling
) -> None:
    """The bridge knows of no subscriber: what it writes is told as an operator's own controls are."""
    await subscribed(aggregator, "/edev/2/fsa/1/derp")
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (programs,) = await telling.told()
    assert isinstance(programs.resource, DERProgramList)
    link = programs.resource.der_program[-1].der_control_list_link
    assert link is not None
    await subscribed(aggregator, link.href)
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 3)
    (changed,) = await telling.told()
    assert isinstance(changed.resource, DERControlList)
    assert [one.event_status.current_status for one in changed.resource.der_control] == [0, 2]
    await operator.cancel(event_id)
    (cancelled,) = await telling.told()
    assert isinstance(cancelled.resource, DERControlList)
    assert {one.event_status.current_status for one in cancelled.resource.der_control} == {2}


@pytest.mark.ieee2030_5("N5")
async def test_an_aggregator_is_told_in_its_own_domains_alone(sep2: Sep2Bench, aggregator: Client) -> None:
    """1.6: the host of notificationURI is one of those that an operator has written down, if there are any."""

    async def status(uri: str) -> int:
        return await aggregator.status("POST", "/edev/1/sub", a_subscription("/edev", notification_uri=uri))

    assert await status("https://anywhere.example/notify") == 201
    await sep2_groups.name_aggregator(
        sep2.store, "aggregator", pen=PEN, domains=["Solar-Co.example"], actor=ACTOR, now=sep2.now
    )
    assert await status("https://solar-co.example/notify") == 201
    assert await status("https://told.SOLAR-CO.example:8443/notify") == 201
    for elsewhere in (
        "https://notsolar-co.example/",
        "https://solar-co.example.net/",
        "https://anywhere.example/notify",
    ):
        assert await status(elsewhere) == 400, elsewhere
    for wrong in ("https://x.example", "a b", "", "*.example"):
        with pytest.raises(RuleBroken):
            await sep2_groups.name_aggregator(
                sep2.store, "aggregator", pen=PEN, domains=[wrong], actor=ACTOR, now=sep2.now
            )
