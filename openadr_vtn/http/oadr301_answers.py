"""How a request of OpenADR 3.0.1 becomes one of 3.1, and an answer of 3.1 one of 3.0.1."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from multidict import MultiDict

from openadr_core.oadr3.json_text import elements_of, parse_object, without_nulls
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.v301 import from_3_1
from openadr_vtn.domain.access import Caller
from openadr_vtn.http.access import BODY, QUERY, Desk, ScopedHandler, json_body, number_asked

MAY_BE_EMPTY = frozenset({"clientName", "venName", "resourceName", "targetType", "targetValues"})
SKIP_MAX = 2**31 - 1
"""3.0.1: an int32."""
Wording = Callable[[Desk, list[str]], Awaitable[Sequence[str]]]
"""Objects of 3.1, each a text, in 3.0.1's words."""


async def body_of_3_0_1(request: web.Request) -> str:
    """The object in the body, strictly read; it may be asked for again.

    Interpretation: null is as good as nothing. 3.0.1's clients write it for all that they leave out, and 3.1 does not
    take it everywhere.
    """
    body = await json_body(request)
    request[BODY] = body
    return without_nulls(parse_object(body)[1].strip())


def query_of_3_0_1(request: web.Request) -> MultiDict[str]:
    """``targetType`` and ``targetValues`` as 3.1's ``targets``.

    Interpretation: names are compared, of any type, so that a type alone asks for nothing; nor does an empty name.
    """
    number_asked(request, "skip", 0, SKIP_MAX)
    asked = MultiDict((name, value) for name, value in request.query.items() if value or name not in MAY_BE_EMPTY)
    asked.popall("targetType", [])
    asked.extend([("targets", value) for value in asked.popall("targetValues", [])])
    return asked


def spoken(
    kind: ObjectKind, handler: ScopedHandler, to_3_1: Callable[[str], str] | None = None, wording: Wording | None = None
) -> ScopedHandler:
    """A handler of 3.1, spoken to in 3.0.1; ``to_3_1`` if it takes a body."""

    async def own(_desk: Desk, texts: list[str]) -> Sequence[str]:
        return [from_3_1(kind, text) for text in texts]

    async def translated(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
        request[QUERY] = asked = query_of_3_0_1(request)
        if kind is ObjectKind.SUBSCRIPTION:
            # Interpretation: they can be asked for by targets there, and have none that 3.1 would compare.
            asked.popall("targets", [])
        if to_3_1 is not None:
            request[BODY] = to_3_1(await body_of_3_0_1(request)).encode()
        return await reworded(await handler(request, desk, caller), desk, wording or own)

    return translated


async def reworded(response: web.Response, desk: Desk, wording: Wording) -> web.Response:
    """An answer that has a body; what has not changed (304) has none."""
    text = response.text
    if text:
        is_list = text.startswith("[")
        texts = await wording(desk, elements_of(text) if is_list else [text])
        response.text = f"[{', '.join(texts)}]" if is_list else texts[0]
    return response
