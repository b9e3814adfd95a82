"""py20305, the CSIP client of the SunSpec Alliance, under our VTN: all that it does, over mutual TLS."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openadr_vtn.cli.operator_api import OperatorApi

from .sep2_utility import MISSING, PIN, STRANGERS, Utility, running_utility

CLIENT, GROUP = "satori", "feeder"
STARTED, CANCELLED = 2, 6
WAIT_S = 60.0
"""For what takes a second or two on a machine that does nothing else."""


@pytest.fixture
def utility(tmp_path: Path) -> Iterator[Utility]:
    if not STRANGERS.exists():
        pytest.skip(MISSING)
    with running_utility(tmp_path) as utility:
        yield utility


def soon(look: Callable[[], Any], log: Path) -> Any:
    """What ``look`` finds, once that is something."""
    until = time.monotonic() + WAIT_S
    while not (found := look()):
        assert time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(0.2)
    return found


@pytest.mark.timeout(240)
@pytest.mark.ieee2030_5("T1", "M4", "F2", "F3", "F4", "F7", "F9", "F11", "N3")
def test_it_finds_its_way_obeys_answers_reports_and_is_told(utility: Utility) -> None:
    certificate, lfdi = utility.minted(CLIENT)
    operator = utility.operator
    operator.command("parties", {"name": CLIENT, "certificate": certificate.read_text()})
    operator.command("sep2/groups", {"name": GROUP, "primacy": 3})
    operator.command("sep2/devices", {"party": CLIENT, "lfdi": lfdi, "pin": PIN, "groups": [GROUP], "post_rate_s": 1})
    config, log = utility.folder / "satori.json", utility.folder / "satori.log"
    config.write_text(
        json.dumps(
            {
                "server": {"url": utility.url, "dcap_path": "/csip/dcap", "server_2018_compat": True},
                "tls": {
                    "client_cert": str(certificate), "client_key": str(certificate.with_suffix(".key")),
                    "ca_cert": str(utility.trust),
                },
                "devices": [{"type": "print_demo", "lfdi": lfdi}],
                "registration_pins": {lfdi: PIN},
                "subscription": {
                    "enabled": True, "notification_host": "127.0.0.1", "notification_port": utility.told_at,
                    "notification_external_host": "localhost",
                },
            }
        )
    )  # fmt: skip
    with (
        log.open("w") as said,
        subprocess.Popen([STRANGERS / "py20305", "-c", config], cwd=utility.folder, stdout=said, stderr=said) as client,
    ):
        try:
            device = f"sep2/devices/{lfdi}"
            documents = {"der/1/dercap", "der/1/derg", "der/1/ders", "der/1/dera"}
            soon(lambda: documents <= set(operator.admin(device)["said"]), log)
            watched = {"/csip/edev", "/csip/edev/1/fsa", "/csip/edev/1/fsa/1/derp", "/csip/derp/1/derc"}
            soon(lambda: watched <= {one["resource"] for one in operator.admin("sep2/subscriptions")}, log)
            asked = {"asks": {"opModMaxLimW": 5000}, "start": "0001-01-01T00:00:00Z", "duration_s": 600}
            mrid = operator.command(f"sep2/groups/{GROUP}/controls", asked)["mrid"]
            soon(lambda: STARTED in responses(operator, mrid), log)
            operator.command(f"sep2/controls/{mrid}/cancel", {})
            soon(lambda: CANCELLED in responses(operator, mrid), log)
            soon(lambda: operator.admin(f"parties/{CLIENT}/readings"), log)
        finally:
            client.send_signal(signal.SIGTERM)
        assert client.wait(WAIT_S) == 0
    assert operator.admin("sep2/subscriptions") == [], "it has taken leave"
    assert "ERROR" not in log.read_text()


def responses(operator: OperatorApi, mrid: str) -> set[int]:
    """What was answered to a control, as the operator reads it."""
    listed = operator.admin(f"sep2/groups/{GROUP}/controls")
    return {answer["status"] for control in listed if control["mrid"] == mrid for answer in control["responses"]}
