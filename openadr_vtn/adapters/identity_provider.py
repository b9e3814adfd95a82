"""Somebody else's identity provider: its tokens count here, and its keys are kept, asked for seldom."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from openadr_core.errors import AccessError, ExchangeFailed, MalformedMessage, Unavailable
from openadr_core.limits import KEY_SET_ASKED_S, KEY_SET_STALE_MAX_S
from openadr_core.oadr3.key_sets import VerifyingKey, read_key_set
from openadr_core.oadr3.tokens import TokenRules
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import client_context
from openadr_vtn.application.handlers.tokens import ProviderTokens
from openadr_vtn.application.known_clients import KnownClients
from openadr_vtn.application.ports import Store
from openadr_vtn.settings import Oadr3Settings

WAIT_S = 10.0
"""For an answer of the provider."""

log = structlog.get_logger(__name__)


class ProviderKeys:
    """A tick asks for them every few minutes, so that no request waits for it; a key that is not known, at once.

    However many tokens name keys that are not there, the provider is asked once a minute (security T17).
    """

    def __init__(self, outbound: Outbound, url: str, clock_s: Callable[[], float]) -> None:
        self._outbound = outbound
        self._url = url
        self._clock_s = clock_s
        self._asking = asyncio.Lock()
        self._keys: Mapping[str, VerifyingKey] = {}
        self._asked_s: float | None = None
        self._read_s: float | None = None

    def known(self) -> Mapping[str, VerifyingKey]:
        """Empty before the first was read; Unavailable once they are too old to count."""
        if self._read_s is not None and self._clock_s() - self._read_s > KEY_SET_STALE_MAX_S:
            raise Unavailable("the identity provider has not told its keys for a day")
        return self._keys

    async def ask(self) -> Mapping[str, VerifyingKey]:
        """The keys after the provider was asked; those that are here if it was asked just now, or does not answer.

        Unavailable if it has never told any.
        """
        async with self._asking:
            now_s = self._clock_s()
            if self._asked_s is None or now_s - self._asked_s >= KEY_SET_ASKED_S:
                self._asked_s = now_s
                await self._read(now_s)
        if self._read_s is None:
            raise Unavailable("the identity provider has not told its keys yet")
        return self.known()

    async def _read(self, now_s: float) -> None:
        try:
            answer = await self._outbound.get(self._url, headers={"Accept": "application/json"})
            if answer.status != 200:
                raise MalformedMessage(f"it answered {answer.status}")
            keys = read_key_set(answer.body)
            if not keys:
                raise MalformedMessage("no key in it can be used")
        except (ExchangeFailed, AccessError, MalformedMessage) as error:
            log.warning("identity provider's keys not read", url=self._url, said=str(error))
            return
        self._keys, self._read_s = keys, now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who issues tokens to clients of OpenADR 3; operators keep the VTN's own."""

    tokens: ProviderTokens
    token_url: str
    _keys: ProviderKeys
    _outbound: Outbound

    async def ask(self) -> None:
        """For its keys; Unavailable while there are none."""
        await self._keys.ask()

    async def close(self) -> None:
        await self._outbound.close()


def open_provider(settings: Oadr3Settings, store: Store, now: Callable[[], datetime]) -> Provider | None:
    """The provider that is named there, if any."""
    chosen = settings.identity_provider
    if chosen is None:
        return None
    outbound = Outbound(
        rules=OutboundRules(networks=chosen.networks, ports=frozenset(chosen.ports)),
        context=client_context("oadr3", None, chosen.trust, public=True),
        timeout_s=WAIT_S,
        connections_max=1,
    )
    keys = ProviderKeys(outbound, chosen.keys_url, lambda: now().timestamp())
    rules = TokenRules(
        issuer=chosen.issuer,
        audience=chosen.audience,
        algorithms=chosen.algorithms,
        client_claims=chosen.client_claims,
        scope_claims=chosen.scope_claims,
    )
    tokens = ProviderTokens(clients=KnownClients(store), keys=keys, rules=rules)
    return Provider(tokens=tokens, token_url=chosen.token_url, _keys=keys, _outbound=outbound)
