"""The bench of the edge, small: every home is told over MQTT with TLS, and its answer comes back to the VEN."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.bench.edge_nodes import main, measure, report
from tests.mosquitto import MOSQUITTO

HOMES = 40


@pytest.mark.timeout(300)
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
def test_every_home_of_a_node_is_told_and_answers(tmp_path: Path) -> None:
    found = measure(HOMES, HOMES, tmp_path / "edge", wait_s=60.0, say=False)
    assert found.nodes == 1
    for times_s in (found.told_s, found.acknowledged_s, found.ven_s):
        assert times_s.size == HOMES
        assert (times_s > 0.0).all(), "nobody is told before the operator asks, and nobody is left out"
    assert (found.acknowledged_s >= found.told_s).all()
    assert np.isfinite(found.connecting_s)
    assert f"{HOMES} homes" in report(found).text()


def test_help_says_what_can_be_chosen() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    assert "--homes" in said
    assert "--per-node" in said
