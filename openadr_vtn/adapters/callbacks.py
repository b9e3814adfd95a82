"""How webhooks are reached: asked for an echo before they are believed (OpenADR 3.1 MUST), and told what happened."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from openadr_core.errors import AccessError, ExchangeFailed, RuleBroken
from openadr_core.exchange import Response
from openadr_core.oadr3.subscriptions import Watch
from openadr_core.oadr3.webhook_signature import sign
from openadr_core.shell.outbound import Outbound
from openadr_vtn.application.spreading import Parcel

WORD_BYTES = 24


class Webhooks:
    """Over TLS, to those addresses alone that an operator lets us reach (security T33)."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def prove(self, watches: Sequence[Watch]) -> None:
        """Each address says a word of ours back, all asked side by side; RuleBroken names one that does not."""
        asked = dict.fromkeys((watch.callback_url, watch.bearer_token) for watch in watches)
        await asyncio.gather(*(self._prove(url, token) for url, token in asked))

    async def carry(self, parcel: Parcel, at: datetime) -> Response:
        """The receiver's answer; ExchangeFailed or AccessError says why there is none."""
        one = parcel.notification
        signed = sign(parcel.secret, f"{one.subscription_id}-{one.number}", parcel.body, at)
        headers = {"Content-Type": "application/json", **signed, **_bearer(parcel.token)}
        return await self._outbound.post(parcel.url, parcel.body, headers=headers)

    async def _prove(self, url: str, token: str | None) -> None:
        """Interpretation: 3.1 wants the word in the body; a body that is the word as a JSON text has it too."""
        word = secrets.token_urlsafe(WORD_BYTES)
        asked = f"{url}{'&' if '?' in url else '?'}echo={word}"
        try:
            answer = await self._outbound.get(asked, headers=_bearer(token))
        except (ExchangeFailed, AccessError) as error:
            raise RuleBroken(f"callbackUrl: {url[:200]} could not be asked for an echo: {error}") from None
        said = answer.body.decode(errors="replace").strip()
        if answer.status != HTTPStatus.OK or said not in {word, f'"{word}"'}:
            raise RuleBroken(
                f"callbackUrl: {url[:200]} was asked for an echo (?echo=…) and must answer 200 with that word alone; "
                f"it answered {answer.status}"
            )


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
