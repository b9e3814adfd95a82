"""The agent's command line where it speaks IEEE 2030.5: settings as ``init`` writes them, and what ``check`` says."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from openadr_ven.cli.root import WRONG_USE
from openadr_ven.settings import load
from tests.core.shell.lab import Lab
from tests.rig import write_small_fleet
from tests.ven.cli.conftest import Ven


def test_it_may_speak_ieee_2030_5_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab(folder=tmp_path, now=datetime.now(UTC))
    chain = lab.chain("sep2-device", "aggregator")
    ven = Ven(folder=tmp_path / "ven-sep2", capsys=capsys)
    ven.run(
        "init", ven.folder, "--protocol", "sep2", "--vtn-url", "https://utility.example:8446",
        "--certificate", chain.certificate, "--key", chain.key, "--trust", tmp_path / "serca.pem", config=False,
    )  # fmt: skip
    _, error = ven.run("check", status=WRONG_USE)
    assert "sep2.trust" in error
    (tmp_path / "serca.pem").write_bytes(lab.trust("sep2").read_bytes())
    ven.run("fleet", "load", write_small_fleet(tmp_path / "fleet.csv"))
    out, _ = ven.run("check")
    assert "60 devices, VTN https://utility.example:8446 by IEEE 2030.5 (/dcap), as LFDI " in out
    settings = load(ven.config).sep2
    assert settings is not None
    assert (settings.csipaus, settings.pin, settings.notifications, settings.in_band) == ("1.2", None, None, False)
