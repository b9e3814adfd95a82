"""Requests made from the description, good and bad, by schemathesis: every answer must be one that it promises.

The standard's own OpenAPI file is not ours to keep; with its path in OPENADR3_OPENAPI it is held to that one too.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from openadr_vtn.http.addresses import OADR3
from tests.vtn.oadr3.table import Table, resource_request, ven_request

OURS = Path(__file__).resolve().parents[3] / "schemas" / "openadr3" / "operator.yaml"
DESCRIPTIONS = [OURS, *(Path(path) for path in [os.environ.get("OPENADR3_OPENAPI")] if path)]
COMMAND = Path(sys.executable).with_name("st")
OBJECTS = "^/(programs|events|reports|vens|resources)"
REFUSED_ON_PURPOSE = "positive_data_acceptance"
"""The JSON gate refuses texts and numbers that a schema lets pass (security T29), each role the other's requests."""
WAIT_S = 110


@pytest.mark.skipif(not COMMAND.exists(), reason="schemathesis is not installed (pip install .[test])")
@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("who", ["business", "ven"])
async def test_every_answer_is_one_that_was_promised(table: Table, description: Path, who: str, tmp_path: Path) -> None:
    await table.ven.create("vens", ven_request())
    await table.ven.create("resources", resource_request())
    await table.desk.create_event(await table.desk.create_program())
    client = table.bl if who == "business" else table.ven
    run = await asyncio.create_subprocess_exec(
        str(COMMAND), "run", str(description), "--url", f"{table.desk.http.base_url}{OADR3}",
        "-H", f"Authorization: {client.headers['Authorization']}", "--include-path-regex", OBJECTS,
        "--phases", "examples,coverage,fuzzing", "-n", "3", "--seed", "31", "--continue-on-failure",
        "--exclude-checks", REFUSED_ON_PURPOSE, "--warnings", "off", "--no-color",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        told, _ = await asyncio.wait_for(run.communicate(), WAIT_S)
    finally:
        if run.returncode is None:
            run.kill()
    assert run.returncode == 0, told.decode()
    assert " generated" in told.decode(), "it asked something"
