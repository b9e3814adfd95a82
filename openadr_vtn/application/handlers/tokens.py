"""Tokens: issued to clients that prove who they are, and judged when they come back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from openadr_core.errors import UnknownPeer
from openadr_core.oadr3.key_sets import VerifyingKey, key_set_text, verifying_key
from openadr_core.oadr3.tokens import (
    Token,
    TokenRules,
    UnknownKey,
    refuse_other_channel,
    secret_hash,
    secret_matches,
    sign_token,
    verify_token,
)
from openadr_vtn.application.known_clients import KnownClients
from openadr_vtn.application.ports import ApiClient, SigningKey, Store
from openadr_vtn.domain.access import Caller, granted, role_by, scopes_of, within

KEYS_READ_AGAIN = timedelta(minutes=1)
VERIFIED_MAX = 50_000
"""Tokens in memory: half a kilobyte each."""


class TokenJudge(Protocol):
    """Who holds a token."""

    async def caller_of(self, text: str, *, shown: str | None, now: datetime) -> Caller:
        """UnknownPeer if it is not good. ``shown``: SHA-256 of the connection's client certificate, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client proves itself by."""

    client_id: str
    secret: str
    """Empty: none was given."""
    shown: str | None = None
    """SHA-256 of the connection's client certificate, in hex."""


class Keyring:
    """The keys that tokens are signed with and judged by; use :func:`open_keyring`.

    Another process may change them: they are read again once a minute, when a token asks for it.
    """

    def __init__(self, keys: Iterable[SigningKey], now: datetime) -> None:
        self._pems: dict[str, str] = {}
        self.public: Mapping[str, VerifyingKey] = {}
        self._verified: dict[str, Token] = {}
        """Tokens that were found good: their signature need not be looked at for every request."""
        self.replace(keys, now)

    def replace(self, keys: Iterable[SigningKey], now: datetime) -> None:
        """The newest first."""
        self._read_at = now
        pems = {key.id: key.pem for key in keys}
        if list(pems.items()) != list(self._pems.items()):
            self._verified.clear()
            self._pems = pems
            self.public = {key_id: verifying_key(pem) for key_id, pem in pems.items()}

    async def refresh(self, store: Store, now: datetime) -> None:
        """Seldom: rubbish must cost no queries."""
        if now - self._read_at >= KEYS_READ_AGAIN:
            async with store.view() as view:
                self.replace(await view.keys.all(), now)

    def verify(self, text: str, rules: TokenRules, now: datetime) -> Token:
        """UnknownPeer if the token is not good."""
        token = self._verified.get(text)
        if token is None or now >= token.expires_at:
            token = verify_token(text, self.public, rules, now)
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[text] = token
        return token

    def sign(self, token: Token) -> str:
        """With the newest key."""
        key_id, key_pem = next(iter(self._pems.items()))
        return sign_token(token, key_id=key_id, key_pem=key_pem)

    def key_set(self) -> str:
        """What others judge our tokens by: a JSON Web Key Set."""
        return key_set_text(self.public)


async def open_keyring(store: Store, fresh: SigningKey, now: datetime) -> Keyring:
    """The store's keys; ``fresh`` becomes the first if there is none."""
    async with store.unit_of_work() as uow:
        keys = await uow.keys.all()
        if not keys:
            await uow.keys.add(fresh)
            keys = [fresh]
    return Keyring(keys, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTokens:
    """Tokens of this VTN's own."""

    store: Store
    clients: KnownClients
    keyring: Keyring
    rules: TokenRules
    lifetime: timedelta

    async def issue(
        self, who: Credentials, *, scopes: tuple[str, ...], token_id: str, now: datetime
    ) -> tuple[str, Token]:
        """A token for the scopes that are asked for, or for all that the client has; bound to the certificate shown.

        UnknownPeer if it cannot be known who asks, and it does not say what is wrong; Forbidden for a scope
        that the client lacks.
        """
        await self.keyring.refresh(self.store, now)
        async with self.store.view() as view:
            client = await view.clients.by_id(who.client_id)
        # Compared in any case, so that an unknown client takes as long as a wrong secret.
        is_known = _is_proven(who, client, now)
        if client is None or not is_known:
            raise UnknownPeer("client id or secret is wrong")
        token = Token(
            issuer=self.rules.issuer,
            audience=self.rules.audience,
            client_id=client.client_id,
            scopes=granted(client.role, client.scopes, scopes) if scopes else client.scopes,
            issued_at=now,
            expires_at=now + self.lifetime,
            id=token_id,
            certificate_sha256=who.shown,
        )
        return self.keyring.sign(token), token

    async def caller_of(self, text: str, *, shown: str | None, now: datetime) -> Caller:
        """A token is worth no more than its client has now: scopes that were taken away are gone at once."""
        await self.keyring.refresh(self.store, now)
        token = self.keyring.verify(text, self.rules, now)
        client = await _client_of(self.clients, token, shown, now)
        if client is None:
            raise UnknownPeer("the token's client is no more")
        return _caller(client, token)


class KeySource(Protocol):
    """The keys of an identity provider."""

    def known(self) -> Mapping[str, VerifyingKey]:
        """Those that are here; Unavailable if there were none for too long."""

    async def ask(self) -> Mapping[str, VerifyingKey]:
        """Those that the provider has now, or those that are here: it is asked seldom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """Tokens of somebody else's identity provider."""

    clients: KnownClients
    keys: KeySource
    rules: TokenRules

    async def caller_of(self, text: str, *, shown: str | None, now: datetime) -> Caller:
        """A client that is known here too has the role, the certificate and no more than the scopes that it has here.

        Of any other the provider's word is enough.
        """
        try:
            token = verify_token(text, self.keys.known(), self.rules, now)
        except UnknownKey:
            token = verify_token(text, await self.keys.ask(), self.rules, now)
        client = await _client_of(self.clients, token, shown, now)
        if client is not None:
            return _caller(client, token)
        role = role_by(token.scopes)
        return Caller(client_id=token.client_id, scopes=scopes_of(role, token.scopes), role=role)


def _is_proven(who: Credentials, client: ApiClient | None, now: datetime) -> bool:
    """By the secret, by the one before for a while, by the certificate; by both where the client has both.

    Without a secret of its own it is RFC 8705's tls_client_auth, with a certificate pinned by its SHA-256.
    """
    hashes = (client.secret_hash, client.previous_secret_hash) if client else (secret_hash(""), "")
    current, previous = (secret_matches(who.secret, stored) for stored in hashes)
    if client is None:
        return False
    if client.certificate_sha256 is not None and client.certificate_sha256 != who.shown:
        return False
    if not client.secret_hash:
        return client.certificate_sha256 is not None and not who.secret
    is_in_grace = client.previous_until is not None and now < client.previous_until
    return current or (previous and is_in_grace)


async def _client_of(clients: KnownClients, token: Token, shown: str | None, now: datetime) -> ApiClient | None:
    """The client that the token names, where it is known here; UnknownPeer from another channel than theirs."""
    refuse_other_channel(token.certificate_sha256, shown)
    client = await clients.by_id(token.client_id, now)
    if client is not None:
        refuse_other_channel(client.certificate_sha256, shown)
    return client


def _caller(client: ApiClient, token: Token) -> Caller:
    scopes = within(client.role, client.scopes, token.scopes)
    return Caller(client_id=client.client_id, scopes=scopes, role=client.role)
