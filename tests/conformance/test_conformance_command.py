"""The command as a stranger types it: what it prints, what it writes, how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.__main__ import cli
from openadr_core.xml.parse import parse

from .conftest import Lab, ScriptedVtn


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def options(lab: Lab, url: str) -> list[str]:
    ven = lab.chain("ven")
    return ["--url", url, "--certificate", str(ven.certificate), "--key", str(ven.key), "--trust", str(lab.trust)]


def test_it_runs_as_a_program() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "openadr20b-vtn", "--only", "x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: openadr-conformance run")


def test_help_can_be_followed() -> None:
    assert "run" in command("--help").stdout
    told = " ".join(command("run", "openadr20b-vtn", "--help").stdout.split())
    for word in ("--operator-hook CMD", "CONFORMANCE_ACTION", "exit status", "test system"):
        assert word in told


def test_a_tester_of_a_ven_is_told_what_to_do() -> None:
    told = " ".join(command("run", "openadr20b-ven", "--help").stdout.split())
    for word in ("--listen HOST:PORT", "Point the VEN at it", "--operator-hook CMD", "create-opt", "exit status"):
        assert word in told


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--listen", "8443"], "--listen: HOST:PORT, not '8443'"),
        (["--listen", "203.0.113.7:1"], "--listen: 203.0.113.7:1: "),
        (["--expired-certificate", __file__], "--expired-certificate and --expired-key go together"),
        (["--only", "nothing"], "--only: no procedure nothing"),
        (["--certificate", __file__], "no certificate of a server"),
    ],
)
def test_a_wrong_setting_for_a_ven_is_named(lab: Lab, extra: list[str], told: str) -> None:
    vtn = lab.chain("vtn")
    shown = ["--certificate", str(vtn.certificate), "--key", str(vtn.key), "--trust", str(lab.trust)]
    ended = command("run", "openadr20b-ven", "--listen", "127.0.0.1:0", *shown, *extra)
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_a_ven_that_does_not_come_is_waited_for_so_long(lab: Lab) -> None:
    vtn = lab.chain("vtn")
    shown = ["--certificate", str(vtn.certificate), "--key", str(vtn.key), "--trust", str(lab.trust)]
    ended = command(
        "run", "openadr20b-ven", "--listen", "127.0.0.1:0", *shown, "--connect-s", "0.2", "--only", "event-new"
    )
    assert ended.exit_code == 1
    assert "registered: no VEN has registered in 0.2 s" in ended.stdout
    assert "Listening at https://127.0.0.1:" in ended.stderr
    assert "Waiting for the VEN to register" in ended.stderr


def test_list_tells_what_would_be_asked() -> None:
    assert "openadr20b-vtn: " in command("list").stdout
    listed = command("list", "openadr20b-vtn").stdout
    assert "registration-query" in listed
    assert "R404" in listed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "openadr20b-vtn"], "Missing option"),
        (["run", "openadr99-vtn"], "No such command"),
        (["list", "nothing"], "is not one of 'ieee2030_5-client', 'ieee2030_5-server'"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], told: str) -> None:
    ended = command(*arguments)
    assert (ended.exit_code, told in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--only", "nothing"], "--only: no procedure nothing"),
        (["--url", "http://127.0.0.1"], "an address is https://host[:port][/prefix], not"),
        (["--target", "nobody"], "no section [targets.nobody]"),
        (["--other-certificate", __file__], "--other-certificate and --other-key go together"),
        (["--certificate", __file__], "test_conformance_command.py"),
    ],
)
def test_a_wrong_setting_is_named(lab: Lab, extra: list[str], told: str) -> None:
    ended = command("run", "openadr20b-vtn", *options(lab, "https://127.0.0.1:1"), *extra)
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_a_run_prints_and_writes_what_it_found(lab: Lab, scripted_vtn: ScriptedVtn, tmp_path: Path) -> None:
    ended = command(
        "run", "openadr20b-vtn", *options(lab, scripted_vtn.target.url),
        "--only", "identity-none", "--only", "poll-empty", "--only", "event-answers",
        "--junit", str(tmp_path / "j.xml"), "--html", str(tmp_path / "h.html"), "--transcript", str(tmp_path / "t"),
    )  # fmt: skip
    assert ended.exit_code == 1
    lines = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert "passed" in lines["identity-none"]
    assert "blocked" in lines["poll-empty"]
    assert "not run" in lines["event-answers"]
    assert "needs --operator-hook" in ended.stdout
    assert parse((tmp_path / "j.xml").read_bytes()).get("failures") == "2"
    assert "poll-empty" in (tmp_path / "h.html").read_text()
    assert sorted(file.name for file in (tmp_path / "t").iterdir()) == [
        "event-answers.txt", "identity-none.txt", "poll-empty.txt",
    ]  # fmt: skip


def test_a_run_without_surprises_ends_with_nought(lab: Lab, scripted_vtn: ScriptedVtn) -> None:
    ended = command("run", "openadr20b-vtn", *options(lab, scripted_vtn.target.url), "--only", "identity-none")
    assert ended.exit_code == 0
    assert ended.stdout.splitlines()[-1] == "1 passed; all as expected"
