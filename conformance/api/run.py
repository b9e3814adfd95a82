"""Runs procedures against an API of OpenADR 3, one exchange after the other, and takes away what it made."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from conformance.answers import Answer
from conformance.api.script import first_fitting
from conformance.api.steps import Ask, Who
from conformance.api.target import ApiTarget
from conformance.api.tokens import Tokens
from conformance.api.ven_steps import Asked, Hear, Silence
from conformance.client.line import CURRENT, Carrier, Connect, Line
from conformance.client.steps import Identity
from conformance.exchanges import RawRequest
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Procedure, Step, flattened
from conformance.queries import Query
from conformance.run import Run, Stopped, run_procedures, steps_of
from conformance.server.hearing import SILENT
from openadr_core.errors import ConfigError
from openadr_core.xml.parse import Element

NOTHING: Mapping[str, str] = MappingProxyType({})
_ID = Query("/json/id")
TOLD_WITHIN_S = 20.0
"""A VTN may gather its notifications for a moment; who is told later than this is not told."""


def run_suite(
    suite: Suite, target: ApiTarget, *, only: Iterable[str] = (), connect: Connect = Line
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    tokens = Tokens(target, identity_of(target), connect)
    return run_procedures(
        suite,
        lambda: ApiRun(target, tokens, connect),
        lambda procedure: ", ".join(unmet_needs(procedure, suite, target)),
        only=only,
    )


def identity_of(target: ApiTarget) -> Identity:
    """The certificate that is shown, if the tester gave one."""
    return Identity.ENROLLED if Identity.ENROLLED in target.certificates else Identity.NONE


def unmet_needs(procedure: Procedure, suite: Suite, target: ApiTarget) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = [step for step in flattened(steps_of(procedure, suite)) if isinstance(step, Ask)]
    asking = {step.who for step in steps} - {Who.NOBODY}
    yield from (f"--{who}-client" for who in sorted(asking - set(target.clients)))
    narrowed = {step.who for step in steps if step.scope} & set(target.clients)
    if not target.callback and any(isinstance(step, Hear | Silence) for step in flattened(steps_of(procedure, suite))):
        yield "--callback-url"
    if not target.former_base and any(step.is_former for step in steps):
        yield "--former-base"
    yield from (f"--{who}-secret" for who in sorted(narrowed) if target.clients[who].token)


class ApiRun(Run):
    """One procedure, with its connection and all that it created."""

    def __init__(self, target: ApiTarget, tokens: Tokens, connect: Connect) -> None:
        super().__init__(
            {f"{who}_client": client.id for who, client in target.clients.items()},
            _no_schema,
            latency_s=target.latency_s,
        )
        self._callback = target.callback
        self._news_from = self._began = len(target.callback.receiver.heard) if target.callback else 0
        """Of what the receiver has heard."""
        if target.callback is not None:
            self.variables["callback_url"] = target.callback.url
        self._target = target
        self._tokens = tokens
        self._connect = connect
        self._carrier: Carrier | None = None
        self._created: dict[tuple[str, bool], Who] = {}
        """By path, and whether it is one of 3.0.1."""

    def perform(self, step: Step) -> None:
        match step:
            case Ask(for_each=None):
                self._ask(step)
            case Ask():
                self._ask_for_each(step)
            case Hear():
                self._hear(step)
            case Silence():
                start = self._began if step.all_along else self._news_from
                self.last = self._heard(step.asked, step.for_s, start) or SILENT
                self.judge_last(step)

    def close(self) -> None:
        """Remove the newest first: what hangs on something goes before it."""
        for (path, is_former), who in reversed(self._created.copy().items()):
            removal = Ask(line=0, method="DELETE", path=path, body="", who=who, is_former=is_former)
            self._exchange(removal, self.variables)
        if self._carrier is not None:
            self._carrier.close()

    def _hear(self, step: Hear) -> None:
        found = self._heard(step.asked, TOLD_WITHIN_S + self._target.latency_s, self._news_from)
        if found is None:
            raise Stopped(f"line {step.line}: no {step.asked.method} {step.asked.path.pattern} came")
        self.last = found
        self.judge_last(step)

    def _heard(self, asked: Asked, within_s: float, start: int) -> Answer | None:
        """What the receiver was told from there on; None if nothing like it came."""
        if self._callback is None:
            raise Stopped("nobody listens for notifications")
        heard = self._callback.receiver.heard
        found = self._callback.stage.wait(lambda: first_fitting(asked, heard, start, self.variables), within_s)
        return None if found is None else found[1].what

    def _ask_for_each(self, step: Ask) -> None:
        root = self.last.root
        if root is None or step.for_each is None:
            return
        for node in step.for_each.nodes(root, self.variables):
            self._ask(step, {name: query.string(node, self.variables).strip() for name, query in step.take.items()})

    def _ask(self, step: Ask, taken: Mapping[str, str] = NOTHING) -> None:
        self.renew()
        self._news_from = len(self._callback.receiver.heard) if self._callback else 0
        self._exchange(step, {**self.variables, **taken})
        self.judge_last(step)
        self.keep(step, step.keep)

    def _exchange(self, step: Ask, own: Mapping[str, str]) -> None:
        carrier = self._carrier or self._connect(self._target, identity_of(self._target), CURRENT)
        self._carrier = carrier
        exchange = replace(carrier.exchange(self._request(step, own)), speaker=step.who)
        self.exchanges.append(exchange)
        self.last = exchange.answer
        self._note_objects(step, exchange.request.path)

    def _note_objects(self, step: Ask, path: str) -> None:
        """What was made is to be removed, if the procedure does not do it itself."""
        root = self.last.root
        below = path.removeprefix(f"{self._base(step)}/")
        if step.method == "POST" and self.last.status == 201 and root is not None:
            self._created[f"{below}/{_ID.string(root, self.variables)}", step.is_former] = step.who
        if step.method == "DELETE":
            self._created.pop((below, step.is_former), None)

    def _base(self, step: Ask) -> str:
        return self._target.former_base if step.is_former else self._target.prefix

    def _bearer(self, step: Ask) -> str:
        try:
            return self._tokens.bearer(step.who, step.scope)
        except ConfigError as fault:
            if not step.scope:
                raise
            raise Stopped(f"line {step.line}: no token for {step.scope}: {fault}") from None

    def _request(self, step: Ask, own: Mapping[str, str]) -> RawRequest:
        body = self.render(step.body, own=own).encode()
        headers: dict[str, str | None] = {"Host": self._target.parts.netloc, "Accept": "application/json"}
        if step.who is not Who.NOBODY:
            headers["Authorization"] = f"Bearer {self._bearer(step)}"
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        headers |= step.headers
        return RawRequest(
            method=step.method,
            path=f"{self._base(step)}/{self.render(step.path, own=own)}",
            headers=[(name, self.render(value, own=own)) for name, value in headers.items() if value is not None],
            body=body,
        )


def _no_schema(_: Element) -> str:
    return "no procedure of this suite asks for a schema"
