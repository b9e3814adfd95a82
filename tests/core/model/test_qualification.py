"""An event's qualification holds for its resources until another one, and through every version (2.0b R206)."""

from datetime import UTC, datetime

import pytest

from openadr_core.model.availability import Resource, Scope
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification, of_whole_party, qualified
from openadr_core.model.target import by_name

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)

pytestmark = pytest.mark.openadr20b("R206", "O6")


def said(opt_type: OptType, *names: str) -> Qualification:
    return Qualification(
        id="o1", event_id="e", version=0, opt_type=opt_type, reason="economic", created_at=NOW,
        scope=Scope(targets=frozenset(by_name(*names))),
    )  # fmt: skip


def test_the_last_word_for_a_resource_counts() -> None:
    words = [said(OptType.OUT), said(OptType.IN, "a"), said(OptType.OUT, "a", "b"), said(OptType.IN, "b")]
    found = [qualified(words, Resource(names=frozenset({name}))) for name in ("a", "b", "c")]
    assert found == [words[2], words[3], words[0]]
    assert of_whole_party(words) is words[0]
    assert of_whole_party(words[1:]) is None
    assert qualified(words[1:], Resource(names=frozenset({"c"}))) is None
