"""Gets tokens by client credentials (RFC 6749, 4.4), and new ones in time. No transcript shows them."""

import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from conformance.answers import Answer
from conformance.api.steps import Who
from conformance.api.target import ApiTarget, Client
from conformance.client.address import Address
from conformance.client.line import CURRENT, Connect
from conformance.client.steps import Identity
from conformance.exchanges import RawRequest
from conformance.queries import Query
from openadr_core.errors import ConfigError

_TOKEN_URL, _ACCESS_TOKEN, _EXPIRES_IN = Query("/json/tokenURL"), Query("/json/access_token"), Query("/json/expires_in")
_SHORT_S = 300.0
"""How long a token is used that does not say how long it is good."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until: float


class Tokens:
    """One token for each client and scope, kept over all procedures of a run."""

    def __init__(self, target: ApiTarget, identity: Identity, connect: Connect) -> None:
        self._target = target
        self._identity = identity
        self._connect = connect
        self._kept: dict[tuple[Who, str], _Token] = {}

    def bearer(self, who: Who, scope: str = "") -> str:
        """ConfigError if there is none; ``scope`` empty is all that the client may."""
        client = self._target.clients[who]
        if client.token:
            return client.token
        kept = self._kept.get((who, scope))
        if kept is None or time.monotonic() > kept.until:
            kept = self._kept[who, scope] = self._fetched(client, scope)
        return kept.text

    def _fetched(self, client: Client, scope: str) -> _Token:
        form = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
        form |= {"scope": scope} if scope else {}
        url = self._target.token_url or self._token_url()
        answer = self._exchange(url, "POST", urlencode(form).encode())
        text = _text(answer, _ACCESS_TOKEN)
        if answer.status != 200 or not text:
            raise ConfigError(f"{url} gives {client.id} no token: {_told(answer)}")
        good_s = float(_text(answer, _EXPIRES_IN) or _SHORT_S)
        return _Token(text, time.monotonic() + good_s / 2)

    def _token_url(self) -> str:
        where = f"{self._target.url.rstrip('/')}/auth/server"
        answer = self._exchange(where, "GET", b"")
        if url := _text(answer, _TOKEN_URL):
            return url
        raise ConfigError(f"{where} names no tokenURL: {_told(answer)}; give --token-url")

    def _exchange(self, url: str, method: str, body: bytes) -> Answer:
        target, parts = self._target, urlsplit(url)
        address = Address(
            url=f"{parts.scheme}://{parts.netloc}", trust=target.trust, certificates=target.certificates,
            server_name=target.server_name, timeout_s=target.timeout_s,
        )  # fmt: skip
        headers = [("Host", parts.netloc), ("Accept", "application/json")]
        if body:
            headers += [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
        carrier = self._connect(address, self._identity, CURRENT)
        try:
            return carrier.exchange(RawRequest(method=method, path=parts.path, headers=headers, body=body)).answer
        finally:
            carrier.close()


def _text(answer: Answer, query: Query) -> str:
    return query.string(answer.root, {}) if answer.root is not None else ""


def _told(answer: Answer) -> str:
    return f"HTTP {answer.status}" if answer.status else answer.failure
