"""Secrets that must stay readable are sealed in the store: who has a copy of the database alone has none of them.

What is sealed: the keys that sign tokens, the secrets that notifications are signed with, and the bearer tokens that
receivers gave us. Clients' own secrets are not in the store at all, only their hashes.

The keys are files beside the settings. The first seals, all of them open. A new one is put before the others, and these
can go once the VTN has started with it, since at each start what the first has not sealed is sealed anew.
"""

from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from openadr_core.errors import ConfigError, StoreError

SEALED = "sealed:"
"""Before what is sealed. Nothing that is stored as it is begins so: neither PEM, nor JSON, nor a secret of ours."""


class Vault:
    def __init__(self, keys: Sequence[Fernet] = ()) -> None:
        """Without keys what is stored is stored as it is."""
        self._first = keys[0] if keys else None
        self._all = MultiFernet(keys) if keys else None

    @property
    def seals(self) -> bool:
        return self._first is not None

    def sealed(self, text: str) -> str:
        return text if self._first is None else SEALED + self._first.encrypt(text.encode()).decode()

    def opened(self, stored: str) -> str:
        """StoreError if it was sealed with a key that we do not have."""
        if not stored.startswith(SEALED):
            return stored
        if self._all is not None:
            try:
                return self._all.decrypt(stored.removeprefix(SEALED).encode()).decode()
            except InvalidToken:
                pass
        raise StoreError("a secret in the store was sealed with a key that is not among secret_keys of [store]")

    def is_current(self, stored: str) -> bool:
        """Whether it is sealed with the first key; with none, nothing is to be done."""
        if self._first is None:
            return True
        if not stored.startswith(SEALED):
            return False
        try:
            self._first.decrypt(stored.removeprefix(SEALED).encode())
        except InvalidToken:
            return False
        return True


PLAIN = Vault()


def new_key() -> bytes:
    """The content of a key's file."""
    return Fernet.generate_key() + b"\n"


def vault_of(files: Sequence[Path]) -> Vault:
    """ConfigError names a file that is no key of :func:`new_key`."""
    return Vault([_key(file) for file in files])


def _key(file: Path) -> Fernet:
    try:
        return Fernet(file.read_bytes().strip())
    except OSError as error:
        raise ConfigError(f"store.secret_keys: {file}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"store.secret_keys: {file}: no key of openadr-vtn store key") from None
