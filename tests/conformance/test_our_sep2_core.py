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

from .our_sep2_core import OurSep2Core

PEER = peer_of(b"our own certificate")


@pytest.mark.ieee2030_5("E5", "E6", "E7", "E8", "E10", "M10", "C16")
def test_our_own_core_passes() -> None:
    script = Sep2Script()
    core = OurSep2Core(script=script, peer=PEER, pin=123455)
    script.clock = lambda: core.now.timestamp()  # noqa: PLW0108  (its time goes on)
    target = ClientTarget(peer=PEER, pin="123455", patience=Patience(connect_s=30, answer_s=30))
    outcomes = run_suite(load_suite("ieee2030_5-client"), target, script, cast("Stage", core))
    told = {one.procedure.id: (one.verdict, one.reason, one.shortcomings) for one in outcomes}
    assert told == dict.fromkeys(told, (Verdict.PASSED, "", {}))
