"""The core of our own client of 2030.5 passes every procedure, in a time of its own."""

from typing import cast

import pytest

from conformance.loading import load_suite
from conformance.outcomes import Verdict
from conformance.sep2.client_run import ClientTarget, run_suite
from conformance.sep2.script import Sep2Script
from conformance.server.hearing import Stage
from conformance.ven.run import Patience
from openadr_core.identity import peer_of
from openadr_core.model.target import Target, TargetKind
from openadr_ven.protocols.sep2 import ManagedDevice

from .our_sep2_core import NMI, RATINGS, OurSep2Core

PEER = peer_of(b"our own certificate")
MANAGED = {
    f"{number:032X}00028547": ManagedDevice(
        ratings=RATINGS, targets=(Target(kind=TargetKind.RESOURCE, name=f"device-{number}"),)
    )
    for number in (1, 2)
}


@pytest.mark.ieee2030_5("E5", "E6", "E7", "E8", "E10", "M10", "C16")
def test_our_own_core_passes() -> None:
    script = Sep2Script()
    core = OurSep2Core(script=script, peer=PEER, pin=123455, managed=MANAGED)
    script.clock = lambda: core.now.timestamp()  # noqa: PLW0108  (its time goes on)
    target = ClientTarget(
        peer=PEER, pin="123455", nmi=NMI, power_w=4_000, subscribes=True, in_band=True, managed=tuple(MANAGED),
        patience=Patience(connect_s=30, answer_s=30),
    )  # fmt: skip
    outcomes = run_suite(load_suite("ieee2030_5-client"), target, script, cast("Stage", core), reach=core.reach)
    told = {one.procedure.id: (one.verdict, one.reason, one.shortcomings) for one in outcomes}
    assert told == dict.fromkeys(told, (Verdict.PASSED, "", {}))
