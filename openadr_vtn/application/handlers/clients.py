"""Who may use the operator's API, and the tokens they are given for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import NotFound, RuleBroken, UnknownPeer
from openadr_core.oadr3.tokens import Token, UnknownKey, secret_hash, secret_matches, sign_token, verify_token
from openadr_vtn.application.ports import ApiClient, AuditEntry, SigningKey, Store
from openadr_vtn.domain.access import SCOPES, Caller, Role, granted, within

KEYS_READ_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    issuer: str
    audience: str
    lifetime: timedelta


class Keyring:
    """The keys that tokens are signed with and judged by; use :func:`open_keyring`."""

    def __init__(self, keys: Iterable[SigningKey], now: datetime) -> None:
        self._pems: dict[str, str] = {}
        self.replace(keys, now)

    def replace(self, keys: Iterable[SigningKey], now: datetime) -> None:
        self._pems = {key.id: key.pem for key in keys}
        self._read_at = now

    def sign(self, token: Token) -> str:
        """With the newest key."""
        key_id, key_pem = next(iter(self._pems.items()))
        return sign_token(token, key_id=key_id, key_pem=key_pem)

    async def judge(self, store: Store, text: str, rules: TokenRules, now: datetime) -> Token:
        """The token, if it is good. Another process's key is looked up, but seldom: rubbish must cost no queries."""
        try:
            return verify_token(text, self._pems, issuer=rules.issuer, audience=rules.audience, now=now)
        except UnknownKey:
            if now - self._read_at < KEYS_READ_AGAIN:
                raise
        async with store.view() as view:
            self.replace(await view.keys.all(), now)
        return verify_token(text, self._pems, issuer=rules.issuer, audience=rules.audience, now=now)


async def open_keyring(store: Store, fresh: SigningKey, now: datetime) -> Keyring:
    """The store's keys; ``fresh`` becomes the first if there is none."""
    async with store.unit_of_work() as uow:
        keys = await uow.keys.all()
        if not keys:
            await uow.keys.add(fresh)
            keys = [fresh]
    return Keyring(keys, now)


async def add_client(
    store: Store, *, client_id: str, name: str, role: Role, secret: str, scopes: tuple[str, ...], now: datetime
) -> ApiClient:
    """Conflict if the id is taken, RuleBroken if a scope is none that its role can have."""
    if unknown := set(scopes) - set(SCOPES[role]):
        there = ", ".join(SCOPES[role])
        raise RuleBroken(f"role {role.value} has no scope {', '.join(sorted(unknown))}; it has {there}")
    client = ApiClient(
        client_id=client_id, name=name, role=role, secret_hash=secret_hash(secret), scopes=scopes, created_at=now
    )
    async with store.unit_of_work() as uow:
        await uow.clients.add(client)
        await uow.audit.append(
            AuditEntry(at=now, actor="system", action="create client", subject=client_id, detail=" ".join(scopes))
        )
    return client


async def clients(store: Store) -> list[ApiClient]:
    async with store.view() as view:
        return await view.clients.all()


async def remove_client(store: Store, client_id: str, now: datetime) -> ApiClient:
    """Shut a client out: the tokens it has are worth nothing from now on. NotFound if there is none."""
    async with store.unit_of_work() as uow:
        client = await uow.clients.by_id(client_id)
        if client is None:
            raise NotFound(f"there is no client {client_id}")
        await uow.clients.remove(client_id)
        await uow.audit.append(
            AuditEntry(at=now, actor="system", action="remove client", subject=client_id, detail=client.name)
        )
    return client


async def issue_token(
    store: Store,
    keyring: Keyring,
    rules: TokenRules,
    *,
    client_id: str,
    secret: str,
    scopes: tuple[str, ...],
    token_id: str,
    now: datetime,
) -> tuple[str, Token]:
    """A token for a client that knows its secret: for the scopes it asks for, or for all it has.

    UnknownPeer if client or secret is wrong, and it does not say which; Forbidden for a scope it lacks.
    """
    async with store.view() as view:
        client = await view.clients.by_id(client_id)
    # Compared in any case, so that an unknown client takes as long as a wrong secret.
    matches = secret_matches(secret, client.secret_hash if client else secret_hash(""))
    if client is None or not matches:
        raise UnknownPeer("client id or secret is wrong")
    token = Token(
        issuer=rules.issuer,
        audience=rules.audience,
        client_id=client_id,
        scopes=granted(client.role, client.scopes, scopes) if scopes else client.scopes,
        issued_at=now,
        expires_at=now + rules.lifetime,
        id=token_id,
    )
    return keyring.sign(token), token


async def caller_of(store: Store, text: str, keyring: Keyring, rules: TokenRules, now: datetime) -> Caller:
    """Who holds this token; UnknownPeer if it is not good, or if its client is no more.

    A token is worth no more than its client has now: scopes that were taken away are gone at once.
    """
    token = await keyring.judge(store, text, rules, now)
    async with store.view() as view:
        client = await view.clients.by_id(token.client_id)
    if client is None:
        raise UnknownPeer("the token's client is no more")
    left = within(client.role, client.scopes, token.scopes)
    return Caller(client_id=client.client_id, scopes=left, role=client.role)
