"""A VTN in a process of its own, as `init` and `run` make it, and an operator at a terminal."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from openadr_vtn.cli.main import main
from tests.free_ports import free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    folder: Path
    ready: dict[str, str]
    """What `run` printed when it was ready."""
    process: subprocess.Popen[str]

    def run(self, *arguments: str, status: int = 0) -> str:
        """What a command of the operator's prints."""
        result = command(*arguments, environment={"OPENADR_OPERATOR": str(self.folder / "operator.toml")})
        assert result.exit_code == status, result.output
        return result.output

    def read(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


def command(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner(env=environment).invoke(main, arguments)


def init(folder: Path, *more: str) -> Path:
    """A VTN's folder on free ports; its settings file."""
    names = ("--parties-port", "--operator-port", "--oadr3-port", "--console-port")
    ports = [text for name, port in zip(names, free_ports(len(names)), strict=True) for text in (name, str(port))]
    result = command("init", str(folder), *ports, *more)
    assert result.exit_code == 0, result.output
    return folder / "vtn.toml"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `init` made and nobody runs in."""
    return init(tmp_path_factory.mktemp("made") / "utility").parent


@pytest.fixture(scope="session")
def start() -> Callable[[Path], Utility]:
    def started(config: Path) -> Utility:
        process = subprocess.Popen(
            [sys.executable, "-m", "openadr_vtn", "run", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        return Utility(folder=config.parent, ready=json.loads(line), process=process)

    return started


@pytest.fixture(scope="module")
def utility(start: Callable[[Path], Utility], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Utility]:
    running = start(init(tmp_path_factory.mktemp("running") / "utility"))
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0
