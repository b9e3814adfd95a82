"""Key files: nobody else can read them, nothing half-written is left, nothing is overwritten unasked."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from openadr_core.errors import ConfigError
from openadr_core.shell import tls
from openadr_core.shell.keyfiles import (
    certificate_profile,
    read_authority,
    write_authority,
    write_issued,
    write_private,
    write_public,
)
from tests.core.shell.lab import Lab


@pytest.fixture(autouse=True)
def careless_umask() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ven.key"
    write_private(path, b"one")
    assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"one", 0o600, 0o700)
    write_public(tmp_path / "ven.pem", b"all")
    assert mode(tmp_path / "ven.pem") == 0o644


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "ven.key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with pytest.raises(FileExistsError):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    write_private(path, b"new", replace=True)
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path], "no draft is left behind"


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "ven.key"
    write_private(path, b"old")
    with pytest.raises(TypeError):
        write_private(path, "not bytes", replace=True)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_serves_tls(lab: Lab, tmp_path: Path) -> None:
    chain = write_issued(tmp_path, "vtn", lab.issued("openadr-ecc-vtn"))
    assert mode(chain.key) == 0o600
    server = tls.server_context("modern-2.0b", [chain], [lab.trust("ecc")], "none")
    client = tls.client_context("modern-2.0b", None, [lab.trust("ecc")])
    assert tls.handshake(server, client, server_name="localhost").version == "TLSv1.3"


@pytest.mark.parametrize("kind", ["openadr-ecc-root", "ecc"])
def test_an_authority_comes_back_as_it_was(lab: Lab, tmp_path: Path, kind: str) -> None:
    lab.authority("ecc")
    write_authority(tmp_path, "ca", lab.authorities[kind])
    assert read_authority(tmp_path, "ca") == lab.authorities[kind]
    assert mode(tmp_path / "ca.key") == 0o600


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        read_authority(tmp_path, "ca")
    with pytest.raises(ConfigError, match="openadr-rsa-vtn"):
        certificate_profile("openadr-dsa-vtn")


def test_every_profile_ships() -> None:
    assert certificate_profile("sep2-device").hardware_type
