"""Runs procedures against a client of IEEE 2030.5: changes what its server has, and waits for what it asks and says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from conformance.answers import Answer
from conformance.api.hearing import HearingRun
from conformance.api.ven_steps import Drop, Hear, Store
from conformance.client.line import Carrier
from conformance.exchanges import RawRequest
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Procedure, Step
from conformance.run import Stopped, run_procedures
from conformance.schema import sep2_schema_fault
from conformance.sep2.client_steps import Leap, Lost, Notify, PostRate
from conformance.sep2.run import path_of
from conformance.sep2.script import POST_RATE_S, Document, Sep2Script
from conformance.sep2.words import MEDIA_TYPE
from conformance.server.hearing import Stage
from conformance.server.steps import Attempt, Serve, Shown
from conformance.ven.run import Patience
from openadr_core.errors import ConfigError
from openadr_core.identity import Peer, sfdi_of
from openadr_core.sep2.mrid import LFDI_HEX_DIGITS
from openadr_core.sep2.power import active_power

NEEDS: Mapping[str, str] = {
    "pin": "--pin", "nmi": "--nmi", "power_w": "--power-w", "subscribes": "--subscribes", "in_band": "--in-band",
    "managed": "--managed",
}  # fmt: skip
"""What a procedure may need to know of the client, by the option that says it."""
PIN_OF_NOBODY, ANOTHER_PIN = "111115", "222220"
"""Each with its check digit."""
DEVICES = 2
"""Of an aggregator's, that procedures know by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTarget:
    """What the tester gave."""

    peer: Peer
    """Whose certificate the client shows."""
    pin: str = ""
    """That the client was told; empty if it was told none."""
    nmi: str = ""
    """Of its connection point (CSIP-AUS), as it was told; empty if it was told none."""
    power_w: int = 0
    """That its devices can give, as the meter that it mirrors shows then; 0: nobody knows."""
    subscribes: bool = False
    """To what can be subscribed to."""
    in_band: bool = False
    """It registers where the server does not know it yet."""
    managed: tuple[str, ...] = ()
    """LFDIs of devices that it answers for; two are enough."""
    patience: Patience

    def __post_init__(self) -> None:
        for lfdi in self.managed:
            if len(lfdi) != LFDI_HEX_DIGITS or set(lfdi) - set("0123456789ABCDEF"):
                raise ConfigError(f"--managed: an LFDI has {LFDI_HEX_DIGITS} hex digits, in capitals, not {lfdi!r}")


def run_suite(
    suite: Suite,
    target: ClientTarget,
    script: Sep2Script,
    stage: Stage,
    *,
    reach: Callable[[str], Carrier],
    only: Iterable[str] = (),
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there; ``reach`` gives a way to whoever is at an address."""
    return run_procedures(
        suite, lambda: Sep2ClientRun(target, script, stage, reach), lambda one: unmet_needs(one, target), only=only
    )


def unmet_needs(procedure: Procedure, target: ClientTarget) -> str:
    """The options that the tester would have to give for this procedure to run."""
    given = {need for need in NEEDS if getattr(target, need)} - (
        {"managed"} if len(target.managed) < DEVICES else set()
    )
    return ", ".join(option for need, option in NEEDS.items() if need in procedure.needs and need not in given)


class Sep2ClientRun(HearingRun[Sep2Script]):
    """One procedure at a client."""

    def __init__(self, target: ClientTarget, script: Sep2Script, stage: Stage, reach: Callable[[str], Carrier]) -> None:
        peer = target.peer
        facts = {
            "lfdi": peer.lfdi,
            "sfdi": str(peer.sfdi),
            "pin": target.pin or PIN_OF_NOBODY,
            "another_pin": PIN_OF_NOBODY if target.pin == ANOTHER_PIN else ANOTHER_PIN,
            "nmi": target.nmi,
            "poll_rate": "1",
            **_powers(target.power_w),
            **_managed(target.managed),
        }
        super().__init__(script, stage, target.patience, facts, sep2_schema_fault)
        self._reach = reach
        self._attempts = 0
        """So many handshakes there were before the server showed itself anew."""
        self.variables["mrid"] = f"{self.variables['run_id'].upper():0>24}00028547"
        for number, name in enumerate(("second_mrid", "third_mrid"), 1):
            self.variables[name] = f"{number}{self.variables['mrid'][1:]}"

    def perform(self, step: Step) -> None:
        self.variables["series"], zeros = self.script.meters.get(self.variables["lfdi"], ("", 0))
        self.variables["unit_w"] = f"{10.0**zeros:g}"
        match step:
            case Leap():
                self.move_mark()
                self.script.ahead_s += step.seconds
            case Lost():
                self.script.is_lost = True
                self.pause(step.seconds)
                self.script.is_lost = False
                self.move_mark()
            case Serve():
                self._attempts = len(self._stage.attempts)
                self._stage.serve(step.certificate, certification_suites=step.certification_suites)
                self.move_mark()
            case Attempt():
                self._await(step)
            case Notify():
                self.move_mark()
                self._notify(step)
            case PostRate():
                self.move_mark()
                self.script.post_rate_s = step.seconds
            case Hear():
                super().perform(step)
                self.variables["at"] = self.last.path
            case _:
                super().perform(step)

    def _await(self, step: Attempt) -> None:
        attempts = self._stage.attempts
        found = self._stage.wait(lambda: attempts[self._attempts :] or None, self._patience.answer_s)
        self.last = found[0] if found else Answer(failure="no connection")
        self._attempts += bool(found)
        self.judge_last(step)

    def _notify(self, step: Notify) -> None:
        try:
            uri, body = self.render(step.uri), self.render(step.body, xml=True).encode()
            parts = urlsplit(uri)
            carrier = self._reach(f"{parts.scheme}://{parts.netloc}")
        except (ConfigError, ValueError) as fault:
            raise Stopped(f"line {step.line}: nobody can be told: {fault}") from None
        headers = [("Host", parts.netloc), ("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
        exchange = carrier.exchange(RawRequest(method="POST", path=path_of(uri), headers=headers, body=body))
        carrier.close()
        self.exchanges.append(exchange)
        self.last = exchange.answer
        self.judge_last(step)

    def close(self) -> None:
        super().close()
        if self._attempts:
            self._stage.serve(Shown.GOOD, certification_suites=False)
        self.script.is_lost, self.script.post_rate_s = False, POST_RATE_S

    def renew(self) -> None:
        super().renew()
        self.variables["epoch"] = self.script.epoch

    def store(self, step: Store) -> None:
        self.script.documents[self.render(step.path)] = Document(
            template=step.body, variables={name: text for name, text in self.variables.items() if name != "epoch"}
        )

    def drop(self, step: Drop) -> None:
        self.script.documents.pop(self.render(step.path))


def _powers(power_w: int) -> dict[str, str]:
    """All of it and half of it, as a control asks for it."""
    facts: dict[str, str] = {}
    for name, watts in (("power", power_w), ("half", power_w // 2)):
        asked = active_power(watts)
        facts |= {f"{name}_w": str(watts), f"{name}_value": str(asked.value), f"{name}_zeros": str(asked.multiplier)}
    return facts


def _managed(lfdis: Iterable[str]) -> dict[str, str]:
    names = zip(("managed", "second_managed"), lfdis, strict=False)
    return {
        key: text
        for name, lfdi in names
        for key, text in ((name, lfdi), (f"{name}_sfdi", str(sfdi_of(bytes.fromhex(lfdi)))))
    }
