"""A VEN of OpenADR 3 that does just enough to be judged, and can be told to do it wrong, in a time of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from conformance.answers import Answer
from conformance.api.script import ApiScript
from conformance.commands.openadr3_ven import BASE
from conformance.exchanges import Exchange, RawRequest
from conformance.json_tree import json_tree
from conformance.server.listener import Answered
from openadr_core.oadr3.times import parse_fixed_length, parse_start

Found = TypeVar("Found")
TICK = timedelta(seconds=0.25)
POLL = timedelta(seconds=1)
PAGE = 50


@dataclass(slots=True)
class Followed:
    document: dict[str, Any]
    begins_at: datetime
    reported: int = 0


@dataclass(slots=True)
class ModelApiVen:
    """It is the stage too: time goes on while the harness waits."""

    script: ApiScript
    wrong: str = ""
    """What it does that no VEN may."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    token: str = ""
    poll_at: datetime | None = None
    events: dict[str, Followed] = field(default_factory=dict)

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until = self.now + timedelta(seconds=timeout_s)
        while (seen := found()) is None and self.now < until:
            self.now += TICK
            self._report()
            if self.poll_at is None or self.now >= self.poll_at:
                self.poll_at = self.now + POLL
                self._poll()
        return seen

    def _ask(self, method: str, path: str, body: bytes = b"", media_type: str = "application/json") -> Answered:
        headers = [("Host", "vtn.example"), ("Content-Type", media_type), ("Authorization", f"Bearer {self.token}")]
        request = RawRequest(method=method, path=f"{BASE}/{path}", headers=headers, body=body)
        root = json_tree(body) if body and media_type == "application/json" else None
        what = Answer(method=method, path=request.path, headers=headers, body=body, root=root)
        answered = self.script.listens(request, what, 0.0)
        self.script.exchanges.append(Exchange(at=self.now, speaker="ven", tls="", request=request, answer=what))
        return answered

    def _poll(self) -> None:
        if not self.token:
            form = b"grant_type=client_credentials&client_id=house&client_secret=x"
            self.token = json.loads(self._ask("POST", "auth/token", form, "form").body)["access_token"]
        found: list[dict[str, Any]] = []
        while True:
            page = self._page(len(found))
            if page is None:
                if self.wrong == "takes half a list for all":
                    break
                return
            found += page
            if len(page) < PAGE:
                break
        self._take(found)

    def _page(self, skip: int) -> list[dict[str, Any]] | None:
        answered = self._ask("GET", f"events?skip={skip}&limit={PAGE}")
        if answered.status == 401:
            self.token = ""
        media_type = dict(answered.headers)["Content-Type"]
        if self.wrong == "reads whatever says 200" and answered.status == 200 and not answered.cut:
            media_type = "application/json"
        if answered.status != 200 or answered.cut or media_type != "application/json":
            return [] if self.wrong == "takes a failure for nothing" else None
        try:
            page = json.loads(answered.body)
        except ValueError:
            return None
        return page if isinstance(page, list) else None

    def _take(self, found: list[dict[str, Any]]) -> None:
        there = {one["id"] for one in found}
        if self.wrong != "forgets nothing":
            self.events = {name: one for name, one in self.events.items() if name in there}
        for document in found:
            known = self.events.get(document["id"])
            if known is not None and known.document["modificationDateTime"] == document["modificationDateTime"]:
                continue
            if known is not None and self.wrong == "follows no change":
                continue
            period = document.get("intervalPeriod", {})
            if period.get("duration") == "PT0S":
                if self.wrong != "goes on with what was called off":
                    self.events.pop(document["id"], None)
                continue
            if period and document.get("reportDescriptors"):
                start = parse_start(period["start"])
                begins_at = known.begins_at if known else start if isinstance(start, datetime) else self.now
                if self.wrong == "starts at random" and not known:
                    begins_at += timedelta(seconds=30)
                reported = known.reported if known else 0
                self.events[document["id"]] = Followed(document, begins_at, reported)

    def _report(self) -> None:
        for name, one in list(self.events.items()):
            length = parse_fixed_length(one.document["intervalPeriod"]["duration"])
            assert isinstance(length, timedelta)
            starts_at = one.begins_at + one.reported * length
            intervals = one.document["intervals"]
            if self.now < starts_at + length or (one.reported >= len(intervals) and "duration" not in one.document):
                continue
            interval = {
                "id": intervals[one.reported % len(intervals)]["id"],
                "intervalPeriod": {"start": starts_at.strftime("%Y-%m-%dT%H:%M:%SZ")},
                "payloads": [{"type": "DEMAND", "values": [1]}],
            }
            one.reported += 1
            body = {"eventID": name, "resources": [{"resourceName": "house", "intervals": [interval]}]}
            self._ask("POST", "reports", json.dumps(body).encode())
