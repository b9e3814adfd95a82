"""Who may ask for tokens, and what they are signed with: added, renewed, removed by whoever runs the VTN."""

from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.errors import NotFound, RuleBroken
from openadr_core.oadr3.names import Operation
from openadr_core.oadr3.tokens import secret_hash
from openadr_vtn.application.object_changes import subscription_change
from openadr_vtn.application.ports import ApiClient, AuditEntry, SigningKey, Store, UnitOfWork
from openadr_vtn.domain.access import SCOPES, Role

TOKENS_END = timedelta(days=1, minutes=1)
"""The longest that a token lives, and a little: then nothing is left that an earlier key signed."""


async def add_client(
    store: Store, *, client_id: str, name: str, role: Role, secret: str, scopes: tuple[str, ...], now: datetime,
    certificate_sha256: str | None = None,
) -> ApiClient:  # fmt: skip
    """A client that proves itself by a secret, by a certificate (SHA-256 in hex) or, with both, by both.

    Conflict if id or certificate are another client's, RuleBroken if a scope is none that its role can have.
    """
    if unknown := set(scopes) - set(SCOPES[role]):
        there = ", ".join(SCOPES[role])
        raise RuleBroken(f"role {role.value} has no scope {', '.join(sorted(unknown))}; it has {there}")
    if not secret and certificate_sha256 is None:
        raise RuleBroken("a client needs a secret or a certificate")
    client = ApiClient(
        client_id=client_id, name=name, role=role, secret_hash=secret_hash(secret) if secret else "", scopes=scopes,
        created_at=now, certificate_sha256=certificate_sha256,
    )  # fmt: skip
    async with store.unit_of_work() as uow:
        await uow.clients.add(client)
        await _record(uow, now, "create client", client_id, " ".join(scopes))
    return client


async def clients(store: Store) -> list[ApiClient]:
    async with store.view() as view:
        return await view.clients.all()


async def rotate_secret(store: Store, client_id: str, *, secret: str, grace: timedelta, now: datetime) -> ApiClient:
    """Give a client a new secret; the one it has is good for ``grace`` more. NotFound if there is none.

    RuleBroken for a client that has none to rotate.
    """
    async with store.unit_of_work() as uow:
        client = await _client(uow, client_id)
        if not client.secret_hash:
            raise RuleBroken("this client has no secret: it is known by its certificate")
        renewed = replace(
            client, secret_hash=secret_hash(secret), previous_secret_hash=client.secret_hash,
            previous_until=now + grace,
        )  # fmt: skip
        await uow.clients.update(renewed)
        await _record(uow, now, "rotate client secret", client_id, client.name)
    return renewed


async def remove_client(store: Store, client_id: str, now: datetime) -> ApiClient:
    """Shut a client out: the tokens it has are worth nothing from now on. NotFound if there is none.

    Its subscriptions go with it: it is told nothing more.
    """
    async with store.unit_of_work() as uow:
        client = await _client(uow, client_id)
        await uow.clients.remove(client_id)
        for subscription in await uow.subscriptions.of_client(client_id):
            await uow.subscriptions.remove(subscription.id)
            await uow.object_changes.record([subscription_change(Operation.DELETE, subscription, now)])
        await _record(uow, now, "remove client", client_id, client.name)
    return client


async def rotate_signing_key(store: Store, fresh: SigningKey, *, revoke: bool, now: datetime) -> list[SigningKey]:
    """Sign tokens with ``fresh`` from now on; what is left to judge them by, the newest first.

    A running VTN notices within a minute. Tokens of earlier keys count until they end, unless ``revoke``.
    """
    async with store.unit_of_work() as uow:
        before = await uow.keys.all()
        await uow.keys.add(fresh)
        newer_at, dropped = fresh.created_at, set[str]()
        for key in before:
            if revoke or now - newer_at > TOKENS_END:
                dropped.add(key.id)
            newer_at = key.created_at
        for key_id in sorted(dropped):
            await uow.keys.remove(key_id)
        await _record(uow, now, "rotate signing key", fresh.id, "earlier keys revoked" if revoke else "")
        return [fresh, *(key for key in before if key.id not in dropped)]


async def _client(uow: UnitOfWork, client_id: str) -> ApiClient:
    client = await uow.clients.by_id(client_id)
    if client is None:
        raise NotFound(f"there is no client {client_id}")
    return client


async def _record(uow: UnitOfWork, now: datetime, action: str, subject: str, detail: str) -> None:
    await uow.audit.append(AuditEntry(at=now, actor="system", action=action, subject=subject, detail=detail))
