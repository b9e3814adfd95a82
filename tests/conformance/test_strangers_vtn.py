"""The harness judges somebody else's VTN, over real mutual TLS, and finds exactly what is known of it."""

import subprocess
import sys

from .conftest import Lab, Stranger


def test_openleadr_is_as_known(lab: Lab, openleadr_vtn: Stranger) -> None:
    parties = {"": "ven", "other-": "other", "pending-": "pending"}
    shown = [
        option
        for prefix, name in parties.items()
        for option in (
            f"--{prefix}certificate", str(lab.chain(name).certificate), f"--{prefix}key", str(lab.chain(name).key),
        )
    ]  # fmt: skip
    ended = subprocess.run(
        [
            sys.executable, "-m", "conformance", "run", "openadr20b-vtn", "--url", openleadr_vtn.url,
            "--trust", str(lab.trust), *shown, "--event-hook", openleadr_vtn.event_hook, "--target", "openleadr",
        ],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdicts = {line[:30].strip(): line[31:47].strip() for line in ended.stdout.splitlines()}
    assert verdicts["event-cancel"] == "passed"
    assert verdicts["poll-empty"] == "passed"
    assert verdicts["identity-none"] == "passed"
    assert verdicts["event-content"] == "failed (known)"
    assert "not run" not in verdicts.values()
    assert "blocked" not in verdicts.values()
