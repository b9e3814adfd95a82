"""Tokens of somebody else's identity provider, over real TLS (R6.3, security T17)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openadr_vtn.domain.access import READ_ALL, READ_TARGETS, READ_VEN_OBJECTS, Role
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.core.shell.lab import Lab
from tests.vtn.oadr3.secure_vtn import SecureVtn, ask, ask_token, secure_vtn, sha256_of, token_of

VENS = f"{OADR3}/vens"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture
async def vtn(lab: Lab, tmp_path: Path) -> AsyncIterator[SecureVtn]:
    async with secure_vtn(lab, tmp_path, with_provider=True) as vtn:
        yield vtn


def token(vtn: SecureVtn, **claims: Any) -> str:
    return vtn.provider.token(vtn.clock.now(), **claims)


@pytest.mark.openadr3("R6.3", "U3")
async def test_its_tokens_count_and_ours_do_not(vtn: SecureVtn) -> None:
    secret = await vtn.add("chief", Role.BUSINESS)
    async with vtn.client() as http, vtn.client(listener="operator") as desk:
        assert (await ask(http, token(vtn))).status_code == 200
        server = (await ask(http, None, f"{OADR3}/auth/server")).json()
        assert server == {"tokenURL": "https://login.example/token"}
        refused = await ask_token(http, "chief", secret)
        assert (refused.status_code, refused.json()["title"]) == (501, "Not Implemented")
        ours = await token_of(desk, "chief", secret)
        assert (await ask(desk, ours, f"{ADMIN}/parties")).status_code == 200, "operators keep their own"
        assert (await ask(http, ours)).status_code == 401
        assert (await ask(desk, token(vtn, scope=READ_ALL), f"{ADMIN}/parties")).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.example/other"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["another", "third"]},
        {"exp": None},
        {"exp": 1},
        {"iat": None},
        {"sub": None, "client_id": "x"},
        {"nbf": 4_000_000_000},
        {"kid": "other"},
        {"cnf": {"x5t#S256": "A" * 43}},
    ],
)
@pytest.mark.openadr3("R6.3")
async def test_what_is_not_meant_for_us_is_refused(vtn: SecureVtn, claims: dict[str, Any]) -> None:
    async with vtn.client() as http:
        assert (await ask(http, token(vtn, **claims))).status_code == 401


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"scope": None}, 403),
        ({"scope": "openid profile"}, 403),
        ({"scope": READ_VEN_OBJECTS}, 200),
        ({"scope": None, "scp": [READ_VEN_OBJECTS]}, 200),
        ({"scope": "openid", "roles": [READ_ALL]}, 200),
        ({"scope": READ_TARGETS}, 403),
    ],
)
async def test_scopes_stand_in_any_of_three_claims(vtn: SecureVtn, claims: dict[str, Any], status: int) -> None:
    async with vtn.client() as http:
        assert (await ask(http, token(vtn, **claims), VENS)).status_code == status


async def test_a_client_that_is_known_here_has_no_more_than_it_has_here(vtn: SecureVtn, lab: Lab) -> None:
    """Its role, its scopes and its certificate are the operator's word, not the provider's."""
    ours = lab.chain("openadr-ecc-ven")
    await vtn.add("ven-77", Role.VEN, scopes=(READ_TARGETS,), certificate_sha256=sha256_of(ours))
    greedy = token(vtn, client_id="ven-77", scope=f"{READ_ALL} write_programs")
    async with vtn.client() as bare, vtn.client(ours) as http:
        assert (await ask(bare, greedy)).status_code == 401
        assert (await ask(http, greedy)).status_code == 200
        assert (await ask(http, greedy, VENS)).status_code == 403
        program = {"programName": "mine"}
        posted = await http.post(f"{OADR3}/programs", json=program, headers={"Authorization": f"Bearer {greedy}"})
        assert posted.status_code == 403


async def test_ten_thousand_unknown_keys_are_one_question(vtn: SecureVtn) -> None:
    """T17: and a key that the provider has made meanwhile is found within a minute."""
    now = vtn.clock.now()
    async with vtn.client() as http:
        assert (await ask(http, token(vtn))).status_code == 200
        vtn.hours.ahead_s += 61
        before = vtn.provider.asked
        judge = vtn.vtn._provider
        assert judge is not None
        keys = judge.tokens.keys
        bad = [await ask(http, vtn.provider.token(now, kid=f"bad-{number}")) for number in range(20)]
        assert {answer.status_code for answer in bad} == {401}
        for _ in range(10_000):
            await keys.ask()
        assert vtn.provider.asked == before + 1
        vtn.provider.key_id = "idp-2"
        assert (await ask(http, token(vtn))).status_code == 401, "it was just asked"
        vtn.hours.ahead_s += 61
        assert (await ask(http, token(vtn))).status_code == 200
        assert vtn.provider.asked == before + 2


async def test_while_it_does_not_answer_the_keys_that_are_here_count(vtn: SecureVtn) -> None:
    async with vtn.client() as http:
        assert (await ask(http, token(vtn))).status_code == 200
        vtn.provider.answers = False
        vtn.hours.ahead_s += timedelta(hours=23).total_seconds()
        assert (await ask(http, token(vtn, kid="new"))).status_code == 401
        assert (await ask(http, token(vtn))).status_code == 200
        vtn.hours.ahead_s += timedelta(hours=2).total_seconds()
        assert (await ask(http, token(vtn))).status_code == 503, "a day without a word is too long"
        vtn.provider.answers = True
        judge = vtn.vtn._provider
        assert judge is not None
        await judge.ask()
        assert (await ask(http, token(vtn))).status_code == 200


async def test_a_provider_that_was_never_heard_is_our_trouble_and_not_the_clients(lab: Lab, tmp_path: Path) -> None:
    async with secure_vtn(lab, tmp_path, with_provider=True) as vtn:
        vtn.provider.answers = False
        judge = vtn.vtn._provider
        assert judge is not None
        judge._keys._keys, judge._keys._read_s = {}, None
        vtn.hours.ahead_s += 61
        async with vtn.client() as http:
            assert (await ask(http, token(vtn))).status_code == 503
