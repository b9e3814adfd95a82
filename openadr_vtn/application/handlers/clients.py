"""Who may use the operator's API, and the tokens they are given for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import Forbidden, NotFound, RuleBroken, UnknownPeer
from openadr_core.oadr3.tokens import Token, UnknownKey, secret_hash, secret_matches, sign_token, verify_token
from openadr_vtn.application.ports import ApiClient, AuditEntry, SigningKey, Store

KEYS_READ_AGAIN = timedelta(minutes=1)

READ_ALL = "read_all"
WRITE_PROGRAMS = "write_programs"
WRITE_EVENTS = "write_events"
MANAGE_PARTIES = "manage_parties"
REQUEST_REPORTS = "request_reports"
STOP = "stop"
SCOPES: Mapping[str, str] = {
    READ_ALL: "read programs, events, reports, parties and ledgers (OpenADR 3.1)",
    WRITE_PROGRAMS: "write programs (OpenADR 3.1)",
    WRITE_EVENTS: "write events (OpenADR 3.1)",
    MANAGE_PARTIES: "approve and refuse parties, replace their certificates",
    REQUEST_REPORTS: "ask parties for reports, and end them",
    STOP: "stop events",
}
"""The first three are the standard's; what it has no word for has a scope of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    issuer: str
    audience: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client whose token was found good."""

    client_id: str
    scopes: tuple[str, ...]

    @property
    def actor(self) -> str:
        return f"client:{self.client_id}"

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Forbidden(f"the token lacks the scope {scope}")


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
    store: Store, *, client_id: str, name: str, secret: str, scopes: tuple[str, ...], now: datetime
) -> ApiClient:
    """Conflict if the id is taken, RuleBroken if a scope is unknown."""
    if unknown := set(scopes) - set(SCOPES):
        raise RuleBroken(f"there is no scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    client = ApiClient(client_id=client_id, name=name, secret_hash=secret_hash(secret), scopes=scopes, created_at=now)
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
    if missing := set(scopes) - set(client.scopes):
        raise Forbidden(f"the client lacks the scope {', '.join(sorted(missing))}")
    token = Token(
        issuer=rules.issuer,
        audience=rules.audience,
        client_id=client_id,
        scopes=scopes or client.scopes,
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
    return Caller(client_id=client.client_id, scopes=tuple(scope for scope in token.scopes if scope in client.scopes))
