"""Runs procedures against a server of IEEE 2030.5, one exchange after the other."""

import math
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from conformance.answers import Answer
from conformance.api.ven_steps import Hear, Reply, Silence
from conformance.client.address import peer_shown_by
from conformance.client.line import Carrier, Connect, Line
from conformance.client.steps import Hello, Identity
from conformance.exchanges import RawRequest
from conformance.hook import run_hook
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Operate, Procedure, Step, flattened
from conformance.queries import Query
from conformance.run import Inapplicable, Operator, Run, Stopped, run_procedures, steps_of
from conformance.schema import sep2_schema_fault
from conformance.sep2.forms import Form, chain_of
from conformance.sep2.hearing import Listener
from conformance.sep2.pages import read_list
from conformance.sep2.steps import Ask
from conformance.sep2.target import Sep2Target
from conformance.sep2.words import MEDIA_TYPE
from openadr_core.errors import ConfigError
from openadr_core.identity import sfdi_of
from openadr_core.xml.parse import Element

OPTIONS: Mapping[str, str] = {
    "pin": "--pin",
    "notification_uri": "--notification-uri",
    "subscriber": "--notification-uri",
    "authority": "--authority-certificate",
}
"""What a procedure may need of the target, by the option that says it."""
THINGS_ASKED = 3
"""Of the operator, at most, before the first of what was asked for begins."""
_TOLD_TIME = Query("string(/sep:Time/sep:currentTime)")


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
    shown = {step.identity for step in steps if isinstance(step, Ask) and not step.form} - {Identity.NONE}
    yield from (f"--{identity}-certificate" for identity in sorted(shown - set(target.certificates)))
    needed = set(procedure.needs)
    if any(isinstance(step, Hear | Silence) for step in steps):
        needed |= {"notification_uri", "subscriber"}
    if any(isinstance(step, Ask) and step.form for step in steps):
        needed.add("authority")
    yield from dict.fromkeys(option for need, option in OPTIONS.items() if need in needed and not getattr(target, need))
    if not target.hook and any(isinstance(step, Operate) for step in steps):
        yield "--operator-hook"


def facts_of(target: Sep2Target) -> dict[str, str]:
    """Variables that a whole run has."""
    entry = urlsplit(target.url).path
    told = {
        "dcap": entry,
        "pin": target.pin,
        "pen": target.pen,
        "notification_uri": target.notification_uri,
        "soon": str(math.ceil(THINGS_ASKED * target.operator_s)),
    }
    for identity, chain in target.certificates.items():
        prefix = "" if identity is Identity.ENROLLED else f"{identity}_"
        peer = peer_shown_by(chain.certificate)
        told |= {f"{prefix}lfdi": peer.lfdi, f"{prefix}sfdi": str(peer.sfdi)}
    return {**told, "ven_id": told.get("lfdi", "")}


def _invented(pen: str) -> dict[str, str]:
    """What nobody has used before: ``seed`` for mRIDs, and devices that there are not.

    Those that an aggregator will manage come in another order than that of their SFDIs.
    """
    seed = uuid.uuid4().hex[:20].upper()
    first_digits = {"foreign": "4", "managed": "8", "second_managed": "2", "third_managed": "C"}
    lfdis = {name: f"{digit}{seed[1:]}000000000000{pen}" for name, digit in first_digits.items()}
    lfdis["unmanaged"] = f"6{seed[1:]}000000000000{(int(pen) + 1) % 10 ** len(pen):08d}"
    sfdis = {f"{name}_sfdi": str(sfdi_of(bytes.fromhex(lfdi.ljust(64, "0")))) for name, lfdi in lfdis.items()}
    return {"seed": seed, **{f"{name}_lfdi": lfdi for name, lfdi in lfdis.items()}, **sfdis}


class Sep2Run(Run):
    """One procedure, with its connections."""

    def __init__(self, target: Sep2Target, connect: Connect, *, operate: Operator | None = None) -> None:
        """``operate`` asks the server's operator; the target's hook does, if it is left out."""
        by_hook = partial(run_hook, target.hook) if target.hook else None
        super().__init__(
            {**facts_of(target), **_invented(target.pen)},
            sep2_schema_fault,
            operate=operate or by_hook,
            latency_s=target.latency_s,
        )
        self._target = target
        self._connect = connect
        self._ear = Listener(target.subscriber) if target.subscriber else None
        self._carriers: dict[tuple[Form | Identity, Hello], Carrier] = {}
        self._folder = TemporaryDirectory(prefix="conformance-")
        """Of certificates of odd forms, if there are any."""
        self._ahead_s = 0.0
        """How far the server's clock is ahead of the tester's."""

    def perform(self, step: Step) -> None:
        match step:
            case Ask():
                self.before_operating()
                self._ask(step)
            case Reply():
                self.ear.plan(step, self.variables)
            case Hear():
                self.last = self.ear.hear(step, self.variables)
                self.judge_last(step)
            case Silence():
                self.last = self.ear.unwanted(step, self.variables)
                self.judge_last(step)

    @property
    def ear(self) -> Listener:
        if self._ear is None:
            raise Inapplicable("--notification-uri")
        return self._ear

    def before_operating(self) -> None:
        """What is told from now on may come of what is done now."""
        if self._ear is not None:
            self._ear.mark()

    def _ask(self, step: Ask) -> None:
        self.renew()
        if step.page:
            self.last = read_list(lambda start: self._answer(step, f"s={start}&l={step.page}"), step.page)
        else:
            self.last = self._answer(step)
        self._set_clock(self.last.root)
        if step.offers and self.last.root is not None and not step.offers.truth(self.last.root, self.variables):
            raise Inapplicable(f"a server that has {step.offers.text}")
        self.judge_last(step)
        self.keep(step, step.keep)

    def renew(self) -> None:
        """``epoch`` is the time by the server's clock, as the last Time told it; ``utc`` that of the tester's."""
        super().renew()
        now = time.time()
        self.variables |= {"epoch": str(int(now + self._ahead_s)), "utc": str(int(now))}

    def _set_clock(self, root: Element | None) -> None:
        """A client keeps no other clock than its server's, which need not be anybody else's (Time.quality 7)."""
        told = "" if root is None else _TOLD_TIME.string(root, self.variables)
        if told.isdecimal():
            self._ahead_s = int(told) - time.time()

    def close(self) -> None:
        for carrier in self._carriers.values():
            carrier.close()
        self._folder.cleanup()
        if self._ear is not None:
            self.exchanges.extend(self._ear.end())

    def _answer(self, step: Ask, query: str = "") -> Answer:
        try:
            request = self._request(step, query)
        except ConfigError as missing:
            raise Stopped(f"line {step.line}: {missing}") from None
        who = step.form or step.identity
        if (who, step.hello) not in self._carriers:
            self._carriers[who, step.hello] = self._carrier(step)
        exchange = replace(self._carriers[who, step.hello].exchange(request), speaker=who)
        self.exchanges.append(exchange)
        return exchange.answer

    def _carrier(self, step: Ask) -> Carrier:
        if step.form is None or self._target.authority is None:
            return self._connect(self._target, step.identity, step.hello)
        chain = chain_of(step.form, self._target.authority, Path(self._folder.name))
        # As one whose time is over, it is shown without the proof that it is good.
        odd = replace(self._target, certificates={Identity.EXPIRED: chain})
        return self._connect(odd, Identity.EXPIRED, step.hello)

    def _request(self, step: Ask, query: str) -> RawRequest:
        body = self.render(step.body, xml=True).encode()
        headers: dict[str, str | None] = {"Host": self._target.parts.netloc, "Accept": MEDIA_TYPE}
        if body:
            headers |= {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        headers |= step.headers
        return RawRequest(
            method=step.method,
            path=path_of(self.render(step.path), query),
            headers=[(name, self.render(value)) for name, value in headers.items() if value is not None],
            body=body,
        )


def path_of(href: str, query: str = "") -> str:
    """What is asked for: an href may be a whole address (RFC 3986), and have a query of its own."""
    parts = urlsplit(href)
    asked = "&".join(part for part in (parts.query, query) if part)
    return f"{parts.path}?{asked}" if asked else parts.path
