"""Who asks too often is told when to come again (R1.6); a query that is not known is not passed over (R2.3)."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_core.shell.clock import ManualClock
from openadr_vtn.http.addresses import OADR301
from tests.vtn.oadr3.table import Table, laid_table
from tests.vtn.operator.test_operator_access import assert_problem

A_FEW = 5


@pytest.fixture
async def strict(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Table]:
    async with laid_table(empty_database, tmp_path / "vtn.db", ManualClock(now), requests_per_minute=A_FEW) as table:
        yield table


@pytest.mark.openadr3("R1.6")
async def test_a_client_that_asks_too_often_waits_and_no_other_does(strict: Table) -> None:
    statuses = [await strict.ven.status("events") for _ in range(A_FEW + 1)]
    assert statuses == [200] * A_FEW + [429]
    answer = await strict.ven.ask("GET", "events")
    problem = assert_problem(answer, 429)
    assert "too many requests of this client" in problem["detail"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 60 / A_FEW + 1
    assert await strict.other.status("events") == 200
    refused = await strict.ven.ask("POST", "vens", json={"objectType": "VEN_VEN_REQUEST", "venName": "house"})
    assert refused.status_code == 429
    assert await strict.bl.read("vens") == [], "what was refused was not done"


async def test_a_wrong_token_is_401_and_counts_against_nobody(strict: Table) -> None:
    for _ in range(2 * A_FEW):
        assert (await strict.ven.ask("GET", "events", headers={"Authorization": "Bearer x"})).status_code == 401
    assert await strict.ven.status("events") == 200


@pytest.mark.openadr3("R2.3", "R3.3")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("events?programId=x", "programId: is not known here; there are skip, limit, programID, active, targets"),
        ("events?limit=1&limit=2", "limit: stands 2 times"),
        ("events?programID=a&programID=b", "programID: stands 2 times"),
        ("reports?eventId=a", "eventId: is not known here"),
        ("subscriptions?targets=a", "targets: is not known here"),
        ("vens?venname=a", "venname: is not known here"),
        ("resources?venID=a&venID=a", "venID: stands 2 times"),
        (f"vens?{'x' * 200}=1", f"{'x' * 64}: is not known"),
    ],
)
async def test_a_query_that_would_be_passed_over_is_refused_by_its_name(table: Table, query: str, said: str) -> None:
    assert assert_problem(await table.bl.ask("GET", query), 400)["detail"].startswith(said)


async def test_the_words_of_3_0_1_are_passed_over_since_a_published_client_says_them(table: Table) -> None:
    """It picks from the answer itself: tests/interop has it find a ven by its name."""
    await table.ven.create("vens", {"objectType": "VEN_VEN_REQUEST", "venName": "house"})
    assert len(await table.bl.read("vens?targetType=VEN_NAME&targetValues=house&targetValues=other")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "events?targets=a&targets=b&skip=0&limit=1&active=true&programID=x", "programs?programName=p&targets=a",
        "reports?programID=a&eventID=b&clientName=c", "subscriptions?objects=EVENT&objects=REPORT&clientName=c",
        "vens?venName=a&targets=b", "resources?venID=a&resourceName=b&targets=c",
    ],
)  # fmt: skip
async def test_every_filter_of_the_standard_is_known(table: Table, query: str) -> None:
    assert await table.bl.read(query) == []


async def test_3_0_1_has_words_of_its_own(table: Table) -> None:
    async def status(query: str) -> int:
        answer = await table.desk.http.get(f"{OADR301}/{query}", headers=dict(table.bl.headers))
        return answer.status_code

    for kind in ("programs", "events", "subscriptions", "vens"):
        assert await status(f"{kind}?targetType=GROUP&targetValues=a&targetValues=b&skip=0") == 200
        assert await status(f"{kind}?targetsType=GROUP") == 400


async def test_the_subscriptions_of_a_ven_end_with_it(table: Table) -> None:
    ven = await table.ven.create("vens", {"objectType": "VEN_VEN_REQUEST", "venName": "house"})
    watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "https://ven.example/hook"}
    for client in (table.ven, table.other, table.bl):
        await client.create("subscriptions", {"clientName": client.id, "objectOperations": [watch]})
    await table.bl.remove(f"vens/{ven['id']}")
    assert [one["clientName"] for one in await table.bl.read("subscriptions")] == [table.other.id, table.bl.id]
