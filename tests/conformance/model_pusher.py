"""The model VTN as a client of the harness's server, without sockets, in a time that passes while the run waits.

``habits`` are ways of being bad that no change of a message shows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from conformance.answers import Answer
from conformance.exchanges import Exchange, RawRequest
from conformance.messages import read_message
from conformance.openadr20b import CONTENT_TYPE, path_of
from conformance.server.steps import Shown
from conformance.vtn.pushed_ven import ANSWERS, PushedVen
from openadr_core.xml.parse import parse

from .model_sealing import ModelSeal, signer
from .model_vtn import Asked, ModelVtn

Found = TypeVar("Found")
SpoilPush = Callable[[RawRequest], RawRequest]
LATENCY_S = 0.01
AT_ONCE_S = 0.1
PAUSE_S = 1.0
LONGEST_S = 4.0
NOTHING = RawRequest(method="", path="", headers=[], body=b"")
GOOD_HEADERS = [("Host", "ven.test"), ("Content-Type", CONTENT_TYPE), ("Accept", CONTENT_TYPE)]


@dataclass(slots=True)
class ModelPusher:
    """A ``Stage``: it lets the model push whenever the run waits."""

    model: ModelVtn
    ven: PushedVen
    seal: ModelSeal
    spoil: SpoilPush
    habits: frozenset[str] = frozenset()
    attempts: list[Answer] = field(default_factory=list)
    now_s: float = 0.0
    retry_s: float = 0.0
    """Nothing is pushed before."""
    failures: int = 0
    shown: Shown = Shown.GOOD
    last_message: str = ""

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def seconds(self) -> float:
        return self.now_s

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        began_s = self.now_s
        try:
            return self._wait(found, timeout_s)
        finally:
            self.model.waited += timedelta(seconds=self.now_s - began_s)

    def _wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until_s = self.now_s + timeout_s
        while (got := found()) is None:
            owed = self.model.owed(self._asked()) if self.retry_s <= until_s and self.model.pushes_to else None
            if owed is None and "repeats itself" in self.habits and self.now_s + PAUSE_S <= until_s:
                self.now_s += PAUSE_S
                self._carried(self.last_message)
                continue
            if owed is None:
                self.now_s = until_s
                return None
            self.now_s = max(self.now_s, self.retry_s) + LATENCY_S
            self._push(*owed)
        return got

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:
        old = certification_suites and "offers no old suite" in self.habits
        self.shown = Shown.FOREIGN if old else certificate

    def tell_tester(self, text: str) -> None:
        """Nobody is there."""

    def _push(self, message: str, owe_again: Callable[[], None]) -> None:
        if self.shown is not Shown.GOOD and "trusts anybody" not in self.habits:
            self.attempts.append(Answer(failure="bad certificate", refused=True))
            self._failed(owe_again)
            return
        self.attempts.append(Answer(failure="it went on"))
        status, answer = self._carried(message)
        if status == 200:
            self.failures, self.retry_s = 0, 0.0
            if answer and self.model.signs and not self.seal.believes(answer):
                self._failed(owe_again)
            elif answer:
                self.model.answered(self._asked(), parse(answer))
        elif status not in {404, 406, 501} or "tries again what was refused" in self.habits:
            self._failed(owe_again)

    def _failed(self, owe_again: Callable[[], None]) -> None:
        """2.0b 9.1.7."""
        if "gives up at once" in self.habits or ("gives up soon" in self.habits and self.failures):
            return
        pause_s = AT_ONCE_S if "hammers" in self.habits else min(2.0**self.failures, LONGEST_S)
        self.failures += 1
        self.retry_s = self.now_s + pause_s
        owe_again()

    def _carried(self, message: str) -> tuple[int, bytes]:
        named = re.search(r"<oadr:oadrSignedObject[^>]*>\s*<oadr:(\w+)", message)
        assert named is not None
        self.last_message = message
        body = self.seal.sealed(message.encode()) if self.model.signs else message.encode()
        # The prefix of the address that the harness gives: https://ven.test/ven/.
        path = "/ven" + path_of(ANSWERS[named[1]][0])
        usual = RawRequest(method="POST", path=path, headers=GOOD_HEADERS, body=body)
        spoilt = self.spoil(usual)
        if not any(name == "Content-Length" for name, _ in spoilt.headers) and "no length" not in self.habits:
            spoilt = replace(spoilt, headers=[*spoilt.headers, ("Content-Length", str(len(spoilt.body)))])
        shown, root, because = read_message(spoilt.headers, spoilt.body)
        what = Answer(
            method=spoilt.method, path=spoilt.path, headers=spoilt.headers, body=shown, root=root,
            no_root_because=because, came_at=self.utc(), peer_sha256=signer(self.seal.peer).certificate_sha256,
        )  # fmt: skip
        answered = self.ven.listens(spoilt, what, self.now_s)
        told = Answer(status=answered.status, headers=answered.headers, body=answered.body)
        self.ven.exchanges.append(Exchange(at=self.utc(), speaker="the model", tls="", request=spoilt, answer=told))
        return answered.status, answered.body

    def _asked(self) -> Asked:
        return Asked(request=NOTHING, party="enrolled", signer=signer(self.seal.peer))
