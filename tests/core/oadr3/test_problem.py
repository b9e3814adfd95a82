"""Every error has its status, and only what an operator can mend is told."""

import inspect
import json

import pytest

from openadr_core import errors
from openadr_core.oadr3.problem import TITLES, problem_of

LEAK = "/var/lib/secret.db: SELECT * FROM party"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.MalformedMessage("x"), 400),
        (errors.SchemaViolation("x"), 400),
        (errors.InvalidEvent("x"), 400),
        (errors.GuardTripped("x"), 400),
        (errors.WrongState("x"), 409),
        (errors.UnknownPeer("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.TooMany("x", wait_s=1.0), 429),
        (errors.Conflict("x"), 409),
        (errors.Unavailable("x"), 503),
        (errors.LocalProtocolError("x"), 500),
        (errors.ConfigError("x"), 500),
        (RuntimeError("x"), 500),
    ],
)
def test_the_table(error: Exception, status: int) -> None:
    assert problem_of(error, "i-1").status == status


def test_every_error_of_ours_has_a_title() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.OpenAdrError)]
    assert len(kinds) > 20
    assert {problem_of(kind("x"), "i-1").status for kind in kinds} <= set(TITLES)


@pytest.mark.parametrize(
    "error", [errors.Unavailable(LEAK), errors.UnknownPeer(LEAK), errors.ConfigError(LEAK), KeyError(LEAK)]
)
def test_the_inside_stays_inside(error: Exception) -> None:
    body = problem_of(error, "i-1").body()
    assert b"secret" not in body
    assert json.loads(body)["instance"] == "i-1"
