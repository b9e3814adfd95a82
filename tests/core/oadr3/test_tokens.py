"""Tokens: one algorithm, required claims, times judged by the caller's clock."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from openadr_core.errors import UnknownPeer
from openadr_core.oadr3.tokens import (
    REQUIRED_CLAIMS,
    Token,
    new_signing_key,
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
CLAIMS: dict[str, Any] = {"iss": "vtn", "sub": "c-1", "aud": "operator", "iat": NOW, "exp": NOW + timedelta(hours=1)}


def verified(text: str, now: datetime = NOW) -> Token:
    return verify_token(text, {"k-1": KEY}, issuer="vtn", audience="operator", now=now)


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
    with pytest.raises(UnknownPeer, match="not ours"):
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
