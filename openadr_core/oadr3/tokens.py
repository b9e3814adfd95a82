"""Bearer tokens: made and judged here, with the time as an argument. One algorithm, ES256, and no other.

A token's header may name a key of ours by its id and nothing else: addresses and keys in it are
ignored. The signing key comes from the operating system's generator.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from openadr_core.errors import UnknownPeer

ALGORITHM = "ES256"
REQUIRED_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
LEEWAY = timedelta(seconds=30)
"""Between this machine's clock and that of another VTN process that signed the token."""
TOKEN_MAX_CHARS = 4096


class UnknownKey(UnknownPeer):
    """A token that names a key which is not among those given; another process may have made it meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who may do what, until when."""

    issuer: str
    audience: str
    client_id: str
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    id: str


def new_signing_key() -> str:
    """A private P-256 key as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def sign_token(token: Token, *, key_id: str, key_pem: str) -> str:
    """The token as a compact JWT."""
    claims = {
        "iss": token.issuer,
        "aud": token.audience,
        "sub": token.client_id,
        "client_id": token.client_id,
        "scope": " ".join(token.scopes),
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.id,
    }
    return jwt.encode(claims, key_pem, algorithm=ALGORITHM, headers={"kid": key_id})


def verify_token(text: str, keys: Mapping[str, str], *, issuer: str, audience: str, now: datetime) -> Token:
    """The token, if one of these keys (PEM by id) signed it for this audience and it is current; else UnknownPeer."""
    if len(text) > TOKEN_MAX_CHARS:
        raise UnknownPeer("the token is too long")
    try:
        key_id = jwt.get_unverified_header(text).get("kid")
        if not isinstance(key_id, str) or key_id not in keys:
            raise UnknownKey("the token is signed with a key that is not ours")
        public_key = serialization.load_pem_private_key(keys[key_id].encode(), password=None).public_key()
        claims = jwt.decode(
            text,
            public_key,  # type: ignore[arg-type]  # only EC keys are ever stored
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            # The library would read the clock; the times are judged below.
            options={"require": list(REQUIRED_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        token = Token(
            issuer=issuer,
            audience=audience,
            client_id=str(claims["sub"]),
            scopes=tuple(str(claims.get("scope", "")).split()),
            issued_at=datetime.fromtimestamp(int(claims["iat"]), tz=now.tzinfo),
            expires_at=datetime.fromtimestamp(int(claims["exp"]), tz=now.tzinfo),
            id=str(claims.get("jti", "")),
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
        raise UnknownPeer(f"the token is not valid: {error}") from None
    if token.expires_at <= now:
        raise UnknownPeer("the token has expired")
    if token.issued_at > now + LEEWAY:
        raise UnknownPeer("the token is from the future")
    return token


def secret_hash(secret: str) -> str:
    """What is stored of a client's secret.

    Secrets are ours: 256 random bits. They cannot be guessed from a plain digest, and a slow one
    would only let a stranger burn our processor by asking for tokens.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, stored_hash: str) -> bool:
    """Compared in constant time."""
    return compare_digest(secret_hash(secret), stored_hash)
