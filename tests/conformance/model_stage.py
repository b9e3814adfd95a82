"""Where a model VEN and the harness's script meet without sockets, in a time that passes while the run waits."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from conformance.answers import Answer
from conformance.client.address import Address
from conformance.client.line import answer_of
from conformance.client.sender import Sender
from conformance.client.steps import Identity
from conformance.exchanges import Exchange, RawRequest
from conformance.loading import Suite
from conformance.messages import read_message
from conformance.openadr20b import path_of
from conformance.schema import schema_fault
from conformance.server.steps import Shown
from conformance.ven.run import Patience, VenTarget, report_variables, run_suite
from conformance.ven.script import Identifiers, Script
from conformance.ven.steps import Transport
from tests.conformance.model_sealing import ModelSeal, chain, harness_sealing, signer
from tests.conformance.model_ven import CONTEXT, RESOURCE, ModelVen, Said

Found = TypeVar("Found")
Spoil = Callable[[Said], Said | None]
"""What is sent instead of what the model says; None: nothing, and the model is told that it was not taken."""
HARNESS = {Identity.ENROLLED: chain("vtn"), Identity.FOREIGN: chain("another")}
LATENCY_S = 0.01
START = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


@dataclass(slots=True)
class ModelStage:
    """A ``Stage``: it lets the VEN speak whenever the run waits."""

    script: Script
    spoil: Spoil
    habits: frozenset[str]
    address: str = ""
    """Where the model is pushed to; empty if it polls."""
    ven: ModelVen = field(init=False)
    seal: ModelSeal | None = None
    """None: it neither signs nor looks at signatures."""
    attempts: list[Answer] = field(default_factory=list)
    now_s: float = 0.0
    shown: Shown = Shown.GOOD
    fresh: bool = False
    """The next connection is a new one."""

    def __post_init__(self) -> None:
        own_id = "" if "forgets its venID" in self.habits else self.script.ids.ven_id
        self.ven = ModelVen(utc=self.utc, habits=self.habits, own_id=own_id, address=self.address)

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def seconds(self) -> float:
        return self.now_s

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until_s = self.now_s + timeout_s
        while (got := found()) is None:
            due_s = (self.ven.next_at() - START).total_seconds()
            if due_s > until_s:
                self.now_s = until_s
                return None
            self.now_s = max(self.now_s, due_s)
            self._exchange()
        return got

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:  # noqa: ARG002 (a Stage's)
        self.shown, self.fresh = certificate, True

    def tell_tester(self, text: str) -> None:
        """Nobody is there."""

    def operate(self, action: str, wish: Mapping[str, Any], _: Mapping[str, str]) -> str:
        return self.ven.operate(action, dict(wish))

    def _exchange(self) -> None:
        self.now_s += LATENCY_S
        said = self.ven.speak()
        if self.fresh and self.shown is not Shown.GOOD and "trusts anybody" not in self.habits:
            self.attempts.append(Answer(failure="bad certificate", refused=True))
            self.ven.hear(0, b"")
            return
        if self.fresh:
            self.attempts.append(Answer(failure=f"it went on, and sent {said.payload}"))
        self.fresh = False
        if "old suites only" in self.habits and self.shown is Shown.GOOD and self.attempts:
            self.ven.hear(0, b"")
            return
        spoilt = self.spoil(said)
        if spoilt is None:
            self.ven.hear(404, b"")
            return
        request = requested(spoilt, self.seal)
        body, root, because = read_message(request.headers, request.body)
        what = Answer(
            method=request.method, path=request.path, headers=request.headers, body=body, root=root,
            no_root_because=because, came_at=self.utc(), peer_sha256=signer("ven").certificate_sha256,
        )  # fmt: skip
        answered = self.script.listens(request, what, self.now_s)
        told = Answer(status=answered.status, headers=answered.headers, body=answered.body)
        self.script.exchanges.append(Exchange(at=self.utc(), speaker="the model", tls="", request=request, answer=told))
        self.now_s += min(answered.delay_s, 10.0)
        if self.seal is not None and answered.status == 200 and not self.seal.believes(answered.body):
            self.ven.hear(0, b"")
            return
        self.ven.hear(answered.status, answered.body, delay_s=answered.delay_s, cut=answered.cut)


def requested(said: Said, seal: ModelSeal | None) -> RawRequest:
    body = said.body.encode() if seal is None else seal.sealed(said.body.encode())
    headers = {"Host": "vtn.test", "Content-Type": "application/xml", "Content-Length": str(len(body)), **said.headers}
    return RawRequest(
        method=said.method,
        path=path_of(said.service),
        headers=[(name, value) for name, value in headers.items() if value],
        body=body,
    )


@dataclass(frozen=True, slots=True)
class ToModel:
    """Carries what is pushed to the model, and its answer back, spoilt like all that it says."""

    stage: ModelStage
    identity: Identity

    def exchange(self, request: RawRequest) -> Exchange:
        seal = self.stage.seal
        believed = seal is None or seal.believes(request.body)
        status, body = self.stage.ven.receive(request) if believed else (200, "")
        said = Said(service="", payload=_payload(body), body=body, status=status)
        spoilt = self.stage.spoil(said) or said
        shy = self.identity in {Identity.NONE, Identity.FOREIGN} and "talks to anybody" not in self.stage.habits
        headers = {"Content-Type": "application/xml", **spoilt.headers}
        told = spoilt.body.encode() if seal is None else seal.sealed(spoilt.body.encode())
        came = answer_of(spoilt.status, list(headers.items()), told, 0.0)
        heard = replace(came, came_at=self.stage.utc(), peer_sha256=signer("ven").certificate_sha256)
        answer = Answer(failure="closed", refused=True) if shy else heard
        return Exchange(at=self.stage.utc(), speaker=self.identity, tls="", request=request, answer=answer)

    def close(self) -> None:
        """Nothing is open."""


def _payload(body: str) -> str:
    found = re.search(r"<oadr:oadrSignedObject[^>]*>\s*<oadr:(\w+)", body)
    return found[1] if found else ""


def failing_checks(
    suite: Suite,
    spoil: Spoil,
    habits: Iterable[str] = (),
    *,
    only: Iterable[str] = (),
    transport: Transport = Transport.PULL,
    signs: bool,
) -> set[str]:
    """The checks that fail against a model VEN that is spoilt in one way, or has a bad habit."""
    url = "https://model.test/ven" if transport is Transport.PUSH else ""
    script = Script(ids=Identifiers(market_context=CONTEXT), messages=suite.messages, schema_fault=schema_fault)
    stage = ModelStage(script, spoil, frozenset(habits), url)
    script.utc = stage.utc
    if signs:
        stage.seal, script.sealing = ModelSeal(utc=stage.utc, habits=stage.habits), harness_sealing(stage.utc)
    target = VenTarget(
        transport=transport,
        sender=lambda url: Sender(
            Address(url=url, trust=Path(), certificates=HARNESS),
            lambda _, identity, __: ToModel(stage, identity),
            utc=stage.utc,
        ),
        given=frozenset(
            {"expired-certificate", "resource", "preconfigured-ven-id", *(["signatures"] if signs else [])}
        ),
        variables={
            "resource": RESOURCE,
            "other_resource": "Resource-2",
            **report_variables(1, 2, 16.0),
            "preconfigured_ven_id": script.ids.ven_id,
        },
        operate=stage.operate,
        patience=Patience(connect_s=30.0, answer_s=15.0),
    )
    return {
        f"{outcome.procedure.id}/{name}"
        for outcome in run_suite(suite, target, script, stage, schema_fault, only=only)
        for name in outcome.shortcomings
    }


def unspoilt(said: Said) -> Said:
    return said
