"""Secrets in the store: sealed with a key beside it, opened with older ones too, and sealed anew with a new one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from openadr_core.errors import ConfigError, StoreError
from openadr_core.oadr3.tokens import new_signing_key
from openadr_vtn.adapters.sql.store import SqlStore, open_migrated
from openadr_vtn.adapters.sql.vault import PLAIN, Vault, new_key, vault_of
from openadr_vtn.application.ports import SigningKey
from tests.vtn.samples import a_subscription

TOKEN, SECRET = "sealed:of the receiver", "whsec_of-ours"  # a test's own


@pytest.fixture
def files(tmp_path: Path) -> Sequence[Path]:
    made = [tmp_path / "first.key", tmp_path / "second.key"]
    for file in made:
        file.write_bytes(new_key())
    return made


async def write(url: str, vault: Vault, now: datetime) -> tuple[str, str]:
    """A subscription with a token, and a key that signs; the key's PEM and the document."""
    plain = a_subscription(now)
    (watch,) = plain.watches
    document = plain.document.replace("{", f'{{"x": "{TOKEN}", ', 1)
    pem = new_signing_key()
    store = await open_migrated(url, vault)
    async with store.unit_of_work() as uow:
        told = replace(plain, secret=SECRET, document=document, watches=(replace(watch, bearer_token=TOKEN),))
        await uow.subscriptions.add(told)
        await uow.keys.add(SigningKey(id="k", pem=pem, created_at=now))
    await store.close()
    return pem, document


async def read(store: SqlStore) -> tuple[str, str, str, str | None]:
    async with store.view() as view:
        (subscription,) = await view.subscriptions.of_client("client-sub-1")
        (key,) = await view.keys.all()
    return key.pem, subscription.document, subscription.secret, subscription.watches[0].bearer_token


async def lies(store: SqlStore) -> str:
    """Everything that the tables hold of it, as it lies there."""
    async with store.view() as view:
        found = await view.connection.execute(text("SELECT secret, document, watches FROM subscription"))
        keys = await view.connection.execute(text("SELECT pem FROM signing_key"))
        return str(found.fetchall()) + str(keys.fetchall())


async def test_the_database_alone_tells_no_secret(url: str, now: datetime, files: Sequence[Path]) -> None:
    pem, document = await write(url, vault_of(files[:1]), now)
    store = await open_migrated(url, vault_of(files[:1]))
    stored = await lies(store)
    assert [secret for secret in (TOKEN, SECRET, "PRIVATE KEY") if secret in stored] == []
    assert await read(store) == (pem, document, SECRET, TOKEN)
    await store.close()


async def test_what_was_stored_before_there_was_a_key_is_sealed_at_the_next_start(
    url: str, now: datetime, files: Sequence[Path]
) -> None:
    pem, document = await write(url, PLAIN, now)
    plain = await open_migrated(url)
    assert await read(plain) == (pem, document, SECRET, TOKEN), "a text that looks sealed is a text"
    assert SECRET in await lies(plain)
    await plain.close()
    store = await open_migrated(url, vault_of(files[:1]))
    assert SECRET not in await lies(store)
    assert await read(store) == (pem, document, SECRET, TOKEN)
    await store.close()


async def test_a_new_key_takes_over_and_the_old_one_can_go(url: str, now: datetime, files: Sequence[Path]) -> None:
    first, second = files
    pem, document = await write(url, vault_of([first]), now)
    await (await open_migrated(url, vault_of([second, first]))).close()
    store = await open_migrated(url, vault_of([second]))
    assert await read(store) == (pem, document, SECRET, TOKEN)
    before = await lies(store)
    await store.close()
    again = await open_migrated(url, vault_of([second]))
    assert await lies(again) == before, "nothing is sealed anew that need not be"
    await again.close()


@pytest.mark.parametrize("has_another", [True, False])
async def test_a_key_that_is_missing_is_said_at_the_start(
    url: str, now: datetime, files: Sequence[Path], has_another: bool
) -> None:
    first, second = files
    await write(url, vault_of([first]), now)
    with pytest.raises(StoreError, match="secret_keys"):
        await open_migrated(url, vault_of([second] if has_another else []))


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.key"
    with pytest.raises(ConfigError, match=r"x\.key: No such file"):
        vault_of([file])
    file.write_text("no key")
    with pytest.raises(ConfigError, match=r"x\.key: no key of openadr-vtn store key"):
        vault_of([file])
