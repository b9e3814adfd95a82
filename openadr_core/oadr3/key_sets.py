"""Sets of public keys that tokens are judged by (RFC 7517): ours as others read it, and theirs as we do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from openadr_core.errors import MalformedMessage
from openadr_core.oadr3.json_text import parse_object

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
RSA_BITS_MIN = 2048
CURVE_ALGORITHMS = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}
KEYS_MAX = 100
"""In one set: a provider has a handful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    key: PublicKey
    algorithms: tuple[str, ...]
    """What it may have been used with: never that of another kind of key."""


def verifying_key(key_pem: str) -> VerifyingKey:
    """Of a signing key of ours: PEM, private."""
    private = serialization.load_pem_private_key(key_pem.encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("only P-256 keys are ever stored")
    return VerifyingKey(key=private.public_key(), algorithms=("ES256",))


def key_set_text(keys: Mapping[str, VerifyingKey]) -> str:
    """Our keys by id, as a JSON Web Key Set."""
    members = []
    for key_id, one in keys.items():
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(one.key))  # type: ignore[arg-type]  # ours are all EC
        members.append(jwk | {"kid": key_id, "use": "sig", "alg": one.algorithms[0]})
    return json.dumps({"keys": members})


def read_key_set(document: bytes) -> dict[str, VerifyingKey]:
    """The keys by their ids; what cannot verify a signature of ours is left out. MalformedMessage if it is no key set.

    Left out are shared secrets, keys without an id, keys to encrypt with, weak ones and unknown kinds: a
    provider may publish what is not for us.
    """
    members = parse_object(document)[0].get("keys")
    if not isinstance(members, list):
        raise MalformedMessage("keys: is not there, or no list")
    found = {}
    for jwk in members[:KEYS_MAX]:
        if not isinstance(jwk, dict):
            continue
        key_id, key = jwk.get("kid"), _read(jwk)
        if isinstance(key_id, str) and key is not None:
            found[key_id] = key
    return found


def _read(jwk: dict[str, Any]) -> VerifyingKey | None:
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(jwk).key
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    algorithms = _algorithms(key)
    if (only := jwk.get("alg")) is not None:
        algorithms = tuple(name for name in algorithms if name == only)
    return VerifyingKey(key=key, algorithms=algorithms) if algorithms else None


def _algorithms(key: object) -> tuple[str, ...]:
    match key:
        case rsa.RSAPublicKey():
            return RSA_ALGORITHMS if key.key_size >= RSA_BITS_MIN else ()
        case ec.EllipticCurvePublicKey():
            return CURVE_ALGORITHMS.get(key.curve.name, ())
        case ed25519.Ed25519PublicKey():
            return ("EdDSA",)
    return ()
