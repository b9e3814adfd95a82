"""Bearer tokens: made and judged here, with the time as an argument.

Ours have one algorithm, ES256. Those of somebody else's identity provider have one of the asymmetric
ones that its operator allowed. A token's header may name a key by its id and nothing else: addresses
and keys in it are ignored. The signing key comes from the operating system's generator.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from openadr_core.errors import UnknownPeer
from openadr_core.limits import TOKEN_MAX_CHARS
from openadr_core.oadr3.key_sets import VerifyingKey

ALGORITHM = "ES256"
REQUIRED_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
LEEWAY = timedelta(seconds=30)
"""Between this machine's clock and that of another that signed the token."""
CLIENT_ID_MAX_CHARS = 128
"""OpenADR 3: the length of a clientID."""
BINDING = "x5t#S256"
"""RFC 8705, 3.1: the certificate that must be shown with the token."""


class UnknownKey(UnknownPeer):
    """A token that names a key which is not among those given; it may have been made meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must say to be meant for us, and where it says who its client is."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = (ALGORITHM,)
    """Asymmetric ones alone."""
    client_claims: tuple[str, ...] = ("client_id", "azp", "sub")
    """OpenADR 3.1 leaves it open how a clientID follows from a token: the first of these that is there tells it."""
    scope_claims: tuple[str, ...] = ("scope",)
    """Each a text of words or a list of them; all of them count."""


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
    certificate_sha256: str | None = None
    """The certificate that it is bound to (RFC 8705): 64 lower-case hex digits."""


def new_signing_key() -> str:
    """A private P-256 key as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def sign_token(token: Token, *, key_id: str, key_pem: str) -> str:
    """The token as a compact JWT."""
    claims: dict[str, Any] = {
        "iss": token.issuer,
        "aud": token.audience,
        "sub": token.client_id,
        "client_id": token.client_id,
        "scope": " ".join(token.scopes),
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.id,
    }
    if token.certificate_sha256 is not None:
        claims["cnf"] = {BINDING: _thumbprint(token.certificate_sha256)}
    return jwt.encode(claims, key_pem, algorithm=ALGORITHM, headers={"kid": key_id})


def verify_token(text: str, keys: Mapping[str, VerifyingKey], rules: TokenRules, now: datetime) -> Token:
    """The token, if one of these keys (by id) signed it for us and it is current; else UnknownPeer.

    UnknownKey if it names none of them.
    """
    if len(text) > TOKEN_MAX_CHARS:
        raise UnknownPeer("the token is too long")
    try:
        key_id = jwt.get_unverified_header(text).get("kid")
        if not isinstance(key_id, str) or key_id not in keys:
            raise UnknownKey("the token is signed with a key that is not known")
        key = keys[key_id]
        claims = jwt.decode(
            text,
            key.key,
            algorithms=[name for name in rules.algorithms if name in key.algorithms],
            audience=rules.audience,
            issuer=rules.issuer,
            # The library would read the clock; the times are judged below.
            options={"require": list(REQUIRED_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        token = _read(claims, rules, now)
        not_before = datetime.fromtimestamp(int(claims.get("nbf", 0)), tz=now.tzinfo)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise UnknownPeer(f"the token is not valid: {error}") from None
    if token.expires_at <= now:
        raise UnknownPeer("the token has expired")
    if max(token.issued_at, not_before) > now + LEEWAY:
        raise UnknownPeer("the token is from the future")
    return token


def refuse_other_channel(bound_to: str | None, shown: str | None) -> None:
    """UnknownPeer where a token, or a client, is bound to another certificate than this connection showed.

    RFC 8705: both are SHA-256 in hex.
    """
    if bound_to is not None and (shown is None or not compare_digest(bound_to, shown)):
        raise UnknownPeer("bound to a certificate that this connection did not show")


def _read(claims: Mapping[str, Any], rules: TokenRules, now: datetime) -> Token:
    return Token(
        issuer=rules.issuer,
        audience=rules.audience,
        client_id=_client_id(claims, rules.client_claims),
        scopes=tuple(dict.fromkeys(word for name in rules.scope_claims for word in _words(claims.get(name)))),
        issued_at=datetime.fromtimestamp(int(claims["iat"]), tz=now.tzinfo),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), tz=now.tzinfo),
        id=str(claims.get("jti", "")),
        certificate_sha256=_bound_to(claims.get("cnf")),
    )


def _client_id(claims: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        found = claims.get(name)
        if isinstance(found, str) and 0 < len(found) <= CLIENT_ID_MAX_CHARS and found.isprintable():
            return found
    raise ValueError(f"it names no client: there is no {' or '.join(names)}")


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [word for word in value if isinstance(word, str)]
    return []


def _bound_to(confirmation: object) -> str | None:
    """A token that is bound in a way we cannot check is nobody's here (RFC 7800, 3.1)."""
    if confirmation is None:
        return None
    thumbprint = confirmation.get(BINDING) if isinstance(confirmation, dict) else None
    if not isinstance(thumbprint, str):
        raise TypeError("it is bound in a way that is not done here")
    digest = urlsafe_b64decode(thumbprint + "=" * (-len(thumbprint) % 4))
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError("it is bound to what is no certificate")
    return digest.hex()


def _thumbprint(sha256: str) -> str:
    return urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()


def secret_hash(secret: str) -> str:
    """What is stored of a client's secret.

    Secrets are ours: 256 random bits. They cannot be guessed from a plain digest, and a slow one
    would only let a stranger burn our processor by asking for tokens.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, stored_hash: str) -> bool:
    """Compared in constant time."""
    return compare_digest(secret_hash(secret), stored_hash)
