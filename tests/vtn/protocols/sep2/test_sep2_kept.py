"""Answers that are kept: never other than what would be made, and not made anew for what others write."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from openadr_core.sep2.der import DERStatus
from openadr_core.sep2.devices import LogEvent
from openadr_core.sep2.server import Time
from openadr_vtn.application.handlers import sep2_controls, sep2_groups, sep2_rates
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.protocols.sep2 import Sep2Server
from openadr_vtn.protocols.sep2.http_rules import Holds
from openadr_vtn.protocols.sep2.kept import Kept, KeptAnswers
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, SPEECHES, Client, Sep2Bench, a_lfdi
from tests.vtn.protocols.sep2.test_sep2_subscriptions import a_subscription

DEVICES = (1, 2)
CURVE: dict[str, Any] = {
    "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
    "CurveData": [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}],
}  # fmt: skip
VOLT_VAR = {"opModVoltVar": {"href": "/derp/1/dc/1"}}
PATHS = [
    "/dcap", "/edev?l=9", "/mup?l=9", "/edev?a=1&l=9",
    *(f"/edev/{number}{below}" for number in DEVICES for below in (
        "", "/fsa?l=9", "/fsa/1", "/fsa/1/derp?l=9", "/fsa/1/dr?l=9", "/der?l=9", "/der/1/ders", "/lel?l=9", "/sub?l=9"
    )),
    *(f"/derp/{group}{below}" for group in (1, 2) for below in ("", "/derc?l=9", "/actderc?l=9", "/dderc", "/dc?l=9")),
    *(f"/dr/{group}{below}" for group in (1, 2) for below in ("", "/edc?l=9", "/actedc?l=9")),
    "/csip/derp/1/derc?l=9", "/v13/derp/1/derc?l=9", "/derp/1/dc/1", "/csip/derp/1/dderc",
]  # fmt: skip


async def test_what_is_kept_is_what_would_be_made(sep2: Sep2Bench) -> None:
    """Whoever asks, whatever was written, whatever time it is."""
    one, two = await sep2.enrol("one"), await sep2.enrol("two")
    await sep2.group("top")
    await sep2.group("below", "top")
    mine = await sep2.device("one", "below")
    await sep2.device("two", "top")
    kept_server = sep2.server

    async def default(watts: int) -> None:
        members = {"DERControlBase": {"opModExpLimW": watts}}
        await sep2_controls.save_default(sep2.store, "top", members, maker=sep2.maker, actor=ACTOR, now=sep2.now)

    async def change(**wish: object) -> None:
        said = DeviceWish(**wish)  # type: ignore[arg-type]
        await sep2_groups.change_device(sep2.store, mine.lfdi, said, actor=ACTOR, now=sep2.now)

    async def cancel() -> None:
        async with sep2.store.view() as view:
            (first, *_) = await view.controls.controls(1, "DERControl", since=sep2.moment)
        mrid = first.control.mrid
        await sep2_controls.cancel_control(sep2.store, mrid, randomly=False, actor=ACTOR, now=sep2.now)

    async def pass_by(seconds: float) -> None:
        sep2.later(seconds)

    async def sent(client: Client, method: str, path: str, message: object) -> None:
        assert await client.status(method, path, message) < 300

    said: dict[str, Any] = {"maker": sep2.maker, "actor": ACTOR, "now": sep2.now}
    winter: dict[str, Any] = {**CURVE, "description": "winter"}

    async def rate(seconds: int | None, *, group: str | None = None) -> None:
        if group is None:
            await sep2_rates.save_device_rate(
                sep2.store, mine.lfdi, "DERProgramList", seconds, actor=ACTOR, now=sep2.now
            )
        else:
            await sep2_rates.save_group_rate(sep2.store, group, "EndDeviceList", seconds, actor=ACTOR, now=sep2.now)

    log = LogEvent(
        created_date_time=5, function_set=11, log_event_code=0, log_event_id=1, log_event_pen=1, profile_id=2
    )
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: sep2.control("top", start=30, lasts=60),
        lambda: sep2.control("below", start=30, lasts=60),
        lambda: pass_by(31),
        cancel,
        lambda: default(10),
        lambda: sep2_controls.remove_default(sep2.store, "top", actor=ACTOR, now=sep2.now),
        lambda: sent(one, "PUT", "/edev/1/der/1/ders", DERStatus(reading_time=1)),
        lambda: sent(one, "PUT", "/edev/1/der/1/ders", DERStatus(reading_time=2)),
        lambda: sent(one, "POST", "/edev/1/lel", log),
        lambda: sent(one, "POST", "/edev/1/sub", a_subscription("/edev")),
        lambda: sep2_rates.save_rate(sep2.store, "DERProgramList", 30, actor=ACTOR, now=sep2.now),
        lambda: sep2_groups.change_group(sep2.store, "top", parent=None, primacy=9, actor=ACTOR, now=sep2.now),
        lambda: rate(7),
        lambda: rate(8, group="top"),
        lambda: rate(None),
        lambda: rate(9, group="below"),
        lambda: sep2_controls.add_curve(sep2.store, "top", CURVE, **said),
        lambda: sep2_controls.save_default(sep2.store, "top", {"DERControlBase": VOLT_VAR}, **said),
        lambda: sep2_controls.change_curve(sep2.store, "top", 1, winter, **said),
        lambda: sep2_controls.remove_default(sep2.store, "top", actor=ACTOR, now=sep2.now),
        lambda: sep2_controls.remove_curve(sep2.store, "top", 1, actor=ACTOR, now=sep2.now),
        lambda: change(groups=()),
        lambda: change(groups=("below",)),
        lambda: change(enabled=False),
        lambda: change(enabled=True),
        lambda: sep2.device("one", "top", lfdi=a_lfdi(7)),
        lambda: pass_by(60),
    ]
    for step in steps:
        await step()
        fresh = Sep2Server(store=sep2.store, directory=kept_server._directory, desk=kept_server._desk)
        for client in (one, two):
            for path in PATHS:
                sep2.server = kept_server
                answers = [await client.ask("GET", path) for _ in range(2)]
                sep2.server = fresh
                assert [await client.ask("GET", path)] * 2 == answers, (path, client.peer.lfdi)
    assert {one.prefix for one in SPEECHES} == {"", "/csip", "/v13"}


async def test_only_what_tells_of_a_write_is_made_anew(sep2: Sep2Bench) -> None:
    await sep2.enrol("one")
    await sep2.enrol("two")
    await sep2.group("a")
    await sep2.group("b")
    async with sep2.store.view() as view:
        parties = {name: (await view.parties.by_name(name)) for name in ("one", "two")}
    ids = {name: party.id for name, party in parties.items() if party is not None}
    answers = KeptAnswers(sep2.store)

    def keep(party: str, asked: str, *groups: int, own: bool = False) -> None:
        holds = Holds(party_id=ids[party] if own else "", groups=frozenset(groups))
        revision = sep2.store.revision_of_groups(holds.groups)
        answers.keep(ids[party], party, asked, Kept(holds, asked.encode(), frozenset(), revision))

    def found(party: str, *asked: str) -> list[str]:
        return [one for one in asked if answers.find(ids[party], party, one, 0) is not None]

    for party, party_id in ids.items():
        answers.keep_programs(party_id, frozenset({1, 2}))
        keep(party, "/edev", own=True)
    keep("one", "/derp/1/derc", 1)
    keep("one", "/derp/2/derc", 2)
    every = ("/edev", "/derp/1/derc", "/derp/2/derc")
    assert found("one", *every) == found("two", *every) == list(every), "made for one, and given to both"
    await sep2.control("a")
    assert found("one", *every) == ["/edev", "/derp/2/derc"]
    device = await sep2.device("two")
    assert found("one", *every) == ["/edev", "/derp/2/derc"]
    assert found("two", *every) == [], "whose members its devices are is asked again"
    answers.keep_programs(ids["two"], frozenset({1}))
    assert found("two", *every) == []
    async with sep2.store.unit_of_work() as uow:
        await uow.mirrors.responses([])
        await uow.registry.save_device(replace(device, category="01"))
    assert found("one", *every) == ["/edev", "/derp/2/derc"]
    await sep2_rates.save_rate(sep2.store, "Time", 5, actor=ACTOR, now=sep2.now)
    assert found("one", *every) == []


async def test_what_changes_by_itself_is_kept_until_then(sep2: Sep2Bench) -> None:
    answers = KeptAnswers(sep2.store)
    answers.keep_programs("p", frozenset({1}))
    holds = Holds(groups=frozenset({1}), until=100)
    revision = sep2.store.revision_of_groups(holds.groups)
    answers.keep("p", "l", "/derp/1/derc", Kept(holds, b"x", frozenset(), revision))
    assert answers.find("p", "l", "/derp/1/derc", 99) is not None
    assert answers.find("p", "l", "/derp/1/derc", 100) is None


@pytest.mark.ieee2030_5("G1", "A1")
async def test_what_many_ask_for_at_once_is_made_once(sep2: Sep2Bench) -> None:
    """As after each change of a list that thousands poll: one of them reads the store, the others wait for it."""
    await sep2.group("top")
    names = [f"device-{number}" for number in range(30)]
    clients = [await sep2.enrol(name) for name in names]
    for name in names:
        await sep2.device(name, "top")
    for number in range(48):
        await sep2.control("top", start=600 * number)
    for client in clients:
        assert await client.status("GET", "/derp/1") == 200
    reads: list[str] = []

    def seen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM sep2_control " in statement.replace("\n", " "):
            reads.append(statement)

    reader = sep2.store._engines.reader.sync_engine
    event.listen(reader, "before_cursor_execute", seen)
    answers = await asyncio.gather(*(client.ask("GET", "/derp/1/derc?l=48") for client in clients))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(reads) == 1
    stranger = await sep2.enrol("stranger")
    both = await asyncio.gather(*(one.status("GET", "/derp/1/actderc") for one in (stranger, clients[0])))
    assert both == [404, 200], "who waits for another's answer gets it only if it may read it"


@pytest.mark.ieee2030_5("F1", "L5")
async def test_the_time_is_kept_for_its_second_and_the_rates_until_they_change(sep2: Sep2Bench) -> None:
    client = await sep2.enrol("one")
    first = await client.get("/tm", Time)
    sep2.later(0.5)
    assert (await client.get("/tm", Time)).current_time in (first.current_time, sep2.moment)
    sep2.later(10)
    assert (await client.get("/tm", Time)).current_time == sep2.moment == first.current_time + 10
    sep2.later(-3600)
    assert (await client.get("/tm", Time)).current_time == sep2.moment, "by a clock that was put back"
    await sep2_rates.save_rate(sep2.store, "Time", 77, actor=ACTOR, now=sep2.now)
    assert (await client.get("/tm", Time)).poll_rate == 77


async def test_certificates_seen_for_the_first_time_are_completed_in_few_commits(sep2: Sep2Bench) -> None:
    """Parties that were enrolled by their fingerprint alone, and all come at once, with several questions each."""
    clients = [await sep2.enrol(f"device-{number}") for number in range(20)]
    for client in clients:
        client.peer = replace(client.peer, ends_at=sep2.now + timedelta(days=900))
    before = sep2.store.changes()
    answers = await asyncio.gather(*(client.ask("GET", "/dcap") for client in clients for _ in range(5)))
    assert {answer.status for answer in answers} == {200}
    assert sep2.store.changes() - before <= len(clients), "and not one for each question"
    async with sep2.store.view() as view:
        party = await view.parties.by_name("device-7")
    assert party is not None
    assert party.certificates[0].ends_at == clients[7].peer.ends_at
