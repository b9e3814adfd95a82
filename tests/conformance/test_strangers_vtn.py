"""The harness judges somebody else's VTN, over real mutual TLS, and finds exactly what is known of it."""

import pytest
from click.testing import CliRunner

from conformance.__main__ import cli as conformance

from .conftest import Lab, Stranger


@pytest.mark.timeout(480)
def test_openleadr_is_as_known(lab: Lab, openleadr_vtn: Stranger) -> None:
    shown = [
        option
        for prefix, name in (("", "ven"), ("other-", "other"), ("pending-", "pending"), ("expired-", "expired"))
        for option in (f"--{prefix}certificate", str(lab.chain(name).certificate),
                       f"--{prefix}key", str(lab.chain(name).key))
    ]  # fmt: skip
    where = ["--url", openleadr_vtn.url, "--trust", str(lab.trust), "--operator-hook", openleadr_vtn.hook]
    # The limits of time are for a peer, not for whatever else this machine is testing.
    shown += ["--resource", "heater-1", "--resource", "heater-2"]
    shown += ["--group", "feeder-7", "--shared-group", "north", "--party-id", "account-1"]
    judged_as = ["--target", "openleadr", "--latency-s", "0.4"]
    ended = CliRunner().invoke(conformance, ["run", "openadr20b-vtn", *where, *shown, *judged_as])
    assert ended.exit_code == 0, ended.output
    verdicts = {line[:30].strip(): line[31:47].strip() for line in ended.stdout.splitlines()}
    assert verdicts["event-cancel"] == "passed"
    assert verdicts["poll-empty"] == "passed"
    assert verdicts["identity-none"] == "passed"
    assert verdicts["event-content"] == "failed (known)"
    assert "blocked" not in verdicts.values()
