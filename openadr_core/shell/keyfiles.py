"""Keys, certificates and their profiles as files. Private keys are never, not for a moment, readable by others."""

import os
import secrets
from pathlib import Path

from openadr_core.errors import ConfigError
from openadr_core.pki import Authority, Issued, Profile, parse_profile
from openadr_core.shell.datafiles import data_path
from openadr_core.shell.tls import Chain


def certificate_profile(name: str) -> Profile:
    """A profile that ships with the package: ``openadr-rsa-vtn``, ``sep2-device`` and so on."""
    folder = data_path("certs/profiles")
    known = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name not in known:
        raise ConfigError(f"there is no certificate profile {name!r}; there are {', '.join(known)}")
    return parse_profile(name, known[name].read_text(encoding="utf-8"))


def write_private(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a secret that only its owner can read (0600), whole or not at all.

    An existing file is replaced only if that is asked for; else FileExistsError.
    """
    _write(path, content, mode=0o600, replace=replace)


def write_public(path: Path, content: bytes, *, replace: bool = False) -> None:
    """The same for what everybody may read (0644): certificates and chains."""
    _write(path, content, mode=0o644, replace=replace)


def write_issued(folder: Path, name: str, issued: Issued, *, replace: bool = False) -> Chain:
    """Write ``name.pem`` (the chain) and ``name.key``; the files as a TLS context wants them."""
    chain = Chain(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    write_private(chain.key, issued.key_pem, replace=replace)
    write_public(chain.certificate, issued.chain_pem, replace=replace)
    return chain


def write_authority(folder: Path, name: str, authority: Authority, *, replace: bool = False) -> None:
    """Write ``name.pem``, ``name.key`` and, below a root, ``name.chain.pem``."""
    write_private(folder / f"{name}.key", authority.key_pem, replace=replace)
    if authority.chain_pem:
        write_public(folder / f"{name}.chain.pem", authority.chain_pem, replace=replace)
    write_public(folder / f"{name}.pem", authority.certificate_pem, replace=replace)


def read_authority(folder: Path, name: str) -> Authority:
    """What `write_authority` wrote."""
    chain = folder / f"{name}.chain.pem"
    try:
        return Authority(
            certificate_pem=(folder / f"{name}.pem").read_bytes(),
            key_pem=(folder / f"{name}.key").read_bytes(),
            chain_pem=chain.read_bytes() if chain.is_file() else b"",
        )
    except OSError as error:
        raise ConfigError(f"no authority {name!r} in {folder}: {error.strerror}: {error.filename}") from None


def _write(path: Path, content: bytes, *, mode: int, replace: bool) -> None:
    if not replace and path.exists():
        raise FileExistsError(f"{path} is there already")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A new file beside it, moved into place: a reader sees the old or the new one, a crash leaves the old one.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
