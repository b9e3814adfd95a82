"""Clients as whoever runs the VTN keeps them: in the store itself, beside a VTN that runs too."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from openadr_core.oadr3.tokens import new_signing_key
from openadr_core.shell.clock import SystemClock
from openadr_vtn.adapters.new_ids import new_id
from openadr_vtn.adapters.sql.store import opened_store
from openadr_vtn.adapters.sql.vault import vault_of
from openadr_vtn.application.handlers import clients
from openadr_vtn.application.ports import ApiClient, SigningKey
from openadr_vtn.domain.access import Role
from openadr_vtn.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    name: str
    role: Role
    scopes: tuple[str, ...]
    client_id: str | None = None
    """One is made if it is left out."""
    certificate_sha256: str | None = None
    has_secret: bool = True


async def create_client(settings: Settings, wanted: NewClient) -> tuple[str, str]:
    """Its id and its secret, which is not stored and not shown again; empty if it has none."""
    client_id, secret = wanted.client_id or new_id(), _new_secret() if wanted.has_secret else ""
    async with opened_store(settings.store.url, vault_of(settings.store.secret_keys)) as store:
        await clients.add_client(
            store, client_id=client_id, name=wanted.name, role=wanted.role, secret=secret, scopes=wanted.scopes,
            certificate_sha256=wanted.certificate_sha256, now=SystemClock().now(),
        )  # fmt: skip
    return client_id, secret


async def list_clients(settings: Settings) -> list[ApiClient]:
    async with opened_store(settings.store.url, vault_of(settings.store.secret_keys)) as store:
        return await clients.clients(store)


async def rotate_secret(settings: Settings, client_id: str, grace: timedelta) -> tuple[ApiClient, str]:
    """The client, and its new secret."""
    secret = _new_secret()
    async with opened_store(settings.store.url, vault_of(settings.store.secret_keys)) as store:
        now = SystemClock().now()
        return await clients.rotate_secret(store, client_id, secret=secret, grace=grace, now=now), secret


async def remove_client(settings: Settings, client_id: str) -> ApiClient:
    async with opened_store(settings.store.url, vault_of(settings.store.secret_keys)) as store:
        return await clients.remove_client(store, client_id, SystemClock().now())


async def rotate_signing_key(settings: Settings, *, revoke: bool) -> list[SigningKey]:
    """What tokens are judged by from now on, the newest first."""
    async with opened_store(settings.store.url, vault_of(settings.store.secret_keys)) as store:
        now = SystemClock().now()
        fresh = SigningKey(id=new_id(), pem=new_signing_key(), created_at=now)
        return await clients.rotate_signing_key(store, fresh, revoke=revoke, now=now)


def _new_secret() -> str:
    return secrets.token_urlsafe(32)
