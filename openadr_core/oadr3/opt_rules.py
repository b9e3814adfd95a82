"""Rules for opt schedules as attributes of a program: what OpenADR 2.0b leaves to programs, and 3.1 has no word for.

* ``OPT_SCHEDULES``: ``both`` (the default), ``optIn``, ``optOut`` or ``none``: which types parties may make.
* ``OPT_DEFAULT``: ``optIn`` (the default) or ``optOut``: what holds where nothing is said.
* ``OPT_PRECEDENCE``: ``optOut`` (the default), ``optIn`` or ``newest``: which counts where both speak.
* ``OPT_OVERLAP``: ``allowed`` (the default) or ``refused``: whether stretches of one schedule may overlap.
"""

from collections.abc import Mapping

from openadr_core.errors import RuleBroken
from openadr_core.model.availability import OptRules, Precedence
from openadr_core.model.opt import OptType

ALLOWED = {
    "both": frozenset(OptType),
    "optIn": frozenset({OptType.IN}),
    "optOut": frozenset({OptType.OUT}),
    "none": frozenset[OptType](),
}
DEFAULT = {opt_type.value: opt_type for opt_type in OptType}
PRECEDENCE = {precedence.value: precedence for precedence in Precedence}
OVERLAP = {"allowed": True, "refused": False}
CHOICES: dict[str, tuple[str, Mapping[str, object]]] = {
    "OPT_SCHEDULES": ("allowed", ALLOWED),
    "OPT_DEFAULT": ("default", DEFAULT),
    "OPT_PRECEDENCE": ("precedence", PRECEDENCE),
    "OPT_OVERLAP": ("overlap", OVERLAP),
}
"""Attribute: the rule that it is, and what its words mean."""


def opt_rules_of(words: Mapping[str, str]) -> OptRules | None:
    """The rules that these attributes (those named above, by their one text) make; None if there are none.

    RuleBroken names an attribute with a word that it does not know.
    """
    chosen: dict[str, object] = {}
    for attribute, word in words.items():
        rule, meaning = CHOICES[attribute]
        if word not in meaning:
            raise RuleBroken(f"attribute {attribute}: must be {', '.join(meaning)}, not {word!r}")
        chosen[rule] = meaning[word]
    return OptRules(**chosen) if chosen else None  # type: ignore[arg-type]  # CHOICES pairs each rule with its values
