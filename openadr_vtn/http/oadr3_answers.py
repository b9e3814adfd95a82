"""What the routes of OpenADR 3.1 have in common: who looks, pages, and answers that a client may keep.

A client that sends the ETag of what it has is told that nothing has changed (304) before anything is read.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from openadr_core.errors import MalformedMessage
from openadr_core.oadr3.encode import list_text
from openadr_core.oadr3.fields import NAME_MAX_CHARS, is_identifier
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.access import Caller
from openadr_vtn.http.access import Desk, json_response, names_asked, number_asked, query_of
from openadr_vtn.http.kept_answers import KeptAnswer

PAGE_MAX = 50
"""OpenADR 3.1: the most that a list answers at once."""
SKIP_MAX = 2**31 - 1
"""OpenADR 3.1: an int32."""
JSON = "application/json; charset=utf-8"
KEEP = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""To be kept by the client alone, and to be asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A read: who asks for what, and of which kinds of objects the answer is made."""

    request: web.Request
    desk: Desk
    viewer: Viewer
    kinds: tuple[ObjectKind, ...]
    """Empty: of more than objects, so that the answer alone tells whether it has changed."""
    until: str = ""
    """What else the answer hangs on."""

    @property
    def state(self) -> str:
        """Another whenever the answer may be; empty where the answer alone tells."""
        if not self.kinds:
            return ""
        viewer = self.viewer
        who = "*" if viewer.is_business else f"{viewer.client_id} {sorted(viewer.sight_of_one.granted or ())}"
        return f"{self.desk.store.revision(self.kinds)}\n{who}\n{self.request.rel_url}\n{self.until}"

    async def listed(self, read: Callable[[Page], Awaitable[Listed[str]]]) -> web.Response:
        """A page of a list, with what there is on all pages, and where the next one is."""
        page = Page(
            skip=number_asked(self.request, "skip", 0, SKIP_MAX),
            limit=number_asked(self.request, "limit", PAGE_MAX, PAGE_MAX),
        )
        state = self.state
        kept = self.desk.answers.get(state)
        tag = _tag(state) if kept is None else kept.tag
        if self._is_known(tag):
            return _unchanged(tag)
        # What is sent from memory was not read from the store, but it was read.
        if kept is not None and not await self.desk.reads.are_watched():
            return web.Response(body=kept.body, headers=kept.headers)
        found = await read(page)
        text = list_text(found.items)
        tag = tag or _tag(f"{text}\n{found.total}")
        if self._is_known(tag):
            return _unchanged(tag)
        await self.desk.reads.note(found.items, self.viewer.client_id)
        headers = {"Content-Type": JSON, "ETag": tag, **KEEP}
        if found.is_all:
            headers["X-Total-Count"] = str(found.total)
        if link := self._link(page, found.total):
            headers["Link"] = link
        body = text.encode()
        if state and state == self.state:
            # Nothing was written while it was read.
            self.desk.answers.keep(state, KeptAnswer(tag, body, headers))
        return web.Response(body=body, headers=headers)

    async def one(self, read: Callable[[], Awaitable[str]]) -> web.Response:
        """One object."""
        tag = _tag(self.state)
        if self._is_known(tag):
            return _unchanged(tag)
        text = await read()
        tag = tag or _tag(text)
        if self._is_known(tag):
            return _unchanged(tag)
        await self.desk.reads.note([text], self.viewer.client_id)
        return json_response(text, headers={"ETag": tag, **KEEP})

    def _is_known(self, tag: str) -> bool:
        known = self.request.headers.get("If-None-Match", "")
        return bool(tag) and tag in [one.strip() for one in known.split(",")]

    def _link(self, page: Page, total: int) -> str:
        """RFC 8288; relative, because only the client knows under which name it reached us."""
        links = []
        if page.limit and page.skip + page.limit < total:
            links.append(f'<{self.request.rel_url.update_query(skip=page.skip + page.limit)}>; rel="next"')
        if page.limit and page.skip:
            links.append(f'<{self.request.rel_url.update_query(skip=max(page.skip - page.limit, 0))}>; rel="prev"')
        return ", ".join(links)


async def viewer_of(desk: Desk, caller: Caller) -> Viewer:
    """Who looks; a ven that does was heard of."""
    viewer = await desk.viewers.viewer(caller.client_id, actor=caller.actor, is_business=caller.is_business)
    if viewer.party_id is not None:
        desk.saw(viewer.party_id, desk.now())
    return viewer


def id_named(request: web.Request) -> str:
    """The id in the address; MalformedMessage for what no id looks like."""
    return identifier("id", request.match_info["id"])


def id_asked(request: web.Request, name: str) -> str | None:
    """An id of the query."""
    text = query_of(request).get(name)
    return None if text is None else identifier(name, text)


def name_asked(request: web.Request, name: str) -> str | None:
    """A name of the query."""
    text = query_of(request).get(name)
    if text is not None and not 1 <= len(text) <= NAME_MAX_CHARS:
        raise MalformedMessage(f"{name}: must have 1 to {NAME_MAX_CHARS} characters")
    return text


def targets_asked(request: web.Request) -> tuple[str, ...]:
    found = names_asked(request, "targets")
    if "" in request.query.getall("targets", []) or any(len(target) > NAME_MAX_CHARS for target in found):
        raise MalformedMessage(f"targets: must have 1 to {NAME_MAX_CHARS} characters")
    return found


def flag_asked(request: web.Request, name: str) -> bool | None:
    asked = query_of(request).get(name)
    if asked not in {None, "true", "false"}:
        raise MalformedMessage(f"{name}: must be true or false")
    return None if asked is None else asked == "true"


def identifier(name: str, text: str) -> str:
    if not is_identifier(text):
        raise MalformedMessage(f"{name}: must be 1 to 128 letters, digits, '_' or '-'")
    return text


def _tag(of: str) -> str:
    """Empty of nothing."""
    return f'"{hashlib.sha256(of.encode()).hexdigest()[:32]}"' if of else ""


def _unchanged(tag: str) -> web.Response:
    return web.Response(status=304, headers={"ETag": tag, **KEEP})
