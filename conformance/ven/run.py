"""Runs procedures against a VEN: tells it things, and waits for what it says."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from conformance.answers import Answer, SchemaFault
from conformance.client.sender import Sender
from conformance.client.steps import Identity, Seal, Send
from conformance.hook import HookFailed
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Operate, Procedure, Step, flattened
from conformance.run import Operator, Stopped, run_procedures, steps_of
from conformance.server.hearing import SILENT, Ear, ListeningRun, Stage
from conformance.server.steps import Serve, Shown, Silence
from conformance.ven.script import Script
from conformance.ven.steps import Everything, Forget, Registered, Tell, Transport
from openadr_core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    connect_s: float = 300.0
    """For a VEN that somebody has still to start."""
    answer_s: float = 20.0
    """For anything that a VEN does by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenTarget:
    """What the tester gave."""

    transport: Transport
    given: frozenset[str]
    """Options that procedures may need, without their dashes."""
    variables: Mapping[str, str]
    """What procedures may name: the VEN's resources and the like."""
    sender: Callable[[str], Sender]
    """For the address that a VEN gives to be pushed to."""
    operate: Operator | None = None
    patience: Patience = Patience()
    latency_s: float = 0.0


def report_variables(granularity_s: int, report_back_s: int, patience_s: float) -> dict[str, str]:
    """What procedures may say of the reports that they ask for."""
    return {
        "granularity": f"PT{granularity_s}S",
        "back": f"PT{report_back_s}S",
        "back_s": str(report_back_s),
        "intervals": str(report_back_s // granularity_s),
        "report_within_s": str(patience_s + 2 * report_back_s),
        "report_silent_s": str(2 * report_back_s + granularity_s),
    }


def run_suite(
    suite: Suite,
    target: VenTarget,
    script: Script,
    stage: Stage,
    schema_fault: SchemaFault,
    *,
    only: Iterable[str] = (),
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there; what is about the other transport is left out."""
    other = {*Transport} - {target.transport}
    there = tuple(procedure for procedure in suite.procedures if not other & set(procedure.needs))
    suite = replace(suite, procedures=there)
    return run_procedures(
        suite,
        lambda: VenRun(target, script, stage, schema_fault),
        lambda procedure: ", ".join(unmet_needs(procedure, suite, target)),
        only=only,
    )


def unmet_needs(procedure: Procedure, suite: Suite, target: VenTarget) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = tuple(flattened(steps_of(procedure, suite)))
    shown = any(isinstance(step, Serve) and step.certificate is Shown.EXPIRED for step in steps)
    needs = (*procedure.needs, *(["expired-certificate"] if shown else []))
    yield from (f"--{need}" for need in needs if need not in {*target.given, target.transport})
    if target.operate is None and any(isinstance(step, Operate) for step in steps):
        yield "--operator-hook"


class VenRun(ListeningRun):
    """One procedure at a VEN."""

    def __init__(self, target: VenTarget, script: Script, stage: Stage, schema_fault: SchemaFault) -> None:
        super().__init__(target.variables, schema_fault, operate=target.operate, latency_s=target.latency_s)
        self._script = script
        self._stage = stage
        self._patience = target.patience
        self._ear = Ear(listener=script, stage=stage, patience_s=target.patience.answer_s)
        self._seen_before = len(script.exchanges)
        self._new_sender = target.sender
        self._sender: Sender | None = None
        run_id = self.variables["run_id"]
        self.variables |= {
            "connect_s": f"{self._patience.connect_s:g}",
            "event_id": f"evt-{run_id}",
            "other_event_id": f"other-{run_id}",
            "third_event_id": f"third-{run_id}",
            "vtn_id_other_case": script.ids.vtn_id.swapcase(),
            "ven_id_other_case": script.ids.ven_id.swapcase(),
            "market_context_other_case": _other_case(script.ids.market_context),
        }
        self.renew()
        script.began, script.events, script.event_variables = stage.utc(), (), dict(self.variables)

    def perform(self, step: Step) -> None:
        self.variables |= self._script.variables
        match step:
            case Tell():
                self._tell(step)
            case Send():
                self._send(step)
            case Registered():
                self._registered(step)
            case Forget():
                self._forget()
            case Everything():
                self._everything(step)
            case _:
                super().perform(step)

    def pause(self, seconds: float) -> None:
        self._stage.wait(lambda: None, seconds)

    def utc(self) -> datetime:
        return self._stage.utc()

    def close(self) -> None:
        """Whatever else the procedure had in mind is not said any more."""
        if self._sender is not None:
            self._sender.close()
        self._script.replies.clear()
        self._script.queue.clear()
        self.exchanges.extend(self._script.exchanges[self._seen_before :])

    @property
    def others(self) -> Sequence[Answer]:
        """In the whole run."""
        return [heard.what for heard in self._script.heard]

    def before_operating(self) -> None:
        self.ear.move_mark()

    # -- what is told ------------------------------------------------------------------

    def _tell(self, step: Tell) -> None:
        self.renew()
        own = {**self.variables, **{name: self.render(text) for name, text in step.given.items()}}
        if step.events is None:
            body = self._script.message(step.body, own)
        else:
            if step.seal in {None, Seal.GOOD}:
                # What must not be believed is not true either: it stands in no answer to oadrRequestEvent.
                self._script.events, self._script.event_variables = step.events, own
            body = self._script.distribution(variables=own, events=step.events)
        if self._script.pushed_to:
            self._push(step, body)
            return
        waiting, offered_s = self._script.offer(body, step.seal), self._stage.seconds()
        if not step.taken:
            return
        taken = self._stage.wait(lambda: waiting.taken_at, self._patience.answer_s)
        if taken is None:
            raise Stopped(f"line {step.line}: the VEN did not poll in {self._patience.answer_s:g} s")
        poll = self._script.heard[taken - 1]
        self.ear.mark, self.ear.marked_s = taken, poll.at_s
        self.last = replace(poll.what, elapsed_s=poll.at_s - offered_s)
        self.judge_last(step)

    def _push(self, step: Tell, body: bytes) -> None:
        self.ear.move_mark()
        exchange = self._pushing().post(step.service, self._script.to_push(body, step.seal))
        self._script.hears_answer(exchange, self._stage.seconds())
        self.last = exchange.answer
        self.judge_last(step)
        if self.last.status is None:
            raise Stopped(f"line {step.line}: nothing can be pushed: {self.last.failure}")

    def _send(self, step: Send) -> None:
        """A request that a good VTN would not make; what is wrong with it is not that it lacks a signature."""
        if step.seal is None and step.identity is Identity.ENROLLED and self._script.signs(step.body.encode()):
            step = replace(step, seal=Seal.GOOD)
        self.renew()
        own = {**self.variables, **{name: self.render(text) for name, text in step.given.items()}}
        exchange = self._pushing().send(step, own)
        self._script.exchanges.append(exchange)
        self.last = exchange.answer
        self.judge_last(step)

    def _pushing(self) -> Sender:
        if self._sender is None:
            if not self._script.pushed_to:
                raise Stopped("the VEN did not say where it wants to be pushed to")
            try:
                self._sender = self._new_sender(self._script.pushed_to)
            except ConfigError as fault:
                raise Stopped(f"oadrTransportAddress: {fault}") from None
        return self._sender

    # -- what is heard -----------------------------------------------------------------

    def unwanted(self, step: Silence) -> Answer:
        """Until the VEN has polled so often, where it polls and no time is given."""
        ear, before = self.ear, self._polls()
        since = max(ear.mark, ear.last + 1)
        if step.for_s or self._script.pushed_to:
            for_s = float(self.render(step.for_s) or step.polls * self._script.ids.poll_s)
            return ear.unwanted(step, for_s, self.variables, since=since)

        def over() -> bool | None:
            spoken = ear.first(step, since, self.variables) is not None
            return True if spoken or self._polls() >= before + step.polls else None

        if self._stage.wait(over, ear.patience_s * step.polls) is None:
            raise Stopped(f"line {step.line}: the VEN does not poll any more")
        found = ear.first(step, since, self.variables)
        return SILENT if found is None else found[1].what

    def _polls(self) -> int:
        return sum(heard.payload == "oadrPoll" for heard in self._script.heard)

    def _everything(self, step: Everything) -> None:
        for heard in list(self._script.heard):
            if heard.what.status is None:
                self.last = heard.what
                self.judge_last(step)

    # -- how we stand ------------------------------------------------------------------

    def _registered(self, step: Registered) -> None:
        script = self._script

        def there() -> bool | None:
            return script.registered or None

        def settled() -> bool | None:
            said = {heard.payload for heard in script.heard[script.registered_at :]}
            return True if {"oadrRegisterReport", "oadrRequestEvent"} <= said else None

        if not script.registered:
            self._stage.tell_tester("Waiting for the VEN to register: start it, or make it register anew.")
        if self._stage.wait(there, self._patience.connect_s) is None and not (
            self._was_asked_for(step.else_operate) and self._stage.wait(there, self._patience.connect_s)
        ):
            raise Stopped(f"no VEN has registered in {self._patience.connect_s:g} s")
        # What it does not say here, the procedures about registration find out.
        self._stage.wait(settled, self._patience.answer_s)
        self.variables |= script.variables

    def _was_asked_for(self, action: str) -> bool:
        if not action or self._ask_operator is None:
            return False
        try:
            self._ask_operator(action, {}, self.variables)
        except HookFailed:
            return False
        return True

    def _forget(self) -> None:
        script = self._script
        self.ear.move_mark()
        if script.registered and script.pushed_to:
            # A VEN that does not poll would not find out.
            cancellation = script.to_push(script.cancellation(self.variables))
            script.exchanges.append(self._pushing().post("EiRegisterParty", cancellation))
        script.registered = False
        script.queue.clear()


def _other_case(uri: str) -> str:
    """The same URI in another spelling (RFC 3986, 6.2.2.1)."""
    parts = urlsplit(uri)
    return parts._replace(scheme=parts.scheme.swapcase(), netloc=parts.netloc.swapcase()).geturl()
