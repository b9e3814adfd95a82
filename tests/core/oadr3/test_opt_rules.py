"""A program's rules for opt schedules, as its attributes say them (2.0b R201)."""

import pytest

from openadr_core.errors import RuleBroken
from openadr_core.model.availability import OptRules, Precedence
from openadr_core.model.opt import OptType
from openadr_core.oadr3.opt_rules import opt_rules_of

pytestmark = pytest.mark.openadr20b("R201", "O10")


def test_a_program_that_says_nothing_has_none() -> None:
    assert opt_rules_of({}) is None


def test_each_rule_can_be_said() -> None:
    said = {"OPT_SCHEDULES": "optOut", "OPT_DEFAULT": "optOut", "OPT_PRECEDENCE": "newest", "OPT_OVERLAP": "refused"}
    assert opt_rules_of(said) == OptRules(
        allowed=frozenset({OptType.OUT}), default=OptType.OUT, precedence=Precedence.NEWEST, overlap=False
    )
    assert opt_rules_of({"OPT_SCHEDULES": "none"}) == OptRules(allowed=frozenset())


@pytest.mark.parametrize("attribute", ["OPT_SCHEDULES", "OPT_DEFAULT", "OPT_PRECEDENCE", "OPT_OVERLAP"])
def test_a_word_that_is_not_known_is_named(attribute: str) -> None:
    with pytest.raises(RuleBroken, match=attribute):
        opt_rules_of({attribute: "OPTOUT"})
