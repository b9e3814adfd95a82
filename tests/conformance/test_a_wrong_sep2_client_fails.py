"""A client of 2030.5 that does what none may is found out, each by the procedures that are for it."""

from typing import cast

import pytest

from conformance.answers import Sight
from conformance.checks import Check
from conformance.loading import load_suite
from conformance.outcomes import Outcome, Verdict
from conformance.procedure import Step
from conformance.run import run_procedures
from conformance.schema import sep2_schema_fault
from conformance.sep2.client_run import ClientTarget, Sep2ClientRun, unmet_needs
from conformance.sep2.script import Sep2Script
from conformance.server.hearing import Stage
from conformance.ven.run import Patience
from openadr_core.identity import peer_of

from .model_sep2_client import ModelSep2Client
from .spoiling import spoilt

SUITE = load_suite("ieee2030_5-client")
PEER = peer_of(b"the model's certificate")
PIN = "123455"
NMI = "41020000002"
MANAGED = ("0" * 31 + "100028547", "0" * 31 + "200028547")
TARGET = ClientTarget(
    peer=PEER,
    pin=PIN,
    nmi=NMI,
    power_w=4_000,
    subscribes=True,
    in_band=True,
    managed=MANAGED,
    patience=Patience(connect_s=20, answer_s=20),
)
WRONG_IN_ONE_THING: list[tuple[str, list[str]]] = [
    ("ignores the PIN", ["pin"]),
    ("guesses addresses", ["links"]),
    ("remembers addresses", ["links"]),
    ("says another connection point", ["connection-point"]),
    ("begins what it cannot follow", ["cannot"]),
    ("trusts anybody", ["impostor"]),
    ("says nothing of itself", ["discovery", "connection-point"]),
    ("does not see that it was superseded", ["superseded"]),
    ("gives up its meter when it is gone", ["mirror"]),
    ("answers twice", ["control", "cancelled-begun", "randomised", "lost"]),
    ("acts for everybody", ["others"]),
    ("takes the first page for all", ["pages"]),
    ("does not cancel", ["cancelled", "cancelled-begun"]),
    ("cancels when it was to begin", ["cancelled"]),
    ("ignores primacy", ["primacy"]),
    ("does not resume", ["resumed"]),
    ("follows one control at a time", ["side-by-side", "randomised"]),
    ("does not draw", ["randomised"]),
    ("draws beyond the range", ["randomised"]),
    ("carries out what is over", ["late"]),
    ("forgets what was not taken", ["response-again"]),
    ("is not put off", ["busy"]),
    ("lets go when the server is lost", ["lost"]),
    ("forgets readings", ["readings-again", "lost-metered"]),
    ("reads out as often as it likes", ["post-rate"]),
    ("ignores the default", ["default", "lost-metered"]),
    ("takes to its default when the server is lost", ["lost-metered"]),
    ("does not subscribe", ["subscribed"]),
    ("fails when it is told", ["subscribed"]),
    ("does not heed what it is told", ["subscribed", "poll-rate"]),
    ("registers as another", ["in-band"]),
    ("never stops registering", ["pin", "in-band"]),
    ("answers for itself alone", ["managed"]),
    ("has one meter for all", ["managed"]),
    ("gives every device every control", ["managed"]),
    ("does not go where it is sent", ["redirected"]),
    ("chokes on what it does not know", ["cannot", "newer"]),
    ("polls as often as it likes", ["poll-rate"]),
]
"""What a client does, and the procedures that find it out: these, and no others."""
WRONG_IN_EVERYTHING: list[tuple[str, set[str]]] = [
    ("goes by its own clock", {"discovery", "clock", "control"}),
    ("reads the clock once", {"clock"}),
    ("never answers", {"pin", "control", "cancelled", "superseded"}),
    ("answers for another", {"others", "control"}),
    ("answers to the program", {"control"}),
]
"""Likewise: these among others."""
Seen = list[tuple[Check, Sight]]


def outcomes(wrong: str = "", seen: Seen | None = None) -> dict[str, Outcome]:
    script = Sep2Script()
    client = ModelSep2Client(
        script=script, lfdi=PEER.lfdi, sfdi=str(PEER.sfdi), pin=PIN, nmi=NMI, managed=MANAGED, wrong=wrong
    )
    script.clock = lambda: client.now_s
    stage = cast("Stage", client)  # the harness only waits on it

    class Watching(Sep2ClientRun):
        """Keeps what each check saw."""

        def judge_last(self, step: Step) -> None:
            if seen is not None:
                sight = Sight(answer=self.last, variables=dict(self.variables), schema_fault=sep2_schema_fault)
                seen.extend((check, sight) for check in step.expect)
            super().judge_last(step)

    run = run_procedures(
        SUITE, lambda: Watching(TARGET, script, stage, client.reach), lambda one: unmet_needs(one, TARGET)
    )
    return {one.procedure.id: one for one in run}


def test_a_good_one_passes_and_every_check_can_fail() -> None:
    seen: Seen = []
    found = outcomes(seen=seen)
    told = {name: (one.verdict, one.reason, one.shortcomings) for name, one in found.items()}
    assert told == dict.fromkeys(told, (Verdict.PASSED, "", {}))
    assert {check.id for one in SUITE.procedures for check in one.checks} <= {check.id for check, _ in seen}
    ornaments = {check.id for check, sight in seen if all(check.judge(wrong).passed for wrong in spoilt(sight))}
    assert ornaments == set()


@pytest.mark.parametrize(("wrong", "found_by"), WRONG_IN_ONE_THING)
def test_a_wrong_one_is_found_out_by_what_is_for_it(wrong: str, found_by: list[str]) -> None:
    found = {name: one for name, one in outcomes(wrong).items() if one.verdict is not Verdict.PASSED}
    assert list(found) == found_by, {name: (one.reason, one.shortcomings) for name, one in found.items()}


@pytest.mark.parametrize(("wrong", "found_by"), WRONG_IN_EVERYTHING)
def test_one_that_is_wrong_in_everything_is_found_out_again_and_again(wrong: str, found_by: set[str]) -> None:
    assert found_by <= {name for name, one in outcomes(wrong).items() if one.verdict is Verdict.FAILED}


def test_for_every_procedure_there_is_a_client_that_it_finds_out() -> None:
    found_by = [names for _, names in (*WRONG_IN_ONE_THING, *WRONG_IN_EVERYTHING)]
    assert set().union(*found_by) == {one.id for one in SUITE.procedures}
