"""Runs procedures against a server of IEEE 2030.5, one exchange after the other."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

from conformance.client.address import peer_shown_by
from conformance.client.line import Carrier, Connect, Line
from conformance.client.steps import Hello, Identity
from conformance.exchanges import RawRequest
from conformance.hook import run_hook
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Operate, Procedure, Step, flattened
from conformance.run import Run, run_procedures, steps_of
from conformance.schema import sep2_schema_fault
from conformance.sep2.steps import Ask
from conformance.sep2.target import Sep2Target
from conformance.sep2.words import MEDIA_TYPE

OPTIONS: Mapping[str, str] = {"pin": "--pin", "notification_uri": "--notification-uri"}
"""What a procedure may need to know, by the option that says it."""


def run_suite(
    suite: Suite, target: Sep2Target, *, only: Iterable[str] = (), connect: Connect = Line
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(
        suite,
        lambda: Sep2Run(target, connect),
        lambda procedure: ", ".join(unmet_needs(procedure, suite, target)),
        only=only,
    )


def unmet_needs(procedure: Procedure, suite: Suite, target: Sep2Target) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = list(flattened(steps_of(procedure, suite)))
    shown = {step.identity for step in steps if isinstance(step, Ask)} - {Identity.NONE}
    yield from (f"--{identity}-certificate" for identity in sorted(shown - set(target.certificates)))
    yield from (option for need, option in OPTIONS.items() if need in procedure.needs and not getattr(target, need))
    if not target.hook and any(isinstance(step, Operate) for step in steps):
        yield "--operator-hook"


def facts_of(target: Sep2Target) -> dict[str, str]:
    """Variables that a whole run has."""
    entry = urlsplit(target.url).path
    told = {"dcap": entry, "pin": target.pin, "pen": target.pen, "notification_uri": target.notification_uri}
    for identity, chain in target.certificates.items():
        prefix = "" if identity is Identity.ENROLLED else f"{identity}_"
        peer = peer_shown_by(chain.certificate)
        told |= {f"{prefix}lfdi": peer.lfdi, f"{prefix}sfdi": str(peer.sfdi)}
    return {**told, "ven_id": told.get("lfdi", "")}


class Sep2Run(Run):
    """One procedure, with its connections."""

    def __init__(self, target: Sep2Target, connect: Connect) -> None:
        seed = uuid.uuid4().hex[:20].upper()
        super().__init__(
            {**facts_of(target), "seed": seed},
            sep2_schema_fault,
            operate=partial(run_hook, target.hook) if target.hook else None,
            latency_s=target.latency_s,
        )
        self._target = target
        self._connect = connect
        self._carriers: dict[tuple[Identity, Hello], Carrier] = {}

    def perform(self, step: Step) -> None:
        if not isinstance(step, Ask):
            raise TypeError(f"{type(step).__name__} is no step of this suite")
        self.renew()
        key = step.identity, step.hello
        if key not in self._carriers:
            self._carriers[key] = self._connect(self._target, *key)
        exchange = self._carriers[key].exchange(self._request(step))
        self.exchanges.append(exchange)
        self.last = exchange.answer
        self.judge_last(step)
        self.keep(step, step.keep)

    def renew(self) -> None:
        super().renew()
        self.variables["epoch"] = str(int(time.time()))

    def close(self) -> None:
        for carrier in self._carriers.values():
            carrier.close()

    def _request(self, step: Ask) -> RawRequest:
        body = self.render(step.body, xml=True).encode()
        headers: dict[str, str | None] = {"Host": self._target.parts.netloc, "Accept": MEDIA_TYPE}
        if body:
            headers |= {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        headers |= step.headers
        return RawRequest(
            method=step.method,
            path=path_of(self.render(step.path)),
            headers=[(name, self.render(value)) for name, value in headers.items() if value is not None],
            body=body,
        )


def path_of(href: str) -> str:
    """What is asked for: an href may be a whole address (RFC 3986)."""
    parts = urlsplit(href)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
