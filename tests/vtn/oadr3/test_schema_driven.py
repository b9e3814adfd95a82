"""Requests made from the description, good and bad, by schemathesis: every answer must be one that it promises.

The standard's own file is asked in all phases, with what is otherwise on purpose named in ``deliberate``; ours, which
describes the same addresses with what is ours beside it, more briefly.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import yaml

from openadr_vtn.http.addresses import OADR3
from tests.vtn.oadr3.deliberate import ACCEPTED, LIST, NOT_DOCUMENTED, REFUSED, is_deliberate
from tests.vtn.oadr3.table import Table, resource_request, ven_request

ROOT = Path(__file__).resolve().parents[3]
OURS = ROOT / "schemas" / "openadr3" / "operator.yaml"
THEIRS = ROOT / "tests" / "vectors" / "oadr3" / "openadr3-3.1.1-patched.yaml"
COMMAND = Path(sys.executable).with_name("st")
OBJECTS = "^/(programs|events|reports|vens|resources)"
WAIT_S = 900

needs_schemathesis = pytest.mark.skipif(not COMMAND.exists(), reason="schemathesis is not installed (.[test])")


async def answers_of(table: Table, who: str, folder: Path, description: Path, *options: str) -> str:
    """What schemathesis has to say after it has asked the VTN as business logic or as a VEN."""
    await table.ven.create("vens", ven_request())
    await table.ven.create("resources", resource_request())
    await table.desk.create_event(await table.desk.create_program())
    client = table.bl if who == "business" else table.ven
    run = await asyncio.create_subprocess_exec(
        str(COMMAND), "run", str(description), "--url", f"{table.desk.http.base_url}{OADR3}",
        "-H", f"Authorization: {client.headers['Authorization']}", *options,
        "--seed", "31", "--continue-on-failure", "--no-shrink", "--warnings", "off", "--no-color",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.vtn.oadr3.deliberate", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        told, _ = await asyncio.wait_for(run.communicate(), WAIT_S)
    finally:
        if run.returncode is None:
            run.kill()
    said = told.decode()
    assert run.returncode == 0, said
    return said


@pytest.mark.openadr3("C1", "C2")
@needs_schemathesis
@pytest.mark.timeout(WAIT_S + 60)
@pytest.mark.parametrize("who", ["business", "ven"])
async def test_the_standards_own_file_finds_nothing_in_any_phase(table: Table, who: str, tmp_path: Path) -> None:
    said = await answers_of(
        table, who, tmp_path, THEIRS, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "2"
    )
    assert "Tested: 45" in said, said


@needs_schemathesis
@pytest.mark.timeout(WAIT_S + 60)
@pytest.mark.parametrize("who", ["business", "ven"])
async def test_our_own_file_promises_what_is_answered(table: Table, who: str, tmp_path: Path) -> None:
    said = await answers_of(
        table, who, tmp_path, OURS, "--phases", "examples,fuzzing", "--max-examples", "3",
        "--include-path-regex", OBJECTS,
    )  # fmt: skip
    assert " generated" in said, "it asked something"


def test_the_standards_file_is_that_of_3_1() -> None:
    described = yaml.safe_load(THEIRS.read_text())
    assert described["info"]["license"]["name"] == "Apache 2.0"
    assert sum(name != "parameters" for path in described["paths"].values() for name in path) == 45


@pytest.mark.parametrize(
    ("check", "operation", "body"),
    [
        (REFUSED, "POST /events", '{"detail": "intervals[0].id: is missing"}'),
        (REFUSED, "GET /events", '{"detail": "the body is missing"}'),
        (REFUSED, "POST /programs", '{"detail": "objectType: must begin with BL_ for this client"}'),
        (ACCEPTED, "POST /events", '{"objectType": "EVENT"}'),
        (NOT_DOCUMENTED, "GET /notifiers", '{"detail": "the token lacks the scope read_all"}'),
        (NOT_DOCUMENTED, "GET /notifiers/mqtt/topics/programs", "502 Bad Gateway"),
    ],
)
def test_what_is_not_on_the_list_counts(check: str, operation: str, body: str) -> None:
    assert not is_deliberate(check, operation, body)
    assert is_deliberate(REFUSED, "POST /events", '{"detail": "the body is missing"}'), "something is on it"
    assert all(one.because for one in LIST)
