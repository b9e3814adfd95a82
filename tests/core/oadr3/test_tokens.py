"""Tokens: one algorithm, required claims, times judged by the caller's clock."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from openadr_core.errors import UnknownPeer
from openadr_core.oadr3.key_sets import verifying_key
from openadr_core.oadr3.tokens import (
    REQUIRED_CLAIMS,
    Token,
    TokenRules,
    UnknownKey,
    new_signing_key,
    refuse_other_channel,
    secret_hash,
    secret_matches,
    sign_token,
    verify_token,
)

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
KEY = new_signing_key()
PUBLIC = (
    serialization.load_pem_private_key(KEY.encode(), password=None)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)
TOKEN = Token(
    issuer="vtn", audience="operator", client_id="c-1", scopes=("read_all", "write_events"),
    issued_at=NOW, expires_at=NOW + timedelta(hours=1), id="t-1",
)  # fmt: skip
RULES = TokenRules(issuer="vtn", audience="operator")
CLAIMS: dict[str, Any] = {"iss": "vtn", "sub": "c-1", "aud": "operator", "iat": NOW, "exp": NOW + timedelta(hours=1)}


def verified(text: str, now: datetime = NOW) -> Token:
    return verify_token(text, {"k-1": verifying_key(KEY)}, RULES, now)


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_comes_back() -> None:
    assert verified(sign_token(TOKEN, key_id="k-1", key_pem=KEY)) == TOKEN


@pytest.mark.parametrize("missing", REQUIRED_CLAIMS)
def test_every_claim_is_required(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    with pytest.raises(UnknownPeer, match=missing):
        verified(jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "k-1"}))


@pytest.mark.parametrize(
    "token",
    [
        replace(TOKEN, issuer="another"),
        replace(TOKEN, audience="another"),
        replace(TOKEN, expires_at=NOW),
        replace(TOKEN, issued_at=NOW + timedelta(minutes=5)),
    ],
)
def test_wrong_claims_are_refused(token: Token) -> None:
    with pytest.raises(UnknownPeer):
        verified(sign_token(token, key_id="k-1", key_pem=KEY))


def test_the_key_must_be_ours() -> None:
    with pytest.raises(UnknownPeer, match="not known"):
        verified(sign_token(TOKEN, key_id="k-2", key_pem=KEY))
    with pytest.raises(UnknownPeer, match="Signature"):
        verified(sign_token(TOKEN, key_id="k-1", key_pem=new_signing_key()))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES384"])
def test_no_other_algorithm(algorithm: str) -> None:
    body = {**CLAIMS, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}
    forged = f"{encoded({'alg': algorithm, 'kid': 'k-1', 'typ': 'JWT'})}.{encoded(body)}."
    with pytest.raises(UnknownPeer):
        verified(forged)


def test_a_public_key_is_no_shared_secret() -> None:
    """The classic confusion: HS256 keyed with the text of the public key."""
    head = encoded({"alg": "HS256", "kid": "k-1"})
    body = encoded({**CLAIMS, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60})
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{head}.{body}".encode(), PUBLIC
    )
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(UnknownPeer):
        verified(forged)


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
def test_addresses_and_keys_in_the_header_are_ignored(header: str) -> None:
    stranger = new_signing_key()
    forged = jwt.encode(
        CLAIMS, stranger, algorithm="ES256", headers={"kid": "k-1", header: "https://evil.example/keys"}
    )
    with pytest.raises(UnknownPeer):
        verified(forged)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "x" * 5000, "é.é.é", '{"alg":"none"}'])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(UnknownPeer):
        verified(text)


def test_a_token_that_nests_deep_is_rubbish_too() -> None:
    head = base64.urlsafe_b64encode(b"[" * 3000).rstrip(b"=").decode()
    with pytest.raises(UnknownPeer):
        verified(f"{head}.{head}.AAAA")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "", None, 5, "k-1' OR 1=1"])
def test_a_key_id_is_only_a_name(kid: Any) -> None:
    forged = f"{encoded({'alg': 'ES256', 'kid': kid})}.{encoded({})}.AAAA"
    with pytest.raises(UnknownPeer):
        verified(forged)


def test_secrets_match_themselves_only() -> None:
    stored = secret_hash("open sesame")
    assert secret_matches("open sesame", stored)
    assert not secret_matches("open sesam", stored)
    assert "sesame" not in stored


def signed(**claims: Any) -> str:
    return jwt.encode({**CLAIMS, **claims}, KEY, algorithm="ES256", headers={"kid": "k-1"})


@pytest.mark.parametrize(
    ("claims", "client_id"),
    [
        ({"client_id": "a", "azp": "b"}, "a"),
        ({"azp": "b"}, "b"),
        ({}, "c-1"),
        ({"client_id": "", "azp": 5}, "c-1"),
        ({"client_id": "a" * 129}, "c-1"),
        ({"client_id": "a\0"}, "c-1"),
    ],
)
@pytest.mark.openadr3("R5.1")
def test_the_first_claim_that_names_a_client_counts(claims: dict[str, Any], client_id: str) -> None:
    """R5.1: client_id, azp, sub."""
    assert verified(signed(**claims)).client_id == client_id


def test_which_claim_names_the_client_is_a_rule_of_the_operators() -> None:
    rules = replace(RULES, client_claims=("appid",))
    keys = {"k-1": verifying_key(KEY)}
    assert verify_token(signed(appid="x"), keys, rules, NOW).client_id == "x"
    with pytest.raises(UnknownPeer, match="appid"):
        verify_token(signed(), keys, rules, NOW)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "read_all  write_events"}, ("read_all", "write_events")),
        ({"scp": ["read_all"], "roles": ["write_events", 5]}, ("read_all", "write_events")),
        ({"scope": "openid", "scp": "read_all"}, ("openid", "read_all")),
        ({"scope": 5, "roles": {"read_all": True}}, ()),
        ({}, ()),
    ],
)
@pytest.mark.openadr3("R6.3")
def test_scopes_are_words_or_lists(claims: dict[str, Any], scopes: tuple[str, ...]) -> None:
    """R6.3."""
    rules = replace(RULES, scope_claims=("scope", "scp", "roles"))
    assert verify_token(signed(**claims), {"k-1": verifying_key(KEY)}, rules, NOW).scopes == scopes


def test_a_token_is_not_good_before_it_says() -> None:
    assert verified(signed(nbf=NOW + timedelta(seconds=20)))
    with pytest.raises(UnknownPeer, match="future"):
        verified(signed(nbf=NOW + timedelta(minutes=1)))


@pytest.mark.parametrize("moment", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**30, -(10**30), "soon", None, [], {}])
def test_times_that_are_none_are_refused(moment: str, value: Any) -> None:
    body = {**CLAIMS, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60, moment: value}
    with pytest.raises(UnknownPeer):
        verified(jwt.encode(body, KEY, algorithm="ES256", headers={"kid": "k-1"}))


def test_an_unknown_key_is_told_apart_so_that_it_can_be_asked_for() -> None:
    with pytest.raises(UnknownKey):
        verified(sign_token(TOKEN, key_id="k-2", key_pem=KEY))


def test_a_bound_token_names_its_certificate_as_rfc_8705_does() -> None:
    sha256 = hashlib.sha256(b"a certificate").hexdigest()
    text = sign_token(replace(TOKEN, certificate_sha256=sha256), key_id="k-1", key_pem=KEY)
    claims = jwt.decode(text, options={"verify_signature": False})
    assert base64.urlsafe_b64decode(claims["cnf"]["x5t#S256"] + "=") == bytes.fromhex(sha256)
    assert verified(text).certificate_sha256 == sha256


@pytest.mark.parametrize("cnf", [{}, {"jkt": "x"}, {"x5t#S256": 5}, {"x5t#S256": "short"}, {"x5t#S256": "é"}, "x", []])
def test_a_binding_that_cannot_be_checked_is_none_to_pass(cnf: Any) -> None:
    with pytest.raises(UnknownPeer):
        verified(signed(cnf=cnf))


def test_what_is_bound_comes_by_its_own_channel_alone() -> None:
    for bound_to, shown in ((None, None), (None, "ab"), ("ab", "ab")):
        refuse_other_channel(bound_to, shown)
    for shown in (None, "cd", ""):
        with pytest.raises(UnknownPeer):
            refuse_other_channel("ab", shown)
