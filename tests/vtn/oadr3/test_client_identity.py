"""Who is who on the listener for OpenADR 3, over real TLS: secrets, certificates, bound tokens, keys (R6.1 to R6.4)."""

import base64
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest

from openadr_core.oadr3.key_sets import read_key_set
from openadr_core.oadr3.tokens import TokenRules, verify_token
from openadr_vtn.application.handlers.clients import TOKENS_END
from openadr_vtn.cli.client_store import remove_client, rotate_secret, rotate_signing_key
from openadr_vtn.domain.access import READ_ALL, READ_TARGETS, WRITE_VENS, Role
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.core.shell.lab import Lab
from tests.vtn.oadr3.secure_vtn import SecureVtn, ask, ask_token, secure_vtn, sha256_of, token_of


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture
async def vtn(lab: Lab, tmp_path: Path) -> AsyncIterator[SecureVtn]:
    async with secure_vtn(lab, tmp_path) as vtn:
        yield vtn


@pytest.mark.openadr3("R1.1", "R6.1")
async def test_a_ven_without_a_certificate_is_let_in_by_its_secret(vtn: SecureVtn) -> None:
    """R1.1: client certificates are an addition; R6.1: the token endpoint, found without a token."""
    secret = await vtn.add("ven-1")
    async with vtn.client() as http:
        told = (await ask(http, None, f"{OADR3}/auth/server")).json()["tokenURL"]
        answer = await http.post(told, data={"grant_type": "client_credentials"}, auth=httpx.BasicAuth("ven-1", secret))
        assert answer.headers["Cache-Control"] == "no-store"
        assert "cnf" not in jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        assert (await ask(http, answer.json()["access_token"])).status_code == 200


async def test_what_is_missing_is_told_apart(vtn: SecureVtn) -> None:
    """R2.4: 401 where nobody is known, 403 where somebody may not."""
    secret = await vtn.add("ven-1", scopes=(WRITE_VENS,))
    async with vtn.client() as http:
        nobody, rubbish = await ask(http, None), await ask(http, "rubbish")
        assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (rubbish.status_code, rubbish.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
        lacking = await ask(http, await token_of(http, "ven-1", secret))
        assert (lacking.status_code, lacking.headers["WWW-Authenticate"]) == (403, 'Bearer error="insufficient_scope"')


async def test_a_ven_is_no_operator_on_any_listener(vtn: SecureVtn) -> None:
    secret = await vtn.add("ven-1")
    async with vtn.client() as http, vtn.client(listener="operator") as desk:
        token = await token_of(http, "ven-1", secret)
        assert (await ask(http, token, f"{ADMIN}/parties")).status_code == 404, "the admin API is elsewhere"
        assert (await ask(desk, token, f"{ADMIN}/parties")).status_code == 403
        assert (await ask_token(http, "ven-1", secret, scope="manage_parties")).json()["error"] == "invalid_scope"


async def test_words_of_other_versions_mean_what_a_ven_may(vtn: SecureVtn) -> None:
    secret = await vtn.add("ven-1", scopes=(READ_TARGETS, WRITE_VENS))
    async with vtn.client() as http:
        granted = (await ask_token(http, "ven-1", secret, scope=f"{READ_ALL} write_vens_ven")).json()["scope"]
    assert granted == f"{READ_TARGETS} {WRITE_VENS}"


@pytest.mark.openadr3("R6.4")
async def test_a_token_is_bound_to_the_certificate_that_was_shown(vtn: SecureVtn, lab: Lab) -> None:
    """R6.4, RFC 8705: good on a connection with that certificate, and on no other."""
    ours, other = lab.chain("openadr-ecc-ven"), lab.chain("openadr-ecc-ven", "other")
    secret = await vtn.add("ven-1")
    async with vtn.client(ours) as http, vtn.client(other) as foreign, vtn.client() as bare:
        token = await token_of(http, "ven-1", secret)
        thumbprint = jwt.decode(token, options={"verify_signature": False})["cnf"]["x5t#S256"]
        assert base64.urlsafe_b64decode(thumbprint + "=").hex() == sha256_of(ours)
        assert (await ask(http, token)).status_code == 200
        assert (await ask(foreign, token)).status_code == 401
        assert (await ask(bare, token)).status_code == 401
        unbound = await token_of(bare, "ven-1", secret)
        assert (await ask(http, unbound)).status_code == 200, "who brings a certificate besides does no harm"


async def test_a_client_that_is_tied_to_a_certificate_must_show_it(vtn: SecureVtn, lab: Lab) -> None:
    ours, other = lab.chain("openadr-ecc-ven"), lab.chain("openadr-ecc-ven", "other")
    secret = await vtn.add("ven-1", certificate_sha256=sha256_of(ours))
    async with vtn.client(ours) as http, vtn.client(other) as foreign, vtn.client() as bare:
        for stranger in (foreign, bare):
            assert (await ask_token(stranger, "ven-1", secret)).json()["error"] == "invalid_client"
        assert (await ask_token(http, "ven-1", "wrong")).json()["error"] == "invalid_client"
        assert (await ask_token(http, "ven-1", None)).json()["error"] == "invalid_client"
        assert (await ask(http, await token_of(http, "ven-1", secret))).status_code == 200


async def test_a_certificate_alone_can_be_enough(vtn: SecureVtn, lab: Lab) -> None:
    """RFC 8705, 2: the client says its id, the connection proves it."""
    ours = lab.chain("openadr-ecc-ven")
    await vtn.add("ven-1", certificate_sha256=sha256_of(ours), has_secret=False)
    async with vtn.client(ours) as http, vtn.client() as bare:
        assert (await ask(http, await token_of(http, "ven-1", None))).status_code == 200
        assert (await ask_token(http, "ven-1", "anything")).status_code == 401
        for secret in ("", None):
            assert (await ask_token(bare, "ven-1", secret)).status_code == 401


@pytest.mark.parametrize("fault", ["", "unknown authority"])
async def test_a_certificate_that_is_shown_is_verified(vtn: SecureVtn, lab: Lab, tmp_path: Path, fault: str) -> None:
    stranger = Lab(folder=tmp_path, now=lab.now) if fault else lab
    async with vtn.client(stranger.chain("openadr-ecc-ven")) as http:
        if fault:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await ask(http, None)
        else:
            assert (await ask(http, None)).status_code == 401


async def test_a_secret_is_rotated_without_haste(vtn: SecureVtn) -> None:
    before = await vtn.add("ven-1")
    _, after = await rotate_secret(vtn.settings, "ven-1", timedelta(hours=1))
    async with vtn.client() as http:
        token = await token_of(http, "ven-1", before)
        await token_of(http, "ven-1", after)
        vtn.hours.ahead_s += 3601
        assert (await ask_token(http, "ven-1", before)).status_code == 401
        await token_of(http, "ven-1", after)
        assert (await ask(http, token)).status_code == 401, "it has ended meanwhile"
        _, newest = await rotate_secret(vtn.settings, "ven-1", timedelta(0))
        assert (await ask_token(http, "ven-1", after)).status_code == 401
        await token_of(http, "ven-1", newest)


async def test_signing_keys_are_rotated_while_the_vtn_runs(vtn: SecureVtn) -> None:
    """What was signed before counts until it ends, or not at all; others find every key that counts."""
    secret = await vtn.add("ven-1")
    rules = TokenRules(issuer="VTN-1", audience="VTN-1/operator")
    async with vtn.client() as http:
        first = await token_of(http, "ven-1", secret)
        assert len(await rotate_signing_key(vtn.settings, revoke=False)) == 2
        vtn.hours.ahead_s += 61
        second = await token_of(http, "ven-1", secret)
        published = read_key_set((await ask(http, None, f"{OADR3}/auth/keys")).content)
        assert [verify_token(text, published, rules, vtn.clock.now()).client_id for text in (first, second)] == [
            "ven-1",
            "ven-1",
        ]
        assert jwt.get_unverified_header(first)["kid"] != jwt.get_unverified_header(second)["kid"]
        assert (await ask(http, first)).status_code == 200
        assert len(await rotate_signing_key(vtn.settings, revoke=True)) == 1
        vtn.hours.ahead_s += 61
        assert [(await ask(http, text)).status_code for text in (first, second)] == [401, 401]
        assert (await ask(http, await token_of(http, "ven-1", secret))).status_code == 200


async def test_a_client_that_is_removed_beside_the_vtn_is_out_within_a_second(vtn: SecureVtn) -> None:
    secret = await vtn.add("ven-1")
    async with vtn.client() as http:
        token = await token_of(http, "ven-1", secret)
        assert (await ask(http, token)).status_code == 200
        await remove_client(vtn.settings, "ven-1")
        vtn.hours.ahead_s += 1
        assert (await ask(http, token)).status_code == 401


@pytest.mark.openadr3("R1.6")
async def test_who_guesses_secrets_waits(vtn: SecureVtn) -> None:
    secret = await vtn.add("ven-1", Role.BUSINESS)
    async with vtn.client() as http:
        answers = [await ask_token(http, "ven-1", "guess") for _ in range(40)]
        assert answers[0].status_code == 401
        last = answers[-1]
        assert (last.status_code, int(last.headers["Retry-After"]) > 0) == (429, True)
        await token_of(http, "ven-1", secret)


def test_a_token_never_outlives_the_key_that_is_dropped() -> None:
    """The longest that settings allow a token is a day."""
    assert timedelta(days=1) < TOKENS_END
