"""Telling reports: one at a time, and none twice whose answer was lost."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from openadr_core.errors import LocalProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.oadr3.json_text import parse_object
from openadr_ven.domain.indications import Indication
from openadr_ven.protocols.oadr3.answers import said_by
from openadr_ven.protocols.oadr3.asking import Asking
from openadr_ven.protocols.oadr3.memory import Memory
from openadr_ven.protocols.oadr3.reports import Post, ReportBook, ids_by_name


class ReportTalk:
    def __init__(self, book: ReportBook, *, ven_name: str, resource: str) -> None:
        self.is_unsure = True
        """The VTN may have had the last one: its answer was lost, or we have just started."""
        self._book = book
        self._ven_name = ven_name
        self._resource = resource
        self._post: Post | None = None

    def chosen(self, memory: Memory, now: datetime) -> Post | None:
        """The report that is told next, until it is."""
        if self._post is None:
            self._post = self._book.due(memory, ven_name=self._ven_name, resource=self._resource, now=now)
        return self._post

    def drop(self, event_id: str) -> None:
        """The event has changed, or is gone: what is told of it is chosen anew."""
        if self._post is not None and self._post.asked.known.id == event_id:
            self._post = None

    def find(self, ask: Asking) -> Request:
        return ask.find_reports(self._there().asked.known.id)

    def tell(self, ask: Asking) -> Request:
        return ask.report(self._there())

    def found(self, memory: Memory, reports: Iterable[str]) -> tuple[Memory, list[Indication]]:
        """The reports that the VTN has of the event.

        What replaces another under its id is sent again, as it does no harm; and so is a bid, since the one that is
        there may be for an earlier version of the event.
        """
        self.is_unsure = False
        post, there = self._post, ids_by_name(reports)
        if post is None or post.report_id or post.name not in there:
            return memory, []
        if post.asked.is_bid:
            self._post = replace(post, report_id=there[post.name])
            return memory, []
        self._post = None
        return self._book.done(memory, post, there[post.name])

    def told(self, memory: Memory, response: Response) -> tuple[Memory, list[Indication]]:
        post, self._post = self._there(), None
        if response.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            return self._book.done(memory, post, str(parse_object(response.body)[0].get("id", "")))
        if post.asked.is_bid and post.report_id and response.status == HTTPStatus.NOT_FOUND:
            return self._book.taken_away(memory, post), []
        return self._book.refused(memory, post, str(response.status), said_by(response))

    def _there(self) -> Post:
        if self._post is None:
            raise LocalProtocolError("a report with nothing to say")
        return self._post
