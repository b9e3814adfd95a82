"""Requests to a vendor's cloud: tokens, pace, retries, and answers of a bounded size."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import structlog

from openadr_core.errors import Refused, Unreachable
from openadr_core.limits import RETRY_FIRST_S, RETRY_JITTER
from openadr_ven.gateways.cloud.mapping import at
from openadr_ven.gateways.cloud.pace import Pace

ANSWER_MAX_BYTES = 16 * 1024 * 1024
"""Tens of thousands of devices with a kilobyte each."""
RETRY_AFTER_MAX_S = 3_600.0
TOKEN_SPARE = timedelta(seconds=60)
"""A token that ends sooner is renewed first."""
TOKEN_DEFAULT_S = 3_600.0
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

Pause = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """OAuth 2.0 client credentials (RFC 6749, 4.4), or a token that somebody made for us."""

    token_url: str = ""
    client_id: str = ""
    secret: str = ""
    """The client's secret, or, without ``token_url``, the token itself; empty: none is shown."""
    scope: str = ""


class Api:
    """One vendor's API; it asks no faster than the vendor allows, whoever asks."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        credentials: Credentials,
        pace: Pace,
        *,
        tries: int,
        now: Callable[[], datetime],
        dice: random.Random,
        pause: Pause = asyncio.sleep,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
    ) -> None:
        """``client`` knows the base address, the trust and the deadlines; ``pause`` waits for so many seconds."""
        self._client = client
        self._credentials = credentials
        self._pace = pace
        self._tries = tries
        self._now = now
        self._dice = dice
        self._pause = pause
        self._answer_max_bytes = answer_max_bytes
        self._token = "" if credentials.token_url else credentials.secret
        self._token_until: datetime | None = None
        self._renewing = asyncio.Lock()

    def is_free(self) -> bool:
        """Whether a request would go out at once: what is not urgent can wait for that."""
        return self._pace.is_free(self._now().timestamp())

    async def ask(self, method: str, path: str, body: Any = None, *, until: datetime | None = None) -> Any:
        """The answer's JSON; None for an empty one.

        Refused carries what the vendor said no to; Unreachable says that no try got through, or that it would
        have been later than ``until``, when nobody wants it any more.
        """
        problem = "too late"
        for attempt in range(self._tries):
            pause_s = self._pace.take(self._now().timestamp())
            if attempt:
                pause_s += RETRY_FIRST_S * 2.0**attempt * self._dice.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
            if until is not None and self._now() + timedelta(seconds=pause_s) >= until:
                raise Unreachable(f"{method} {path}: {problem}")
            await self._pause(pause_s)
            try:
                answer = await self._once(method, path, body)
            except httpx.HTTPError as error:
                problem = type(error).__name__
                continue
            status = answer.status_code
            if status < HTTPStatus.MULTIPLE_CHOICES:
                return _json(answer, path)
            problem = f"status {status}"
            if status in GONE:
                break
            if status == HTTPStatus.UNAUTHORIZED and self._credentials.token_url:
                self._token_until = None
            elif status in AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                if (wanted_s := self._retry_after_s(answer)) is not None:
                    self._pace.close(self._now().timestamp() + wanted_s)
            else:
                raise Refused(problem)
        raise Unreachable(f"{method} {path}: {problem}")

    async def _once(self, method: str, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if (token := await self._bearer()) else {}
        request = self._client.build_request(method, path, json=body, headers=headers)
        answer = await self._client.send(request, stream=True)
        try:
            received = bytearray()
            async for part in answer.aiter_bytes():
                received += part
                if len(received) > self._answer_max_bytes:
                    raise httpx.DecodingError("the answer is too large", request=request)
        finally:
            await answer.aclose()
        return httpx.Response(answer.status_code, headers=_without_coding(answer.headers), content=bytes(received))

    async def _bearer(self) -> str:
        chosen = self._credentials
        if not chosen.token_url:
            return self._token
        async with self._renewing:
            if self._token_until is None or self._now() + TOKEN_SPARE >= self._token_until:
                form = {"grant_type": "client_credentials"} | ({"scope": chosen.scope} if chosen.scope else {})
                answer = await self._client.post(chosen.token_url, data=form, auth=(chosen.client_id, chosen.secret))
                told = _json(answer, chosen.token_url) if answer.is_success else None
                token, lasts_s = at(told, "/access_token"), at(told, "/expires_in")
                if not isinstance(token, str):
                    raise httpx.RequestError(f"no token: status {answer.status_code}", request=answer.request)
                self._token = token
                good_s = float(lasts_s) if isinstance(lasts_s, int | float) else TOKEN_DEFAULT_S
                self._token_until = self._now() + timedelta(seconds=good_s)
                log.info("token renewed", lasts_s=good_s)
        return self._token

    def _retry_after_s(self, answer: httpx.Response) -> float | None:
        """RFC 9110, 10.2.3: seconds, or a date."""
        told = answer.headers.get("Retry-After", "")
        if told.isdigit():
            return min(float(told), RETRY_AFTER_MAX_S)
        try:
            wanted_s = (parsedate_to_datetime(told) - self._now()).total_seconds()
        except (ValueError, TypeError):
            return None
        return min(max(wanted_s, 0.0), RETRY_AFTER_MAX_S)


def _json(answer: httpx.Response, path: str) -> Any:
    if not answer.content.strip():
        return None
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise Unreachable(f"{path}: the answer is no JSON") from None


def _without_coding(headers: httpx.Headers) -> list[tuple[str, str]]:
    """The body has been inflated."""
    return [(name, value) for name, value in headers.items() if name not in {"content-encoding", "content-length"}]
