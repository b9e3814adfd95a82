"""The key that signs prices, and the one that they are verified with: Ed25519, PEM."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from openadr_core.errors import ConfigError


def signing_key(path: Path | None) -> Ed25519PrivateKey | None:
    """The agent's; None for no path."""
    if path is None:
        return None
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(f"gateways.price_key: {path}: {problem}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"gateways.price_key: {path} is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")
    return key


def verifying_key(path: Path) -> Ed25519PublicKey:
    """A gateway's: the public half."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise ConfigError(f"broker.price_key: {path}: {problem}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"broker.price_key: {path} is no Ed25519 key; openssl pkey -pubout writes it")
    return key
