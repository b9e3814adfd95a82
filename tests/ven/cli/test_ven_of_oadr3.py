"""The agent's command line where it speaks OpenADR 3: settings as ``init`` writes them, and what ``check`` says."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from openadr_ven.cli.root import WRONG_USE
from openadr_ven.settings import load
from tests.core.shell.lab import Lab
from tests.rig import write_small_fleet
from tests.ven.cli.conftest import Ven


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture(scope="session")
def fleet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_fleet(tmp_path_factory.mktemp("fleet") / "fleet.csv")


@pytest.mark.openadr3("R1.5")
def test_it_may_speak_openadr_3_instead(
    tmp_path: Path, lab: Lab, fleet_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ven = Ven(folder=tmp_path / "ven3", capsys=capsys)
    ven.run(
        "init", ven.folder, "--protocol", "oadr3", "--vtn-url", "https://vtn.example", "--name", "house-7",
        "--client-id", "i7", "--trust", lab.trust("ecc"), config=False,
    )  # fmt: skip
    _, error = ven.run("check", status=WRONG_USE)
    assert "oadr3.client_secret_file" in error
    (ven.folder / "client-secret").write_text("not a word\n")
    ven.run("fleet", "load", fleet_file)
    out, _ = ven.run("check")
    assert "VTN https://vtn.example by OpenADR 3 (/openadr3/3.1.0), polled" in out
    settings = load(ven.config)
    assert settings.vtn is None
    assert settings.oadr3 is not None
    assert (settings.oadr3.client_id, settings.oadr3.broker, settings.oadr3.webhook) == ("i7", True, None)


def test_it_may_be_told_by_webhook_too(
    tmp_path: Path, lab: Lab, fleet_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ven = Ven(folder=tmp_path / "ven3", capsys=capsys)
    ven.run("init", ven.folder, "--protocol", "oadr3", "--trust", "", config=False)
    assert "\ntrust = " not in ven.config.read_text()
    (ven.folder / "client-secret").write_text("not a word")
    ven.run("fleet", "load", fleet_file)
    chain = lab.chain("openadr-ecc-vtn")
    for name, value in {
        "ADDRESS": "https://ven.example/hook",
        "CERTIFICATE": chain.certificate,
        "KEY": chain.key,
    }.items():
        monkeypatch.setenv(f"OPENADR_VEN_OADR3__WEBHOOK__{name}", str(value))
    out, _ = ven.run("check")
    assert "which comes to https://ven.example/hook" in out
    monkeypatch.setenv("OPENADR_VEN_OADR3__BASE", "/openadr3/3.0.1")
    _, error = ven.run("check", status=WRONG_USE)
    assert "webhook goes with 3.1" in error
    monkeypatch.setenv("OPENADR_VEN_OADR3__WEBHOOK__ADDRESS", "http://ven.example/hook")
    _, error = ven.run("check", status=WRONG_USE)
    assert "oadr3.webhook.address: must be https://" in error
