"""Key sets: ours as others read it, theirs without what could be turned against us (security T17)."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import MalformedMessage, UnknownPeer
from openadr_core.oadr3.key_sets import KEYS_MAX, key_set_text, read_key_set, verifying_key
from openadr_core.oadr3.tokens import TokenRules, new_signing_key, verify_token

NOW = datetime(2030, 7, 1, 18, 30, tzinfo=UTC)
RULES = TokenRules(issuer="idp", audience="vtn", algorithms=("RS256", "ES256", "ES384", "EdDSA"))
CLAIMS = {"iss": "idp", "sub": "c", "aud": ["vtn", "other"], "iat": NOW, "exp": NOW + timedelta(hours=1)}


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def jwk_of(key: Any, **members: Any) -> dict[str, Any]:
    algorithm: dict[type, Any] = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    (kind,) = [maker for one, maker in algorithm.items() if isinstance(key, one)]
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": "k", **members}


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa_key(), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
@pytest.mark.openadr3("R6.3")
def test_a_providers_token_is_verified_with_the_key_it_published(key: Any, algorithm: str) -> None:
    keys = read_key_set(document(jwk_of(key)))
    text = jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": "k"})
    assert verify_token(text, keys, RULES, NOW).client_id == "c"


def test_what_the_operator_does_not_allow_is_refused_whatever_the_key_can() -> None:
    text = jwt.encode(CLAIMS, rsa_key(), algorithm="RS512", headers={"kid": "k"})
    with pytest.raises(UnknownPeer):
        verify_token(text, read_key_set(document(jwk_of(rsa_key()))), RULES, NOW)


def test_a_key_for_one_algorithm_counts_for_no_other() -> None:
    keys = read_key_set(document(jwk_of(rsa_key(), alg="PS256")))
    assert keys["k"].algorithms == ("PS256",)
    text = jwt.encode(CLAIMS, rsa_key(), algorithm="RS256", headers={"kid": "k"})
    with pytest.raises(UnknownPeer):
        verify_token(text, keys, RULES, NOW)


def test_the_rsa_public_key_is_no_shared_secret() -> None:
    """The classic confusion, with the very text that a provider publishes."""
    pem = (
        rsa_key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    hs256 = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    unsigned = jwt.encode(CLAIMS, "x" * 32, algorithm="HS256", headers={"kid": "k"}).rpartition(".")[0]
    signature = jwt.utils.base64url_encode(hs256.sign(unsigned.encode(), pem)).decode()
    with pytest.raises(UnknownPeer):
        verify_token(f"{unsigned}.{signature}", read_key_set(document(jwk_of(rsa_key()))), RULES, NOW)


@pytest.mark.parametrize(
    "left_out",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
        jwk_of(rsa_key(), use="enc"),
        jwk_of(rsa_key(1024)),
        jwk_of(rsa_key(), alg="RSA-OAEP"),
        jwk_of(rsa_key(), alg="HS256"),
        jwk_of(rsa_key(), kid=None),
        jwk_of(ec.generate_private_key(ec.SECP256K1())),
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key())) | {"kid": "k"},
        {"kty": "RSA", "kid": "k", "n": 5, "e": []},
        {"kty": ["RSA"], "kid": "k"},
        {"kid": "k"},
        "k",
    ],
)
def test_what_is_not_for_us_is_left_out(left_out: Any) -> None:
    good = jwk_of(rsa_key(), kid="good")
    assert set(read_key_set(document(left_out, good))) == {"good"}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [], "keys": []}', b"<html>"])
def test_what_is_no_key_set_is_told(text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_key_set(text)


def test_a_set_is_bounded() -> None:
    many = [jwk_of(rsa_key(), kid=f"k-{number}") for number in range(KEYS_MAX + 1)]
    assert len(read_key_set(document(*many))) == KEYS_MAX


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("aA0-_=/", max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)
names = st.sampled_from(["kty", "kid", "alg", "use", "n", "e", "crv", "x", "y", "d", "k", "key_ops"])
known = st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "AQAB", "sig"])


@given(jwk=st.dictionaries(names, json_values | known))
def test_no_key_set_breaks_the_reader(jwk: dict[str, Any]) -> None:
    read_key_set(document(jwk))


def test_our_own_set_verifies_our_own_tokens_and_keeps_the_private_part() -> None:
    pem = new_signing_key()
    text = key_set_text({"k": verifying_key(pem)})
    (published,) = json.loads(text)["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    token = jwt.encode(CLAIMS, pem, algorithm="ES256", headers={"kid": "k"})
    assert verify_token(token, read_key_set(text.encode()), RULES, NOW).client_id == "c"
